// Variables of which every CPU has its own copy.
//
//   PER_CPU constinit PerCpu<Magazine> magazine;
//
//   PreemptOff pinned;                 // or any raw lock, or interrupts off
//   magazine.local().take();
//   for_each_cpu([&](unsigned cpu) { total += magazine.on(cpu).count; });
//
// A PerCpu variable lives at namespace scope and is constant-initialised; each CPU's copy starts as a copy of
// that template. local() is only meaningful while the thread cannot move to another CPU, which debug builds
// check. on(cpu) is for other CPUs' copies: what it reaches must be atomic or protected by a lock inside T.
//
// On the host every thread counts as a CPU of its own (arch/host), so local() is exclusive there too.
#pragma once

#include <arch/cpu.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "core/sync/cpu_mask.h"

#ifdef NOS_HOST
#define PER_CPU
#else
#define PER_CPU __attribute__((section(".percpu"), used))
#endif

namespace core {

#ifdef NOS_HOST
template <typename T>
class PerCpu {
 public:
  constexpr PerCpu() = default;
  T& local() { return copies_[arch::cpu_index()]; }
  T& local_unchecked() { return copies_[arch::cpu_index()]; }
  T& on(unsigned cpu) { return copies_[cpu]; }

 private:
  struct alignas(64) Copy : T {};
  template <typename U>
  struct Choose {
    using type = Copy;
  };
  template <typename U>
    requires(!std::is_class_v<U>)
  struct Choose<U> {
    using type = U;
  };
  std::array<typename Choose<T>::type, CpuMask::capacity> copies_{};
};
#else
template <typename T>
class PerCpu {
 public:
  template <typename... Arguments>
  constexpr PerCpu(Arguments&&... arguments) : value_{std::forward<Arguments>(arguments)...} {}
  PerCpu(const PerCpu&) = delete;

  T& local() {
    base::debug_verify(arch::preempt_count() != 0 || !arch::interrupts_enabled(),
                       "per-CPU access while movable");
    return local_unchecked();
  }
  // The copy of the CPU we happen to be on; it may be another's a moment later. For hints and statistics.
  T& local_unchecked() { return at(arch::this_cpu_offset()); }
  T& on(unsigned cpu) { return at(arch::cpu_offset(cpu)); }

 private:
  T& at(std::uintptr_t offset) {
    // SAFETY: arch keeps one copy of the .percpu section for each CPU at that offset from the template.
    return *reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(&value_) + offset);
  }
  T value_;
};
#endif

// Calls function(cpu) for every CPU that is online.
template <typename Function>
void for_each_cpu(Function&& function) {
  for (unsigned cpu = 0, count = arch::cpu_count(); cpu < count; ++cpu) function(cpu);
}

// A statistics counter that is written without sharing: declared `PER_CPU constinit PerCpuCounter name;`.
// sum() is a snapshot that may miss increments under way.
class PerCpuCounter {
 public:
  constexpr PerCpuCounter() = default;
  void add(std::int64_t amount = 1) {
    // relaxed: a lone statistic; atomic because the thread may move between the address and the addition.
    value_.local_unchecked().count.fetch_add(amount, std::memory_order_relaxed);
  }
  std::int64_t sum() {
    std::int64_t total = 0;
    // relaxed: each term is a snapshot of its own.
    for_each_cpu([&](unsigned cpu) { total += value_.on(cpu).count.load(std::memory_order_relaxed); });
    return total;
  }

 private:
  struct Value {
    std::atomic<std::int64_t> count{0};
  };
  PerCpu<Value> value_;
};

}  // namespace core
