// rename(2), renameat2(2).
#include "support/conformance.h"

namespace {
using namespace conformance;

class Rename : public TempDirTest {};

constexpr unsigned no_replace = 1, exchange = 2;

TEST_F(Rename, MovesAFile) {
  write_file("a", "x");
  struct stat before, after;
  ASSERT_OK(stat(path("a"), &before));
  ASSERT_OK(rename(path("a"), path("b")));
  EXPECT_FALSE(exists("a"));
  ASSERT_OK(stat(path("b"), &after));
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Rename, ReplacesTheTargetAtOnce) {
  write_file("a", "new");
  write_file("b", "old");
  const ScopedFd old = open(path("b"), O_RDONLY);
  ASSERT_OK(rename(path("a"), path("b")));
  EXPECT_EQ(read_file("b"), "new");
  char buffer[4] = {};
  EXPECT_EQ(read(old, buffer, 3), 3);
  EXPECT_STREQ(buffer, "old") << "who had it open keeps it";
}

TEST_F(Rename, LinksToTheSameFileDoNothing) {
  write_file("a", "x");
  ASSERT_OK(link(path("a"), path("b")));
  ASSERT_OK(rename(path("a"), path("b")));
  EXPECT_TRUE(exists("a"));
  EXPECT_TRUE(exists("b"));
}

TEST_F(Rename, DirectoryOntoEmptyDirectory) {
  ASSERT_OK(mkdir(path("a"), 0755));
  write_file("a/f", "x");
  ASSERT_OK(mkdir(path("b"), 0755));
  ASSERT_OK(rename(path("a"), path("b")));
  EXPECT_EQ(read_file("b/f"), "x");
}

TEST_F(Rename, Errors) {
  ASSERT_OK(mkdir(path("a"), 0755));
  ASSERT_OK(mkdir(path("full"), 0755));
  write_file("full/f", "x");
  write_file("file", "");
  EXPECT_ERRNO(rename(path("a"), path("full")), ENOTEMPTY);
  EXPECT_ERRNO(rename(path("a"), path("file")), ENOTDIR);
  EXPECT_ERRNO(rename(path("file"), path("a")), EISDIR);
  EXPECT_ERRNO(rename(path("none"), path("b")), ENOENT);
  EXPECT_ERRNO(rename(path("file"), path("none/b")), ENOENT);
  EXPECT_ERRNO(rename(path("a"), path("a/b")), EINVAL) << "into itself";
  EXPECT_ERRNO(rename(path("full"), path("full/x/y")), ENOENT);
  EXPECT_ERRNO(rename(path("a/."), path("b")), EBUSY);
  EXPECT_ERRNO(rename(path("a"), path("a/..")), EBUSY);
  EXPECT_ERRNO(rename(path("file"), "/proc/x"), EXDEV);
  EXPECT_ERRNO(rename(path("file/"), path("b")), ENOTDIR);
  EXPECT_ERRNO(rename(path("file"), path("b/")), ENOTDIR);
}

TEST_F(Rename, AncestorOntoDescendantsParentIsRefused) {
  ASSERT_OK(mkdir(path("a"), 0755));
  ASSERT_OK(mkdir(path("a/b"), 0755));
  ASSERT_OK(mkdir(path("a/b/c"), 0755));
  EXPECT_ERRNO(rename(path("a"), path("a/b/c/d")), EINVAL);
  EXPECT_ERRNO(rename(path("a/b/c"), path("a")), ENOTEMPTY);
}

TEST_F(Rename, DirectoryToAnotherParentUpdatesDotDot) {
  ASSERT_OK(mkdir(path("p"), 0755));
  ASSERT_OK(mkdir(path("q"), 0755));
  ASSERT_OK(mkdir(path("p/d"), 0755));
  ASSERT_OK(rename(path("p/d"), path("q/d")));
  struct stat parent, q, p;
  ASSERT_OK(stat(path("q/d/.."), &parent));
  ASSERT_OK(stat(path("q"), &q));
  ASSERT_OK(stat(path("p"), &p));
  EXPECT_EQ(parent.st_ino, q.st_ino);
  EXPECT_EQ(q.st_nlink, 3u);
  EXPECT_EQ(p.st_nlink, 2u);
}

TEST_F(Rename, SymlinkItselfIsMoved) {
  write_file("a", "x");
  ASSERT_OK(symlink("a", path("s")));
  ASSERT_OK(rename(path("s"), path("t")));
  struct stat status;
  ASSERT_OK(lstat(path("t"), &status));
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_TRUE(exists("a"));
}

TEST_F(Rename, NoReplace) {
  write_file("a", "a");
  write_file("b", "b");
  EXPECT_ERRNO(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("b"), no_replace), EEXIST);
  EXPECT_EQ(read_file("b"), "b");
  EXPECT_OK(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("c"), no_replace));
}

TEST_F(Rename, Exchange) {
  write_file("a", "a");
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("d"), exchange));
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_EQ(read_file("d"), "a");
  EXPECT_ERRNO(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("none"), exchange), ENOENT);
}

TEST_F(Rename, BadFlags) {
  write_file("a", "a");
  EXPECT_ERRNO(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("b"), no_replace | exchange), EINVAL);
  EXPECT_ERRNO(renameat2(AT_FDCWD, path("a"), AT_FDCWD, path("b"), 0x100), EINVAL);
}

TEST_F(Rename, RelativeToDescriptors) {
  ASSERT_OK(mkdir(path("p"), 0755));
  ASSERT_OK(mkdir(path("q"), 0755));
  write_file("p/a", "x");
  const ScopedFd p = open(path("p"), O_PATH), q = open(path("q"), O_PATH);
  ASSERT_OK(renameat(p, "a", q, "b"));
  EXPECT_EQ(read_file("q/b"), "x");
  EXPECT_ERRNO(renameat(-1, "a", q, "b"), EBADF);
}

TEST_F(Rename, NeedsWriteOnBothDirectories) {
  ASSERT_OK(mkdir(path("open"), 0777));
  ASSERT_OK(chmod(path("open"), 0777));
  write_file("open/a", "x", 0666);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(rename(path("open/a"), path("b")), EACCES);
    EXPECT_OK(rename(path("open/a"), path("open/b")));
  });
}

}  // namespace
