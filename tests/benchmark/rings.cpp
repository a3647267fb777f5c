// io_uring: requests through rings that program and kernel share.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

// io_uring(7); musl ships no linux/io_uring.h. The same on every architecture.
constexpr long call_setup = 425;
constexpr long call_enter = 426;
constexpr unsigned enter_get_events = 1;
constexpr off_t queue_entries_offset = 0x10000000;
constexpr uint8_t operation_none = 0;
constexpr uint8_t operation_read = 22;

struct RingOffsets {
  uint32_t head, tail, mask, entries, flags_or_overflow, dropped_or_entries, array_or_flags, reserved;
  uint64_t address;
};
struct Parameters {
  uint32_t submissions, completions, flags, thread_cpu, thread_idle_ms, features, work_queue, reserved[3];
  RingOffsets submission, completion;
};
struct Submission {
  uint8_t operation, flags;
  uint16_t priority;
  int32_t descriptor;
  uint64_t offset, address;
  uint32_t length, operation_flags;
  uint64_t data, more[3];
};
struct Completion {
  uint64_t data;
  int32_t result;
  uint32_t flags;
};
static_assert(sizeof(Parameters) == 120 && sizeof(Submission) == 64 && sizeof(Completion) == 16);

class Ring {
 public:
  static constexpr uint32_t size = 32;

  // False when the kernel has none to give.
  bool open() {
    descriptor_ = static_cast<int>(syscall(call_setup, size, &parameters_));
    if (descriptor_ < 0) return false;
    length_ = parameters_.completion.dropped_or_entries + parameters_.completions * sizeof(Completion);
    size_t with_array = parameters_.submission.array_or_flags + size * sizeof(uint32_t);
    if (with_array > length_) length_ = with_array;
    memory_ = static_cast<char*>(map(length_, 0));
    submissions_ = static_cast<Submission*>(map(size * sizeof(Submission), queue_entries_offset));
    for (uint32_t i = 0; i < size; i++) word(parameters_.submission.array_or_flags)[i] = i;
    return true;
  }
  void close() {
    munmap(memory_, length_);
    munmap(submissions_, size * sizeof(Submission));
    ::close(descriptor_);
  }

  // Hands in `count` requests like this one and takes their answers.
  void run(const Submission& request, uint32_t count, int32_t expected) {
    uint32_t* tail = word(parameters_.submission.tail);
    for (uint32_t i = 0; i < count; i++) submissions_[(*tail + i) % size] = request;
    __atomic_store_n(tail, *tail + count, __ATOMIC_RELEASE);
    long entered = syscall(call_enter, descriptor_, count, count, enter_get_events, nullptr, 0);
    require(entered == static_cast<long>(count), "io_uring_enter");
    uint32_t* head = word(parameters_.completion.head);
    uint32_t end = __atomic_load_n(word(parameters_.completion.tail), __ATOMIC_ACQUIRE);
    require(end - *head == count, "completions");
    const auto* answers =
        reinterpret_cast<const Completion*>(memory_ + parameters_.completion.dropped_or_entries);
    for (uint32_t at = *head; at != end; at++)
      require(answers[at % parameters_.completions].result == expected, "a completion's result");
    __atomic_store_n(head, end, __ATOMIC_RELEASE);
  }

 private:
  void* map(size_t length, off_t offset) const {
    void* memory =
        mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor_, offset);
    require(memory != MAP_FAILED, "mmap of a ring");
    return memory;
  }
  uint32_t* word(uint32_t offset) const { return reinterpret_cast<uint32_t*>(memory_ + offset); }

  Parameters parameters_ = {};
  int descriptor_ = -1;
  size_t length_ = 0;
  char* memory_ = nullptr;
  Submission* submissions_ = nullptr;
};

}  // namespace

void measure_rings() {
  static Ring ring;
  static char page[page_size];
  require(ring.open(), "io_uring_setup");
  static Submission request = {};
  request.operation = operation_none;
  measure("ring-nothing", "io_uring: one empty request", 500, [](int count) {
    while (count-- > 0) ring.run(request, 1, 0);
  });
  measure("ring-nothing-32", "io_uring: 32 empty requests at once", 50, [](int count) {
    while (count-- > 0) ring.run(request, Ring::size, 0);
  });
  int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
  require(file >= 0 && write(file, page, sizeof page) == sizeof page, "create");
  request.operation = operation_read;
  request.descriptor = file;
  request.address = reinterpret_cast<uint64_t>(page);
  request.length = sizeof page;
  measure("ring-read", "io_uring: read 4 KiB of a file", 500, [](int count) {
    while (count-- > 0) ring.run(request, 1, sizeof page);
  });
  measure("ring-read-32", "io_uring: 32 reads of 4 KiB at once", 20, [](int count) {
    while (count-- > 0) ring.run(request, Ring::size, sizeof page);
  });
  close(file);
  unlink("file");
  ring.close();
}

}  // namespace benchmark
