// eventfd(2).
#include <poll.h>
#include <sys/eventfd.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

void add(int fd, uint64_t value) { EXPECT_EQ(write(fd, &value, 8), 8); }

TEST(Eventfd, ReadReturnsAndClears) {
  const ScopedFd fd = eventfd(3, EFD_NONBLOCK);
  ASSERT_OK(fd.get());
  add(fd, 4);
  uint64_t value = 0;
  EXPECT_EQ(read(fd, &value, 8), 8);
  EXPECT_EQ(value, 7u);
  EXPECT_ERRNO(read(fd, &value, 8), EAGAIN);
}

TEST(Eventfd, SemaphoreModeTakesOne) {
  const ScopedFd fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
  uint64_t value = 0;
  EXPECT_EQ(read(fd, &value, 8), 8);
  EXPECT_EQ(value, 1u);
  EXPECT_EQ(read(fd, &value, 8), 8);
  EXPECT_ERRNO(read(fd, &value, 8), EAGAIN);
}

TEST(Eventfd, OverflowBlocks) {
  const ScopedFd fd = eventfd(0, EFD_NONBLOCK);
  add(fd, UINT64_MAX - 1);
  uint64_t one = 1;
  EXPECT_ERRNO(write(fd, &one, 8), EAGAIN);
  pollfd wait = {fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_EQ(wait.revents, POLLIN);
  uint64_t all_ones = UINT64_MAX;
  EXPECT_ERRNO(write(fd, &all_ones, 8), EINVAL);
}

TEST(Eventfd, Poll) {
  const ScopedFd fd = eventfd(0, 0);
  pollfd wait = {fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_EQ(wait.revents, POLLOUT);
  add(fd, 1);
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_EQ(wait.revents, POLLIN | POLLOUT);
}

TEST(Eventfd, BlockingReadWaits) {
  const ScopedFd fd = eventfd(0, 0);
  const pid_t child = fork_child([&] {
    uint64_t value = 0;
    EXPECT_EQ(read(fd, &value, 8), 8);
    EXPECT_EQ(value, 5u);
  });
  ASSERT_TRUE(wait_for_state(child, 'S'));
  add(fd, 5);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Eventfd, Errors) {
  EXPECT_ERRNO(eventfd(0, 0x100), EINVAL);
  const ScopedFd fd = eventfd(1, EFD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  char small[4];
  EXPECT_ERRNO(read(fd, small, 4), EINVAL);
  EXPECT_ERRNO(write(fd, small, 4), EINVAL);
  EXPECT_ERRNO(sys(SYS_write, fd.get(), low_address(), 8), EFAULT);
}

}  // namespace
