// poll(2), ppoll(2), select(2), pselect(2).
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <thread>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Polling : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_OK(pipe(ends));
    reader_ = ends[0];
    writer_ = ends[1];
  }
  ScopedFd reader_, writer_;
};

TEST_F(Polling, BadDescriptorIsPollnval) {
  pollfd entries[2] = {{999, POLLIN, 0}, {-1, POLLIN, 77}};
  EXPECT_EQ(poll(entries, 2, -1), 1);
  EXPECT_EQ(entries[0].revents, POLLNVAL);
  EXPECT_EQ(entries[1].revents, 0) << "negative ones are skipped";
}

TEST_F(Polling, RegularFilesAreAlwaysReady) {
  const ScopedFd fd = open("/proc/self/exe", O_RDONLY);
  pollfd entry = {fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN | POLLOUT);
}

TEST_F(Polling, TimeOut) {
  pollfd entry = {reader_, POLLIN, 0};
  const long start = now_milliseconds();
  EXPECT_EQ(poll(&entry, 1, 30), 0);
  EXPECT_GE(now_milliseconds() - start, 29);
}

TEST_F(Polling, WakesUp) {
  const pid_t child = fork_child([&] {
    sleep_milliseconds(20);
    EXPECT_EQ(write(writer_, "x", 1), 1);
  });
  pollfd entry = {reader_, POLLIN, 0};
  EXPECT_EQ(poll(&entry, 1, 10000), 1);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Polling, Errors) {
  EXPECT_ERRNO(sys(SYS_ppoll, low_address(), 1, 0, 0, 8), EFAULT);
  EXPECT_CHILD_OK([] {
    const rlimit limit = {10, 10};
    setrlimit(RLIMIT_NOFILE, &limit);
    pollfd entries[11] = {};
    const timespec none = {0, 0};
    EXPECT_ERRNO(sys(SYS_ppoll, entries, 11, &none, 0, 8), EINVAL) << "more than RLIMIT_NOFILE";
  });
  const timespec bad = {0, 1000000000};
  EXPECT_ERRNO(ppoll(nullptr, 0, &bad, nullptr), EINVAL);
}

TEST_F(Polling, PpollUpdatesTheTimeOutAndSwapsTheMask) {
  EXPECT_CHILD_OK([] {
    signal(SIGUSR1, [](int) {});
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGUSR1);
    timespec time_out = {100, 0};
    EXPECT_ERRNO(sys(SYS_ppoll, 0, 0, &time_out, &none, 8), EINTR);
    EXPECT_LT(time_out.tv_sec, 100) << "the raw call writes back what is left";
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1));
  });
}

TEST_F(Polling, ManyDescriptors) {
  std::vector<ScopedFd> copies;
  std::vector<pollfd> entries;
  for (int i = 0; i < 200; i++) {
    copies.emplace_back(dup(reader_));
    ASSERT_OK(copies.back().get());
    entries.push_back({copies.back(), POLLIN, 0});
  }
  EXPECT_EQ(poll(entries.data(), entries.size(), 0), 0);
  write(writer_, "x", 1);
  EXPECT_EQ(poll(entries.data(), entries.size(), 0), 200);
}

TEST_F(Polling, SocketHangUpBits) {
  int pair[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  pollfd entry = {pair[0], POLLIN | POLLOUT | POLLRDHUP, 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLOUT);
  close(pair[1]);
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  close(pair[0]);
}

TEST_F(Polling, SelectSetsExactlyTheReadyOnes) {
  fd_set readers, writers;
  FD_ZERO(&readers);
  FD_ZERO(&writers);
  FD_SET(reader_, &readers);
  FD_SET(writer_, &writers);
  timeval none = {0, 0};
  const int limit = std::max(reader_.get(), writer_.get()) + 1;
  EXPECT_EQ(select(limit, &readers, &writers, nullptr, &none), 1);
  EXPECT_FALSE(FD_ISSET(reader_, &readers));
  EXPECT_TRUE(FD_ISSET(writer_, &writers));
  write(writer_, "x", 1);
  FD_SET(reader_, &readers);
  FD_SET(writer_, &writers);
  EXPECT_EQ(select(limit, &readers, &writers, nullptr, &none), 2);
}

TEST_F(Polling, SelectEndOfFileIsReadable) {
  writer_.reset();
  fd_set readers;
  FD_ZERO(&readers);
  FD_SET(reader_, &readers);
  timeval none = {0, 0};
  EXPECT_EQ(select(reader_ + 1, &readers, nullptr, nullptr, &none), 1);
}

TEST_F(Polling, SelectTimeOutAndErrors) {
  fd_set readers;
  FD_ZERO(&readers);
  FD_SET(reader_, &readers);
  timeval little = {0, 20000};
  const long start = now_milliseconds();
  EXPECT_EQ(select(reader_ + 1, &readers, nullptr, nullptr, &little), 0);
  EXPECT_GE(now_milliseconds() - start, 19);
  EXPECT_FALSE(FD_ISSET(reader_, &readers)) << "cleared";
  EXPECT_EQ(little.tv_sec + little.tv_usec, 0) << "Linux writes back what is left";
  EXPECT_ERRNO(select(-1, nullptr, nullptr, nullptr, &little), EINVAL);
  timeval bad = {-1, 0};
  EXPECT_ERRNO(select(0, nullptr, nullptr, nullptr, &bad), EINVAL);
  FD_ZERO(&readers);
  FD_SET(60, &readers);
  EXPECT_ERRNO(select(61, &readers, nullptr, nullptr, &little), EBADF);
}

TEST_F(Polling, PselectRawMaskArgument) {
  EXPECT_CHILD_OK([] {
    signal(SIGUSR1, [](int) {});
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGUSR1);
    struct {
      const void* mask;
      size_t size;
    } argument = {&none, 8};
    EXPECT_ERRNO(sys(SYS_pselect6, 0, 0, 0, 0, 0, &argument), EINTR);
    argument.size = 4;
    EXPECT_ERRNO(sys(SYS_pselect6, 0, 0, 0, 0, 0, &argument), EINVAL);
  });
}

TEST_F(Polling, AnswersReplaceWhatWasThere) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  const ScopedFd reader = ends[0], writer = ends[1];
  pollfd list[3] = {{reader, POLLIN, 0x7777}, {writer, POLLOUT, 0x7777}, {-1, POLLIN, 0x7777}};
  EXPECT_EQ(poll(list, 3, 0), 1);
  EXPECT_EQ(list[0].revents, 0);
  EXPECT_EQ(list[1].revents, POLLOUT);
  EXPECT_EQ(list[2].revents, 0);
  // The first look finds nothing and the second something.
  list[0].revents = POLLIN;
  std::thread late([&] {
    usleep(30000);
    EXPECT_EQ(write(writer, "x", 1), 1);
  });
  EXPECT_EQ(poll(list, 1, 5000), 1);
  EXPECT_EQ(list[0].revents, POLLIN);
  late.join();
}

TEST_F(Polling, AClosedDescriptorWhileWaiting) {
  int ends[2];
  int other[2];
  ASSERT_OK(pipe(ends));
  ASSERT_OK(pipe(other));
  const ScopedFd writer = ends[1], other_reader = other[0], other_writer = other[1];
  pollfd list[2] = {{ends[0], POLLIN, 0}, {other_reader, POLLIN, 0}};
  std::thread closer([&] {
    usleep(30000);
    close(ends[0]);
    usleep(30000);
    EXPECT_EQ(write(other_writer, "x", 1), 1);
  });
  EXPECT_GE(poll(list, 2, 5000), 1) << "the file lives as long as somebody waits for it";
  EXPECT_EQ(list[1].revents, POLLIN);
  closer.join();
}

TEST_F(Polling, SelectOfManyDescriptorsInAllSets) {
  constexpr int count = 200;
  ScopedFd ends[count];
  fd_set readable, writable, exceptional;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&exceptional);
  int largest = 0;
  for (int i = 0; i < count; i += 2) {
    int pair[2];
    ASSERT_OK(pipe(pair));
    ends[i] = pair[0];
    ends[i + 1] = pair[1];
    FD_SET(pair[0], &readable);
    FD_SET(pair[0], &exceptional);
    FD_SET(pair[1], &writable);
    if (i % 20 == 0) EXPECT_EQ(write(pair[1], "x", 1), 1);
    largest = pair[1];
  }
  timeval now = {};
  EXPECT_EQ(select(largest + 1, &readable, &writable, &exceptional, &now), 10 + 100);
  for (int i = 0; i < count; i += 2) {
    EXPECT_EQ(FD_ISSET(ends[i], &readable) != 0, i % 20 == 0) << i;
    EXPECT_TRUE(FD_ISSET(ends[i + 1], &writable)) << i;
    EXPECT_FALSE(FD_ISSET(ends[i], &exceptional)) << i;
  }
  // The number ends the set in the middle of a word.
  FD_SET(ends[0], &readable);
  FD_SET(largest, &writable);
  EXPECT_EQ(select(ends[0], &readable, nullptr, nullptr, &now), 0);
}

}  // namespace
