// uname(2), sysinfo(2), getrandom(2), gethostname(2), and calls that do not exist.
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(System, Uname) {
  utsname names;
  ASSERT_OK(uname(&names));
  EXPECT_STREQ(names.sysname, "Linux");
  int major = 0, minor = 0;
  ASSERT_EQ(sscanf(names.release, "%d.%d", &major, &minor), 2);
  EXPECT_GE(major * 1000 + minor, 6012);
  EXPECT_STRNE(names.machine, "");
  EXPECT_ERRNO(sys(SYS_uname, low_address()), EFAULT);
}

TEST(System, Sysinfo) {
  struct sysinfo information;
  ASSERT_OK(sysinfo(&information));
  EXPECT_GE(information.uptime, 0);
  EXPECT_GT(information.totalram, information.freeram);
  EXPECT_GE(information.procs, 1);
  EXPECT_GE(information.mem_unit, 1u);
  EXPECT_ERRNO(sys(SYS_sysinfo, low_address()), EFAULT);
}

TEST(System, Getrandom) {
  unsigned char first[256] = {}, second[256] = {};
  EXPECT_EQ(getrandom(first, sizeof first, 0), 256);
  EXPECT_EQ(getrandom(second, sizeof second, GRND_NONBLOCK), 256);
  EXPECT_NE(memcmp(first, second, sizeof first), 0);
  EXPECT_EQ(getrandom(first, 0, 0), 0);
  EXPECT_ERRNO(getrandom(first, 1, 0x80), EINVAL);
  EXPECT_ERRNO(getrandom(first, 1, GRND_RANDOM | GRND_INSECURE), EINVAL);
  EXPECT_ERRNO(sys(SYS_getrandom, low_address(), 10, 0), EFAULT);
}

TEST(System, HostNameNeedsPrivilege) {
  char name[65];
  ASSERT_OK(gethostname(name, sizeof name));
  utsname names;
  uname(&names);
  EXPECT_STREQ(name, names.nodename);
  EXPECT_ERRNO(sethostname(name, 65), EINVAL);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(sethostname("x", 1), EPERM);
    EXPECT_ERRNO(setdomainname("x", 1), EPERM);
  });
}

TEST(System, UnknownCallsAreENOSYS) {
  for (const long number : {460000l, 100000l, 0x7fffffffl, -1l, -1000l}) {
    EXPECT_ERRNO(sys(number, 0, 0, 0), ENOSYS) << number;
  }
}

TEST(System, RebootNeedsPrivilegeAndMagic) {
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(sys(SYS_reboot, 0xfee1dead, 672274793, RB_AUTOBOOT, 0), EPERM);
  });
  EXPECT_ERRNO(sys(SYS_reboot, 0x1234, 672274793, RB_AUTOBOOT, 0), EINVAL);
}

TEST(System, MountNeedsPrivilege) {
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(sys(SYS_mount, "none", "/tmp", "tmpfs", 0, 0), EPERM);
    EXPECT_ERRNO(sys(SYS_umount2, "/proc", 0), EPERM);
  });
}

TEST(System, MountErrors) {
  EXPECT_ERRNO(sys(SYS_mount, "none", "/nonexistent", "tmpfs", 0, 0), ENOENT);
  EXPECT_ERRNO(sys(SYS_mount, "none", "/tmp", "no-such-file-system", 0, 0), ENODEV);
  EXPECT_ERRNO(sys(SYS_umount2, "/proc/self", 0), EINVAL) << "not a mount point";
  EXPECT_ERRNO(sys(SYS_umount2, "/proc", 0x8000), EINVAL);
}

class Attributes : public TempDirTest {};

TEST_F(Attributes, UserAttributes) {
  write_file("a", "");
  if (setxattr(path("a"), "user.name", "value", 5, 0) != 0 && errno == EOPNOTSUPP) {
    GTEST_SKIP() << "the file system has no user attributes";
  }
  char buffer[64] = {};
  EXPECT_EQ(getxattr(path("a"), "user.name", nullptr, 0), 5);
  EXPECT_EQ(getxattr(path("a"), "user.name", buffer, 64), 5);
  EXPECT_STREQ(buffer, "value");
  EXPECT_ERRNO(getxattr(path("a"), "user.name", buffer, 2), ERANGE);
  EXPECT_ERRNO(getxattr(path("a"), "user.none", buffer, 64), ENODATA);
  EXPECT_ERRNO(setxattr(path("a"), "user.name", "x", 1, XATTR_CREATE), EEXIST);
  EXPECT_ERRNO(setxattr(path("a"), "user.other", "x", 1, XATTR_REPLACE), ENODATA);
  const ssize_t length = listxattr(path("a"), buffer, sizeof buffer);
  ASSERT_GT(length, 0);
  EXPECT_NE(std::string(buffer, (size_t)length).find(std::string("user.name\0", 10)), std::string::npos);
  EXPECT_OK(removexattr(path("a"), "user.name"));
  EXPECT_ERRNO(removexattr(path("a"), "user.name"), ENODATA);
}

TEST_F(Attributes, BadNames) {
  write_file("a", "");
  EXPECT_ERRNO(setxattr(path("a"), "noprefix", "x", 1, 0), EOPNOTSUPP);
  EXPECT_ERRNO(setxattr(path("a"), "", "x", 1, 0), ERANGE);
  EXPECT_ERRNO(setxattr(path("a"), ("user." + std::string(255, 'x')).c_str(), "x", 1, 0), ERANGE);
  EXPECT_ERRNO(getxattr(path("none"), "user.x", nullptr, 0), ENOENT);
}

TEST(System, Personality) { EXPECT_EQ(sys(SYS_personality, 0xffffffff), 0); }

TEST(System, KcmpComparesDescriptors) {
  const ScopedFd fd = open("/dev/null", O_RDONLY), copy = dup(fd), other = open("/dev/null", O_RDONLY);
  const long same = sys(SYS_kcmp, getpid(), getpid(), 0, fd.get(), copy.get());
  if (same == -1 && errno == ENOSYS) GTEST_SKIP() << "configured out";
  EXPECT_EQ(same, 0);
  EXPECT_NE(sys(SYS_kcmp, getpid(), getpid(), 0, fd.get(), other.get()), 0);
}

TEST(System, KcmpFindsNothingToUndoTheSame) {
  const pid_t child = fork_child([] { pause(); });
  const long same = sys(SYS_kcmp, getpid(), child, 6, 0, 0);
  const int code = errno;
  kill(child, SIGKILL);
  wait_for(child);
  if (same == -1 && code == ENOSYS) GTEST_SKIP() << "configured out";
  EXPECT_EQ(same, 0);
}

TEST(System, DevicesWithoutAPositionTakeOne) {
  char bytes[4] = {1, 1, 1, 1};
  for (const char* name : {"/dev/zero", "/dev/full"}) {
    const ScopedFd fd = open(name, O_RDWR);
    EXPECT_EQ(pread(fd, bytes, 4, 0x6517'0000'0000'0000), 4) << name;
    EXPECT_EQ(bytes[3], 0);
  }
  const ScopedFd null = open("/dev/null", O_RDWR), full = open("/dev/full", O_RDWR);
  EXPECT_EQ(pread(null, bytes, 4, 100), 0);
  EXPECT_EQ(pwrite(null, bytes, 4, 100), 4);
  EXPECT_ERRNO(pwrite(full, bytes, 4, 100), ENOSPC);
}

}  // namespace
