// lseek(2), truncate(2), fallocate(2), fsync(2).
#include <limits.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Seek : public TempDirTest {};
class Truncate : public TempDirTest {};
class Fallocate : public TempDirTest {};

TEST_F(Seek, FromStartCurrentAndEnd) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  EXPECT_EQ(lseek(fd, 4, SEEK_SET), 4);
  EXPECT_EQ(lseek(fd, 3, SEEK_CUR), 7);
  EXPECT_EQ(lseek(fd, -2, SEEK_END), 8);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 1);
  EXPECT_EQ(byte, '8');
}

TEST_F(Seek, PastTheEndReadsNothingAndWritesAHole) {
  write_file("a", "ab");
  const ScopedFd fd = open(path("a"), O_RDWR);
  EXPECT_EQ(lseek(fd, 5, SEEK_SET), 5);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0);
  EXPECT_EQ(write(fd, "z", 1), 1);
  EXPECT_EQ(read_file("a"), std::string("ab\0\0\0z", 6));
}

TEST_F(Seek, Errors) {
  write_file("a", "ab");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  EXPECT_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  EXPECT_ERRNO(lseek(fd, -3, SEEK_END), EINVAL);
  EXPECT_ERRNO(lseek(fd, 0, 99), EINVAL);
  EXPECT_ERRNO(lseek(-1, 0, SEEK_SET), EBADF);
  EXPECT_EQ(lseek(fd, 1, SEEK_SET), 1);
  EXPECT_ERRNO(lseek(fd, LONG_MAX, SEEK_CUR), EINVAL);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 1) << "a failed seek leaves the offset";
}

TEST_F(Seek, PipesAndSocketsAreESPIPE) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
  close(ends[0]);
  close(ends[1]);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  EXPECT_ERRNO(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Seek, OffsetIsSharedByDuplicatesAndChildren) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  const ScopedFd copy = dup(fd);
  const ScopedFd other = open(path("a"), O_RDONLY);
  EXPECT_CHILD_OK([&] { EXPECT_EQ(lseek(fd, 6, SEEK_SET), 6); });
  EXPECT_EQ(lseek(copy, 0, SEEK_CUR), 6);
  EXPECT_EQ(lseek(other, 0, SEEK_CUR), 0);
}

TEST_F(Seek, DataAndHole) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  const off_t megabyte = 1 << 20;
  ASSERT_OK(ftruncate(fd, 2 * megabyte));
  ASSERT_EQ(pwrite(fd, "x", 1, megabyte), 1);
  EXPECT_EQ(lseek(fd, 0, SEEK_DATA), megabyte);
  EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), 0);
  const off_t hole = lseek(fd, megabyte, SEEK_HOLE);
  EXPECT_GT(hole, megabyte);
  EXPECT_LT(hole, 2 * megabyte);
  EXPECT_ERRNO(lseek(fd, hole, SEEK_DATA), ENXIO);
  EXPECT_ERRNO(lseek(fd, 2 * megabyte, SEEK_HOLE), ENXIO);
}

TEST_F(Truncate, ShrinksAndGrowsWithZeros) {
  write_file("a", "0123456789");
  ASSERT_OK(truncate(path("a"), 4));
  EXPECT_EQ(read_file("a"), "0123");
  ASSERT_OK(truncate(path("a"), 6));
  EXPECT_EQ(read_file("a"), std::string("0123\0\0", 6)) << "old content must not come back";
}

TEST_F(Truncate, DoesNotMoveTheOffset) {
  write_file("a", "0123456789");
  const ScopedFd fd = open(path("a"), O_RDWR);
  lseek(fd, 8, SEEK_SET);
  ASSERT_OK(ftruncate(fd, 2));
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 8);
}

TEST_F(Truncate, Errors) {
  write_file("a", "x");
  const ScopedFd reader = open(path("a"), O_RDONLY);
  EXPECT_ERRNO(ftruncate(reader, 0), EINVAL) << "not open for writing";
  EXPECT_ERRNO(truncate(path("a"), -1), EINVAL);
  EXPECT_ERRNO(truncate(path(), 0), EISDIR);
  EXPECT_ERRNO(truncate(path("none"), 0), ENOENT);
  EXPECT_ERRNO(ftruncate(-1, 0), EBADF);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(ftruncate(ends[1], 0), EINVAL);
}

TEST_F(Truncate, NeedsWritePermission) {
  write_file("a", "x", 0444);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(truncate(path("a"), 0), EACCES);
  });
}

TEST_F(Truncate, FileSizeLimitIsEFBIGWithSIGXFSZ) {
  write_file("a", "x");
  EXPECT_CHILD_OK([&] {
    const rlimit limit = {1000, 1000};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    signal(SIGXFSZ, SIG_IGN);
    EXPECT_ERRNO(truncate(path("a"), 1001), EFBIG);
    EXPECT_OK(truncate(path("a"), 1000));
    const ScopedFd fd = open(path("a"), O_WRONLY);
    EXPECT_EQ(pwrite(fd, "12345", 5, 998), 2) << "written up to the limit";
    EXPECT_ERRNO(pwrite(fd, "1", 1, 1000), EFBIG);
  });
  const int status = run_child([&] {
    const rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    truncate(path("a"), 1001);
  });
  EXPECT_KILLED(status, SIGXFSZ);
}

TEST_F(Fallocate, BeyondTheSizeLimitIsEFBIGWithSIGXFSZ) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096) != 0 && errno == EOPNOTSUPP) GTEST_SKIP() << "no fallocate";
  // Also where the file ends before the limit.
  for (const long start : {0l, 500l, 1000l}) {
    EXPECT_KILLED(run_child([&] {
                    const rlimit limit = {1000, 1000};
                    setrlimit(RLIMIT_FSIZE, &limit);
                    fallocate(fd, 0, start, 1001);
                  }),
                  SIGXFSZ);
  }
  struct stat information{};
  EXPECT_OK(fstat(fd, &information));
  EXPECT_EQ(information.st_size, 0);
}

TEST_F(Fallocate, GrowsUnlessKeepSize) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192) != 0 && errno == EOPNOTSUPP) GTEST_SKIP() << "no fallocate";
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_size, 0);
  EXPECT_GE(status.st_blocks, 16);
  ASSERT_OK(fallocate(fd, 0, 0, 8192));
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_size, 8192);
}

TEST_F(Fallocate, PunchingAHoleReadsZeros) {
  write_file("a", std::string(3 * 4096, 'x'));
  const ScopedFd fd = open(path("a"), O_RDWR);
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096) != 0 && errno == EOPNOTSUPP) {
    GTEST_SKIP() << "no holes";
  }
  const std::string content = read_file("a");
  EXPECT_EQ(content, std::string(4096, 'x') + std::string(4096, '\0') + std::string(4096, 'x'));
}

TEST_F(Fallocate, Errors) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  EXPECT_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
  EXPECT_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
  EXPECT_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP) << "needs KEEP_SIZE";
  EXPECT_ERRNO(fallocate(fd, 0, LONG_MAX - 1, LONG_MAX), EFBIG);
  const ScopedFd reader = open(path("a"), O_RDONLY);
  EXPECT_ERRNO(fallocate(reader, 0, 0, 10), EBADF);
}

TEST_F(Fallocate, SyncCallsAcceptFilesOnly) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  EXPECT_OK(fsync(fd));
  EXPECT_OK(fdatasync(fd));
  EXPECT_OK(syncfs(fd));
  EXPECT_ERRNO(fsync(-1), EBADF);
  int ends[2];
  ASSERT_OK(pipe(ends));
  EXPECT_ERRNO(fsync(ends[0]), EINVAL);
}

}  // namespace
