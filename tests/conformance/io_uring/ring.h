// A ring of io_uring without liburing.
#pragma once

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "support/conformance.h"

namespace conformance {

// Newer than the headers of Debian 12.
inline constexpr unsigned timeout_multishot = 1u << 6;

class Ring {
 public:
  explicit Ring(unsigned entries = 8, unsigned flags = 0, unsigned cq_entries = 0, unsigned idle_ms = 0) {
    parameters.flags = flags | (cq_entries ? IORING_SETUP_CQSIZE : 0);
    parameters.cq_entries = cq_entries;
    parameters.sq_thread_idle = idle_ms;
    fd = static_cast<int>(sys(SYS_io_uring_setup, entries, &parameters));
    if (fd < 0) return;
    const size_t cqe = flags & IORING_SETUP_CQE32 ? 32 : 16;
    ring_size_ = parameters.cq_off.cqes + parameters.cq_entries * cqe;
    const size_t with_array = parameters.sq_off.array + parameters.sq_entries * 4;
    if (with_array > ring_size_) ring_size_ = with_array;
    memory_ = static_cast<char*>(
        mmap(nullptr, ring_size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING));
    sqe_size_ = flags & IORING_SETUP_SQE128 ? 128 : 64;
    sqes_ = static_cast<char*>(mmap(nullptr, parameters.sq_entries * sqe_size_, PROT_READ | PROT_WRITE,
                                    MAP_SHARED, fd, IORING_OFF_SQES));
    cqe_size_ = cqe;
    valid_ = memory_ != MAP_FAILED && sqes_ != MAP_FAILED;
  }
  ~Ring() {
    if (memory_ && memory_ != MAP_FAILED) munmap(memory_, ring_size_);
    if (sqes_ && sqes_ != MAP_FAILED) munmap(sqes_, parameters.sq_entries * sqe_size_);
    if (fd >= 0) close(fd);
  }
  Ring(const Ring&) = delete;
  bool valid() const { return valid_; }

  unsigned* word(unsigned offset) const { return reinterpret_cast<unsigned*>(memory_ + offset); }
  unsigned sq_flags() const { return __atomic_load_n(word(parameters.sq_off.flags), __ATOMIC_ACQUIRE); }

  // The next entry, zeroed; submit() hands all prepared ones over.
  io_uring_sqe& prepare(int opcode, int sqe_fd = -1, const void* address = nullptr, unsigned length = 0,
                        uint64_t offset = 0) {
    const unsigned index = tail_++ & (parameters.sq_entries - 1);
    auto& sqe = *reinterpret_cast<io_uring_sqe*>(sqes_ + index * sqe_size_);
    memset(&sqe, 0, sizeof(sqe));
    sqe.opcode = static_cast<uint8_t>(opcode);
    sqe.fd = sqe_fd;
    sqe.addr = reinterpret_cast<uint64_t>(address);
    sqe.len = length;
    sqe.off = offset;
    sqe.user_data = next_data_++;
    if (parameters.sq_off.array) *word(parameters.sq_off.array + index * 4) = index;
    return sqe;
  }
  void publish() { __atomic_store_n(word(parameters.sq_off.tail), tail_, __ATOMIC_RELEASE); }
  long enter(unsigned count, unsigned wanted, unsigned flags) {
    return sys(SYS_io_uring_enter, fd, count, wanted, flags, nullptr, 0);
  }
  long submit(unsigned wanted = 0) {
    const unsigned count = tail_ - __atomic_load_n(word(parameters.sq_off.head), __ATOMIC_ACQUIRE);
    publish();
    return enter(count, wanted, wanted ? IORING_ENTER_GETEVENTS : 0);
  }
  unsigned ready() const {
    return __atomic_load_n(word(parameters.cq_off.tail), __ATOMIC_ACQUIRE) - *word(parameters.cq_off.head);
  }
  // The next completion, or one with user_data ~0 if none comes within `milliseconds`.
  io_uring_cqe next(long milliseconds = 3000) {
    io_uring_cqe none = {};
    none.user_data = ~0ull;
    if (!ready()) {
      __kernel_timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000};
      io_uring_getevents_arg argument = {};
      argument.ts = reinterpret_cast<uint64_t>(&limit);
      sys(SYS_io_uring_enter, fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
          sizeof(argument));
    }
    if (!ready()) return none;
    unsigned* head = word(parameters.cq_off.head);
    io_uring_cqe copy;
    const unsigned index = *head & (parameters.cq_entries - 1);
    memcpy(&copy, memory_ + parameters.cq_off.cqes + index * cqe_size_, sizeof(copy));
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return copy;
  }
  // One request from submission to its result.
  int run(int opcode, int sqe_fd = -1, const void* address = nullptr, unsigned length = 0,
          uint64_t offset = 0) {
    prepare(opcode, sqe_fd, address, length, offset);
    return finish();
  }
  int finish() {
    if (submit(1) < 0) return -errno;
    return next().res;
  }
  long control(unsigned operation, const void* argument = nullptr, unsigned count = 0) {
    return sys(SYS_io_uring_register, fd, operation, argument, count);
  }

  int fd = -1;
  io_uring_params parameters = {};

 private:
  char* memory_ = nullptr;
  char* sqes_ = nullptr;
  size_t ring_size_ = 0, sqe_size_ = 64, cqe_size_ = 16;
  unsigned tail_ = 0;
  uint64_t next_data_ = 1;
  bool valid_ = false;
};

struct PipePair {
  int ends[2] = {-1, -1};
  PipePair() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~PipePair() {
    close_end(0);
    close_end(1);
  }
  void close_end(int which) {
    if (ends[which] >= 0) close(ends[which]);
    ends[which] = -1;
  }
};

}  // namespace conformance
