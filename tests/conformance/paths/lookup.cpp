// path_resolution(7), openat2(2).
#include <limits.h>
#include <linux/openat2.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Lookup : public TempDirTest {};

TEST_F(Lookup, NameOf255BytesIsFineAnd256IsNot) {
  const std::string longest(255, 'n');
  write_file(longest, "x");
  EXPECT_EQ(read_file(longest), "x");
  EXPECT_ERRNO(open(path(std::string(256, 'n')), O_RDONLY), ENAMETOOLONG);
  EXPECT_ERRNO(mkdir(path(std::string(256, 'n')), 0755), ENAMETOOLONG);
  EXPECT_ERRNO(symlink("x", path(std::string(256, 'n'))), ENAMETOOLONG);
}

TEST_F(Lookup, PathOf4095BytesIsFineAnd4096IsNot) {
  std::string text = directory();
  while (text.size() < PATH_MAX - 1) text += text.size() % 2 ? '/' : '.';
  if (text.back() == '.') text[text.size() - 1] = '/';
  ASSERT_EQ(text.size(), 4095u);
  for (size_t i = directory().size(); i < text.size(); i++) text[i] = '/';
  struct stat status;
  EXPECT_OK(stat(text.c_str(), &status));
  EXPECT_ERRNO(stat((text + "/").c_str(), &status), ENAMETOOLONG);
}

TEST_F(Lookup, DotAndDotDot) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("a", "x");
  EXPECT_EQ(read_file("./d/.././d/../a"), "x");
  EXPECT_ERRNO(open(path("none/../a"), O_RDONLY), ENOENT);
  EXPECT_ERRNO(open(path("a/../a"), O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(open(path("a/."), O_RDONLY), ENOTDIR);
}

TEST_F(Lookup, RepeatedSlashes) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("d/a", "x");
  EXPECT_EQ(read_file("d////a"), "x");
}

TEST_F(Lookup, DotDotOfTheRootIsTheRoot) {
  struct stat root, above;
  ASSERT_OK(stat("/", &root));
  ASSERT_OK(stat("/../..", &above));
  EXPECT_EQ(root.st_ino, above.st_ino);
  EXPECT_EQ(root.st_dev, above.st_dev);
}

TEST_F(Lookup, TrailingSlashDemandsADirectory) {
  write_file("a", "");
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(symlink("d", path("link")));
  struct stat status;
  EXPECT_ERRNO(stat(path("a/"), &status), ENOTDIR);
  EXPECT_OK(stat(path("d/"), &status));
  ASSERT_OK(lstat(path("link/"), &status));
  EXPECT_TRUE(S_ISDIR(status.st_mode)) << "the slash makes lstat follow";
  EXPECT_ERRNO(open(path("new/"), O_CREAT | O_WRONLY, 0600), EISDIR);
  EXPECT_ERRNO(unlink(path("a/")), ENOTDIR);
}

TEST_F(Lookup, EmptyPathIsENOENT) {
  struct stat status;
  EXPECT_ERRNO(stat("", &status), ENOENT);
  EXPECT_ERRNO(open("", O_RDONLY), ENOENT);
  EXPECT_ERRNO(unlink(""), ENOENT);
}

TEST_F(Lookup, SymlinkLoopIsELOOP) {
  ASSERT_OK(symlink("b", path("a")));
  ASSERT_OK(symlink("a", path("b")));
  EXPECT_ERRNO(open(path("a"), O_RDONLY), ELOOP);
  EXPECT_ERRNO(open(path("a/x"), O_RDONLY), ELOOP);
  EXPECT_ERRNO(open(path("a"), O_CREAT | O_WRONLY, 0600), ELOOP);
}

TEST_F(Lookup, FortySymlinksAreTheLimit) {
  write_file("target", "x");
  ASSERT_OK(symlink("target", path("l1")));
  for (int i = 2; i <= 41; i++) {
    ASSERT_OK(symlink(("l" + std::to_string(i - 1)).c_str(), path("l" + std::to_string(i))));
  }
  EXPECT_EQ(read_file("l40"), "x");
  EXPECT_ERRNO(open(path("l41"), O_RDONLY), ELOOP);
}

TEST_F(Lookup, SymlinkInTheMiddleAndAbsolute) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("d/a", "x");
  ASSERT_OK(symlink("d", path("relative")));
  ASSERT_OK(symlink(path("d"), path("absolute")));
  EXPECT_EQ(read_file("relative/a"), "x");
  EXPECT_EQ(read_file("absolute/a"), "x");
  EXPECT_EQ(read_file("relative/../relative/a"), "x");
}

TEST_F(Lookup, DotDotAfterSymlinkIsTheTargetsParent) {
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(mkdir(path("d/inner"), 0755));
  write_file("d/marker", "in d");
  ASSERT_OK(symlink("d/inner", path("link")));
  EXPECT_EQ(read_file("link/../marker"), "in d");
}

TEST_F(Lookup, SearchPermissionIsNeededOnEveryDirectory) {
  ASSERT_OK(mkdir(path("d"), 0755));
  ASSERT_OK(mkdir(path("d/e"), 0755));
  write_file("d/e/a", "x");
  ASSERT_OK(chmod(path("d"), 0644));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    struct stat status;
    EXPECT_ERRNO(stat(path("d/e/a"), &status), EACCES);
    EXPECT_ERRNO(stat(path("d/none"), &status), EACCES);
    EXPECT_OK(stat(path("d"), &status));
    EXPECT_OK(open(path("d"), O_RDONLY)) << "listing needs read only";
  });
}

TEST_F(Lookup, SearchWithoutReadAllowsKnownNames) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("d/a", "x");
  ASSERT_OK(chmod(path("d"), 0711));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_EQ(read_file("d/a"), "x");
    EXPECT_ERRNO(open(path("d"), O_RDONLY), EACCES);
  });
}

TEST_F(Lookup, NamesMayHoldAnyByteButSlashAndZero) {
  std::string name;
  for (int byte = 1; byte < 256; byte++) {
    if (byte != '/' && name.size() < 255) name += static_cast<char>(byte);
  }
  write_file(name, "x");
  EXPECT_EQ(read_file(name), "x");
}

TEST_F(Lookup, PathCrossingAPageBoundary) {
  write_file("a", "x");
  const GuardedPage page;
  const std::string text = path("a").text;
  char* start = page.end() - text.size() - 1;
  memcpy(start, text.c_str(), text.size() + 1);
  EXPECT_OK(sys(SYS_openat, AT_FDCWD, start, O_RDONLY, 0)) << "the path ends with the last good byte";
}

long openat2(int directory, const char* name, uint64_t flags, uint64_t resolve) {
  open_how how = {flags, 0, resolve};
  return sys(SYS_openat2, directory, name, &how, sizeof how);
}

TEST_F(Lookup, Openat2Beneath) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("outside", "");
  write_file("d/inside", "");
  ASSERT_OK(symlink("../outside", path("d/escape")));
  const ScopedFd where = open(path("d"), O_PATH);
  EXPECT_OK(openat2(where, "inside", O_RDONLY, RESOLVE_BENEATH));
  EXPECT_ERRNO(openat2(where, "../outside", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  EXPECT_ERRNO(openat2(where, "escape", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  EXPECT_ERRNO(openat2(where, "/dev/null", O_RDONLY, RESOLVE_BENEATH), EXDEV);
}

TEST_F(Lookup, Openat2InRootAndNoSymlinks) {
  ASSERT_OK(mkdir(path("d"), 0755));
  write_file("d/inside", "");
  ASSERT_OK(symlink("/inside", path("d/link")));
  const ScopedFd where = open(path("d"), O_PATH);
  EXPECT_OK(openat2(where, "link", O_RDONLY, RESOLVE_IN_ROOT));
  EXPECT_OK(openat2(where, "/../inside", O_RDONLY, RESOLVE_IN_ROOT));
  EXPECT_ERRNO(openat2(where, "link", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS), ELOOP);
}

TEST_F(Lookup, Openat2IsStrictAboutItsArguments) {
  open_how how = {O_RDONLY | (1ull << 40), 0, 0};
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", &how, sizeof how), EINVAL);
  how = {O_RDONLY, 0600, 0};
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", &how, sizeof how), EINVAL) << "a mode without O_CREAT";
  how = {O_RDONLY, 0, 0x8000};
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", &how, sizeof how), EINVAL);
  how = {O_RDONLY, 0, 0};
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", &how, 8), EINVAL);
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", low_address(), sizeof how), EFAULT);
  struct {
    open_how known;
    uint64_t unknown;
  } bigger = {{O_RDONLY, 0, 0}, 1};
  EXPECT_ERRNO(sys(SYS_openat2, AT_FDCWD, "/", &bigger, sizeof bigger), E2BIG);
}

}  // namespace
