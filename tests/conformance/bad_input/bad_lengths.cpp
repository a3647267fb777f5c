// Absurd lengths and sizes: refused or cut, never believed.
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class BadLength : public TempDirTest {};

TEST_F(BadLength, TransfersAreCutAt2GiB) {
  // One call moves 0x7ffff000 bytes at most; the address range is checked before that.
  const ScopedFd null = open("/dev/null", O_WRONLY);
  const size_t size = 3ul << 30;
  const Mapping memory(size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  if (!memory.valid()) GTEST_SKIP() << "no address space";
  EXPECT_EQ(write(null, memory.data(), size), 0x7ffff000l);
}

TEST_F(BadLength, VectorsReachingIntoTheKernelAreEFAULT) {
  char byte = 0;
  iovec pieces[3] = {{&byte, SSIZE_MAX}, {&byte, SSIZE_MAX}, {&byte, 1}};
  const ScopedFd null = open("/dev/null", O_RDWR);
  EXPECT_ERRNO(readv(null, pieces, 3), EFAULT);
}

TEST_F(BadLength, NamesLongerThanAPath) {
  const std::string name(1 << 20, 'x');
  EXPECT_ERRNO(open(name.c_str(), O_RDONLY), ENAMETOOLONG);
  EXPECT_ERRNO(mkdir(name.c_str(), 0700), ENAMETOOLONG);
  EXPECT_ERRNO(chdir(name.c_str()), ENAMETOOLONG);
}

TEST_F(BadLength, SocketAddresses) {
  const ScopedFd fd = socket(AF_UNIX, SOCK_STREAM, 0);
  char address[4096] = {1};
  EXPECT_ERRNO(sys(SYS_bind, fd.get(), address, sizeof address), EINVAL);
  EXPECT_ERRNO(sys(SYS_bind, fd.get(), address, -1), EINVAL);
  EXPECT_ERRNO(sys(SYS_connect, fd.get(), address, 0x7fffffff), EINVAL);
  socklen_t length = (socklen_t)-1;
  EXPECT_ERRNO(sys(SYS_getsockname, fd.get(), address, &length), EINVAL);
}

TEST_F(BadLength, MemoryCalls) {
  const Mapping memory(page_size());
  EXPECT_ERRNO(munmap(memory.data(), SIZE_MAX), EINVAL);
  EXPECT_ERRNO(munmap(memory.data(), 1ul << 60), EINVAL);
  EXPECT_ERRNO(mprotect(memory.data(), SIZE_MAX - page_size() * 3, PROT_READ), ENOMEM);
  EXPECT_ERRNO(madvise(memory.data(), SIZE_MAX, MADV_NORMAL), EINVAL);
  EXPECT_ERRNO(mlock(memory.data(), SIZE_MAX - 2 * page_size()), EINVAL);
  EXPECT_ERRNO(sys(SYS_mincore, memory.data(), SIZE_MAX - page_size() * 100, memory.data()), ENOMEM);
}

TEST_F(BadLength, GroupsAndAffinity) {
  gid_t group;
  EXPECT_ERRNO(sys(SYS_getgroups, -1, &group), EINVAL);
  EXPECT_ERRNO(sys(SYS_setgroups, -1, &group), EINVAL);
  EXPECT_ERRNO(sys(SYS_setgroups, 1 << 30, &group), EINVAL);
}

TEST_F(BadLength, PollAndEpoll) {
  EXPECT_ERRNO(sys(SYS_ppoll, 0, 1u << 31, 0, 0, 8), EINVAL);
  const ScopedFd epoll = static_cast<int>(sys(SYS_epoll_create1, 0));
  char events[64];
  EXPECT_ERRNO(sys(SYS_epoll_pwait, epoll.get(), events, INT_MAX, 0, 0, 8), EINVAL);
  EXPECT_ERRNO(sys(SYS_pselect6, INT_MIN, 0, 0, 0, 0, 0), EINVAL);
}

TEST_F(BadLength, GetdentsAndReadlink) {
  write_file("a", "");
  const ScopedFd fd = open(path(), O_RDONLY);
  char buffer[4096];
  EXPECT_ERRNO(sys(SYS_getdents64, fd.get(), buffer, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_readlinkat, AT_FDCWD, "/proc/self", buffer, -1), EINVAL);
  EXPECT_ERRNO(sys(SYS_readlinkat, AT_FDCWD, "/proc/self", buffer, INT_MIN), EINVAL);
}

TEST_F(BadLength, SignalSetSizes) {
  uint64_t set = 0;
  for (const long size : {0l, 4l, 7l, 16l, 128l, -1l}) {
    EXPECT_ERRNO(sys(SYS_rt_sigprocmask, 0, &set, 0, size), EINVAL) << size;
    EXPECT_ERRNO(sys(SYS_rt_sigaction, 10, 0, 0, size), EINVAL) << size;
    EXPECT_ERRNO(sys(SYS_rt_sigsuspend, &set, size), EINVAL) << size;
    EXPECT_ERRNO(sys(SYS_rt_sigtimedwait, &set, 0, 0, size), EINVAL) << size;
    EXPECT_ERRNO(sys(SYS_signalfd4, -1, &set, size, 0), EINVAL) << size;
  }
  EXPECT_ERRNO(sys(SYS_rt_sigpending, &set, 16), EINVAL);
}

TEST_F(BadLength, FileOffsetsAtTheEdge) {
  const ScopedFd fd = open(path("a"), O_CREAT | O_RDWR, 0600);
  char byte = 1;
  EXPECT_ERRNO(pread(fd, &byte, 1, LONG_MIN), EINVAL);
  EXPECT_ERRNO(ftruncate(fd, LONG_MIN), EINVAL);
  EXPECT_ERRNO(lseek(fd, LONG_MIN, SEEK_SET), EINVAL);
  EXPECT_ERRNO(fallocate(fd, 0, LONG_MAX, 1), EFBIG);
  EXPECT_ERRNO(sys(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, fd.get(), LONG_MIN), EOVERFLOW);
}

TEST_F(BadLength, BuffersCrossingIntoBadMemory) {
  const GuardedPage page;
  const ScopedFd zero = open("/dev/zero", O_RDONLY);
  memset(page.data(), 0x55, page_size());
  const long count = sys(SYS_read, zero.get(), page.end() - 100, 4096);
  EXPECT_TRUE(count == 100 || (count == -1 && errno == EFAULT)) << count;
  EXPECT_EQ(*(page.end() - 101), 0x55) << "nothing before the buffer";
  struct stat* status = reinterpret_cast<struct stat*>(page.end() - sizeof(struct stat) + 8);
  EXPECT_ERRNO(sys(SYS_fstat, zero.get(), status), EFAULT);
}

TEST_F(BadLength, ExecArgumentsPointingNowhereInTheMiddle) {
  char text[] = "x";
  char* arguments[] = {text, static_cast<char*>(kernel_address()), nullptr};
  char* none[] = {nullptr};
  EXPECT_ERRNO(sys(SYS_execve, "/proc/self/exe", arguments, none), EFAULT);
  const GuardedPage page;
  char** unending = reinterpret_cast<char**>(page.end()) - 4;
  for (int i = 0; i < 4; i++) unending[i] = text;
  EXPECT_ERRNO(sys(SYS_execve, "/proc/self/exe", unending, none), EFAULT) << "no null at the end";
}

}  // namespace
