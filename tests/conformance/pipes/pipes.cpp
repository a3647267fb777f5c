// pipe(7), pipe2(2), splice(2), tee(2), vmsplice(2), fifo(7).
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Pipes : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    int ends[2];
    ASSERT_OK(pipe(ends));
    reader_ = ends[0];
    writer_ = ends[1];
  }
  void set_non_blocking() {
    fcntl(reader_, F_SETFL, O_NONBLOCK);
    fcntl(writer_, F_SETFL, O_NONBLOCK);
  }
  ScopedFd reader_, writer_;
};

TEST_F(Pipes, BytesComeOutInOrder) {
  EXPECT_EQ(write(writer_, "abc", 3), 3);
  EXPECT_EQ(write(writer_, "def", 3), 3);
  char buffer[8] = {};
  EXPECT_EQ(read(reader_, buffer, 4), 4);
  EXPECT_STREQ(buffer, "abcd");
  EXPECT_EQ(read(reader_, buffer, 8), 2) << "a read takes what there is";
}

TEST_F(Pipes, EndOfFileWhenAllWritersAreGone) {
  const ScopedFd second = dup(writer_);
  write(writer_, "x", 1);
  writer_.reset();
  char buffer[4];
  EXPECT_EQ(read(reader_, buffer, 4), 1);
  fcntl(reader_, F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(read(reader_, buffer, 4), EAGAIN) << "a writer is left";
}

TEST_F(Pipes, EndOfFile) {
  writer_.reset();
  char byte;
  EXPECT_EQ(read(reader_, &byte, 1), 0);
  EXPECT_EQ(read(reader_, &byte, 1), 0);
}

TEST_F(Pipes, WritingWithoutReaderIsEPIPE) {
  signal(SIGPIPE, SIG_IGN);
  reader_.reset();
  EXPECT_ERRNO(write(writer_, "x", 1), EPIPE);
  signal(SIGPIPE, SIG_DFL);
  EXPECT_KILLED(run_child([&] { write(writer_, "x", 1); }), SIGPIPE);
}

TEST_F(Pipes, NonBlockingEmptyAndFull) {
  set_non_blocking();
  char buffer[4096] = {};
  EXPECT_ERRNO(read(reader_, buffer, 1), EAGAIN);
  size_t total = 0;
  ssize_t count;
  while ((count = write(writer_, buffer, sizeof buffer)) > 0) total += (size_t)count;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(total, 65536u);
  EXPECT_ERRNO(write(writer_, buffer, 1), EAGAIN);
  EXPECT_EQ(read(reader_, buffer, 4096), 4096);
  EXPECT_EQ(write(writer_, buffer, 4096), 4096);
}

TEST_F(Pipes, SmallWritesAreAtomic) {
  set_non_blocking();
  std::string most(65536 - 100, 'x');
  ASSERT_EQ(write(writer_, most.data(), most.size()), (ssize_t)most.size());
  const std::string block(4096, 'y');
  EXPECT_ERRNO(write(writer_, block.data(), block.size()), EAGAIN) << "PIPE_BUF bytes go in whole or not";
}

TEST_F(Pipes, LargeNonBlockingWriteIsPartial) {
  set_non_blocking();
  const std::string much(100000, 'x');
  EXPECT_EQ(write(writer_, much.data(), much.size()), 65536);
}

TEST_F(Pipes, BlockingWriteWaitsForTheReader) {
  const std::string much(300000, 'x');
  const pid_t child = fork_child([&] {
    reader_.reset();
    EXPECT_EQ(write(writer_, much.data(), much.size()), (ssize_t)much.size());
  });
  writer_.reset();
  size_t total = 0;
  char buffer[8192];
  ssize_t count;
  while ((count = read(reader_, buffer, sizeof buffer)) > 0) total += (size_t)count;
  EXPECT_EQ(total, much.size());
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Pipes, BlockedReadIsInterruptedBySignal) {
  EXPECT_CHILD_OK([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t sender = fork_child([&] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
    });
    char byte;
    EXPECT_ERRNO(read(reader_, &byte, 1), EINTR);
    wait_for(sender);
  });
}

TEST_F(Pipes, BlockedReadIsRestartedWithSaRestart) {
  EXPECT_CHILD_OK([&] {
    static volatile int seen = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { seen = 1; };
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    const pid_t self = getpid();
    const pid_t sender = fork_child([&] {
      wait_for_state(self, 'S');
      kill(self, SIGUSR1);
      sleep_milliseconds(20);
      EXPECT_EQ(write(writer_, "x", 1), 1);
    });
    char byte;
    EXPECT_EQ(read(reader_, &byte, 1), 1);
    EXPECT_EQ(seen, 1);
    wait_for(sender);
  });
}

TEST_F(Pipes, Poll) {
  pollfd ends[2] = {{reader_, POLLIN, 0}, {writer_, POLLOUT, 0}};
  EXPECT_EQ(poll(ends, 2, 0), 1);
  EXPECT_EQ(ends[1].revents, POLLOUT);
  write(writer_, "x", 1);
  EXPECT_EQ(poll(ends, 2, 0), 2);
  EXPECT_EQ(ends[0].revents, POLLIN);
  writer_.reset();
  EXPECT_EQ(poll(ends, 1, 0), 1);
  EXPECT_EQ(ends[0].revents, POLLIN | POLLHUP);
  char byte;
  read(reader_, &byte, 1);
  EXPECT_EQ(poll(ends, 1, 0), 1);
  EXPECT_EQ(ends[0].revents, POLLHUP);
}

TEST_F(Pipes, PollWriterWithoutReaderIsPollerr) {
  reader_.reset();
  pollfd end = {writer_, POLLOUT, 0};
  EXPECT_EQ(poll(&end, 1, 0), 1);
  EXPECT_EQ(end.revents, POLLOUT | POLLERR);
}

TEST_F(Pipes, WrongEnds) {
  char byte;
  EXPECT_ERRNO(read(writer_, &byte, 1), EBADF);
  EXPECT_ERRNO(write(reader_, "x", 1), EBADF);
}

TEST_F(Pipes, Pipe2Flags) {
  int ends[2];
  ASSERT_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  EXPECT_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
  EXPECT_TRUE(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
  EXPECT_ERRNO(pipe2(ends, O_APPEND), EINVAL);
  EXPECT_ERRNO(sys(SYS_pipe2, low_address(), 0), EFAULT);
}

TEST_F(Pipes, PacketMode) {
  int ends[2];
  ASSERT_OK(pipe2(ends, O_DIRECT));
  write(ends[1], "one", 3);
  write(ends[1], "second", 6);
  char buffer[16] = {};
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 3) << "packets stay apart";
  EXPECT_EQ(read(ends[0], buffer, 2), 2);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(read(ends[0], buffer, 2), EAGAIN) << "the rest of a packet is dropped";
}

TEST_F(Pipes, CapacityCanBeChanged) {
  EXPECT_EQ(fcntl(writer_, F_GETPIPE_SZ), 65536);
  EXPECT_EQ(fcntl(writer_, F_SETPIPE_SZ, 5000), 8192) << "rounded up to a power of two of pages";
  EXPECT_EQ(fcntl(reader_, F_GETPIPE_SZ), 8192);
  set_non_blocking();
  const std::string much(20000, 'x');
  EXPECT_EQ(write(writer_, much.data(), much.size()), 8192);
  EXPECT_ERRNO(fcntl(writer_, F_SETPIPE_SZ, 4096), EBUSY) << "less than what is in it";
}

TEST_F(Pipes, FionreadCountsBytes) {
  write(writer_, "12345", 5);
  int count = 0;
  ASSERT_OK(ioctl(reader_, FIONREAD, &count));
  EXPECT_EQ(count, 5);
  EXPECT_ERRNO(ioctl(reader_, TIOCGWINSZ, &count), ENOTTY);
}

TEST_F(Pipes, StatTellsAFifo) {
  struct stat status;
  ASSERT_OK(fstat(reader_, &status));
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
}

TEST_F(Pipes, BadBuffers) {
  write(writer_, "12345", 5);
  EXPECT_ERRNO(sys(SYS_read, reader_.get(), low_address(), 5), EFAULT);
  char buffer[8];
  EXPECT_EQ(read(reader_, buffer, 8), 5) << "nothing was lost";
  EXPECT_ERRNO(sys(SYS_write, writer_.get(), low_address(), 5), EFAULT);
}

TEST_F(Pipes, SpliceFromFileAndToFile) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY), out = open(path("b"), O_CREAT | O_RDWR, 0600);
  off_t offset = 3;
  EXPECT_EQ(splice(in, &offset, writer_, nullptr, 5, 0), 5);
  EXPECT_EQ(offset, 8);
  EXPECT_EQ(splice(reader_, nullptr, out, nullptr, 100, 0), 5);
  EXPECT_EQ(read_file("b"), "34567");
}

TEST_F(Pipes, SpliceErrors) {
  write_file("a", "0123456789");
  const ScopedFd in = open(path("a"), O_RDONLY);
  off_t offset = 0;
  EXPECT_ERRNO(splice(in, nullptr, in, nullptr, 1, 0), EBADF);
  EXPECT_ERRNO(splice(reader_, nullptr, in, nullptr, 1, 0), EBADF);
  EXPECT_ERRNO(splice(reader_, &offset, in, nullptr, 1, 0), ESPIPE);
  EXPECT_ERRNO(splice(in, nullptr, writer_, &offset, 1, 0), ESPIPE);
  EXPECT_ERRNO(splice(in, nullptr, writer_, nullptr, 1, 0x80), EINVAL);
  EXPECT_ERRNO(splice(reader_, nullptr, writer_, nullptr, 1, 0), EINVAL) << "the same pipe";
}

TEST_F(Pipes, TeeCopiesWithoutConsuming) {
  int second[2];
  ASSERT_OK(pipe(second));
  write(writer_, "12345", 5);
  EXPECT_EQ(tee(reader_, second[1], 100, 0), 5);
  char first_copy[8] = {}, second_copy[8] = {};
  EXPECT_EQ(read(reader_, first_copy, 8), 5);
  EXPECT_EQ(read(second[0], second_copy, 8), 5);
  EXPECT_STREQ(first_copy, second_copy);
}

TEST_F(Pipes, VmspliceTakesMemory) {
  char text[] = "memory";
  const iovec piece = {text, 6};
  EXPECT_EQ(vmsplice(writer_, &piece, 1, 0), 6);
  char buffer[8] = {};
  EXPECT_EQ(read(reader_, buffer, 8), 6);
  EXPECT_STREQ(buffer, "memory");
}

TEST_F(Pipes, FifoOpensWaitForEachOther) {
  ASSERT_OK(mkfifo(path("fifo"), 0600));
  const pid_t child = fork_child([&] {
    const ScopedFd fd = open(path("fifo"), O_WRONLY);
    EXPECT_EQ(write(fd, "hi", 2), 2);
  });
  const ScopedFd fd = open(path("fifo"), O_RDONLY);
  char buffer[4] = {};
  EXPECT_EQ(read(fd, buffer, 4), 2);
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(read(fd, buffer, 4), 0);
}

TEST_F(Pipes, FifoReadWriteNeverBlocksOnOpen) {
  ASSERT_OK(mkfifo(path("fifo"), 0600));
  const ScopedFd fd = open(path("fifo"), O_RDWR);
  ASSERT_OK(fd.get());
  EXPECT_EQ(write(fd, "x", 1), 1);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 1);
}

TEST_F(Pipes, ReopenedThroughProc) {
  const std::string name = "/proc/self/fd/" + std::to_string(reader_.get());
  const ScopedFd again = open(name.c_str(), O_WRONLY);
  ASSERT_OK(again.get());
  EXPECT_EQ(write(again, "x", 1), 1);
  char byte;
  EXPECT_EQ(read(reader_, &byte, 1), 1);
  char target[64] = {};
  ASSERT_GT(readlink(name.c_str(), target, sizeof target), 0);
  EXPECT_EQ(strncmp(target, "pipe:[", 6), 0) << target;
}

// What a shell's <(command) does, when the command is done before anybody opens its /dev/fd file.
TEST_F(Pipes, ReopenedAfterTheOtherSideHasGone) {
  EXPECT_EQ(write(writer_, "left", 4), 4);
  writer_.reset();
  const std::string name = "/proc/self/fd/" + std::to_string(reader_.get());
  const ScopedFd again = open(name.c_str(), O_RDONLY);
  ASSERT_OK(again.get());
  char buffer[8] = {};
  EXPECT_EQ(read(again, buffer, 8), 4);
  EXPECT_EQ(read(again, buffer, 8), 0);
  struct pollfd polled = {.fd = again.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&polled, 1, 0), 1);
  EXPECT_EQ(polled.revents, POLLHUP);
  // A writer comes back, without waiting and though it may not wait.
  const ScopedFd writer = open(name.c_str(), O_WRONLY | O_NONBLOCK);
  ASSERT_OK(writer.get());
  EXPECT_EQ(write(writer, "more", 4), 4);
  EXPECT_EQ(read(again, buffer, 8), 4);
}

}  // namespace
