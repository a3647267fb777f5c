// mount(2), umount2(2), and what mounts do to paths.
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Mounts : public UnrestrictedTempDirTest {
 protected:
  void SetUp() override {
    UnrestrictedTempDirTest::SetUp();
    ASSERT_OK(mkdir(path("m"), 0755));
    ASSERT_OK(mkdir(path("n"), 0755));
  }
  void TearDown() override {
    for (const char* name : {"m/inner", "m", "n"}) {
      while (umount2(path(name), MNT_DETACH) == 0) {
      }
    }
    UnrestrictedTempDirTest::TearDown();
  }
  int mount_tmpfs(const char* name = "m", unsigned long flags = 0, const char* options = nullptr) const {
    return mount("conformance", path(name), "tmpfs", flags, options);
  }
  unsigned long device_of(const char* name) const {
    struct stat status = {};
    EXPECT_OK(stat(path(name), &status));
    return status.st_dev;
  }
};

TEST_F(Mounts, CoversTheDirectoryAndUncoversIt) {
  write_file("m/below", "hidden");
  ASSERT_OK(mount_tmpfs());
  EXPECT_FALSE(exists("m/below"));
  write_file("m/above", "x");
  ASSERT_OK(umount(path("m")));
  EXPECT_FALSE(exists("m/above"));
  EXPECT_EQ(read_file("m/below"), "hidden");
}

TEST_F(Mounts, HasADeviceNumberOfItsOwn) {
  ASSERT_OK(mount_tmpfs());
  EXPECT_NE(device_of("m"), device_of("n"));
  EXPECT_EQ(device_of("m/.."), device_of("n")) << ".. leads out";
  struct statfs information;
  ASSERT_OK(statfs(path("m"), &information));
  EXPECT_EQ(information.f_type, 0x01021994);
}

TEST_F(Mounts, CannotRemoveRenameOrLinkAcross) {
  ASSERT_OK(mount_tmpfs());
  write_file("m/a", "x");
  EXPECT_ERRNO(rmdir(path("m")), EBUSY);
  EXPECT_ERRNO(rename(path("m"), path("other")), EBUSY);
  EXPECT_ERRNO(rename(path("m/a"), path("a")), EXDEV);
  EXPECT_ERRNO(link(path("m/a"), path("a")), EXDEV);
}

TEST_F(Mounts, BusyWhileSomethingIsOpenButLazyAlwaysWorks) {
  ASSERT_OK(mount_tmpfs());
  write_file("m/a", "still here");
  const ScopedFd fd = open(path("m/a"), O_RDONLY);
  EXPECT_ERRNO(umount(path("m")), EBUSY);
  ASSERT_OK(umount2(path("m"), MNT_DETACH));
  EXPECT_FALSE(exists("m/a"));
  char buffer[16] = {};
  EXPECT_EQ(read(fd, buffer, sizeof buffer), 10);
}

TEST_F(Mounts, BindShowsTheSameFiles) {
  write_file("n/a", "one");
  ASSERT_OK(mount(path("n"), path("m"), nullptr, MS_BIND, nullptr));
  EXPECT_EQ(read_file("m/a"), "one");
  write_file("m/a", "two");
  EXPECT_EQ(read_file("n/a"), "two");
  EXPECT_EQ(device_of("m"), device_of("n"));
  EXPECT_ERRNO(rename(path("m/a"), path("n/b")), EXDEV) << "another mount of the same file system";
}

TEST_F(Mounts, BindOfASingleFile) {
  write_file("n/a", "source");
  write_file("target", "target");
  ASSERT_OK(mount(path("n/a"), path("target"), nullptr, MS_BIND, nullptr));
  EXPECT_EQ(read_file("target"), "source");
  EXPECT_ERRNO(unlink(path("target")), EBUSY);
  ASSERT_OK(umount(path("target")));
  EXPECT_EQ(read_file("target"), "target");
}

TEST_F(Mounts, ReadOnlyIsEROFS) {
  ASSERT_OK(mount_tmpfs());
  write_file("m/a", "x");
  ASSERT_OK(mkdir(path("m/d"), 0755));
  ASSERT_OK(mount(nullptr, path("m"), nullptr, MS_REMOUNT | MS_RDONLY, nullptr));
  EXPECT_ERRNO(open(path("m/a"), O_WRONLY), EROFS);
  EXPECT_ERRNO(open(path("m/new"), O_CREAT | O_RDWR, 0600), EROFS);
  EXPECT_ERRNO(mkdir(path("m/e"), 0755), EROFS);
  EXPECT_ERRNO(unlink(path("m/a")), EROFS);
  EXPECT_ERRNO(rmdir(path("m/d")), EROFS);
  EXPECT_ERRNO(rename(path("m/a"), path("m/b")), EROFS);
  EXPECT_ERRNO(chmod(path("m/a"), 0600), EROFS);
  EXPECT_ERRNO(truncate(path("m/a"), 0), EROFS);
  EXPECT_ERRNO(access(path("m/a"), W_OK), EROFS);
  EXPECT_ERRNO(symlink("x", path("m/s")), EROFS);
  EXPECT_EQ(read_file("m/a"), "x");
  ASSERT_OK(mount(nullptr, path("m"), nullptr, MS_REMOUNT, nullptr));
  EXPECT_OK(unlink(path("m/a")));
}

TEST_F(Mounts, RemountReadOnlyWithAWriterIsEBUSY) {
  ASSERT_OK(mount_tmpfs());
  const ScopedFd fd = open(path("m/a"), O_CREAT | O_WRONLY, 0600);
  EXPECT_ERRNO(mount(nullptr, path("m"), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), EBUSY);
}

TEST_F(Mounts, NoExecAndNoDevAndNoSuid) {
  ASSERT_OK(mount_tmpfs("m", MS_NOEXEC | MS_NODEV | MS_NOSUID));
  write_file("m/script", "#!/bin/sh\n", 0755);
  char* const none[] = {nullptr};
  EXPECT_ERRNO(execve(path("m/script"), none, none), EACCES);
  ASSERT_OK(mknod(path("m/null"), S_IFCHR | 0666, 0x103));
  EXPECT_ERRNO(open(path("m/null"), O_RDWR), EACCES);
  struct statvfs information;
  ASSERT_OK(statvfs(path("m"), &information));
  EXPECT_EQ(information.f_flag & (ST_NOEXEC | ST_NODEV | ST_NOSUID),
            (unsigned long)(ST_NOEXEC | ST_NODEV | ST_NOSUID));
}

TEST_F(Mounts, TmpfsSizeLimitIsENOSPC) {
  ASSERT_OK(mount_tmpfs("m", 0, "size=64k"));
  const ScopedFd fd = open(path("m/a"), O_CREAT | O_RDWR, 0600);
  const std::string block(4096, 'x');
  int written = 0;
  while (written < 100 && write(fd, block.data(), block.size()) == 4096) written++;
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(written, 16);
  struct statfs information;
  ASSERT_OK(statfs(path("m"), &information));
  EXPECT_EQ(information.f_blocks * (unsigned long)information.f_bsize, 65536u);
  EXPECT_EQ(information.f_bfree, 0u);
  ASSERT_OK(ftruncate(fd, 0));
  EXPECT_EQ(pwrite(fd, block.data(), block.size(), 0), 4096) << "room again";
}

TEST_F(Mounts, TmpfsInodeLimitIsENOSPC) {
  ASSERT_OK(mount_tmpfs("m", 0, "nr_inodes=5"));
  int made = 0;
  while (made < 20 && mkdir(path("m/d" + std::to_string(made)), 0755) == 0) made++;
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(made, 4) << "the root counts";
}

TEST_F(Mounts, TmpfsModeAndOwnerOptions) {
  ASSERT_OK(mount_tmpfs("m", 0, "mode=1700,uid=5,gid=6"));
  struct stat status;
  ASSERT_OK(stat(path("m"), &status));
  EXPECT_EQ(status.st_mode & 07777, 01700u);
  EXPECT_EQ(status.st_uid, 5u);
  EXPECT_EQ(status.st_gid, 6u);
  EXPECT_ERRNO(mount_tmpfs("n", 0, "nonsense=1"), EINVAL);
}

TEST_F(Mounts, StackAndUnstack) {
  ASSERT_OK(mount_tmpfs());
  write_file("m/first", "");
  ASSERT_OK(mount_tmpfs());
  EXPECT_FALSE(exists("m/first"));
  ASSERT_OK(umount(path("m")));
  EXPECT_TRUE(exists("m/first"));
}

TEST_F(Mounts, MoveTakesTheTreeElsewhere) {
  ASSERT_OK(mount_tmpfs());
  ASSERT_OK(mount(nullptr, path("m"), nullptr, MS_PRIVATE, nullptr));
  write_file("m/a", "moved");
  if (mount(path("m"), path("n"), nullptr, MS_MOVE, nullptr) != 0 && errno == EINVAL) {
    GTEST_SKIP() << "the parent mount is shared";
  }
  EXPECT_EQ(read_file("n/a"), "moved");
  EXPECT_FALSE(exists("m/a"));
}

TEST_F(Mounts, ListedInProc) {
  ASSERT_OK(mount_tmpfs("m", MS_NOSUID, "size=1m"));
  char real[4096];
  ASSERT_NE(realpath(path("m"), real), nullptr);
  const std::string mounts = slurp("/proc/self/mounts");
  EXPECT_NE(mounts.find("conformance " + std::string(real) + " tmpfs rw,nosuid,relatime,size=1024k"),
            std::string::npos)
      << mounts;
  EXPECT_NE(slurp("/proc/self/mountinfo").find(" / " + std::string(real) + " rw,nosuid,relatime "),
            std::string::npos);
}

TEST_F(Mounts, SpacesInNamesAreEscaped) {
  ASSERT_OK(mkdir(path("m/a b"), 0755));
  ASSERT_OK(mount_tmpfs("m/a b"));
  EXPECT_NE(slurp("/proc/self/mounts").find("/m/a\\040b tmpfs"), std::string::npos);
  ASSERT_OK(umount(path("m/a b")));
}

TEST_F(Mounts, Errors) {
  write_file("file", "");
  EXPECT_ERRNO(mount("x", path("none"), "tmpfs", 0, nullptr), ENOENT);
  EXPECT_ERRNO(mount("x", path("file"), "tmpfs", 0, nullptr), ENOTDIR);
  EXPECT_ERRNO(mount("x", path("m"), "no-such", 0, nullptr), ENODEV);
  EXPECT_ERRNO(mount(path("none"), path("m"), nullptr, MS_BIND, nullptr), ENOENT);
  EXPECT_ERRNO(mount(path("file"), path("m"), nullptr, MS_BIND, nullptr), ENOTDIR);
  EXPECT_ERRNO(umount(path("m")), EINVAL);
  EXPECT_ERRNO(umount(path("none")), ENOENT);
  EXPECT_ERRNO(umount2(path("m"), 0x100), EINVAL);
  ASSERT_OK(symlink("m", path("link")));
  ASSERT_OK(mount_tmpfs());
  EXPECT_ERRNO(umount2(path("link"), UMOUNT_NOFOLLOW), EINVAL);
}

TEST_F(Mounts, ProcCanBeMountedAgain) {
  ASSERT_OK(mount("proc", path("m"), "proc", 0, nullptr));
  EXPECT_EQ(slurp(path("m/self/comm")), slurp("/proc/self/comm"));
}

}  // namespace
