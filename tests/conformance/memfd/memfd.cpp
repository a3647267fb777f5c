// memfd_create(2), seals of fcntl(2).
#include <sys/mman.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

TEST(Memfd, IsAnEmptyUnlinkedFile) {
  const ScopedFd fd = memfd_create("name", MFD_CLOEXEC);
  ASSERT_OK(fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(status.st_size, 0);
  EXPECT_EQ(status.st_mode & 0777, 0777u);
  char target[64] = {};
  readlink(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), target, sizeof target);
  EXPECT_STREQ(target, "/memfd:name (deleted)");
}

TEST(Memfd, ReadWriteMapAndReopen) {
  const ScopedFd fd = memfd_create("m", 0);
  ASSERT_EQ(write(fd, "hello", 5), 5);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  memory[0] = 'J';
  const ScopedFd again = open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY);
  ASSERT_OK(again.get());
  char buffer[8] = {};
  EXPECT_EQ(read(again, buffer, 8), 5);
  EXPECT_STREQ(buffer, "Jello");
}

TEST(Memfd, Errors) {
  EXPECT_ERRNO(memfd_create("x", 0x8000), EINVAL);
  EXPECT_ERRNO(memfd_create(std::string(250, 'x').c_str(), 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_memfd_create, low_address(), 0), EFAULT);
  const ScopedFd longest = memfd_create(std::string(249, 'x').c_str(), 0);
  EXPECT_OK(longest.get());
}

TEST(Memfd, SealingMustBeAskedFor) {
  const ScopedFd fd = memfd_create("m", 0);
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  const ScopedFd null = open("/dev/null", O_RDWR);
  EXPECT_ERRNO(fcntl(null, F_GET_SEALS), EINVAL);
}

TEST(Memfd, WriteSeal) {
  const ScopedFd fd = memfd_create("m", MFD_ALLOW_SEALING);
  ASSERT_OK(ftruncate(fd, 4096));
  {
    const Mapping writable(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  }
  ASSERT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE);
  EXPECT_ERRNO(write(fd, "x", 1), EPERM);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  const Mapping copy(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  EXPECT_TRUE(copy.valid());
  EXPECT_OK(ftruncate(fd, 8192));
}

TEST(Memfd, ShrinkAndGrowSeals) {
  const ScopedFd fd = memfd_create("m", MFD_ALLOW_SEALING);
  ASSERT_OK(ftruncate(fd, 4096));
  ASSERT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  EXPECT_ERRNO(ftruncate(fd, 100), EPERM);
  EXPECT_OK(ftruncate(fd, 8192));
  ASSERT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  EXPECT_ERRNO(ftruncate(fd, 10000), EPERM);
  EXPECT_ERRNO(pwrite(fd, "x", 1, 8192), EPERM);
  EXPECT_EQ(pwrite(fd, "x", 1, 8191), 1);
  ASSERT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
  EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

TEST(Memfd, FutureWriteSealKeepsExistingMappings) {
  const ScopedFd fd = memfd_create("m", MFD_ALLOW_SEALING);
  ASSERT_OK(ftruncate(fd, 4096));
  const Mapping writable(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  ASSERT_OK(fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */));
  writable[0] = 'x';
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  EXPECT_ERRNO(pwrite(fd, "y", 1, 0), EPERM);
}

TEST(Memfd, SealErrors) {
  const ScopedFd fd = memfd_create("m", MFD_ALLOW_SEALING);
  EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, 0x8000), EINVAL);
  const ScopedFd reader = open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY);
  EXPECT_ERRNO(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM) << "not open for writing";
}

}  // namespace
