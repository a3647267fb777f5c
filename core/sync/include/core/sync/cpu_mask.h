// A set of CPUs, as large as the largest machine we run on. A value type; not atomic.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace core {

class CpuMask {
 public:
  static constexpr unsigned capacity = 256;  // arch::max_cpus; checked in src/cpu_mask.cpp
  static constexpr unsigned none_found = ~0u;

  constexpr CpuMask() = default;
  static constexpr CpuMask all() {
    CpuMask mask;
    mask.words_.fill(~std::uint64_t{0});
    return mask;
  }
  static constexpr CpuMask single(unsigned cpu) {
    CpuMask mask;
    mask.set(cpu);
    return mask;
  }
  static constexpr CpuMask first_cpus(unsigned count) {
    CpuMask mask;
    for (unsigned cpu = 0; cpu < count && cpu < capacity; ++cpu) mask.set(cpu);
    return mask;
  }

  constexpr void set(unsigned cpu) { words_[cpu / 64] |= bit(cpu); }
  constexpr void clear(unsigned cpu) { words_[cpu / 64] &= ~bit(cpu); }
  constexpr bool test(unsigned cpu) const { return cpu < capacity && (words_[cpu / 64] & bit(cpu)) != 0; }
  constexpr bool none() const {
    for (auto word : words_)
      if (word) return false;
    return true;
  }
  constexpr bool any() const { return !none(); }
  constexpr unsigned count() const {
    unsigned total = 0;
    for (auto word : words_) total += static_cast<unsigned>(std::popcount(word));
    return total;
  }
  // The lowest member at or above `from`; none_found if there is none.
  constexpr unsigned next(unsigned from) const {
    for (unsigned index = from / 64; index < words_.size(); ++index) {
      std::uint64_t word = words_[index];
      if (index == from / 64) word &= ~std::uint64_t{0} << (from % 64);
      if (word) return index * 64 + static_cast<unsigned>(std::countr_zero(word));
    }
    return none_found;
  }
  constexpr unsigned first() const { return next(0); }
  template <typename Function>
  constexpr void for_each(Function&& function) const {
    for (unsigned cpu = first(); cpu != none_found; cpu = next(cpu + 1)) function(cpu);
  }

  constexpr CpuMask operator&(const CpuMask& other) const {
    CpuMask result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] & other.words_[i];
    return result;
  }
  constexpr CpuMask operator|(const CpuMask& other) const {
    CpuMask result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = words_[i] | other.words_[i];
    return result;
  }
  constexpr CpuMask operator~() const {
    CpuMask result;
    for (std::size_t i = 0; i < words_.size(); ++i) result.words_[i] = ~words_[i];
    return result;
  }
  constexpr bool operator==(const CpuMask&) const = default;

  // Little-endian words of 64 CPUs each: the layout of sched_setaffinity's mask on 64-bit machines.
  constexpr std::span<std::uint64_t> words() { return words_; }
  constexpr std::span<const std::uint64_t> words() const { return words_; }

 private:
  static constexpr std::uint64_t bit(unsigned cpu) { return std::uint64_t{1} << (cpu % 64); }
  std::array<std::uint64_t, capacity / 64> words_{};
};

// CPUs that run threads now. A snapshot: CPUs are only ever added.
const CpuMask& online_cpus();
// The scheduler, when a CPU begins to run threads.
void mark_cpu_online(unsigned cpu);

}  // namespace core
