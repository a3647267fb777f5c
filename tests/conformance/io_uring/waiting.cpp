// io_uring: polls, time-outs, cancellation, sockets, provided buffers, what ends with a process.
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <map>

#include "io_uring/ring.h"

namespace {
using namespace conformance;

TEST(UringPoll, OneShot) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  PipePair pipe;
  ring.prepare(IORING_OP_POLL_ADD, pipe.ends[0]).poll32_events = POLLIN;
  EXPECT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.ready(), 0u);
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  EXPECT_EQ(ring.next().res, POLLIN);
  ring.prepare(IORING_OP_POLL_ADD, pipe.ends[0]).poll32_events = POLLIN;
  EXPECT_EQ(ring.finish(), POLLIN);
}

TEST(UringPoll, Multishot) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = eventfd(0, EFD_NONBLOCK);
  io_uring_sqe& sqe = ring.prepare(IORING_OP_POLL_ADD, fd, nullptr, IORING_POLL_ADD_MULTI);
  sqe.poll32_events = POLLIN;
  sqe.user_data = 100;
  EXPECT_EQ(ring.submit(), 1);
  uint64_t one = 1;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(write(fd, &one, 8), 8);
    const io_uring_cqe cqe = ring.next();
    EXPECT_EQ(cqe.res, POLLIN);
    EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
    ASSERT_EQ(read(fd, &one, 8), 8);
    one = 1;
  }
  ring.prepare(IORING_OP_POLL_REMOVE, -1, reinterpret_cast<void*>(100)).user_data = 200;
  EXPECT_EQ(ring.submit(2), 1);
  std::map<uint64_t, io_uring_cqe> found;
  for (int i = 0; i < 2; ++i) {
    const io_uring_cqe cqe = ring.next();
    found[cqe.user_data] = cqe;
  }
  EXPECT_EQ(found[200].res, 0);
  EXPECT_EQ(found[100].res, -ECANCELED);
  EXPECT_FALSE(found[100].flags & IORING_CQE_F_MORE);
  ring.prepare(IORING_OP_POLL_REMOVE, -1, reinterpret_cast<void*>(100));
  EXPECT_EQ(ring.finish(), -ENOENT);
}

TEST(UringTimeout, Expires) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  __kernel_timespec time = {0, 30'000'000};
  const long before = now_milliseconds();
  EXPECT_EQ(ring.run(IORING_OP_TIMEOUT, -1, &time, 1), -ETIME);
  EXPECT_GE(now_milliseconds() - before, 29);
  EXPECT_EQ(ring.run(IORING_OP_TIMEOUT, -1, &time, 2), -EINVAL);
  EXPECT_EQ(ring.run(IORING_OP_TIMEOUT, -1, reinterpret_cast<void*>(8), 1), -EFAULT);
  time = {-1, 0};
  EXPECT_EQ(ring.run(IORING_OP_TIMEOUT, -1, &time, 1), -EINVAL);
}

TEST(UringTimeout, CountsCompletions) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  __kernel_timespec time = {20, 0};
  ring.prepare(IORING_OP_TIMEOUT, -1, &time, 1, 2).user_data = 50;
  EXPECT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.run(IORING_OP_NOP), 0);
  EXPECT_EQ(ring.ready(), 0u);
  EXPECT_EQ(ring.run(IORING_OP_NOP), 0);
  const io_uring_cqe cqe = ring.next();
  EXPECT_EQ(cqe.user_data, 50u);
  EXPECT_EQ(cqe.res, 0);
}

TEST(UringTimeout, MultishotRemoveAndUpdate) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  __kernel_timespec time = {0, 5'000'000};
  io_uring_sqe& sqe = ring.prepare(IORING_OP_TIMEOUT, -1, &time, 1, 3);
  sqe.timeout_flags = timeout_multishot;
  EXPECT_EQ(ring.submit(), 1);
  for (int i = 0; i < 3; ++i) {
    const io_uring_cqe cqe = ring.next();
    EXPECT_EQ(cqe.res, -ETIME);
    EXPECT_EQ((cqe.flags & IORING_CQE_F_MORE) != 0, i < 2);
  }
  time = {20, 0};
  ring.prepare(IORING_OP_TIMEOUT, -1, &time, 1).user_data = 60;
  EXPECT_EQ(ring.submit(), 1);
  __kernel_timespec soon = {0, 1'000'000};
  io_uring_sqe& update = ring.prepare(IORING_OP_TIMEOUT_REMOVE, -1, reinterpret_cast<void*>(60), 0,
                                      reinterpret_cast<uint64_t>(&soon));
  update.timeout_flags = IORING_TIMEOUT_UPDATE;
  EXPECT_EQ(ring.finish(), 0);
  EXPECT_EQ(ring.next().res, -ETIME);
  ring.prepare(IORING_OP_TIMEOUT, -1, &time, 1).user_data = 61;
  EXPECT_EQ(ring.submit(), 1);
  ring.prepare(IORING_OP_TIMEOUT_REMOVE, -1, reinterpret_cast<void*>(61)).user_data = 62;
  EXPECT_EQ(ring.submit(2), 1);
  std::map<uint64_t, int> results;
  for (int i = 0; i < 2; ++i) {
    const io_uring_cqe cqe = ring.next();
    results[cqe.user_data] = cqe.res;
  }
  EXPECT_EQ(results[61], -ECANCELED);
  EXPECT_EQ(results[62], 0);
}

TEST(UringTimeout, GuardsALinkedRequest) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  PipePair pipe;
  char byte;
  __kernel_timespec time = {0, 20'000'000};
  ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_LINK_TIMEOUT, -1, &time, 1);
  EXPECT_EQ(ring.submit(2), 2);
  std::map<uint64_t, int> results;
  for (int i = 0; i < 2; ++i) {
    const io_uring_cqe cqe = ring.next();
    results[cqe.user_data] = cqe.res;
  }
  EXPECT_EQ(results[1], -ECANCELED);
  EXPECT_EQ(results[2], -ETIME);
  // In time.
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  time = {20, 0};
  ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_LINK_TIMEOUT, -1, &time, 1);
  EXPECT_EQ(ring.submit(2), 2);
  for (int i = 0; i < 2; ++i) {
    const io_uring_cqe cqe = ring.next();
    results[cqe.user_data] = cqe.res;
  }
  EXPECT_EQ(results[3], 1);
  EXPECT_EQ(results[4], -ECANCELED);
  EXPECT_EQ(ring.run(IORING_OP_LINK_TIMEOUT, -1, &time, 1), -EINVAL);
}

TEST(UringCancel, ByDataDescriptorAndAll) {
  Ring ring(16);
  ASSERT_TRUE(ring.valid());
  PipePair pipe, other;
  char bytes[4];
  auto start = [&](uint64_t data, PipePair& from) {
    ring.prepare(IORING_OP_READ, from.ends[0], bytes, 1).user_data = data;
    EXPECT_EQ(ring.submit(), 1);
  };
  auto cancel = [&](uint64_t data, unsigned flags, int fd, unsigned expected_others) {
    io_uring_sqe& sqe = ring.prepare(IORING_OP_ASYNC_CANCEL, fd, reinterpret_cast<void*>(data));
    sqe.cancel_flags = flags;
    sqe.user_data = 99;
    EXPECT_EQ(ring.submit(1 + expected_others), 1);
    int result = 12345;
    unsigned cancelled = 0;
    for (unsigned i = 0; i < 1 + expected_others; ++i) {
      const io_uring_cqe cqe = ring.next();
      if (cqe.user_data == 99)
        result = cqe.res;
      else
        cancelled += cqe.res == -ECANCELED;
    }
    EXPECT_EQ(cancelled, expected_others);
    return result;
  };
  start(1, pipe);
  EXPECT_EQ(cancel(1, 0, -1, 1), 0);
  EXPECT_EQ(cancel(1, 0, -1, 0), -ENOENT);
  start(1, pipe), start(2, pipe), start(3, other);
  EXPECT_EQ(cancel(0, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, pipe.ends[0], 2), 2);
  start(4, pipe);
  EXPECT_EQ(cancel(0, IORING_ASYNC_CANCEL_ANY, -1, 2), 2);
  // In a worker, too.
  io_uring_sqe& sqe = ring.prepare(IORING_OP_READ, pipe.ends[0], bytes, 1);
  sqe.flags = IOSQE_ASYNC;
  sqe.user_data = 7;
  EXPECT_EQ(ring.submit(), 1);
  sleep_milliseconds(50);
  ring.prepare(IORING_OP_ASYNC_CANCEL, -1, reinterpret_cast<void*>(7)).user_data = 8;
  EXPECT_EQ(ring.submit(2), 1);
  for (int i = 0; i < 2; ++i) {
    const io_uring_cqe cqe = ring.next();
    if (cqe.user_data == 7) EXPECT_TRUE(cqe.res == -EINTR || cqe.res == -ECANCELED) << cqe.res;
  }
}

struct SocketPair {
  int ends[2] = {-1, -1};
  explicit SocketPair(int type = SOCK_STREAM) { EXPECT_EQ(socketpair(AF_UNIX, type, 0, ends), 0); }
  ~SocketPair() {
    close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }
};

TEST(UringSocket, SendsAndReceives) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  SocketPair pair;
  char text[16] = {};
  ring.prepare(IORING_OP_RECV, pair.ends[0], text, 16).user_data = 10;
  EXPECT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.ready(), 0u);
  ring.prepare(IORING_OP_SEND, pair.ends[1], "hello", 5).user_data = 11;
  EXPECT_EQ(ring.submit(2), 1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ring.next().res, 5);
  EXPECT_STREQ(text, "hello");
  iovec part = {text, 16};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ring.prepare(IORING_OP_RECVMSG, pair.ends[0], &message, 1);
  EXPECT_EQ(ring.submit(), 1);
  ASSERT_EQ(write(pair.ends[1], "abc", 3), 3);
  EXPECT_EQ(ring.next().res, 3);
  ring.prepare(IORING_OP_RECV, pair.ends[0], text, 16).msg_flags = MSG_DONTWAIT;
  EXPECT_EQ(ring.finish(), -EAGAIN);
  EXPECT_EQ(ring.run(IORING_OP_SHUTDOWN, pair.ends[1], nullptr, SHUT_WR), 0);
  EXPECT_EQ(ring.run(IORING_OP_RECV, pair.ends[0], text, 16), 0);
  PipePair pipe;
  EXPECT_EQ(ring.run(IORING_OP_RECV, pipe.ends[0], text, 16), -ENOTSOCK);
}

TEST(UringSocket, BrokenPipeWithoutASignal) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  SocketPair pair;
  close(pair.ends[1]);
  pair.ends[1] = -1;
  EXPECT_EQ(ring.run(IORING_OP_SEND, pair.ends[0], "x", 1), -EPIPE);
}

class UringListen : public TempDirTest {};

TEST_F(UringListen, AcceptsManyTimes) {
  Ring ring(16);
  ASSERT_TRUE(ring.valid());
  const int listener = ring.run(IORING_OP_SOCKET, AF_UNIX, nullptr, 0, SOCK_STREAM);
  ASSERT_GE(listener, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path("s"));
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  io_uring_sqe& sqe = ring.prepare(IORING_OP_ACCEPT, listener);
  sqe.ioprio = IORING_ACCEPT_MULTISHOT;
  sqe.user_data = 500;
  EXPECT_EQ(ring.submit(), 1);
  for (int i = 0; i < 3; ++i) {
    const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
    io_uring_sqe& connecting = ring.prepare(IORING_OP_CONNECT, client, &address, 0, sizeof(address));
    connecting.user_data = 501;
    EXPECT_EQ(ring.submit(2), 1);
    for (int j = 0; j < 2; ++j) {
      const io_uring_cqe cqe = ring.next();
      if (cqe.user_data == 501) {
        EXPECT_EQ(cqe.res, 0);
      } else {
        EXPECT_GE(cqe.res, 0);
        EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
        close(cqe.res);
      }
    }
  }
  close(listener);
}

TEST(UringBuffers, Provided) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  char memory[3][16] = {};
  SocketPair pair;
  ring.prepare(IORING_OP_PROVIDE_BUFFERS, 3, memory, 16, 20).buf_group = 4;
  EXPECT_EQ(ring.finish(), 0);
  ASSERT_EQ(write(pair.ends[1], "abc", 3), 3);
  io_uring_sqe& sqe = ring.prepare(IORING_OP_RECV, pair.ends[0], nullptr, 16);
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = 4;
  EXPECT_EQ(ring.submit(1), 1);
  const io_uring_cqe cqe = ring.next();
  EXPECT_EQ(cqe.res, 3);
  ASSERT_TRUE(cqe.flags & IORING_CQE_F_BUFFER);
  const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  ASSERT_TRUE(id >= 20 && id < 23);
  EXPECT_STREQ(memory[id - 20], "abc");
  ring.prepare(IORING_OP_REMOVE_BUFFERS, 5).buf_group = 4;
  EXPECT_EQ(ring.finish(), 2);
  ASSERT_EQ(write(pair.ends[1], "abc", 3), 3);
  io_uring_sqe& again = ring.prepare(IORING_OP_RECV, pair.ends[0], nullptr, 16);
  again.flags = IOSQE_BUFFER_SELECT;
  again.buf_group = 4;
  EXPECT_EQ(ring.finish(), -ENOBUFS);
  ring.prepare(IORING_OP_NOP).flags = IOSQE_BUFFER_SELECT;
  EXPECT_EQ(ring.finish(), -EOPNOTSUPP);
}

TEST(UringBuffers, MultishotReceiveFromARing) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const Mapping memory(page_size());
  char data[4][16] = {};
  // Not io_uring_buf_ring: in C++ its array begins in the wrong place.
  auto* buffers = reinterpret_cast<io_uring_buf*>(memory.data());
  for (unsigned i = 0; i < 4; ++i) {
    buffers[i].addr = reinterpret_cast<uint64_t>(data[i]);
    buffers[i].len = 16;
    buffers[i].bid = static_cast<uint16_t>(i);
  }
  __atomic_store_n(&buffers[0].resv, 4, __ATOMIC_RELEASE);  // the tail
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uint64_t>(memory.data());
  registration.ring_entries = 4;
  registration.bgid = 9;
  ASSERT_OK(ring.control(IORING_REGISTER_PBUF_RING, &registration, 1));
  EXPECT_ERRNO(ring.control(IORING_REGISTER_PBUF_RING, &registration, 1), EEXIST);
  SocketPair pair;
  io_uring_sqe& sqe = ring.prepare(IORING_OP_RECV, pair.ends[0]);
  sqe.ioprio = IORING_RECV_MULTISHOT;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = 9;
  EXPECT_EQ(ring.submit(), 1);
  for (unsigned i = 0; i < 4; ++i) {
    ASSERT_EQ(write(pair.ends[1], "abc", 3), 3);
    const io_uring_cqe cqe = ring.next();
    EXPECT_EQ(cqe.res, 3);
    EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
    EXPECT_EQ(cqe.flags >> IORING_CQE_BUFFER_SHIFT, i);
    EXPECT_STREQ(data[i], "abc");
  }
  ASSERT_EQ(write(pair.ends[1], "abc", 3), 3);
  const io_uring_cqe last = ring.next();
  EXPECT_EQ(last.res, -ENOBUFS);
  EXPECT_FALSE(last.flags & IORING_CQE_F_MORE);
  EXPECT_OK(ring.control(IORING_UNREGISTER_PBUF_RING, &registration, 1));
}

TEST(UringMessage, ReachesAnotherRing) {
  Ring ring, target;
  ASSERT_TRUE(ring.valid() && target.valid());
  ring.prepare(IORING_OP_MSG_RING, target.fd, nullptr, 42, 4711);
  EXPECT_EQ(ring.finish(), 0);
  const io_uring_cqe cqe = target.next();
  EXPECT_EQ(cqe.user_data, 4711u);
  EXPECT_EQ(cqe.res, 42);
}

// Nobody holds the reading end of the pipe any more, or will not for long: rings go in the background.
void expect_no_reader(PipePair& pipe) {
  pipe.close_end(0);
  signal(SIGPIPE, SIG_IGN);
  const long limit = now_milliseconds() + 5000;
  long written;
  do {
    written = write(pipe.ends[1], "x", 1);
    if (written == 1) sleep_milliseconds(5);
  } while (written == 1 && now_milliseconds() < limit);
  EXPECT_EQ(written, -1);
}

TEST(UringEnd, RequestsDoNotOutliveTheProcess) {
  for (uint8_t flags : {uint8_t{0}, uint8_t{IOSQE_ASYNC}}) {
    PipePair pipe;
    EXPECT_CHILD_OK([&] {
      Ring ring;
      char byte;
      for (int i = 0; i < 3; ++i) ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1).flags = flags;
      EXPECT_EQ(ring.submit(), 3);
      if (flags) sleep_milliseconds(20);
      _exit(0);
    });
    expect_no_reader(pipe);
  }
}

TEST(UringEnd, KilledWithWorkersAndSubmissionThread) {
  PipePair pipe;
  Rendezvous started;
  const pid_t child = fork_child([&] {
    Ring ring(8, IORING_SETUP_SQPOLL), second;
    char byte;
    second.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1).flags = IOSQE_ASYNC;
    second.submit();
    ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1);
    ring.publish();
    started.notify();
    pause();
  });
  EXPECT_TRUE(started.wait());
  sleep_milliseconds(20);
  kill(child, SIGKILL);
  EXPECT_KILLED(wait_for(child), SIGKILL);
  expect_no_reader(pipe);
}

TEST(UringEnd, ExecEndsThem) {
  PipePair pipe;
  const pid_t child = fork_child([&] {
    Ring ring;
    char byte;
    ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1);
    ring.submit();
    execl("/proc/self/exe", "conformance", "--gtest_list_tests", "--gtest_filter=-*", nullptr);
  });
  EXPECT_EXITED(wait_for(child), 0);
  expect_no_reader(pipe);
}

TEST(UringEnd, ChildUsesAnInheritedRing) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  EXPECT_CHILD_OK([&] { EXPECT_EQ(ring.run(IORING_OP_NOP), 0); });
}

TEST(UringEnd, ClosedRingLetsGo) {
  PipePair pipe;
  {
    Ring ring;
    char byte;
    ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1);
    EXPECT_EQ(ring.submit(), 1);
  }
  expect_no_reader(pipe);
}

}  // namespace
