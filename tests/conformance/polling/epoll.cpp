// epoll(7).
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Epoll : public testing::Test {
 protected:
  void SetUp() override {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    ASSERT_OK(epoll_.get());
    int ends[2];
    ASSERT_OK(pipe2(ends, O_NONBLOCK));
    reader_ = ends[0];
    writer_ = ends[1];
  }
  int add(int fd, uint32_t events, uint64_t data = 0) const {
    epoll_event event = {events, {.u64 = data}};
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  int modify(int fd, uint32_t events, uint64_t data = 0) const {
    epoll_event event = {events, {.u64 = data}};
    return epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  }
  int wait(int time_out = 0) { return epoll_wait(epoll_, events_, 8, time_out); }

  ScopedFd epoll_, reader_, writer_;
  epoll_event events_[8];
};

TEST_F(Epoll, LevelTriggeredRepeats) {
  ASSERT_OK(add(reader_, EPOLLIN, 42));
  EXPECT_EQ(wait(), 0);
  write(writer_, "ab", 2);
  for (int i = 0; i < 3; i++) {
    ASSERT_EQ(wait(), 1);
    EXPECT_EQ(events_[0].events, (uint32_t)EPOLLIN);
    EXPECT_EQ(events_[0].data.u64, 42u);
  }
  char buffer[4];
  read(reader_, buffer, 4);
  EXPECT_EQ(wait(), 0);
}

TEST_F(Epoll, EdgeTriggeredReportsNewDataOnly) {
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLET));
  write(writer_, "a", 1);
  EXPECT_EQ(wait(), 1);
  EXPECT_EQ(wait(), 0);
  write(writer_, "b", 1);
  EXPECT_EQ(wait(), 1) << "more data is a new edge although the pipe was not empty";
  EXPECT_EQ(wait(), 0);
}

TEST_F(Epoll, EdgeTriggeredSeesDataFromBefore) {
  write(writer_, "a", 1);
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLET));
  EXPECT_EQ(wait(), 1);
}

TEST_F(Epoll, OneShotIsDisarmed) {
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLONESHOT));
  write(writer_, "a", 1);
  EXPECT_EQ(wait(), 1);
  EXPECT_EQ(wait(), 0);
  write(writer_, "b", 1);
  EXPECT_EQ(wait(), 0);
  ASSERT_OK(modify(reader_, EPOLLIN | EPOLLONESHOT));
  EXPECT_EQ(wait(), 1);
}

TEST_F(Epoll, ModifyRearmsEdge) {
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLET));
  write(writer_, "a", 1);
  EXPECT_EQ(wait(), 1);
  ASSERT_OK(modify(reader_, EPOLLIN | EPOLLET));
  EXPECT_EQ(wait(), 1);
}

TEST_F(Epoll, HangUpIsAlwaysReported) {
  ASSERT_OK(add(reader_, 0));
  EXPECT_EQ(wait(), 0);
  writer_.reset();
  ASSERT_EQ(wait(), 1);
  EXPECT_EQ(events_[0].events, (uint32_t)EPOLLHUP);
}

TEST_F(Epoll, WriterWithoutReaderIsError) {
  ASSERT_OK(add(writer_, EPOLLOUT));
  reader_.reset();
  ASSERT_EQ(wait(), 1);
  EXPECT_EQ(events_[0].events, (uint32_t)(EPOLLOUT | EPOLLERR));
}

TEST_F(Epoll, ControlErrors) {
  epoll_event event = {EPOLLIN, {}};
  EXPECT_OK(add(reader_, EPOLLIN));
  EXPECT_ERRNO(add(reader_, EPOLLIN), EEXIST);
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_MOD, writer_, &event), ENOENT);
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_DEL, writer_, nullptr), ENOENT);
  EXPECT_ERRNO(epoll_ctl(epoll_, 99, writer_, &event), EINVAL);
  EXPECT_ERRNO(epoll_ctl(-1, EPOLL_CTL_ADD, writer_, &event), EBADF);
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_ADD, 999, &event), EBADF);
  EXPECT_ERRNO(epoll_ctl(reader_, EPOLL_CTL_ADD, writer_, &event), EINVAL) << "no epoll";
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_ADD, epoll_, &event), EINVAL) << "itself";
  EXPECT_ERRNO(sys(SYS_epoll_ctl, epoll_.get(), EPOLL_CTL_ADD, writer_.get(), low_address()), EFAULT);
  const ScopedFd file = open("/proc/self/exe", O_RDONLY);
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_ADD, file, &event), EPERM) << "regular files are always ready";
  EXPECT_OK(epoll_ctl(epoll_, EPOLL_CTL_DEL, reader_, nullptr));
}

TEST_F(Epoll, WaitErrors) {
  EXPECT_ERRNO(epoll_wait(epoll_, events_, 0, 0), EINVAL);
  EXPECT_ERRNO(epoll_wait(epoll_, events_, -1, 0), EINVAL);
  EXPECT_ERRNO(epoll_wait(reader_, events_, 1, 0), EINVAL);
  EXPECT_ERRNO(epoll_wait(-1, events_, 1, 0), EBADF);
  EXPECT_ERRNO(epoll_create1(1), EINVAL);
  EXPECT_ERRNO(epoll_create(0), EINVAL);
  ASSERT_OK(add(writer_, EPOLLOUT));
  EXPECT_ERRNO(sys(SYS_epoll_pwait, epoll_.get(), kernel_address(), 1, 0, 0, 8), EFAULT);
}

TEST_F(Epoll, TimeOutIsKept) {
  const long start = now_milliseconds();
  EXPECT_EQ(wait(30), 0);
  EXPECT_GE(now_milliseconds() - start, 29);
  const timespec little = {0, 20000000};
  EXPECT_EQ(sys(SYS_epoll_pwait2, epoll_.get(), events_, 1, &little, 0, 8), 0);
  EXPECT_GE(now_milliseconds() - start, 48);
  const timespec bad = {0, 1000000000};
  EXPECT_ERRNO(sys(SYS_epoll_pwait2, epoll_.get(), events_, 1, &bad, 0, 8), EINVAL);
}

TEST_F(Epoll, WakesASleeper) {
  ASSERT_OK(add(reader_, EPOLLIN));
  const pid_t child = fork_child([&] {
    sleep_milliseconds(20);
    EXPECT_EQ(write(writer_, "x", 1), 1);
  });
  EXPECT_EQ(wait(10000), 1);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Epoll, ClosingTheLastDescriptorRemovesIt) {
  write(writer_, "x", 1);
  ScopedFd copy = dup(reader_);
  ASSERT_OK(add(reader_, EPOLLIN));
  reader_.reset();
  EXPECT_EQ(wait(), 1) << "the open file lives on in the copy";
  copy.reset();
  EXPECT_EQ(wait(), 0);
}

TEST_F(Epoll, SameFileThroughTwoDescriptors) {
  const ScopedFd copy = dup(reader_);
  ASSERT_OK(add(reader_, EPOLLIN, 1));
  ASSERT_OK(add(copy, EPOLLIN, 2));
  write(writer_, "x", 1);
  EXPECT_EQ(wait(), 2);
}

TEST_F(Epoll, ReadyDescriptorsTakeTurns) {
  ScopedFd events[4];
  for (int i = 0; i < 4; i++) {
    events[i] = eventfd(1, 0);
    ASSERT_OK(add(events[i], EPOLLIN, (uint64_t)i));
  }
  unsigned seen = 0;
  for (int i = 0; i < 2; i++) {
    ASSERT_EQ(epoll_wait(epoll_, events_, 2, 0), 2);
    seen |= 1u << events_[0].data.u64 | 1u << events_[1].data.u64;
  }
  EXPECT_EQ(seen, 15u) << "with fewer places than events everyone gets a turn";
}

TEST_F(Epoll, Nested) {
  const ScopedFd outer = epoll_create1(0);
  epoll_event event = {EPOLLIN, {.u64 = 9}};
  ASSERT_OK(epoll_ctl(outer, EPOLL_CTL_ADD, epoll_, &event));
  ASSERT_OK(add(reader_, EPOLLIN));
  EXPECT_EQ(epoll_wait(outer, events_, 8, 0), 0);
  write(writer_, "x", 1);
  EXPECT_EQ(epoll_wait(outer, events_, 8, 0), 1);
  EXPECT_EQ(events_[0].data.u64, 9u);
  event = {EPOLLIN, {}};
  EXPECT_ERRNO(epoll_ctl(epoll_, EPOLL_CTL_ADD, outer, &event), ELOOP);
}

TEST_F(Epoll, NestingDepthIsLimited) {
  ScopedFd chain[8];
  int failure = 0;
  for (int i = 0; i < 8; i++) {
    chain[i] = epoll_create1(0);
    if (i == 0) continue;
    epoll_event event = {EPOLLIN, {}};
    if (epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &event) != 0) failure = errno;
  }
  EXPECT_TRUE(failure == ELOOP || failure == EINVAL) << errno_name(failure);
}

TEST_F(Epoll, NestingDepthIsLimitedFromTheTopDown) {
  ScopedFd chain[6];
  for (ScopedFd& one : chain) one = epoll_create1(0);
  epoll_event event = {EPOLLIN, {}};
  for (int i = 0; i < 4; i++) EXPECT_OK(epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i + 1], &event));
  EXPECT_ERRNO(epoll_ctl(chain[4], EPOLL_CTL_ADD, chain[5], &event), ELOOP);
  ASSERT_OK(epoll_ctl(chain[3], EPOLL_CTL_DEL, chain[4], nullptr));
  EXPECT_OK(epoll_ctl(chain[4], EPOLL_CTL_ADD, chain[5], &event));
}

// What is closed while an epoll below another one is asked about it goes at that moment.
TEST_F(Epoll, FilesGoWhileNestedOnesAreAsked) {
  const ScopedFd outer = epoll_create1(0);
  epoll_event event = {EPOLLIN, {}};
  ASSERT_OK(epoll_ctl(outer, EPOLL_CTL_ADD, epoll_, &event));
  std::atomic<bool> done{false};
  std::thread asker([&] {
    epoll_event found[8];
    while (!done) EXPECT_GE(epoll_wait(outer, found, 8, 0), 0);
  });
  for (int i = 0; i < 500; i++) {
    int ends[2];
    EXPECT_OK(pipe(ends));
    EXPECT_OK(epoll_ctl(epoll_, EPOLL_CTL_ADD, ends[0], &event));
    EXPECT_OK(epoll_ctl(outer, EPOLL_CTL_ADD, ends[0], &event));
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
  }
  done = true;
  asker.join();
}

TEST_F(Epoll, ExclusiveWakesAtLeastOneAndForbidsChanges) {
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLEXCLUSIVE));
  EXPECT_ERRNO(modify(reader_, EPOLLIN), EINVAL);
  EXPECT_ERRNO(modify(reader_, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
  EXPECT_ERRNO(add(writer_, EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
  const pid_t child = fork_child([&] { EXPECT_EQ(wait(10000), 1); });
  sleep_milliseconds(10);
  write(writer_, "x", 1);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Epoll, PwaitSwapsTheMask) {
  EXPECT_CHILD_OK([&] {
    static volatile int handled = 0;
    signal(SIGUSR1, [](int) { handled = 1; });
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGUSR1);
    EXPECT_ERRNO(epoll_pwait(epoll_, events_, 1, 5000, &none), EINTR);
    EXPECT_EQ(handled, 1);
  });
}

TEST_F(Epoll, ReadinessReachesEveryInstance) {
  const ScopedFd other = epoll_create1(0);
  epoll_event event = {EPOLLIN | EPOLLET, {}};
  ASSERT_OK(epoll_ctl(other, EPOLL_CTL_ADD, reader_, &event));
  ASSERT_OK(add(reader_, EPOLLIN | EPOLLET));
  write(writer_, "x", 1);
  EXPECT_EQ(wait(), 1);
  EXPECT_EQ(epoll_wait(other, events_, 8, 0), 1);
}

TEST_F(Epoll, SocketsReportReadHangUp) {
  int pair[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(add(pair[0], EPOLLIN | EPOLLRDHUP));
  shutdown(pair[1], SHUT_WR);
  ASSERT_EQ(wait(), 1);
  EXPECT_EQ(events_[0].events, (uint32_t)(EPOLLIN | EPOLLRDHUP));
  close(pair[1]);
  ASSERT_EQ(wait(), 1);
  EXPECT_EQ(events_[0].events, (uint32_t)(EPOLLIN | EPOLLRDHUP | EPOLLHUP));
  close(pair[0]);
}

TEST_F(Epoll, PipeBecomesWritableAgain) {
  char block[4096] = {};
  while (write(writer_, block, sizeof block) > 0) {
  }
  ASSERT_OK(add(writer_, EPOLLOUT | EPOLLET));
  EXPECT_EQ(wait(), 0);
  for (int i = 0; i < 16; i++) read(reader_, block, sizeof block);
  EXPECT_EQ(wait(), 1);
}

}  // namespace
