// open(2), openat(2), creat(2), close(2).
#include "support/conformance.h"

namespace {
using namespace conformance;

class Open : public TempDirTest {};

TEST_F(Open, MissingFileIsENOENT) { EXPECT_ERRNO(open(path("none"), O_RDONLY), ENOENT); }

TEST_F(Open, CreatesEmptyFileWithMode) {
  umask(022);
  const ScopedFd fd = open(path("new"), O_CREAT | O_WRONLY, 0666);
  ASSERT_OK(fd.get());
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, 0644u);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(status.st_nlink, 1u);
  EXPECT_EQ(status.st_uid, geteuid());
}

TEST_F(Open, ModeDoesNotLimitTheCreatingDescriptor) {
  EXPECT_CHILD_OK([&] {
    chmod(path(), 0777);
    drop_privileges();
    const ScopedFd fd = open(path("locked"), O_CREAT | O_RDWR, 0);
    ASSERT_OK(fd.get());
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_ERRNO(open(path("locked"), O_RDONLY), EACCES);
  });
}

TEST_F(Open, ExclusiveRefusesExistingFile) {
  write_file("a", "");
  EXPECT_ERRNO(open(path("a"), O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
}

TEST_F(Open, ExclusiveRefusesDanglingSymlink) {
  ASSERT_OK(symlink("nowhere", path("link")));
  EXPECT_ERRNO(open(path("link"), O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
  EXPECT_FALSE(exists("nowhere"));
}

TEST_F(Open, CreateThroughDanglingSymlinkMakesTheTarget) {
  ASSERT_OK(symlink("target", path("link")));
  const ScopedFd fd = open(path("link"), O_CREAT | O_RDWR, 0600);
  ASSERT_OK(fd.get());
  EXPECT_TRUE(exists("target"));
}

TEST_F(Open, TruncateEmptiesTheFile) {
  write_file("a", "some content");
  const ScopedFd fd = open(path("a"), O_WRONLY | O_TRUNC);
  ASSERT_OK(fd.get());
  EXPECT_EQ(read_file("a"), "");
}

TEST_F(Open, DirectoryForWritingIsEISDIR) {
  EXPECT_ERRNO(open(path(), O_WRONLY), EISDIR);
  EXPECT_ERRNO(open(path(), O_RDWR), EISDIR);
  EXPECT_ERRNO(open(path(), O_RDONLY | O_TRUNC), EISDIR);
}

TEST_F(Open, CreateOnDirectoryIsEISDIR) { EXPECT_ERRNO(open(path(), O_RDONLY | O_CREAT, 0600), EISDIR); }

TEST_F(Open, DirectoryFlagOnFileIsENOTDIR) {
  write_file("a", "");
  EXPECT_ERRNO(open(path("a"), O_RDONLY | O_DIRECTORY), ENOTDIR);
}

TEST_F(Open, FlagsReadAsTheyWereGiven) {
  const auto flags_of = [](int fd, int among) { return fcntl(fd, F_GETFL) & among; };
  constexpr int numbered_by_the_cpu = O_DIRECTORY | O_NOFOLLOW | O_DIRECT;
  const ScopedFd directory = open(path(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  EXPECT_EQ(flags_of(directory, numbered_by_the_cpu), O_DIRECTORY | O_NOFOLLOW);
  // On 64-bit machines every file is a large one: a bit that <fcntl.h> has no name for there.
  write_file("a", "");
  const ScopedFd file = open(path("a"), O_RDONLY);
  EXPECT_EQ(flags_of(file, numbered_by_the_cpu), 0);
  EXPECT_EQ(__builtin_popcount(static_cast<unsigned>(fcntl(file, F_GETFL))), 1);
  const ScopedFd only_a_path = open(path("a"), O_PATH);
  EXPECT_EQ(fcntl(only_a_path, F_GETFL), O_PATH);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_EQ(fcntl(ends[1], F_GETFL), O_WRONLY);
  EXPECT_OK(fcntl(ends[1], F_SETFL, O_DIRECT));
  EXPECT_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_DIRECT);
  const ScopedFd device = open("/dev/null", O_RDONLY);
  EXPECT_ERRNO(fcntl(device, F_SETFL, O_DIRECT), EINVAL);
  char line[64];
  snprintf(line, sizeof line, "flags:\t0%o\n", static_cast<unsigned>(O_WRONLY | O_DIRECT));
  const std::string information = slurp(("/proc/self/fdinfo/" + std::to_string(ends[1])).c_str());
  EXPECT_NE(information.find(line), std::string::npos) << information;
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Open, FileAsDirectoryIsENOTDIR) {
  write_file("a", "");
  EXPECT_ERRNO(open(path("a/b"), O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(open(path("a/b"), O_CREAT | O_WRONLY, 0600), ENOTDIR);
}

TEST_F(Open, NoFollowRefusesSymlink) {
  write_file("a", "");
  ASSERT_OK(symlink("a", path("link")));
  EXPECT_ERRNO(open(path("link"), O_RDONLY | O_NOFOLLOW), ELOOP);
  EXPECT_ERRNO(open(path("link"), O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
}

TEST_F(Open, LowestFreeDescriptorIsUsed) {
  write_file("a", "");
  const ScopedFd first = open(path("a"), O_RDONLY);
  ScopedFd second = open(path("a"), O_RDONLY);
  const ScopedFd third = open(path("a"), O_RDONLY);
  const int freed = second;
  second.reset();
  const ScopedFd fourth = open(path("a"), O_RDONLY);
  EXPECT_EQ(fourth, freed);
}

TEST_F(Open, CloseOnExecFlagIsKept) {
  write_file("a", "");
  const ScopedFd with = open(path("a"), O_RDONLY | O_CLOEXEC);
  const ScopedFd without = open(path("a"), O_RDONLY);
  EXPECT_EQ(fcntl(with, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(without, F_GETFD), 0);
}

TEST_F(Open, AccessModeIsEnforced) {
  write_file("a", "x");
  char byte;
  const ScopedFd reader = open(path("a"), O_RDONLY);
  const ScopedFd writer = open(path("a"), O_WRONLY);
  EXPECT_ERRNO(write(reader, "y", 1), EBADF);
  EXPECT_ERRNO(read(writer, &byte, 1), EBADF);
}

TEST_F(Open, GetFlagsReturnsAccessModeAndStatusFlags) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NONBLOCK, 0600);
  ASSERT_OK(fd.get());
  const int flags = fcntl(fd, F_GETFL);
  EXPECT_EQ(flags & O_ACCMODE, O_RDWR);
  EXPECT_EQ(flags & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
  EXPECT_EQ(flags & (O_CREAT | O_EXCL), 0) << "creation flags are not status flags";
}

TEST_F(Open, PathDescriptorCannotReadOrWrite) {
  write_file("a", "x");
  const ScopedFd fd = open(path("a"), O_PATH);
  ASSERT_OK(fd.get());
  char byte;
  EXPECT_ERRNO(read(fd, &byte, 1), EBADF);
  EXPECT_ERRNO(write(fd, "x", 1), EBADF);
  EXPECT_ERRNO(fchmod(fd, 0600), EBADF);
  EXPECT_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
  struct stat status;
  EXPECT_OK(fstat(fd, &status));
  EXPECT_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
}

TEST_F(Open, PathWithNoFollowOpensTheSymlinkItself) {
  ASSERT_OK(symlink("nowhere", path("link")));
  const ScopedFd fd = open(path("link"), O_PATH | O_NOFOLLOW);
  ASSERT_OK(fd.get());
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  char target[32];
  const ssize_t length = readlinkat(fd, "", target, sizeof target);
  ASSERT_EQ(length, 7);
  EXPECT_EQ(std::string(target, 7), "nowhere");
}

TEST_F(Open, PathDescriptorServesAsDirectory) {
  write_file("a", "content");
  const ScopedFd where = open(path(), O_PATH | O_DIRECTORY);
  ASSERT_OK(where.get());
  const ScopedFd fd = openat(where, "a", O_RDONLY);
  EXPECT_OK(fd.get());
}

TEST_F(Open, RelativeToADescriptor) {
  ASSERT_OK(mkdir(path("sub"), 0755));
  write_file("sub/a", "inner");
  const ScopedFd where = open(path("sub"), O_RDONLY | O_DIRECTORY);
  const ScopedFd fd = openat(where, "a", O_RDONLY);
  ASSERT_OK(fd.get());
  EXPECT_OK(openat(where, "../sub/a", O_RDONLY));
  EXPECT_ERRNO(openat(where, "none", O_RDONLY), ENOENT);
}

TEST_F(Open, BadDirectoryDescriptors) {
  write_file("a", "");
  const ScopedFd file = open(path("a"), O_RDONLY);
  EXPECT_ERRNO(openat(file, "b", O_RDONLY), ENOTDIR);
  EXPECT_ERRNO(openat(-1, "b", O_RDONLY), EBADF);
  EXPECT_OK(openat(-1, path("a"), O_RDONLY)) << "an absolute path ignores the descriptor";
}

TEST_F(Open, TemporaryFileHasNoName) {
  const ScopedFd fd = open(path(), O_TMPFILE | O_RDWR, 0600);
  if (fd < 0 && errno == EOPNOTSUPP) GTEST_SKIP() << "the file system has no O_TMPFILE";
  ASSERT_OK(fd.get());
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_nlink, 0u);
  EXPECT_EQ(write(fd, "x", 1), 1);
  EXPECT_ERRNO(open(path(), O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

TEST_F(Open, TemporaryFileCanBeGivenAName) {
  const ScopedFd fd = open(path(), O_TMPFILE | O_RDWR, 0600);
  if (fd < 0 && errno == EOPNOTSUPP) GTEST_SKIP() << "the file system has no O_TMPFILE";
  ASSERT_OK(fd.get());
  ASSERT_EQ(write(fd, "named", 5), 5);
  const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
  ASSERT_OK(linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path("named"), AT_SYMLINK_FOLLOW));
  EXPECT_EQ(read_file("named"), "named");
}

TEST_F(Open, FifoForWritingWithoutReaderIsENXIO) {
  ASSERT_OK(mkfifo(path("fifo"), 0600));
  EXPECT_ERRNO(open(path("fifo"), O_WRONLY | O_NONBLOCK), ENXIO);
  EXPECT_OK(open(path("fifo"), O_RDONLY | O_NONBLOCK));
}

TEST_F(Open, SocketCannotBeOpened) {
  ASSERT_OK(mknod(path("socket"), S_IFSOCK | 0600, 0));
  EXPECT_ERRNO(open(path("socket"), O_RDWR), ENXIO);
}

TEST_F(Open, UnprivilegedNeedsPermission) {
  write_file("secret", "x", 0600);
  write_file("public", "x", 0644);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(open(path("secret"), O_RDONLY), EACCES);
    EXPECT_OK(open(path("public"), O_RDONLY));
    EXPECT_ERRNO(open(path("public"), O_WRONLY), EACCES);
    EXPECT_ERRNO(open(path("new"), O_WRONLY | O_CREAT, 0600), EACCES);
  });
}

TEST_F(Open, NoAtimeNeedsOwnership) {
  write_file("public", "x", 0644);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(open(path("public"), O_RDONLY | O_NOATIME), EPERM);
  });
}

TEST_F(Open, BadPathPointerIsEFAULT) {
  EXPECT_ERRNO(sys(SYS_openat, AT_FDCWD, low_address(), O_RDONLY, 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_openat, AT_FDCWD, kernel_address(), O_RDONLY, 0), EFAULT);
}

TEST_F(Open, PathWithoutEndIsEFAULT) {
  const GuardedPage page;
  memset(page.data(), '/', page_size());
  EXPECT_ERRNO(sys(SYS_openat, AT_FDCWD, page.end() - 10, O_RDONLY, 0), EFAULT);
}

TEST(Close, ClosedDescriptorIsEBADF) {
  const int fd = open("/dev/null", O_RDONLY);
  ASSERT_OK(fd);
  EXPECT_OK(close(fd));
  EXPECT_ERRNO(close(fd), EBADF);
  EXPECT_ERRNO(close(-1), EBADF);
  EXPECT_ERRNO(close(1 << 30), EBADF);
}

TEST(Close, RangeClosesAllInBetween) {
  const int first = fcntl(0, F_DUPFD, 60), middle = fcntl(0, F_DUPFD, 61), last = fcntl(0, F_DUPFD, 62);
  ASSERT_OK(last);
  ASSERT_OK(sys(SYS_close_range, first, middle, 0));
  EXPECT_ERRNO(fcntl(first, F_GETFD), EBADF);
  EXPECT_ERRNO(fcntl(middle, F_GETFD), EBADF);
  EXPECT_OK(fcntl(last, F_GETFD));
  EXPECT_OK(close(last));
  EXPECT_ERRNO(sys(SYS_close_range, 10, 9, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_close_range, 10, 11, 0x80), EINVAL);
}

TEST(Close, RangeCanSetCloseOnExecInstead) {
  const ScopedFd fd = fcntl(0, F_DUPFD, 60);
  ASSERT_OK(fd.get());
  ASSERT_OK(sys(SYS_close_range, fd.get(), fd.get(), 4 /* CLOSE_RANGE_CLOEXEC */));
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

}  // namespace
