// sysfs(5) basics, and the memory devices: null(4), zero, full(4), random(4).
#include <poll.h>
#include <sys/sysmacros.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(Sysfs, CpuLists) {
  const std::string online = slurp("/sys/devices/system/cpu/online");
  EXPECT_EQ(online[0], '0');
  EXPECT_EQ(online.back(), '\n');
  EXPECT_EQ(slurp("/sys/devices/system/cpu/possible")[0], '0');
  EXPECT_OK(access("/sys/devices/system/cpu/cpu0", F_OK));
  EXPECT_EQ(slurp("/sys/devices/system/node/online")[0], '0');
}

TEST(Sysfs, CharacterDevicesByNumber) {
  const std::string text = slurp("/sys/dev/char/1:3/uevent");
  EXPECT_NE(text.find("MAJOR=1\nMINOR=3\nDEVNAME=null\n"), std::string::npos) << text;
  EXPECT_EQ(slurp("/sys/class/mem/null/dev"), "1:3\n");
}

TEST(Sysfs, TopLevelFolders) {
  for (const char* name :
       {"/sys/block", "/sys/bus", "/sys/class", "/sys/dev", "/sys/devices", "/sys/fs", "/sys/kernel"}) {
    struct stat status;
    EXPECT_OK(stat(name, &status)) << name;
    EXPECT_TRUE(S_ISDIR(status.st_mode));
  }
  EXPECT_ERRNO(mkdir("/sys/new", 0755), EPERM);
}

TEST(Devices, Null) {
  const ScopedFd fd = open("/dev/null", O_RDWR);
  char buffer[16];
  EXPECT_EQ(read(fd, buffer, 16), 0);
  EXPECT_EQ(write(fd, buffer, 16), 16);
  EXPECT_EQ(lseek(fd, 100, SEEK_SET), 0);
  pollfd wait = {fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 1);
}

TEST(Devices, Zero) {
  const ScopedFd fd = open("/dev/zero", O_RDWR);
  std::string buffer(100000, 'x');
  EXPECT_EQ(read(fd, buffer.data(), buffer.size()), (ssize_t)buffer.size());
  EXPECT_EQ(buffer, std::string(100000, '\0'));
  EXPECT_EQ(write(fd, "x", 1), 1);
  EXPECT_ERRNO(sys(SYS_read, fd.get(), low_address(), 10), EFAULT);
}

TEST(Devices, Full) {
  const ScopedFd fd = open("/dev/full", O_RDWR);
  char byte = 1;
  EXPECT_EQ(read(fd, &byte, 1), 1);
  EXPECT_EQ(byte, 0);
  EXPECT_ERRNO(write(fd, "x", 1), ENOSPC);
}

TEST(Devices, Random) {
  for (const char* name : {"/dev/random", "/dev/urandom"}) {
    const ScopedFd fd = open(name, O_RDWR);
    unsigned char first[64] = {}, second[64] = {};
    EXPECT_EQ(read(fd, first, 64), 64);
    EXPECT_EQ(read(fd, second, 64), 64);
    EXPECT_NE(memcmp(first, second, 64), 0);
    EXPECT_EQ(write(fd, "seed", 4), 4);
  }
}

TEST(Devices, NodesAreRight) {
  const struct {
    const char* name;
    unsigned major, minor;
  } nodes[] = {{"/dev/null", 1, 3},    {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},   {"/dev/random", 1, 8},
               {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {"/dev/console", 5, 1}};
  for (const auto& node : nodes) {
    struct stat status;
    ASSERT_OK(stat(node.name, &status)) << node.name;
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    EXPECT_EQ(status.st_rdev, makedev(node.major, node.minor)) << node.name;
  }
}

class DeviceNode : public UnrestrictedTempDirTest {};

TEST_F(DeviceNode, WorksAnywhere) {
  ASSERT_OK(mknod(path("zero"), S_IFCHR | 0600, makedev(1, 5)));
  const ScopedFd fd = open(path("zero"), O_RDONLY);
  ASSERT_OK(fd.get());
  char byte = 1;
  EXPECT_EQ(read(fd, &byte, 1), 1);
  EXPECT_EQ(byte, 0);
}

TEST_F(DeviceNode, NumberWithoutDriverIsENXIO) {
  ASSERT_OK(mknod(path("device"), S_IFCHR | 0600, makedev(240, 77)));
  EXPECT_ERRNO(open(path("device"), O_RDONLY), ENXIO);
}

}  // namespace
