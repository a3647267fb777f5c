// userfaultfd(2), ioctl_userfaultfd(2).
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <thread>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

class UserFaults : public testing::Test {
 protected:
  static constexpr size_t page = 4096;

  void SetUp() override {
    fd_ = (int)sys(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0 && (errno == EPERM || errno == ENOSYS)) GTEST_SKIP() << "userfaultfd: " << strerror(errno);
    ASSERT_OK(fd_.get());
    api_.api = UFFD_API;
    ASSERT_OK(ioctl(fd_, UFFDIO_API, &api_));
  }
  char* map(size_t pages, int flags = MAP_PRIVATE) {
    void* memory = mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    return (char*)memory;
  }
  int watch(char* memory, size_t pages, uint64_t mode, uint64_t* ioctls = nullptr) {
    uffdio_register wanted{{(uint64_t)memory, pages * page}, mode, 0};
    const int result = ioctl(fd_, UFFDIO_REGISTER, &wanted);
    if (ioctls) *ioctls = wanted.ioctls;
    return result;
  }
  int copy(char* to, const void* from, uint64_t mode = 0, int64_t* copied = nullptr, size_t pages = 1) {
    uffdio_copy wanted{(uint64_t)to, (uint64_t)from, pages * page, mode, 0};
    const int result = ioctl(fd_, UFFDIO_COPY, &wanted);
    if (copied) *copied = wanted.copy;
    return result;
  }
  int protect(char* memory, size_t pages, uint64_t mode) {
    uffdio_writeprotect wanted{{(uint64_t)memory, pages * page}, mode};
    return ioctl(fd_, UFFDIO_WRITEPROTECT, &wanted);
  }
  uffd_msg next() {
    pollfd wait{fd_, POLLIN, 0};
    EXPECT_EQ(poll(&wait, 1, 10000), 1);
    EXPECT_EQ(wait.revents, POLLIN);
    uffd_msg message{};
    EXPECT_EQ(read(fd_, &message, sizeof message), (ssize_t)sizeof message);
    EXPECT_EQ(message.event, UFFD_EVENT_PAGEFAULT);
    return message;
  }
  bool has_feature(uint64_t feature) const { return api_.features & feature; }

  ScopedFd fd_;
  uffdio_api api_{};
};

TEST(UserFaultsCall, FlagsAreChecked) {
  EXPECT_ERRNO(sys(SYS_userfaultfd, 0x40000000), EINVAL);
  const ScopedFd fd = (int)sys(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  ASSERT_OK(fd.get());
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  uffd_msg message;
  EXPECT_ERRNO(read(fd, &message, sizeof message), EINVAL);  // before UFFDIO_API
  uffdio_range range{0, 4096};
  EXPECT_ERRNO(ioctl(fd, UFFDIO_UNREGISTER, &range), EINVAL);
  uffdio_api api{0x55, 0, 0};
  EXPECT_ERRNO(ioctl(fd, UFFDIO_API, &api), EINVAL);
  EXPECT_EQ(api.api, 0u);
  api = {UFFD_API, 1ull << 60, 0};
  EXPECT_ERRNO(ioctl(fd, UFFDIO_API, &api), EINVAL);
  api = {UFFD_API, 0, 0};
  ASSERT_OK(ioctl(fd, UFFDIO_API, &api));
  EXPECT_TRUE(api.ioctls & 1ull << _UFFDIO_REGISTER);
  EXPECT_TRUE(api.features & UFFD_FEATURE_THREAD_ID);
  EXPECT_ERRNO(ioctl(fd, UFFDIO_API, &api), EINVAL);
}

TEST_F(UserFaults, RangesAreChecked) {
  char* memory = map(4);
  EXPECT_ERRNO(watch(memory + 1, 1, UFFDIO_REGISTER_MODE_MISSING), EINVAL);
  EXPECT_ERRNO(watch(memory, 0, UFFDIO_REGISTER_MODE_MISSING), EINVAL);
  EXPECT_ERRNO(watch(memory, 1, 0), EINVAL);
  EXPECT_ERRNO(watch(memory, 1, 1 << 10), EINVAL);
  EXPECT_ERRNO(watch(memory, 1, UFFDIO_REGISTER_MODE_MINOR), EINVAL);  // private memory has no such
  uint64_t ioctls = 0;
  ASSERT_OK(watch(memory, 2, UFFDIO_REGISTER_MODE_MISSING, &ioctls));
  for (const int bit : {_UFFDIO_WAKE, _UFFDIO_COPY, _UFFDIO_ZEROPAGE}) EXPECT_TRUE(ioctls & 1ull << bit);
  EXPECT_FALSE(ioctls & 1ull << _UFFDIO_WRITEPROTECT);
  const ScopedFd other = (int)sys(SYS_userfaultfd, O_CLOEXEC);
  uffdio_api api{UFFD_API, 0, 0};
  ASSERT_OK(ioctl(other, UFFDIO_API, &api));
  uffdio_register wanted{{(uint64_t)memory, page}, UFFDIO_REGISTER_MODE_MISSING, 0};
  EXPECT_ERRNO(ioctl(other, UFFDIO_REGISTER, &wanted), EBUSY);
  munmap(memory, 4 * page);
  EXPECT_ERRNO(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING), EINVAL);
}

TEST_F(UserFaults, MissingPagesAreAskedFor) {
  char* memory = map(3);
  ASSERT_OK(watch(memory, 3, UFFDIO_REGISTER_MODE_MISSING));
  std::atomic<int> seen{-1};
  std::thread toucher([&] { seen = memory[page + 10]; });
  const uffd_msg message = next();
  EXPECT_EQ(message.arg.pagefault.address, (uint64_t)memory + page);
  EXPECT_EQ(message.arg.pagefault.flags, 0u);
  EXPECT_EQ(seen, -1);
  std::string content(page, 'x');
  ASSERT_OK(copy(memory + page, content.data()));
  toucher.join();
  EXPECT_EQ(seen, 'x');
  // It is there now; the neighbours are not.
  EXPECT_ERRNO(copy(memory + page, content.data()), EEXIST);
  uffd_msg none;
  EXPECT_ERRNO(read(fd_, &none, sizeof none), EAGAIN);
  munmap(memory, 3 * page);
}

TEST_F(UserFaults, WritesSayThatTheyWrite) {
  char* memory = map(1);
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  std::thread toucher([&] { memory[5] = 'w'; });
  EXPECT_EQ(next().arg.pagefault.flags, (uint64_t)UFFD_PAGEFAULT_FLAG_WRITE);
  uffdio_zeropage zero{{(uint64_t)memory, page}, 0, 0};
  ASSERT_OK(ioctl(fd_, UFFDIO_ZEROPAGE, &zero));
  EXPECT_EQ(zero.zeropage, (int64_t)page);
  toucher.join();
  EXPECT_EQ(memory[5], 'w');
  EXPECT_EQ(memory[6], 0);
  munmap(memory, page);
}

TEST_F(UserFaults, CopiesWithoutWakingAndWakes) {
  char* memory = map(1);
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  std::atomic<bool> done{false};
  std::thread toucher([&] {
    EXPECT_EQ(*(volatile char*)memory, 'y');
    done = true;
  });
  next();
  std::string content(page, 'y');
  ASSERT_OK(copy(memory, content.data(), UFFDIO_COPY_MODE_DONTWAKE));
  usleep(50000);
  EXPECT_FALSE(done);
  uffdio_range range{(uint64_t)memory, page};
  ASSERT_OK(ioctl(fd_, UFFDIO_WAKE, &range));
  toucher.join();
  munmap(memory, page);
}

TEST_F(UserFaults, CopyStopsAtWhatIsThere) {
  char* memory = map(3);
  memory[2 * page] = 'k';
  ASSERT_OK(watch(memory, 3, UFFDIO_REGISTER_MODE_MISSING));
  std::string content(3 * page, 'c');
  int64_t copied = 0;
  EXPECT_ERRNO(copy(memory, content.data(), 0, &copied, 3), EAGAIN);
  EXPECT_EQ(copied, (int64_t)(2 * page));
  EXPECT_EQ(memory[page], 'c');
  EXPECT_EQ(memory[2 * page], 'k');
  EXPECT_ERRNO(copy(memory, content.data(), 0, &copied), EEXIST);
  EXPECT_EQ(copied, -EEXIST);
  char* elsewhere = map(1);
  EXPECT_ERRNO(copy(elsewhere, content.data()), ENOENT);
  munmap(elsewhere, page);
  munmap(memory, 3 * page);
}

TEST_F(UserFaults, SystemCallsWaitToo) {
  char* memory = map(1);
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  std::thread caller([&] {
    const ScopedFd zeroes = open("/dev/zero", O_RDONLY);
    EXPECT_EQ(read(zeroes, memory, 10), 10);
  });
  EXPECT_EQ(next().arg.pagefault.address, (uint64_t)memory);
  std::string content(page, 'z');
  ASSERT_OK(copy(memory, content.data()));
  caller.join();
  EXPECT_EQ(memory[9], 0);
  EXPECT_EQ(memory[10], 'z');
  munmap(memory, page);
}

TEST_F(UserFaults, ClosingLetsEverybodyGo) {
  char* memory = map(1);
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  std::thread toucher([&] { EXPECT_EQ(*(volatile char*)memory, 0); });
  next();
  fd_ = ScopedFd(-1);
  toucher.join();
  munmap(memory, page);
}

TEST_F(UserFaults, UnregisteringLetsEverybodyGo) {
  char* memory = map(2);
  ASSERT_OK(watch(memory, 2, UFFDIO_REGISTER_MODE_MISSING));
  std::thread toucher([&] { EXPECT_EQ(*(volatile char*)memory, 0); });
  next();
  uffdio_range range{(uint64_t)memory, page};
  ASSERT_OK(ioctl(fd_, UFFDIO_UNREGISTER, &range));
  toucher.join();
  munmap(memory, 2 * page);
}

TEST_F(UserFaults, DiscardedPagesAreMissingAgain) {
  char* memory = map(1);
  memory[0] = 'a';
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  EXPECT_EQ(memory[0], 'a');
  ASSERT_OK(madvise(memory, page, MADV_DONTNEED));
  std::thread toucher([&] { EXPECT_EQ(*(volatile char*)memory, 'b'); });
  next();
  std::string content(page, 'b');
  ASSERT_OK(copy(memory, content.data()));
  toucher.join();
  munmap(memory, page);
}

TEST_F(UserFaults, KillsReachThreadsThatWait) {
  char* memory = map(1);
  ASSERT_OK(watch(memory, 1, UFFDIO_REGISTER_MODE_MISSING));
  // The child of a fork is not watched.
  EXPECT_EXITED(wait_for(fork_child([&] { _exit(*(volatile char*)memory); })), 0);
  std::atomic<int> handled{0};
  static std::atomic<int>* counter;
  counter = &handled;
  struct sigaction action{};
  action.sa_handler = [](int) { ++*counter; };
  sigaction(SIGUSR1, &action, nullptr);
  std::thread toucher([&] { EXPECT_EQ(*(volatile char*)memory, 0); });
  next();
  pthread_kill(toucher.native_handle(), SIGUSR1);
  while (handled == 0) usleep(1000);
  next();  // it asks again
  uffdio_zeropage zero{{(uint64_t)memory, page}, 0, 0};
  ASSERT_OK(ioctl(fd_, UFFDIO_ZEROPAGE, &zero));
  toucher.join();
  signal(SIGUSR1, SIG_DFL);
  munmap(memory, page);
}

TEST_F(UserFaults, WriteProtection) {
  if (!has_feature(UFFD_FEATURE_PAGEFAULT_FLAG_WP)) GTEST_SKIP() << "no write protection here";
  char* memory = map(2);
  memory[0] = memory[page] = 'a';
  uint64_t ioctls = 0;
  ASSERT_OK(watch(memory, 2, UFFDIO_REGISTER_MODE_WP, &ioctls));
  EXPECT_TRUE(ioctls & 1ull << _UFFDIO_WRITEPROTECT);
  ASSERT_OK(protect(memory, 2, UFFDIO_WRITEPROTECT_MODE_WP));
  EXPECT_EQ(memory[0], 'a');  // reading is free
  std::thread writer([&] { memory[1] = 'b'; });
  const uffd_msg message = next();
  EXPECT_EQ(message.arg.pagefault.flags, (uint64_t)(UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP));
  EXPECT_EQ(message.arg.pagefault.address, (uint64_t)memory);
  EXPECT_EQ(memory[1], 0);
  ASSERT_OK(protect(memory, 1, 0));
  writer.join();
  EXPECT_EQ(memory[1], 'b');
  // mprotect neither adds nor takes away.
  ASSERT_OK(mprotect(memory, 2 * page, PROT_READ));
  ASSERT_OK(mprotect(memory, 2 * page, PROT_READ | PROT_WRITE));
  std::thread second([&] { memory[page] = 'c'; });
  EXPECT_EQ(next().arg.pagefault.address, (uint64_t)memory + page);
  ASSERT_OK(protect(memory, 2, 0));
  second.join();
  EXPECT_ERRNO(protect(memory, 2, UFFDIO_WRITEPROTECT_MODE_WP | UFFDIO_WRITEPROTECT_MODE_DONTWAKE), EINVAL);
  munmap(memory, 2 * page);
}

TEST_F(UserFaults, SharedMemoryAndMinorFaults) {
  if (!has_feature(UFFD_FEATURE_MISSING_SHMEM) || !has_feature(UFFD_FEATURE_MINOR_SHMEM))
    GTEST_SKIP() << "not for shared memory here";
  const ScopedFd file = memfd_create("faults", MFD_CLOEXEC);
  ASSERT_OK(ftruncate(file, 2 * page));
  auto view = [&] { return (char*)mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0); };
  char *watched = view(), *other = view();
  ASSERT_OK(watch(watched, 2, UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR));
  std::string content(page, 's');
  std::thread toucher([&] { EXPECT_EQ(*(volatile char*)watched, 's'); });
  EXPECT_EQ(next().arg.pagefault.flags, 0u);
  ASSERT_OK(copy(watched, content.data()));
  toucher.join();
  EXPECT_EQ(other[0], 's');
  other[page] = 'm';
  std::thread second([&] { EXPECT_EQ(*(volatile char*)(watched + page), 'n'); });
  EXPECT_EQ(next().arg.pagefault.flags, (uint64_t)UFFD_PAGEFAULT_FLAG_MINOR);
  other[page] = 'n';
  uffdio_continue go{{(uint64_t)watched + page, page}, 0, 0};
  ASSERT_OK(ioctl(fd_, UFFDIO_CONTINUE, &go));
  EXPECT_EQ(go.mapped, (int64_t)page);
  second.join();
  EXPECT_ERRNO(ioctl(fd_, UFFDIO_CONTINUE, &go), EEXIST);
  munmap(watched, 2 * page);
  munmap(other, 2 * page);
}

TEST(UserFaultsCall, SignalInsteadOfWaiting) {
  const ScopedFd fd = (int)sys(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  ASSERT_OK(fd.get());
  uffdio_api api{UFFD_API, UFFD_FEATURE_SIGBUS, 0};
  ASSERT_OK(ioctl(fd, UFFDIO_API, &api));
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_register wanted{{(uint64_t)memory, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
  ASSERT_OK(ioctl(fd, UFFDIO_REGISTER, &wanted));
  const ScopedFd zeroes = open("/dev/zero", O_RDONLY);
  EXPECT_ERRNO(read(zeroes, memory, 10), EFAULT);
  EXPECT_EQ(provoke([&] { peek(memory); }).signal, SIGBUS);
  munmap(memory, 4096);
}

}  // namespace
