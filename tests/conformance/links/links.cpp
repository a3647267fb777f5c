// link(2), symlink(2), readlink(2), unlink(2).
#include "support/conformance.h"

namespace {
using namespace conformance;

class Links : public TempDirTest {};

TEST_F(Links, HardLinkSharesTheInode) {
  write_file("a", "one");
  ASSERT_OK(link(path("a"), path("b")));
  struct stat a, b;
  ASSERT_OK(stat(path("a"), &a));
  ASSERT_OK(stat(path("b"), &b));
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(a.st_nlink, 2u);
  write_file("b", "two");
  EXPECT_EQ(read_file("a"), "two");
  ASSERT_OK(unlink(path("a")));
  ASSERT_OK(stat(path("b"), &b));
  EXPECT_EQ(b.st_nlink, 1u);
}

TEST_F(Links, HardLinkErrors) {
  write_file("a", "");
  write_file("b", "");
  ASSERT_OK(mkdir(path("d"), 0755));
  EXPECT_ERRNO(link(path("a"), path("b")), EEXIST);
  EXPECT_ERRNO(link(path("none"), path("c")), ENOENT);
  EXPECT_ERRNO(link(path("d"), path("c")), EPERM) << "no hard links to directories";
  EXPECT_ERRNO(link(path("a"), path("none/c")), ENOENT);
  EXPECT_ERRNO(link(path("a"), path("b/c")), ENOTDIR);
  EXPECT_ERRNO(link(path("a"), "/dev/conformance-link"), EXDEV);
  EXPECT_ERRNO(linkat(AT_FDCWD, path("a"), AT_FDCWD, path("c"), 0x8000), EINVAL);
}

TEST_F(Links, HardLinkToSymlinkItself) {
  ASSERT_OK(symlink("nowhere", path("s")));
  ASSERT_OK(link(path("s"), path("t")));
  struct stat status;
  ASSERT_OK(lstat(path("t"), &status));
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_EQ(status.st_nlink, 2u);
  EXPECT_ERRNO(linkat(AT_FDCWD, path("s"), AT_FDCWD, path("u"), AT_SYMLINK_FOLLOW), ENOENT);
}

TEST_F(Links, ReadlinkTruncatesSilentlyWithoutTerminator) {
  ASSERT_OK(symlink("target", path("s")));
  char buffer[8] = "#######";
  EXPECT_EQ(readlink(path("s"), buffer, 3), 3);
  EXPECT_STREQ(buffer, "tar####");
  EXPECT_EQ(readlink(path("s"), buffer, sizeof buffer), 6);
}

TEST_F(Links, ReadlinkErrors) {
  write_file("a", "");
  ASSERT_OK(symlink("target", path("s")));
  char buffer[8];
  EXPECT_ERRNO(readlink(path("a"), buffer, sizeof buffer), EINVAL);
  EXPECT_ERRNO(readlink(path(), buffer, sizeof buffer), EINVAL);
  EXPECT_ERRNO(readlink(path("none"), buffer, sizeof buffer), ENOENT);
  EXPECT_ERRNO(sys(SYS_readlinkat, AT_FDCWD, path("s"), buffer, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_readlinkat, AT_FDCWD, path("s"), low_address(), 8), EFAULT);
}

TEST_F(Links, SymlinkErrors) {
  write_file("a", "");
  EXPECT_ERRNO(symlink("x", path("a")), EEXIST);
  EXPECT_ERRNO(symlink("", path("b")), ENOENT);
  EXPECT_ERRNO(symlink("x", path("none/b")), ENOENT);
  EXPECT_ERRNO(symlink(std::string(4096, 'x').c_str(), path("b")), ENAMETOOLONG);
  EXPECT_ERRNO(symlink("x", path("b/")), ENOENT);
}

TEST_F(Links, SymlinkOf4095BytesIsFineWhereTheFileSystemTakesIt) {
  const std::string target(4095, 'x');
  ASSERT_OK(symlink(target.c_str(), path("s")));
  std::string buffer(5000, 0);
  EXPECT_EQ(readlink(path("s"), buffer.data(), buffer.size()), 4095);
}

TEST_F(Links, SymlinkModeIsAlways0777) {
  umask(077);
  ASSERT_OK(symlink("x", path("s")));
  struct stat status;
  ASSERT_OK(lstat(path("s"), &status));
  EXPECT_EQ(status.st_mode & 07777, 0777u);
}

TEST_F(Links, UnlinkErrors) {
  ASSERT_OK(mkdir(path("d"), 0755));
  EXPECT_ERRNO(unlink(path("d")), EISDIR);
  EXPECT_ERRNO(unlink(path("none")), ENOENT);
  EXPECT_ERRNO(unlinkat(AT_FDCWD, path("d"), 0x8000), EINVAL);
  EXPECT_OK(unlinkat(AT_FDCWD, path("d"), AT_REMOVEDIR));
}

TEST_F(Links, UnlinkedFileLivesWhileOpen) {
  write_file("a", "alive");
  const ScopedFd fd = open(path("a"), O_RDWR);
  ASSERT_OK(unlink(path("a")));
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_nlink, 0u);
  char buffer[8] = {};
  EXPECT_EQ(read(fd, buffer, 8), 5);
  EXPECT_STREQ(buffer, "alive");
  EXPECT_EQ(write(fd, "!", 1), 1);
  EXPECT_FALSE(exists("a"));
}

TEST_F(Links, UnlinkRemovesTheSymlinkNotItsTarget) {
  write_file("a", "");
  ASSERT_OK(symlink("a", path("s")));
  ASSERT_OK(unlink(path("s")));
  EXPECT_TRUE(exists("a"));
}

TEST_F(Links, UnlinkNeedsTheDirectoryNotTheFile) {
  ASSERT_OK(mkdir(path("d"), 0777));
  ASSERT_OK(chmod(path("d"), 0777));
  write_file("d/a", "", 0);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_OK(unlink(path("d/a")));
  });
}

TEST_F(Links, StickyDirectoryProtectsOthersFiles) {
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(chmod(path("d"), 01777));
  write_file("d/a", "", 0666);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(unlink(path("d/a")), EPERM);
    EXPECT_ERRNO(rename(path("d/a"), path("d/b")), EPERM);
    const ScopedFd mine = open(path("d/mine"), O_CREAT | O_WRONLY, 0600);
    ASSERT_OK(mine.get());
    EXPECT_OK(unlink(path("d/mine")));
  });
}

}  // namespace
