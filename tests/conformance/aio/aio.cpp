// io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2), without libaio.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <atomic>
#include <thread>

#include "support/conformance.h"

namespace {
using namespace conformance;

class TempDir {
 public:
  ~TempDir() { remove_tree(directory_); }
  std::string path(const char* name) const { return directory_ + "/" + name; }

 private:
  const std::string directory_ = make_temp_directory();
};

// What the context's address points at.
struct Ring {
  unsigned id, slots, head, tail, magic, compatible, incompatible, header_length;
  io_event events[];
};

class AioContext {
 public:
  explicit AioContext(unsigned events = 16) { result_ = sys(SYS_io_setup, events, &id_); }
  ~AioContext() {
    if (id_) sys(SYS_io_destroy, id_);
  }
  bool valid() const { return result_ == 0; }
  operator aio_context_t() const { return id_; }
  Ring* ring() const { return reinterpret_cast<Ring*>(id_); }
  void forget() { id_ = 0; }
  long submit(iocb& block) {
    iocb* list[] = {&block};
    return sys(SYS_io_submit, id_, 1, list);
  }
  // The next event within two seconds; res2 -1 if there is none.
  io_event next() {
    io_event event = {};
    timespec limit = {2, 0};
    if (sys(SYS_io_getevents, id_, 1, 1, &event, &limit) != 1) event.res2 = -1;
    return event;
  }

 private:
  aio_context_t id_ = 0;
  long result_ = -1;
};

iocb block_for(int opcode, int fd, const void* buffer = nullptr, size_t size = 0, long offset = 0) {
  iocb block = {};
  block.aio_lio_opcode = static_cast<uint16_t>(opcode);
  block.aio_fildes = static_cast<uint32_t>(fd);
  block.aio_buf = reinterpret_cast<uint64_t>(buffer);
  block.aio_nbytes = size;
  block.aio_offset = offset;
  block.aio_data = 77;
  return block;
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
};

TEST(Aio, SetupChecksItsArguments) {
  aio_context_t id = 0;
  EXPECT_ERRNO(sys(SYS_io_setup, 0, &id), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_setup, 0x7fffffff, &id), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_setup, 1, 8), EFAULT);
  id = 5;
  EXPECT_ERRNO(sys(SYS_io_setup, 1, &id), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_setup, 0x100000, (id = 0, &id)), EAGAIN);  // beyond aio-max-nr
  EXPECT_ERRNO(sys(SYS_io_destroy, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_destroy, 0x12345000), EINVAL);
}

TEST(Aio, RingHasTheDocumentedHead) {
  AioContext aio(10);
  ASSERT_TRUE(aio.valid());
  const Ring* ring = aio.ring();
  EXPECT_EQ(ring->magic, 0xa10a10a1u);
  EXPECT_EQ(ring->compatible, 1u);
  EXPECT_EQ(ring->incompatible, 0u);
  EXPECT_EQ(ring->header_length, 32u);
  EXPECT_EQ(ring->head, 0u);
  EXPECT_EQ(ring->tail, 0u);
  EXPECT_GE(ring->slots, 22u);
}

TEST(Aio, WritesAndReads) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_OK(fd.get());
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  iocb write_block = block_for(IOCB_CMD_PWRITE, fd, "hello world", 11, 3);
  write_block.aio_key = 99;
  EXPECT_EQ(aio.submit(write_block), 1);
  EXPECT_EQ(write_block.aio_key, 0u);
  io_event event = aio.next();
  EXPECT_EQ(event.data, 77u);
  EXPECT_EQ(event.obj, reinterpret_cast<uint64_t>(&write_block));
  EXPECT_EQ(event.res, 11);
  EXPECT_EQ(event.res2, 0);

  char first[5] = {}, second[20] = {};
  iovec parts[] = {{first, 5}, {second, 20}};
  iocb read_block = block_for(IOCB_CMD_PREADV, fd, parts, 2, 3);
  EXPECT_EQ(aio.submit(read_block), 1);
  EXPECT_EQ(aio.next().res, 11);
  EXPECT_EQ(std::string(first, 5), "hello");
  EXPECT_STREQ(second, " world");
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(Aio, ErrorsOfSubmission) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDONLY | O_CREAT, 0600);
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  char byte = 0;
  iocb block = block_for(IOCB_CMD_PWRITE, fd, &byte, 1);
  EXPECT_ERRNO(aio.submit(block), EBADF);
  block = block_for(IOCB_CMD_PREAD, -1, &byte, 1);
  EXPECT_ERRNO(aio.submit(block), EBADF);
  block = block_for(4, fd, &byte, 1);
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_NOOP, fd, &byte, 1);
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_PREAD, fd, &byte, 1, -1);
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_PREAD, fd, &byte, 1);
  block.aio_reserved2 = 1;
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_PREAD, fd, &byte, ~size_t{0});
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_PREAD, fd, &byte, 1);
  block.aio_rw_flags = 0x4000;
  EXPECT_ERRNO(aio.submit(block), EOPNOTSUPP);
  block = block_for(IOCB_CMD_PREADV, fd, reinterpret_cast<void*>(8), 1);
  EXPECT_ERRNO(aio.submit(block), EFAULT);
  block = block_for(IOCB_CMD_FSYNC, fd, &byte, 0);
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  block = block_for(IOCB_CMD_PREAD, fd, &byte, 1);
  block.aio_flags = IOCB_FLAG_RESFD;
  block.aio_resfd = static_cast<uint32_t>(fd.get());
  EXPECT_ERRNO(aio.submit(block), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_submit, aio_context_t{aio}, -1, nullptr), EINVAL);
  EXPECT_EQ(sys(SYS_io_submit, aio_context_t{aio}, 0, nullptr), 0);
  EXPECT_ERRNO(sys(SYS_io_submit, aio_context_t{aio}, 1, 8), EFAULT);
  iocb* bad[] = {reinterpret_cast<iocb*>(8)};
  EXPECT_ERRNO(sys(SYS_io_submit, aio_context_t{aio}, 1, bad), EFAULT);
  EXPECT_ERRNO(sys(SYS_io_submit, aio_context_t{aio} + 4096 * 64, 1, bad), EINVAL);
}

TEST(Aio, GoodOnesBeforeABadOneCount) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  iocb good = block_for(IOCB_CMD_PWRITE, fd, "ab", 2), bad = block_for(4, fd);
  iocb* list[] = {&good, &bad, &good};
  EXPECT_EQ(sys(SYS_io_submit, aio_context_t{aio}, 3, list), 1);
  EXPECT_EQ(aio.next().res, 2);
}

TEST(Aio, BadBufferIsTheResult) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  ASSERT_EQ(write(fd, "abc", 3), 3);
  iocb block = block_for(IOCB_CMD_PREAD, fd, reinterpret_cast<void*>(4096), 3);
  EXPECT_EQ(aio.submit(block), 1);
  EXPECT_EQ(aio.next().res, -EFAULT);
}

TEST(Aio, Synchronises) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  for (int opcode : {IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC}) {
    iocb block = block_for(opcode, fd);
    EXPECT_EQ(aio.submit(block), 1);
    EXPECT_EQ(aio.next().res, 0);
  }
  Pipe pipe;
  iocb block = block_for(IOCB_CMD_FSYNC, pipe.ends[0]);
  EXPECT_ERRNO(aio.submit(block), EINVAL);
}

TEST(Aio, SignalsAnEventfd) {
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  const ScopedFd signal = eventfd(0, EFD_NONBLOCK);
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  iocb block = block_for(IOCB_CMD_PWRITE, fd, "ab", 2);
  block.aio_flags = IOCB_FLAG_RESFD;
  block.aio_resfd = static_cast<uint32_t>(signal.get());
  EXPECT_EQ(aio.submit(block), 1);
  EXPECT_EQ(aio.submit(block), 1);
  EXPECT_EQ(aio.next().res, 2);
  EXPECT_EQ(aio.next().res, 2);
  uint64_t count = 0;
  EXPECT_EQ(read(signal, &count, 8), 8);
  EXPECT_EQ(count, 2u);
}

TEST(Aio, PollWaits) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  Pipe pipe;
  iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
  EXPECT_EQ(aio.submit(block), 1);
  io_event event;
  timespec now = {0, 0};
  EXPECT_EQ(sys(SYS_io_getevents, aio_context_t{aio}, 1, 1, &event, &now), 0);
  EXPECT_EQ(write(pipe.ends[1], "x", 1), 1);
  event = aio.next();
  EXPECT_TRUE(event.res & POLLIN);
  EXPECT_EQ(event.data, 77u);
  // At once, when it is ready already.
  EXPECT_EQ(aio.submit(block), 1);
  EXPECT_EQ(aio.next().res, POLLIN);
}

TEST(Aio, PollIsCancelled) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  Pipe pipe;
  iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
  EXPECT_EQ(aio.submit(block), 1);
  io_event event = {};
  EXPECT_ERRNO(sys(SYS_io_cancel, aio_context_t{aio}, &block, &event), EINPROGRESS);
  EXPECT_EQ(aio.next().res, 0);
  EXPECT_ERRNO(sys(SYS_io_cancel, aio_context_t{aio}, &block, &event), EINVAL);
  block.aio_key = 1;
  EXPECT_ERRNO(sys(SYS_io_cancel, aio_context_t{aio}, &block, &event), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_cancel, aio_context_t{aio}, 8, &event), EFAULT);
}

TEST(Aio, DestroyAndExitEndPolls) {
  Pipe pipe;
  {
    AioContext aio;
    ASSERT_TRUE(aio.valid());
    iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
    EXPECT_EQ(aio.submit(block), 1);
  }
  EXPECT_CHILD_OK([&] {
    AioContext aio;
    iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
    EXPECT_EQ(aio.submit(block), 1);
    aio.forget();
  });
  // Nobody holds the reading end in secret.
  signal(SIGPIPE, SIG_IGN);
  close(pipe.ends[0]);
  EXPECT_ERRNO(write(pipe.ends[1], "x", 1), EPIPE);
}

TEST(Aio, GeteventsChecksAndWaits) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  const aio_context_t id = aio;
  io_event events[4];
  timespec short_time = {0, 20'000'000}, none = {0, 0};
  EXPECT_ERRNO(sys(SYS_io_getevents, id, 2, 1, events, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_getevents, id, -1, 1, events, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_io_getevents, id, 1, 1, events, 8), EFAULT);
  EXPECT_EQ(sys(SYS_io_getevents, id, 0, 4, events, nullptr), 0);
  EXPECT_EQ(sys(SYS_io_getevents, id, 1, 4, events, &none), 0);
  const long before = now_milliseconds();
  EXPECT_EQ(sys(SYS_io_getevents, id, 1, 4, events, &short_time), 0);
  EXPECT_GE(now_milliseconds() - before, 19);
  TempDir dir;
  const ScopedFd fd = open(dir.path("file").c_str(), O_RDWR | O_CREAT, 0600);
  iocb block = block_for(IOCB_CMD_PWRITE, fd, "ab", 2);
  EXPECT_EQ(aio.submit(block), 1);
  EXPECT_ERRNO(sys(SYS_io_getevents, id, 1, 1, 8, nullptr), EFAULT);
  // It is still there.
  EXPECT_EQ(aio.next().res, 2);
}

TEST(Aio, GeteventsIsInterrupted) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork_child([&] {
    wait_for_state(parent, 'S');
    kill(parent, SIGUSR1);
  });
  io_event event;
  EXPECT_ERRNO(sys(SYS_io_getevents, aio_context_t{aio}, 1, 1, &event, nullptr), EINTR);
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Aio, PgeteventsUsesItsMask) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  struct {
    const sigset_t* mask;
    size_t size;
  } mask = {&none, 8};
  io_event event;
  timespec limit = {2, 0};
  EXPECT_ERRNO(sys(SYS_io_pgetevents, aio_context_t{aio}, 1, 1, &event, &limit, &mask), EINTR);
  mask.size = 4;
  EXPECT_ERRNO(sys(SYS_io_pgetevents, aio_context_t{aio}, 1, 1, &event, &limit, &mask), EINVAL);
  timespec now = {0, 0};
  EXPECT_EQ(sys(SYS_io_pgetevents, aio_context_t{aio}, 1, 1, &event, &now, nullptr), 0);
}

// What the program takes out of the ring itself makes room as well.
TEST(Aio, RingIsReadByTheProgram) {
  AioContext aio(1);
  ASSERT_TRUE(aio.valid());
  Ring* ring = aio.ring();
  Pipe pipe;
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
  for (unsigned round = 0; round < 3 * ring->slots; ++round) {
    ASSERT_EQ(aio.submit(block), 1) << round;
    const unsigned head = ring->head;
    ASSERT_NE(head, __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE));
    EXPECT_EQ(ring->events[head].res, POLLIN);
    __atomic_store_n(&ring->head, (head + 1) % ring->slots, __ATOMIC_RELEASE);
  }
}

TEST(Aio, FullRingRefuses) {
  AioContext aio(1);
  ASSERT_TRUE(aio.valid());
  Pipe pipe;
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
  long accepted = 0;
  while (accepted < 100'000 && aio.submit(block) == 1) ++accepted;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, static_cast<long>(aio.ring()->slots));
  for (long i = 0; i < accepted; ++i) ASSERT_EQ(aio.next().res, POLLIN);
  EXPECT_EQ(aio.submit(block), 1);
}

// Garbage in the shared ring is the program's own loss.
TEST(Aio, HostileRing) {
  AioContext aio(8);
  ASSERT_TRUE(aio.valid());
  Ring* ring = aio.ring();
  Pipe pipe;
  ASSERT_EQ(write(pipe.ends[1], "x", 1), 1);
  std::atomic<bool> stop{false};
  std::thread vandal([&] {
    unsigned value = 1;
    while (!stop) {
      value = value * 1664525 + 1013904223;
      __atomic_store_n(&ring->head, value, __ATOMIC_RELAXED);
      __atomic_store_n(&ring->tail, value * 7, __ATOMIC_RELAXED);
      __atomic_store_n(&ring->slots, value * 5, __ATOMIC_RELAXED);
    }
  });
  iocb block = block_for(IOCB_CMD_POLL, pipe.ends[0], reinterpret_cast<void*>(POLLIN));
  io_event events[8];
  timespec none = {0, 0};
  for (int round = 0; round < 2000; ++round) {
    aio.submit(block);
    sys(SYS_io_getevents, aio_context_t{aio}, 1, 8, events, &none);
  }
  stop = true;
  vandal.join();
}

TEST(Aio, ChildDoesNotInherit) {
  AioContext aio;
  ASSERT_TRUE(aio.valid());
  EXPECT_CHILD_OK([&] {
    io_event event;
    EXPECT_ERRNO(sys(SYS_io_getevents, aio_context_t{aio}, 0, 1, &event, nullptr), EINVAL);
    EXPECT_ERRNO(sys(SYS_io_destroy, aio_context_t{aio}), EINVAL);
  });
}

TEST(Aio, CountsInProc) {
  auto number_in = [](const char* path) {
    FILE* file = fopen(path, "r");
    long value = -1;
    if (!file || fscanf(file, "%ld", &value) != 1) value = -1;
    if (file) fclose(file);
    return value;
  };
  EXPECT_GT(number_in("/proc/sys/fs/aio-max-nr"), 0);
  AioContext aio(100);
  ASSERT_TRUE(aio.valid());
  EXPECT_GE(number_in("/proc/sys/fs/aio-nr"), 100);
}

}  // namespace
