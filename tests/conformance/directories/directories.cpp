// mkdir(2), rmdir(2), getdents64(2), chdir(2), getcwd(2).
#include <dirent.h>
#include <limits.h>

#include <algorithm>
#include <set>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Directories : public TempDirTest {};

TEST_F(Directories, MkdirAppliesUmask) {
  umask(027);
  ASSERT_OK(mkdir(path("d"), 0777));
  struct stat status;
  ASSERT_OK(stat(path("d"), &status));
  EXPECT_EQ(status.st_mode, S_IFDIR | 0750u);
}

TEST_F(Directories, MkdirKeepsSticky) {
  umask(0);
  ASSERT_OK(mkdir(path("d"), 01777));
  struct stat status;
  ASSERT_OK(stat(path("d"), &status));
  EXPECT_EQ(status.st_mode & 07777, 01777u);
}

TEST_F(Directories, MkdirErrors) {
  write_file("file", "");
  ASSERT_OK(symlink("nowhere", path("dangling")));
  EXPECT_ERRNO(mkdir(path(), 0755), EEXIST);
  EXPECT_ERRNO(mkdir(path("file"), 0755), EEXIST);
  EXPECT_ERRNO(mkdir(path("dangling"), 0755), EEXIST);
  EXPECT_ERRNO(mkdir(path("none/d"), 0755), ENOENT);
  EXPECT_ERRNO(mkdir(path("file/d"), 0755), ENOTDIR);
  EXPECT_ERRNO(mkdir("", 0755), ENOENT);
  EXPECT_ERRNO(mkdir("/", 0755), EEXIST);
  EXPECT_ERRNO(mkdir(path("."), 0755), EEXIST);
  EXPECT_ERRNO(sys(SYS_mkdirat, AT_FDCWD, low_address(), 0755), EFAULT);
  EXPECT_ERRNO(mkdirat(-1, "d", 0755), EBADF);
}

TEST_F(Directories, MkdirTrailingSlashIsFine) { EXPECT_OK(mkdir(path("d/"), 0755)); }

TEST_F(Directories, MkdirNeedsWritePermissionOnTheParent) {
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(mkdir(path("d"), 0755), EACCES);
  });
}

TEST_F(Directories, SetGroupIdIsInherited) {
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(chown(path("d"), 0, other_group));
  ASSERT_OK(chmod(path("d"), 02755));
  ASSERT_OK(mkdir(path("d/sub"), 0755));
  write_file("d/file", "");
  struct stat status;
  ASSERT_OK(stat(path("d/sub"), &status));
  EXPECT_EQ(status.st_gid, other_group);
  EXPECT_TRUE(status.st_mode & S_ISGID);
  ASSERT_OK(stat(path("d/file"), &status));
  EXPECT_EQ(status.st_gid, other_group);
  EXPECT_FALSE(status.st_mode & S_ISGID);
}

TEST_F(Directories, LinkCountsFollowSubdirectories) {
  struct stat status;
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(stat(path("d"), &status));
  EXPECT_EQ(status.st_nlink, 2u);
  ASSERT_OK(mkdir(path("d/sub"), 0755));
  ASSERT_OK(stat(path("d"), &status));
  EXPECT_EQ(status.st_nlink, 3u);
  ASSERT_OK(rmdir(path("d/sub")));
  ASSERT_OK(stat(path("d"), &status));
  EXPECT_EQ(status.st_nlink, 2u);
}

TEST_F(Directories, RmdirErrors) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("d/file", "");
  ASSERT_OK(symlink("d", path("link")));
  EXPECT_ERRNO(rmdir(path("d")), ENOTEMPTY);
  EXPECT_ERRNO(rmdir(path("d/file")), ENOTDIR);
  EXPECT_ERRNO(rmdir(path("link")), ENOTDIR);
  EXPECT_ERRNO(rmdir(path("none")), ENOENT);
  EXPECT_ERRNO(rmdir(path("d/.")), EINVAL);
  EXPECT_ERRNO(rmdir(path("d/..")), ENOTEMPTY);
  EXPECT_ERRNO(rmdir("/"), EBUSY);
  EXPECT_ERRNO(rmdir(""), ENOENT);
}

TEST_F(Directories, RemovedDirectoryStaysUsableButEmpty) {
  ASSERT_OK(mkdir(path("d"), 0755));
  const ScopedFd fd = open(path("d"), O_RDONLY | O_DIRECTORY);
  ASSERT_OK(rmdir(path("d")));
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_nlink, 0u);
  EXPECT_ERRNO(openat(fd, "new", O_CREAT | O_RDWR, 0600), ENOENT);
  EXPECT_ERRNO(mkdirat(fd, "new", 0700), ENOENT);
}

std::set<std::string> names_in(const char* directory) {
  std::set<std::string> names;
  DIR* stream = opendir(directory);
  if (!stream) return names;
  while (const dirent* entry = readdir(stream)) {
    EXPECT_TRUE(names.insert(entry->d_name).second) << entry->d_name << " seen twice";
  }
  closedir(stream);
  return names;
}

TEST_F(Directories, ListsDotsAndEntries) {
  write_file("a", "");
  ASSERT_OK(mkdir(path("b"), 0755));
  ASSERT_OK(symlink("x", path("c")));
  EXPECT_EQ(names_in(path()), (std::set<std::string>{".", "..", "a", "b", "c"}));
}

TEST_F(Directories, EntryTypesAndInodes) {
  write_file("file", "");
  ASSERT_OK(mkdir(path("directory"), 0755));
  ASSERT_OK(symlink("x", path("link")));
  ASSERT_OK(mkfifo(path("fifo"), 0600));
  DIR* stream = opendir(path());
  ASSERT_NE(stream, nullptr);
  int seen = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    struct stat status;
    ASSERT_OK(fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW));
    if (name != "..") {
      EXPECT_EQ(entry->d_ino, status.st_ino) << name;
    }
    if (entry->d_type != DT_UNKNOWN) {
      EXPECT_EQ((unsigned)DTTOIF(entry->d_type), status.st_mode & S_IFMT) << name;
    }
    seen++;
  }
  closedir(stream);
  EXPECT_EQ(seen, 6);
}

TEST_F(Directories, ManyEntriesAreListedOnceEach) {
  std::set<std::string> expected = {".", ".."};
  for (int i = 0; i < 500; i++) {
    const std::string name = "entry-with-a-longer-name-" + std::to_string(i);
    const ScopedFd fd = open(path(name), O_CREAT | O_WRONLY, 0600);
    ASSERT_OK(fd.get());
    expected.insert(name);
  }
  EXPECT_EQ(names_in(path()), expected);
}

TEST_F(Directories, RemovingWhileListingSkipsNothingElse) {
  for (int i = 0; i < 300; i++) write_file("n" + std::to_string(i), "");
  DIR* stream = opendir(path());
  ASSERT_NE(stream, nullptr);
  int removed = 0;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] == 'n' && unlinkat(dirfd(stream), entry->d_name, 0) == 0) removed++;
  }
  closedir(stream);
  EXPECT_EQ(removed, 300);
  EXPECT_OK(rmdir(path()));
}

TEST_F(Directories, RewindSeesNewEntries) {
  DIR* stream = opendir(path());
  ASSERT_NE(stream, nullptr);
  while (readdir(stream)) {
  }
  write_file("late", "");
  rewinddir(stream);
  bool found = false;
  while (const dirent* entry = readdir(stream)) found |= strcmp(entry->d_name, "late") == 0;
  closedir(stream);
  EXPECT_TRUE(found);
}

TEST_F(Directories, TellAndSeekReturnToAnEntry) {
  for (int i = 0; i < 20; i++) write_file("n" + std::to_string(i), "");
  DIR* stream = opendir(path());
  ASSERT_NE(stream, nullptr);
  for (int i = 0; i < 7; i++) ASSERT_NE(readdir(stream), nullptr);
  const long position = telldir(stream);
  const dirent* entry = readdir(stream);
  ASSERT_NE(entry, nullptr);
  const std::string expected = entry->d_name;
  for (int i = 0; i < 5; i++) readdir(stream);
  seekdir(stream, position);
  entry = readdir(stream);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(expected, entry->d_name);
  closedir(stream);
}

TEST_F(Directories, GetdentsErrors) {
  write_file("a", "");
  char buffer[4096];
  const ScopedFd file = open(path("a"), O_RDONLY);
  const ScopedFd directory_fd = open(path(), O_RDONLY | O_DIRECTORY);
  EXPECT_ERRNO(sys(SYS_getdents64, file.get(), buffer, sizeof buffer), ENOTDIR);
  EXPECT_ERRNO(sys(SYS_getdents64, -1, buffer, sizeof buffer), EBADF);
  EXPECT_ERRNO(sys(SYS_getdents64, directory_fd.get(), buffer, 8), EINVAL) << "no room for one entry";
  EXPECT_ERRNO(sys(SYS_getdents64, directory_fd.get(), low_address(), sizeof buffer), EFAULT);
}

TEST_F(Directories, GetdentsRecordsAreAligned) {
  write_file("abc", "");
  char buffer[4096];
  const ScopedFd fd = open(path(), O_RDONLY | O_DIRECTORY);
  const long length = sys(SYS_getdents64, fd.get(), buffer, sizeof buffer);
  ASSERT_GT(length, 0);
  long position = 0;
  while (position < length) {
    unsigned short record;
    memcpy(&record, buffer + position + 16, sizeof record);
    EXPECT_EQ(record % 8, 0);
    ASSERT_GT(record, 19);
    position += record;
  }
  EXPECT_EQ(position, length);
  EXPECT_EQ(sys(SYS_getdents64, fd.get(), buffer, sizeof buffer), 0) << "the end";
}

TEST_F(Directories, ReadingADirectoryIsEISDIR) {
  const ScopedFd fd = open(path(), O_RDONLY);
  char byte;
  EXPECT_ERRNO(read(fd, &byte, 1), EISDIR);
}

TEST_F(Directories, ChdirAndGetcwd) {
  ASSERT_OK(mkdir(path("d"), 0755));
  EXPECT_CHILD_OK([&] {
    char real[PATH_MAX], buffer[PATH_MAX];
    ASSERT_NE(realpath(path(), real), nullptr);
    ASSERT_OK(chdir(path("d")));
    ASSERT_NE(getcwd(buffer, sizeof buffer), nullptr);
    EXPECT_EQ(std::string(buffer), std::string(real) + "/d");
    ASSERT_OK(chdir(".."));
    EXPECT_OK(access("d", F_OK));
    EXPECT_EQ(sys(SYS_getcwd, buffer, sizeof buffer), (long)strlen(real) + 1);
    EXPECT_ERRNO(sys(SYS_getcwd, buffer, 3), ERANGE);
    EXPECT_ERRNO(sys(SYS_getcwd, low_address(), PATH_MAX), EFAULT);
  });
}

TEST_F(Directories, ChdirErrors) {
  write_file("file", "");
  ASSERT_OK(mkdir(path("closed"), 0600));
  EXPECT_ERRNO(chdir(path("none")), ENOENT);
  EXPECT_ERRNO(chdir(path("file")), ENOTDIR);
  EXPECT_ERRNO(chdir(""), ENOENT);
  EXPECT_ERRNO(fchdir(-1), EBADF);
  const ScopedFd file = open(path("file"), O_RDONLY);
  EXPECT_ERRNO(fchdir(file), ENOTDIR);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(chdir(path("closed")), EACCES);
  });
}

TEST_F(Directories, WorkingDirectoryMayBeRemoved) {
  ASSERT_OK(mkdir(path("d"), 0755));
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(chdir(path("d")));
    ASSERT_OK(rmdir(path("d")));
    char buffer[PATH_MAX];
    EXPECT_ERRNO(sys(SYS_getcwd, buffer, sizeof buffer), ENOENT);
    EXPECT_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), ENOENT);
    EXPECT_OK(chdir(".."));
  });
}

TEST_F(Directories, FchdirFollowsRenames) {
  ASSERT_OK(mkdir(path("old"), 0755));
  const ScopedFd fd = open(path("old"), O_PATH | O_DIRECTORY);
  ASSERT_OK(rename(path("old"), path("new")));
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(fchdir(fd));
    char buffer[PATH_MAX];
    ASSERT_NE(getcwd(buffer, sizeof buffer), nullptr);
    EXPECT_STREQ(strrchr(buffer, '/'), "/new");
  });
}

TEST_F(Directories, ChrootConfines) {
  ASSERT_OK(mkdir(path("root"), 0755));
  write_file("root/inside", "in");
  EXPECT_CHILD_OK([&] {
    ASSERT_OK(chroot(path("root")));
    ASSERT_OK(chdir("/"));
    EXPECT_EQ(slurp("/inside"), "in");
    EXPECT_EQ(slurp("/../../inside"), "in");
    EXPECT_ERRNO(open("/dev/null", O_RDONLY), ENOENT);
    char buffer[PATH_MAX];
    ASSERT_NE(getcwd(buffer, sizeof buffer), nullptr);
    EXPECT_STREQ(buffer, "/");
  });
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(chroot(path("root")), EPERM);
  });
  EXPECT_ERRNO(chroot(path("root/inside")), ENOTDIR);
}

}  // namespace
