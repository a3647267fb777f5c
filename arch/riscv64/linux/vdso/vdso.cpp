// User code: runs in programs, with their stack and registers. Only the data page and instructions open to
// everybody.
#include "../src/vdso_data.h"

using uint32_t = __UINT32_TYPE__;
using uint64_t = __UINT64_TYPE__;

extern "C" {

// One page below the image (vdso.lds).
extern const VdsoData vdso_data __attribute__((visibility("hidden")));

struct timespec {
  long seconds, nanoseconds;
};
struct timeval {
  long seconds, microseconds;
};
struct timezone {
  int minutes_west, dst_time;
};
}

namespace {

enum Clock {
  realtime = 0,
  monotonic = 1,
  monotonic_raw = 4,
  realtime_coarse = 5,
  monotonic_coarse = 6,
  boot_time = 7,
  tai = 11
};

constexpr uint64_t ns_per_second = 1000000000;
constexpr long number_clock_gettime = 113, number_clock_getres = 114, number_getcpu = 168,
               number_gettimeofday = 169, number_hwprobe = 258, number_flush_icache = 259;

// SAFETY (below): user code: the system call keeps every register but the result's, the others change
// registers alone.
inline long system_call(long number, long a, const void* b, const void* c = nullptr, long d = 0, long e = 0) {
  register long a0 asm("a0") = a;
  register const void* a1 asm("a1") = b;
  register const void* a2 asm("a2") = c;
  register long a3 asm("a3") = d;
  register long a4 asm("a4") = e;
  register long a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
  return a0;
}

inline uint64_t read_counter() {
  uint64_t value;
  asm volatile("rdtime %0" : "=r"(value)::"memory");
  return value;
}

// False: ask the kernel.
inline bool read_clock(long clock, uint64_t& ns) {
  const volatile VdsoData& data = vdso_data;
  for (;;) {
    uint32_t sequence = __atomic_load_n(&vdso_data.sequence, __ATOMIC_ACQUIRE);
    if (sequence & 1) {
      asm volatile(".4byte 0x0100000f");  // PAUSE
      continue;
    }
    if (!data.usable) return false;
    uint64_t now = read_counter(), base = data.counter_base;
    uint64_t passed = now > base ? now - base : 0;
    uint64_t multiplier = clock == monotonic_raw ? data.raw_multiplier : data.multiplier;
    auto shift = static_cast<unsigned>(data.shift);
    uint64_t value = static_cast<uint64_t>(static_cast<unsigned __int128>(passed) * multiplier >> shift);
    value += clock == monotonic_raw ? data.raw_base_ns : data.monotonic_base_ns;
    switch (clock) {
      case realtime:
      case realtime_coarse:
        value += data.realtime_offset_ns;
        break;
      case boot_time:
        value += data.boot_offset_ns;
        break;
      case tai:
        value += data.realtime_offset_ns + static_cast<uint64_t>(data.tai_offset_ns);
        break;
      default:
        break;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&vdso_data.sequence, __ATOMIC_RELAXED) != sequence) continue;
    ns = value;
    return true;
  }
}

inline bool is_known(long clock) {
  return clock >= 0 && clock < 32 &&
         (1u << clock & (1u << realtime | 1u << monotonic | 1u << monotonic_raw | 1u << realtime_coarse |
                         1u << monotonic_coarse | 1u << boot_time | 1u << tai));
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) int __vdso_clock_gettime(int clock, timespec* result) {
  uint64_t ns;
  if (!is_known(clock) || !read_clock(clock, ns))
    return static_cast<int>(system_call(number_clock_gettime, clock, result));
  result->seconds = static_cast<long>(ns / ns_per_second);
  result->nanoseconds = static_cast<long>(ns % ns_per_second);
  return 0;
}

__attribute__((visibility("default"))) int __vdso_clock_getres(int clock, timespec* result) {
  // The coarse clocks' answer is the kernel's affair.
  if (!is_known(clock) || clock == realtime_coarse || clock == monotonic_coarse)
    return static_cast<int>(system_call(number_clock_getres, clock, result));
  if (result) {
    result->seconds = 0;
    result->nanoseconds = 1;
  }
  return 0;
}

__attribute__((visibility("default"))) int __vdso_gettimeofday(timeval* result, timezone* zone) {
  uint64_t ns;
  if (zone || !read_clock(realtime, ns))
    return static_cast<int>(system_call(number_gettimeofday, reinterpret_cast<long>(result), zone));
  if (result) {
    result->seconds = static_cast<long>(ns / ns_per_second);
    result->microseconds = static_cast<long>(ns % ns_per_second / 1000);
  }
  return 0;
}

// User code cannot read the number of its CPU.
__attribute__((visibility("default"))) long __vdso_getcpu(unsigned* cpu, unsigned* node, void* cache) {
  return system_call(number_getcpu, reinterpret_cast<long>(cpu), node, cache);
}

__attribute__((visibility("default"))) long __vdso_flush_icache(void* start, void* end, unsigned long flags) {
  return system_call(number_flush_icache, reinterpret_cast<long>(start), end, reinterpret_cast<void*>(flags));
}

__attribute__((visibility("default"))) int __vdso_riscv_hwprobe(void* pairs, unsigned long count,
                                                                unsigned long cpu_bytes, unsigned long* cpus,
                                                                unsigned flags) {
  return static_cast<int>(system_call(number_hwprobe, reinterpret_cast<long>(pairs),
                                      reinterpret_cast<void*>(count), reinterpret_cast<void*>(cpu_bytes),
                                      reinterpret_cast<long>(cpus), static_cast<long>(flags)));
}
}
