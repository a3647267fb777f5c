// stat(2), statx(2), statfs(2), utimensat(2).
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Stat : public TempDirTest {};

TEST_F(Stat, RegularFile) {
  write_file("a", "twelve bytes", 0640);
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_EQ(status.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(status.st_size, 12);
  EXPECT_EQ(status.st_nlink, 1u);
  EXPECT_GT(status.st_blksize, 0);
  EXPECT_NE(status.st_ino, 0u);
}

TEST_F(Stat, SizeOfSymlinkIsItsTarget) {
  ASSERT_OK(symlink("12345", path("link")));
  struct stat status;
  ASSERT_OK(lstat(path("link"), &status));
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_EQ(status.st_size, 5);
  EXPECT_ERRNO(stat(path("link"), &status), ENOENT);
}

TEST_F(Stat, DeviceNumbers) {
  struct stat status;
  ASSERT_OK(stat("/dev/null", &status));
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  EXPECT_EQ(status.st_rdev, makedev(1, 3));
  ASSERT_OK(stat("/dev/zero", &status));
  EXPECT_EQ(status.st_rdev, makedev(1, 5));
}

TEST_F(Stat, BlocksCountUnitsOf512) {
  write_file("a", std::string(8192, 'x'));
  const ScopedFd fd = open(path("a"), O_RDONLY);
  ASSERT_OK(fsync(fd));
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_blocks, 16);
}

TEST_F(Stat, HolesTakeNoBlocks) {
  const ScopedFd fd = open(path("a"), O_RDWR | O_CREAT, 0600);
  ASSERT_OK(ftruncate(fd, 1 << 20));
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_size, 1 << 20);
  EXPECT_EQ(status.st_blocks, 0);
}

TEST_F(Stat, EmptyPathNeedsItsFlag) {
  struct stat status;
  const ScopedFd fd = open(path(), O_RDONLY);
  EXPECT_ERRNO(fstatat(fd, "", &status, 0), ENOENT);
  EXPECT_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
  EXPECT_TRUE(S_ISDIR(status.st_mode));
}

TEST_F(Stat, BadArguments) {
  struct stat status;
  EXPECT_ERRNO(fstat(-1, &status), EBADF);
  EXPECT_ERRNO(fstatat(AT_FDCWD, ".", &status, 0x10000000), EINVAL);
  EXPECT_ERRNO(sys(SYS_newfstatat, AT_FDCWD, ".", kernel_address(), 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_newfstatat, AT_FDCWD, low_address(), &status, 0), EFAULT);
  EXPECT_ERRNO(stat("", &status), ENOENT);
}

TEST_F(Stat, StatxAgreesWithStat) {
  write_file("a", "content", 0604);
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  struct statx extended = {};
  ASSERT_OK(sys(SYS_statx, AT_FDCWD, path("a"), 0, STATX_BASIC_STATS, &extended));
  EXPECT_EQ(extended.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  EXPECT_EQ(extended.stx_mode, status.st_mode);
  EXPECT_EQ(extended.stx_ino, status.st_ino);
  EXPECT_EQ(extended.stx_size, 7u);
  EXPECT_EQ(extended.stx_nlink, 1u);
  EXPECT_EQ(makedev(extended.stx_dev_major, extended.stx_dev_minor), status.st_dev);
  EXPECT_EQ(extended.stx_mtime.tv_sec, status.st_mtim.tv_sec);
  EXPECT_EQ((long)extended.stx_mtime.tv_nsec, status.st_mtim.tv_nsec);
}

TEST_F(Stat, StatxBadArguments) {
  struct statx extended;
  EXPECT_ERRNO(sys(SYS_statx, AT_FDCWD, ".", 0, 0x80000000u, &extended), EINVAL) << "STATX__RESERVED";
  EXPECT_ERRNO(sys(SYS_statx, AT_FDCWD, ".", 0x6000, STATX_BASIC_STATS, &extended), EINVAL)
      << "both sync types";
  EXPECT_ERRNO(sys(SYS_statx, AT_FDCWD, ".", 0, STATX_BASIC_STATS, low_address()), EFAULT);
  EXPECT_ERRNO(sys(SYS_statx, -1, "x", 0, STATX_BASIC_STATS, &extended), EBADF);
}

TEST_F(Stat, StatfsTellsBlocks) {
  struct statfs info;
  ASSERT_OK(statfs(path(), &info));
  EXPECT_GT(info.f_bsize, 0);
  EXPECT_GE(info.f_blocks, info.f_bfree);
  EXPECT_EQ(info.f_namelen, 255);
  EXPECT_ERRNO(statfs(path("none"), &info), ENOENT);
  EXPECT_ERRNO(fstatfs(-1, &info), EBADF);
}

TEST_F(Stat, StatfsKnowsProc) {
  struct statfs info;
  ASSERT_OK(statfs("/proc", &info));
  EXPECT_EQ(info.f_type, 0x9fa0);
}

TEST_F(Stat, UtimensatSetsBothTimes) {
  write_file("a", "");
  const timespec times[2] = {{1000000, 123456789}, {2000000, 987654321}};
  ASSERT_OK(utimensat(AT_FDCWD, path("a"), times, 0));
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_EQ(status.st_atim.tv_sec, 1000000);
  EXPECT_EQ(status.st_atim.tv_nsec, 123456789);
  EXPECT_EQ(status.st_mtim.tv_sec, 2000000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 987654321);
  EXPECT_GT(status.st_ctim.tv_sec, 2000000) << "ctime is now and cannot be set";
}

TEST_F(Stat, UtimensatOmitAndNow) {
  write_file("a", "");
  const timespec start[2] = {{1000, 0}, {2000, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, path("a"), start, 0));
  const timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  ASSERT_OK(utimensat(AT_FDCWD, path("a"), times, 0));
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_EQ(status.st_atim.tv_sec, 1000);
  EXPECT_GT(status.st_mtim.tv_sec, 2000);
}

TEST_F(Stat, UtimensatOnTheSymlinkItself) {
  write_file("a", "");
  ASSERT_OK(symlink("a", path("link")));
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, path("link"), times, AT_SYMLINK_NOFOLLOW));
  struct stat status;
  ASSERT_OK(stat(path("a"), &status));
  EXPECT_NE(status.st_mtim.tv_sec, 1000);
  ASSERT_OK(lstat(path("link"), &status));
  EXPECT_EQ(status.st_mtim.tv_sec, 1000);
}

TEST_F(Stat, UtimensatErrors) {
  write_file("a", "");
  const timespec bad[2] = {{0, 1000000000}, {0, 0}};
  EXPECT_ERRNO(utimensat(AT_FDCWD, path("a"), bad, 0), EINVAL);
  EXPECT_ERRNO(utimensat(AT_FDCWD, path("none"), nullptr, 0), ENOENT);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const timespec times[2] = {{1000, 0}, {1000, 0}};
    EXPECT_ERRNO(utimensat(AT_FDCWD, path("a"), times, 0), EPERM) << "explicit times need the owner";
    EXPECT_ERRNO(utimensat(AT_FDCWD, path("a"), nullptr, 0), EACCES) << "now needs write permission";
  });
}

TEST_F(Stat, WritingChangesModificationTime) {
  write_file("a", "");
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, path("a"), old, 0));
  const ScopedFd fd = open(path("a"), O_WRONLY);
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_EQ(status.st_mtim.tv_sec, 1000) << "opening alone changes nothing";
  ASSERT_EQ(write(fd, "x", 1), 1);
  ASSERT_OK(fstat(fd, &status));
  EXPECT_GT(status.st_mtim.tv_sec, 1000);
}

TEST_F(Stat, CreatingAnEntryChangesTheDirectoryTime) {
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_OK(utimensat(AT_FDCWD, path(), old, 0));
  write_file("a", "");
  struct stat status;
  ASSERT_OK(stat(path(), &status));
  EXPECT_GT(status.st_mtim.tv_sec, 1000);
}

// relatime: the access time says that something was read since the last change, not when it was read last.
TEST_F(Stat, ReadingTellsOnceAfterEachChange) {
  write_file("a", "bytes");
  const ScopedFd fd = open(path("a"), O_RDWR);
  struct statvfs file_system;
  ASSERT_OK(fstatvfs(fd, &file_system));
  constexpr unsigned long relatime = 4096;  // ST_RELATIME
  if (!(file_system.f_flag & relatime)) GTEST_SKIP() << "the file system is not mounted with relatime";
  auto is_before = [](const timespec& a, const timespec& b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
  };
  struct stat status;
  char byte;
  auto look = [&](bool reads) {
    usleep(20000);  // the clock of time stamps ticks
    if (reads) EXPECT_EQ(pread(fd, &byte, 1, 0), 1);
    EXPECT_OK(fstat(fd, &status));
  };
  for (int round = 0; round < 3; round++) {
    look(true);
    EXPECT_TRUE(is_before(status.st_mtim, status.st_atim)) << "not told after a write, round " << round;
    const timespec told = status.st_atim;
    for (int i = 0; i < 3; i++) look(true);
    EXPECT_EQ(status.st_atim.tv_sec, told.tv_sec);
    EXPECT_EQ(status.st_atim.tv_nsec, told.tv_nsec) << "told again without a change";

    EXPECT_OK(fchmod(fd, 0600));
    look(false);
    EXPECT_TRUE(is_before(status.st_atim, status.st_ctim));
    look(true);
    EXPECT_TRUE(is_before(status.st_ctim, status.st_atim)) << "not told after chmod";

    const timespec old[2] = {{1000, 0}, {2000, 0}};
    EXPECT_OK(futimens(fd, old));
    look(true);
    EXPECT_LT(1000, status.st_atim.tv_sec) << "not told after the times were set";
    EXPECT_EQ(pwrite(fd, "b", 1, 0), 1);
  }
}

TEST_F(Stat, ReadingWithoutAccessTimeTellsNothing) {
  write_file("a", "bytes");
  const ScopedFd fd = open(path("a"), O_RDONLY | O_NOATIME);
  struct stat before, after;
  ASSERT_OK(fstat(fd, &before));
  usleep(20000);
  char byte;
  for (int i = 0; i < 3; i++) EXPECT_EQ(pread(fd, &byte, 1, 0), 1);
  ASSERT_OK(fstat(fd, &after));
  EXPECT_EQ(before.st_atim.tv_sec, after.st_atim.tv_sec);
  EXPECT_EQ(before.st_atim.tv_nsec, after.st_atim.tv_nsec);
}

}  // namespace
