// io_uring: set-up, the two queues, reading and writing, chains, errors, registrations.
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <atomic>
#include <thread>

#include "io_uring/ring.h"

namespace {
using namespace conformance;

class Uring : public TempDirTest {};

TEST_F(Uring, SetupChecksItsArguments) {
  io_uring_params parameters = {};
  EXPECT_ERRNO(sys(SYS_io_uring_setup, 0, &parameters), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_uring_setup, 4, 8), EFAULT);
  EXPECT_ERRNO(sys(SYS_io_uring_setup, 40000, &parameters), EINVAL);
  auto refused = [&](unsigned flags) {
    parameters = {};
    parameters.flags = flags;
    EXPECT_ERRNO(sys(SYS_io_uring_setup, 4, &parameters), EINVAL) << flags;
  };
  refused(1u << 30);
  refused(IORING_SETUP_SQ_AFF);
  refused(IORING_SETUP_DEFER_TASKRUN);
  refused(IORING_SETUP_TASKRUN_FLAG);
  refused(IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN);
  refused(IORING_SETUP_CQSIZE);
  parameters = {};
  parameters.resv[1] = 1;
  EXPECT_ERRNO(sys(SYS_io_uring_setup, 4, &parameters), EINVAL);
}

TEST_F(Uring, SizesAreRoundedUp) {
  const Ring ring(5);
  ASSERT_TRUE(ring.valid());
  EXPECT_EQ(ring.parameters.sq_entries, 8u);
  EXPECT_EQ(ring.parameters.cq_entries, 16u);
  EXPECT_EQ(*ring.word(ring.parameters.sq_off.ring_mask), 7u);
  EXPECT_EQ(*ring.word(ring.parameters.cq_off.ring_entries), 16u);
  const Ring clamped(100000, IORING_SETUP_CLAMP);
  ASSERT_TRUE(clamped.valid());
  EXPECT_EQ(clamped.parameters.sq_entries, 32768u);
  const Ring sized(4, 0, 60);
  EXPECT_EQ(sized.parameters.cq_entries, 64u);
  EXPECT_EQ(fcntl(ring.fd, F_GETFD), FD_CLOEXEC);
}

TEST_F(Uring, NopsComplete) {
  for (unsigned flags : {0u, unsigned{IORING_SETUP_COOP_TASKRUN},
                         unsigned{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
                         unsigned{IORING_SETUP_SQE128}, unsigned{IORING_SETUP_CQE32}}) {
    Ring ring(4, flags);
    ASSERT_TRUE(ring.valid()) << flags;
    for (unsigned round = 0; round < 20; ++round) {
      for (unsigned i = 0; i < 4; ++i) ring.prepare(IORING_OP_NOP);
      EXPECT_EQ(ring.submit(4), 4);
      for (unsigned i = 0; i < 4; ++i) {
        const io_uring_cqe cqe = ring.next();
        EXPECT_EQ(cqe.user_data, round * 4 + i + 1);
        EXPECT_EQ(cqe.res, 0);
      }
    }
  }
}

TEST_F(Uring, EnterChecksItsArguments) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  EXPECT_ERRNO(sys(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0), EBADF);
  const ScopedFd other = eventfd(0, 0);
  EXPECT_ERRNO(sys(SYS_io_uring_enter, other.get(), 0, 0, 0, nullptr, 0), EOPNOTSUPP);
  EXPECT_ERRNO(ring.enter(0, 0, 1u << 20), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, 8, 3),
               EINVAL);
  EXPECT_EQ(ring.enter(5, 0, 0), 0);
}

TEST_F(Uring, UnknownOperationIsEinval) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  ring.prepare(250);
  ring.prepare(IORING_OP_NOP);
  // Submission ends with the entry that is wrong.
  EXPECT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.next().res, -EINVAL);
  EXPECT_EQ(ring.submit(), 1);
  EXPECT_EQ(ring.next().res, 0);
  ring.prepare(IORING_OP_NOP).flags = 0x80;
  EXPECT_EQ(ring.finish(), -EINVAL);
  ring.prepare(IORING_OP_NOP).personality = 7;
  EXPECT_EQ(ring.finish(), -EINVAL);
}

TEST_F(Uring, FilesAreReadAndWritten) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(ring.run(IORING_OP_WRITE, fd, "hello world", 11, 5), 11);
  char text[32] = {};
  EXPECT_EQ(ring.run(IORING_OP_READ, fd, text, 32, 5), 11);
  EXPECT_STREQ(text, "hello world");
  char first[5], second[6];
  iovec parts[] = {{first, 5}, {second, 6}};
  EXPECT_EQ(ring.run(IORING_OP_READV, fd, parts, 2, 5), 11);
  EXPECT_EQ(std::string(second, 6), " world");
  EXPECT_EQ(ring.run(IORING_OP_WRITEV, fd, parts, 2, 0), 11);
  // The position.
  EXPECT_EQ(ring.run(IORING_OP_READ, fd, text, 4, ~0ull), 4);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
  EXPECT_EQ(ring.run(IORING_OP_FSYNC, fd), 0);
  EXPECT_EQ(ring.run(IORING_OP_READ, fd, reinterpret_cast<void*>(64), 4, 0), -EFAULT);
  EXPECT_EQ(ring.run(IORING_OP_READ, 999, text, 4, 0), -EBADF);
  EXPECT_EQ(ring.run(IORING_OP_READ, fd, text, 4, 1000), 0);
  ring.prepare(IORING_OP_READ, fd, text, 4, 0).rw_flags = 0x4000;
  EXPECT_EQ(ring.finish(), -EOPNOTSUPP);
}

TEST_F(Uring, PipeIsWaitedFor) {
  for (unsigned flags : {0u, unsigned{IORING_SETUP_COOP_TASKRUN},
                         unsigned{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN}}) {
    Ring ring(8, flags);
    ASSERT_TRUE(ring.valid());
    PipePair pipe;
    char text[8] = {};
    ring.prepare(IORING_OP_READ, pipe.ends[0], text, 8);
    EXPECT_EQ(ring.submit(), 1);
    EXPECT_EQ(ring.ready(), 0u);
    ASSERT_EQ(write(pipe.ends[1], "abc", 3), 3);
    EXPECT_EQ(ring.next().res, 3) << flags;
    EXPECT_STREQ(text, "abc");
    // End of file.
    ring.prepare(IORING_OP_READ, pipe.ends[0], text, 8);
    EXPECT_EQ(ring.submit(), 1);
    pipe.close_end(1);
    EXPECT_EQ(ring.next().res, 0);
  }
}

TEST_F(Uring, ForcedAsyncAndWorkers) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  ring.prepare(IORING_OP_WRITE, fd, "xyz", 3, 0).flags = IOSQE_ASYNC;
  EXPECT_EQ(ring.finish(), 3);
  PipePair pipe;
  char byte = 0;
  ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1).flags = IOSQE_ASYNC;
  EXPECT_EQ(ring.submit(), 1);
  sleep_milliseconds(20);
  ASSERT_EQ(write(pipe.ends[1], "q", 1), 1);
  EXPECT_EQ(ring.next().res, 1);
  EXPECT_EQ(byte, 'q');
}

TEST_F(Uring, LinksRunInOrder) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  char text[4] = {};
  ring.prepare(IORING_OP_WRITE, fd, "abcd", 4, 0).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_READ, fd, text, 4, 0).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_NOP);
  EXPECT_EQ(ring.submit(3), 3);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(ring.next().user_data, i);
  EXPECT_EQ(std::string(text, 4), "abcd");
}

TEST_F(Uring, BrokenLinkCancelsTheRest) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  char text[4] = {};
  // A short read breaks the chain as well.
  ring.prepare(IORING_OP_READ, fd, text, 4, 0).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_NOP).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_NOP);
  EXPECT_EQ(ring.submit(3), 3);
  EXPECT_EQ(ring.next().res, 0);
  EXPECT_EQ(ring.next().res, -ECANCELED);
  EXPECT_EQ(ring.next().res, -ECANCELED);
  // A hard one holds.
  ring.prepare(IORING_OP_READ, 999, text, 4, 0).flags = IOSQE_IO_HARDLINK;
  ring.prepare(IORING_OP_NOP);
  EXPECT_EQ(ring.submit(2), 2);
  EXPECT_EQ(ring.next().res, -EBADF);
  EXPECT_EQ(ring.next().res, 0);
}

TEST_F(Uring, WrongMemberFailsTheWholeChain) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  ring.prepare(IORING_OP_NOP).flags = IOSQE_IO_LINK;
  ring.prepare(251).flags = IOSQE_IO_LINK;
  ring.prepare(IORING_OP_NOP);
  EXPECT_EQ(ring.submit(3), 3);
  EXPECT_EQ(ring.next().res, -ECANCELED);
  EXPECT_EQ(ring.next().res, -EINVAL);
  EXPECT_EQ(ring.next().res, -ECANCELED);
}

TEST_F(Uring, DrainWaitsForWhatIsBefore) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  PipePair pipe;
  char byte;
  ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1);
  ring.prepare(IORING_OP_NOP).flags = IOSQE_IO_DRAIN;
  ring.prepare(IORING_OP_NOP);
  EXPECT_EQ(ring.submit(), 3);
  sleep_milliseconds(10);
  EXPECT_EQ(ring.ready(), 0u);
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  EXPECT_EQ(ring.next().user_data, 1u);
  EXPECT_EQ(ring.next().user_data, 2u);
  EXPECT_EQ(ring.next().user_data, 3u);
}

TEST_F(Uring, SuccessMayBeSilent) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  ring.prepare(IORING_OP_NOP).flags = IOSQE_CQE_SKIP_SUCCESS;
  ring.prepare(IORING_OP_READ, 999).flags = IOSQE_CQE_SKIP_SUCCESS;
  EXPECT_EQ(ring.submit(1), 2);
  EXPECT_EQ(ring.next().user_data, 2u);
  EXPECT_EQ(ring.ready(), 0u);
}

TEST_F(Uring, OverflowIsKept) {
  Ring ring(4, 0, 4);
  ASSERT_TRUE(ring.valid());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) ring.prepare(IORING_OP_NOP);
    EXPECT_EQ(ring.submit(), 4);
  }
  EXPECT_EQ(ring.ready(), 4u);
  EXPECT_TRUE(ring.sq_flags() & IORING_SQ_CQ_OVERFLOW);
  for (uint64_t i = 1; i <= 12; ++i) EXPECT_EQ(ring.next().user_data, i);
  EXPECT_FALSE(ring.sq_flags() & IORING_SQ_CQ_OVERFLOW);
  EXPECT_EQ(*ring.word(ring.parameters.cq_off.overflow), 0u);
}

TEST_F(Uring, WaitTimesOutAndIsInterrupted) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  __kernel_timespec limit = {0, 20'000'000};
  io_uring_getevents_arg argument = {};
  argument.ts = reinterpret_cast<uint64_t>(&limit);
  EXPECT_ERRNO(sys(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                   &argument, sizeof(argument)),
               ETIME);
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork_child([&] {
    wait_for_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  EXPECT_ERRNO(ring.enter(0, 1, IORING_ENTER_GETEVENTS), EINTR);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Uring, RingIsPolled) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  pollfd wait = {ring.fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 1);
  EXPECT_EQ(wait.revents, POLLOUT);
  PipePair pipe;
  char byte;
  ring.prepare(IORING_OP_READ, pipe.ends[0], &byte, 1);
  EXPECT_EQ(ring.submit(), 1);
  std::thread writer([&] {
    sleep_milliseconds(30);
    EXPECT_EQ(write(pipe.ends[1], "x", 1), 1);
  });
  wait.events = POLLIN;
  int ready;
  do ready = poll(&wait, 1, 3000);
  while (ready < 0 && errno == EINTR);
  EXPECT_EQ(ready, 1);
  EXPECT_EQ(wait.revents, POLLIN);
  EXPECT_EQ(ring.next().res, 1);
  writer.join();
}

TEST_F(Uring, EventfdIsSignalled) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const ScopedFd signal = eventfd(0, EFD_NONBLOCK);
  const int number = signal.get();
  EXPECT_OK(ring.control(IORING_REGISTER_EVENTFD, &number, 1));
  EXPECT_ERRNO(ring.control(IORING_REGISTER_EVENTFD, &number, 1), EBUSY);
  EXPECT_EQ(ring.run(IORING_OP_NOP), 0);
  uint64_t count = 0;
  EXPECT_EQ(read(signal, &count, 8), 8);
  EXPECT_OK(ring.control(IORING_UNREGISTER_EVENTFD));
  EXPECT_ERRNO(ring.control(IORING_UNREGISTER_EVENTFD), ENXIO);
  EXPECT_EQ(ring.run(IORING_OP_NOP), 0);
  EXPECT_ERRNO(read(signal, &count, 8), EAGAIN);
}

TEST_F(Uring, FixedBuffers) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const Mapping memory(2 * page_size());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  const iovec parts[] = {{memory.data() + 100, page_size()}, {nullptr, 0}};
  EXPECT_ERRNO(ring.control(IORING_UNREGISTER_BUFFERS), ENXIO);
  EXPECT_OK(ring.control(IORING_REGISTER_BUFFERS, parts, 2));
  EXPECT_ERRNO(ring.control(IORING_REGISTER_BUFFERS, parts, 1), EBUSY);
  memcpy(memory.data() + 200, "fixed", 5);
  EXPECT_EQ(ring.run(IORING_OP_WRITE_FIXED, fd, memory.data() + 200, 5, 0), 5);
  EXPECT_EQ(ring.run(IORING_OP_READ_FIXED, fd, memory.data() + 4096, 5, 0), 5);
  EXPECT_EQ(std::string(memory.data() + 4096, 5), "fixed");
  EXPECT_EQ(ring.run(IORING_OP_WRITE_FIXED, fd, memory.data() + 50, 5, 0), -EFAULT);
  EXPECT_EQ(ring.run(IORING_OP_WRITE_FIXED, fd, memory.data() + 200, 8000, 0), -EFAULT);
  ring.prepare(IORING_OP_WRITE_FIXED, fd, memory.data() + 200, 5).buf_index = 9;
  EXPECT_EQ(ring.finish(), -EFAULT);
  EXPECT_OK(ring.control(IORING_UNREGISTER_BUFFERS));
}

TEST_F(Uring, FixedFiles) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  int files[] = {-1, fd.get(), -1, -1};
  EXPECT_OK(ring.control(IORING_REGISTER_FILES, files, 4));
  EXPECT_ERRNO(ring.control(IORING_REGISTER_FILES, files, 4), EBUSY);
  fd.reset();
  ring.prepare(IORING_OP_WRITE, 1, "fixed", 5, 0).flags = IOSQE_FIXED_FILE;
  EXPECT_EQ(ring.finish(), 5);
  ring.prepare(IORING_OP_WRITE, 0, "fixed", 5, 0).flags = IOSQE_FIXED_FILE;
  EXPECT_EQ(ring.finish(), -EBADF);
  // Opened into the table, and closed there.
  const std::string name = path("file").text;
  io_uring_sqe& sqe = ring.prepare(IORING_OP_OPENAT, AT_FDCWD, name.c_str());
  sqe.open_flags = O_RDONLY;
  sqe.file_index = 3;
  EXPECT_EQ(ring.finish(), 0);
  char text[8] = {};
  ring.prepare(IORING_OP_READ, 2, text, 8, 0).flags = IOSQE_FIXED_FILE;
  EXPECT_EQ(ring.finish(), 5);
  ring.prepare(IORING_OP_CLOSE, 0).file_index = 3;
  EXPECT_EQ(ring.finish(), 0);
  ring.prepare(IORING_OP_READ, 2, text, 8, 0).flags = IOSQE_FIXED_FILE;
  EXPECT_EQ(ring.finish(), -EBADF);
  int none = -1;
  io_uring_files_update update = {};
  update.offset = 1;
  update.fds = reinterpret_cast<uint64_t>(&none);
  EXPECT_EQ(ring.control(IORING_REGISTER_FILES_UPDATE, &update, 1), 1);
  ring.prepare(IORING_OP_READ, 1, text, 8, 0).flags = IOSQE_FIXED_FILE;
  EXPECT_EQ(ring.finish(), -EBADF);
  EXPECT_OK(ring.control(IORING_UNREGISTER_FILES));
  EXPECT_ERRNO(ring.control(IORING_UNREGISTER_FILES), ENXIO);
}

TEST_F(Uring, ProbeSaysWhatIsThere) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  char memory[sizeof(io_uring_probe) + 64 * sizeof(io_uring_probe_op)] = {};
  auto* probe = reinterpret_cast<io_uring_probe*>(memory);
  EXPECT_OK(ring.control(IORING_REGISTER_PROBE, probe, 64));
  EXPECT_GE(probe->ops_len, 40);
  for (int opcode : {IORING_OP_NOP, IORING_OP_READ, IORING_OP_TIMEOUT, IORING_OP_ACCEPT})
    EXPECT_TRUE(probe->ops[opcode].flags & IO_URING_OP_SUPPORTED) << opcode;
  EXPECT_ERRNO(ring.control(IORING_REGISTER_PROBE, probe, 64), EINVAL);  // not zeroed
  EXPECT_ERRNO(ring.control(200), EINVAL);
}

TEST_F(Uring, DisabledAndRestricted) {
  Ring ring(4, IORING_SETUP_R_DISABLED);
  ASSERT_TRUE(ring.valid());
  ring.prepare(IORING_OP_NOP);
  EXPECT_ERRNO(ring.submit(), EBADFD);
  io_uring_restriction rules[2] = {};
  rules[0].opcode = IORING_RESTRICTION_SQE_OP;
  rules[0].sqe_op = IORING_OP_NOP;
  rules[1].opcode = IORING_RESTRICTION_REGISTER_OP;
  rules[1].register_op = IORING_REGISTER_PROBE;
  EXPECT_OK(ring.control(IORING_REGISTER_RESTRICTIONS, rules, 2));
  EXPECT_OK(ring.control(IORING_REGISTER_ENABLE_RINGS));
  EXPECT_EQ(ring.finish(), 0);
  EXPECT_EQ(ring.run(IORING_OP_READ, 0), -EACCES);
  EXPECT_ERRNO(ring.control(IORING_REGISTER_PERSONALITY), EACCES);
}

TEST_F(Uring, SingleIssuerIsOne) {
  Ring ring(4, IORING_SETUP_SINGLE_ISSUER);
  ASSERT_TRUE(ring.valid());
  EXPECT_EQ(ring.run(IORING_OP_NOP), 0);
  std::thread other([&] {
    ring.prepare(IORING_OP_NOP);
    EXPECT_ERRNO(ring.submit(), EEXIST);
  });
  other.join();
}

TEST_F(Uring, PathOperations) {
  Ring ring;
  ASSERT_TRUE(ring.valid());
  const std::string a = path("a").text, b = path("b").text, c = path("c").text, d = path("d").text;
  EXPECT_EQ(ring.run(IORING_OP_MKDIRAT, AT_FDCWD, a.c_str(), 0700), 0);
  EXPECT_EQ(ring.run(IORING_OP_MKDIRAT, AT_FDCWD, a.c_str(), 0700), -EEXIST);
  ring.prepare(IORING_OP_OPENAT, AT_FDCWD, b.c_str(), 0600).open_flags = O_RDWR | O_CREAT;
  const int fd = ring.finish();
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ring.run(IORING_OP_FALLOCATE, fd, reinterpret_cast<void*>(1000), 0, 0), 0);
  struct statx attributes = {};
  ring.prepare(IORING_OP_STATX, AT_FDCWD, b.c_str(), STATX_SIZE, reinterpret_cast<uint64_t>(&attributes));
  EXPECT_EQ(ring.finish(), 0);
  EXPECT_EQ(attributes.stx_size, 1000u);
  EXPECT_EQ(ring.run(IORING_OP_CLOSE, fd), 0);
  EXPECT_EQ(ring.run(IORING_OP_CLOSE, fd), -EBADF);
  EXPECT_EQ(ring.run(IORING_OP_LINKAT, AT_FDCWD, b.c_str(), static_cast<unsigned>(AT_FDCWD),
                     reinterpret_cast<uint64_t>(c.c_str())),
            0);
  EXPECT_EQ(ring.run(IORING_OP_RENAMEAT, AT_FDCWD, c.c_str(), static_cast<unsigned>(AT_FDCWD),
                     reinterpret_cast<uint64_t>(d.c_str())),
            0);
  EXPECT_TRUE(exists("d"));
  EXPECT_EQ(ring.run(IORING_OP_SYMLINKAT, AT_FDCWD, "b", 0, reinterpret_cast<uint64_t>(c.c_str())), 0);
  EXPECT_EQ(ring.run(IORING_OP_UNLINKAT, AT_FDCWD, c.c_str()), 0);
  ring.prepare(IORING_OP_UNLINKAT, AT_FDCWD, a.c_str()).unlink_flags = AT_REMOVEDIR;
  EXPECT_EQ(ring.finish(), 0);
  EXPECT_FALSE(exists("a"));
}

TEST_F(Uring, SubmissionThread) {
  Ring ring(8, IORING_SETUP_SQPOLL, 0, 50);
  if (ring.fd < 0 && errno == EPERM) GTEST_SKIP() << "no SQPOLL for this user";
  ASSERT_TRUE(ring.valid());
  const ScopedFd fd = open(path("file"), O_RDWR | O_CREAT, 0600);
  auto kick = [&] {
    ring.publish();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring.sq_flags() & IORING_SQ_NEED_WAKEUP) EXPECT_OK(ring.enter(0, 0, IORING_ENTER_SQ_WAKEUP));
  };
  for (int round = 0; round < 5; ++round) {
    ring.prepare(IORING_OP_WRITE, fd, "abc", 3, 0);
    kick();
    EXPECT_EQ(ring.next().res, 3);
  }
  // It falls asleep, and says so.
  const long limit = now_milliseconds() + 5000;
  while (!(ring.sq_flags() & IORING_SQ_NEED_WAKEUP) && now_milliseconds() < limit) sleep_milliseconds(5);
  EXPECT_TRUE(ring.sq_flags() & IORING_SQ_NEED_WAKEUP);
  PipePair pipe;
  char text[4] = {};
  ring.prepare(IORING_OP_READ, pipe.ends[0], text, 3);
  kick();
  sleep_milliseconds(20);
  ASSERT_EQ(write(pipe.ends[1], "xyz", 3), 3);
  EXPECT_EQ(ring.next().res, 3);
  EXPECT_STREQ(text, "xyz");
}

// Garbage in all the shared words, by another thread, all the time: nothing to be expected but an end.
TEST_F(Uring, HostileRing) {
  Ring ring(8);
  ASSERT_TRUE(ring.valid());
  std::atomic<bool> stop{false};
  auto vandal = [&](unsigned seed) {
    unsigned value = seed;
    auto next = [&] { return value = value * 1664525 + 1013904223; };
    while (!stop) {
      __atomic_store_n(ring.word(ring.parameters.sq_off.head), next(), __ATOMIC_RELAXED);
      __atomic_store_n(ring.word(ring.parameters.sq_off.tail), next(), __ATOMIC_RELAXED);
      __atomic_store_n(ring.word(ring.parameters.cq_off.tail), next(), __ATOMIC_RELAXED);
      __atomic_store_n(ring.word(ring.parameters.cq_off.head), next(), __ATOMIC_RELAXED);
      __atomic_store_n(ring.word(ring.parameters.sq_off.ring_mask), next(), __ATOMIC_RELAXED);
      __atomic_store_n(ring.word(ring.parameters.sq_off.array + (next() >> 16 & 7) * 4), next(),
                       __ATOMIC_RELAXED);
    }
  };
  std::thread first(vandal, 1);
  char text[16];
  PipePair pipe;
  for (int round = 0; round < 300; ++round) {
    for (int opcode :
         {IORING_OP_NOP, IORING_OP_READ, IORING_OP_TIMEOUT, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL})
      ring.prepare(opcode, pipe.ends[0], text, 1).flags = static_cast<uint8_t>(round & 0x3f);
    ring.enter(8, 0, IORING_ENTER_GETEVENTS);
  }
  stop = true;
  first.join();
}

}  // namespace
