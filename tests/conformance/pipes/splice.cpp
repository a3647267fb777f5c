// splice(2) and sendfile(2) between pipes, files, sockets and devices: how much goes, what stays, who waits.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>

#include "support/conformance.h"

namespace {
using namespace conformance;

constexpr size_t pipe_room = 65536;

class Splice : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    int ends[2];
    ASSERT_OK(pipe(ends));
    reader_ = ends[0];
    writer_ = ends[1];
  }
  // Text that is different everywhere.
  static std::string pattern(size_t length) {
    std::string text(length, '\0');
    for (size_t i = 0; i < length; i++) text[i] = static_cast<char>('a' + i * 7 % 26 + (i >> 12) % 3);
    return text;
  }
  static std::string take(int fd, size_t length) {
    std::string text(length, '\0');
    size_t done = 0;
    while (done < length) {
      ssize_t got = read(fd, text.data() + done, length - done);
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    text.resize(done);
    return text;
  }
  static int in_pipe(int fd) {
    int bytes = -1;
    ioctl(fd, FIONREAD, &bytes);
    return bytes;
  }
  ScopedFd reader_, writer_;
};

TEST_F(Splice, FillsThePipeAndNoMore) {
  const std::string text = pattern(100000);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY);
  EXPECT_EQ(splice(in, nullptr, writer_, nullptr, text.size(), 0), static_cast<ssize_t>(pipe_room));
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), static_cast<off_t>(pipe_room));
  EXPECT_ERRNO(splice(in, nullptr, writer_, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), static_cast<off_t>(pipe_room));
  EXPECT_EQ(take(reader_, pipe_room), text.substr(0, pipe_room));
  EXPECT_EQ(splice(in, nullptr, writer_, nullptr, text.size(), 0),
            static_cast<ssize_t>(text.size() - pipe_room));
  EXPECT_EQ(splice(in, nullptr, writer_, nullptr, text.size(), 0), 0) << "the end of the file";
  EXPECT_EQ(take(reader_, text.size() - pipe_room), text.substr(pipe_room));
}

TEST_F(Splice, BeginsAndEndsInTheMiddleOfPages) {
  const std::string text = pattern(20000);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY), out = open(path("b"), O_CREAT | O_RDWR, 0600);
  off_t from = 1001, to = 77;
  EXPECT_EQ(splice(in, &from, writer_, nullptr, 9000, 0), 9000);
  EXPECT_EQ(from, 10001);
  EXPECT_EQ(splice(reader_, nullptr, out, &to, 5000, 0), 5000);
  EXPECT_EQ(to, 5077);
  EXPECT_EQ(in_pipe(reader_), 4000);
  EXPECT_EQ(splice(reader_, nullptr, out, &to, 100000, 0), 4000);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), 0);
  EXPECT_EQ(lseek(out, 0, SEEK_CUR), 0);
  EXPECT_EQ(read_file("b"), std::string(77, '\0') + text.substr(1001, 9000));
}

TEST_F(Splice, HolesAreZeroes) {
  const ScopedFd in = open(path("a"), O_CREAT | O_RDWR, 0600), out = open(path("b"), O_CREAT | O_RDWR, 0600);
  ASSERT_OK(ftruncate(in, 10000));
  EXPECT_EQ(pwrite(in, "x", 1, 9999), 1);
  EXPECT_EQ(splice(in, nullptr, writer_, nullptr, 100000, 0), 10000);
  EXPECT_EQ(take(reader_, 10000), std::string(9999, '\0') + "x");
  ASSERT_OK(ftruncate(out, 300));
  off_t offset = 0;
  EXPECT_EQ(sendfile(writer_, out, &offset, 1000), 300) << "nothing was ever written";
  EXPECT_EQ(take(reader_, 300), std::string(300, '\0'));
}

TEST_F(Splice, FromOnePipeToAnother) {
  int second[2];
  ASSERT_OK(pipe(second));
  const ScopedFd other_reader = second[0], other_writer = second[1];
  EXPECT_EQ(write(writer_, "hello world", 11), 11);
  EXPECT_EQ(splice(reader_, nullptr, other_writer, nullptr, 5, 0), 5);
  EXPECT_EQ(splice(reader_, nullptr, other_writer, nullptr, 100, 0), 6);
  EXPECT_EQ(take(other_reader, 11), "hello world");
  EXPECT_ERRNO(splice(reader_, nullptr, other_writer, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
  writer_.reset();
  EXPECT_EQ(splice(reader_, nullptr, other_writer, nullptr, 1, 0), 0) << "nobody writes any more";
}

TEST_F(Splice, WhatStaysBehindIsStillFirst) {
  int ends[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const ScopedFd here = ends[0], there = ends[1];
  fcntl(here, F_SETFL, O_NONBLOCK);
  // Until the socket takes no more.
  std::string chunk(4096, 's');
  while (write(here, chunk.data(), chunk.size()) > 0) {
  }
  EXPECT_EQ(write(writer_, "first", 5), 5);
  EXPECT_ERRNO(splice(reader_, nullptr, here, nullptr, 5, 0), EAGAIN);
  EXPECT_EQ(write(writer_, "second", 6), 6);
  EXPECT_EQ(take(reader_, 11), "firstsecond");
}

TEST_F(Splice, ThroughASocket) {
  int ends[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const ScopedFd here = ends[0], there = ends[1];
  EXPECT_EQ(write(writer_, "to the socket", 13), 13);
  EXPECT_EQ(splice(reader_, nullptr, here, nullptr, 100, 0), 13);
  EXPECT_EQ(splice(there, nullptr, writer_, nullptr, 100, 0), 13);
  EXPECT_EQ(take(reader_, 13), "to the socket");
  EXPECT_ERRNO(splice(there, nullptr, writer_, nullptr, 100, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST_F(Splice, FromADeviceAndFromProc) {
  const ScopedFd zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  EXPECT_EQ(splice(zero, nullptr, writer_, nullptr, 5000, 0), 5000);
  EXPECT_EQ(splice(reader_, nullptr, null, nullptr, 3000, 0), 3000);
  EXPECT_EQ(take(reader_, 2000), std::string(2000, '\0'));
  const ScopedFd mounts = open("/proc/self/mountinfo", O_RDONLY);
  const ssize_t got = splice(mounts, nullptr, writer_, nullptr, 4096, 0);
  ASSERT_GT(got, 10);
  EXPECT_NE(take(reader_, static_cast<size_t>(got)).find(" / "), std::string::npos);
}

TEST_F(Splice, WithoutReadersIsEPIPE) {
  write_file("a", "text");
  const ScopedFd in = open(path("a"), O_RDONLY);
  reader_.reset();
  signal(SIGPIPE, SIG_IGN);
  EXPECT_ERRNO(splice(in, nullptr, writer_, nullptr, 4, 0), EPIPE);
  EXPECT_ERRNO(sendfile(writer_, in, nullptr, 4), EPIPE);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), 0);
  signal(SIGPIPE, SIG_DFL);
  EXPECT_KILLED(run_child([&] { splice(in, nullptr, writer_, nullptr, 4, 0); }), SIGPIPE);
}

TEST_F(Splice, AppendingTargetsAreRefused) {
  const ScopedFd out = open(path("b"), O_CREAT | O_WRONLY | O_APPEND, 0600);
  EXPECT_EQ(write(writer_, "x", 1), 1);
  EXPECT_ERRNO(splice(reader_, nullptr, out, nullptr, 1, 0), EINVAL);
  EXPECT_EQ(in_pipe(reader_), 1);
}

TEST_F(Splice, WaitsForRoomAndForData) {
  const std::string text = pattern(pipe_room);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY), out = open(path("b"), O_CREAT | O_WRONLY, 0600);
  EXPECT_EQ(write(writer_, text.data(), pipe_room), static_cast<ssize_t>(pipe_room));
  std::thread filler([&] { EXPECT_EQ(splice(in, nullptr, writer_, nullptr, 10, 0), 10); });
  EXPECT_EQ(take(reader_, pipe_room), text);
  filler.join();
  EXPECT_EQ(take(reader_, 10), text.substr(0, 10));
  std::thread drain([&] { EXPECT_EQ(splice(reader_, nullptr, out, nullptr, 10, 0), 4); });
  usleep(20000);
  EXPECT_EQ(write(writer_, "late", 4), 4);
  drain.join();
  EXPECT_EQ(read_file("b"), "late");
}

TEST_F(Splice, EveryByteArrivesOnceThroughTwoPipes) {
  int second[2];
  ASSERT_OK(pipe(second));
  const ScopedFd middle_reader = second[0];
  ScopedFd middle_writer = second[1];
  const std::string text = pattern(1 << 20);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY);
  std::thread first([&] {
    while (splice(in, nullptr, writer_, nullptr, 30000, 0) > 0) {
    }
    writer_.reset();
  });
  std::thread between([&] {
    while (splice(reader_, nullptr, middle_writer, nullptr, 7001, 0) > 0) {
    }
    middle_writer.reset();
  });
  EXPECT_TRUE(take(middle_reader, text.size() + 1) == text);
  first.join();
  between.join();
}

TEST_F(Splice, SendfileToAPipeGivesWhatFits) {
  const std::string text = pattern(100000);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY);
  EXPECT_EQ(sendfile(writer_, in, nullptr, text.size()), static_cast<ssize_t>(pipe_room));
  fcntl(writer_, F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(sendfile(writer_, in, nullptr, text.size()), EAGAIN);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), static_cast<off_t>(pipe_room));
}

TEST_F(Splice, SendfileToASocketAndAFile) {
  int ends[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  const ScopedFd here = ends[0], there = ends[1], out = open(path("b"), O_CREAT | O_WRONLY, 0600);
  const std::string text = pattern(300000);
  write_file("a", text);
  const ScopedFd in = open(path("a"), O_RDONLY);
  std::string received;
  std::thread reader([&] { received = take(there, text.size()); });
  off_t offset = 0;
  while (offset < static_cast<off_t>(text.size()))
    ASSERT_GT(sendfile(here, in, &offset, text.size() - static_cast<size_t>(offset)), 0);
  reader.join();
  EXPECT_TRUE(received == text);
  EXPECT_EQ(sendfile(out, in, nullptr, 1 << 20), static_cast<ssize_t>(text.size()));
  EXPECT_TRUE(read_file("b") == text);
  EXPECT_EQ(lseek(in, 0, SEEK_CUR), static_cast<off_t>(text.size()));
}

}  // namespace
