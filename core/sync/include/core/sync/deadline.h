// Until when, and how patiently, a thread waits.
#pragma once

#include <compare>
#include <cstdint>

namespace core {

// A point on the monotonic clock (core/time/clock.h), in nanoseconds.
class Deadline {
 public:
  static constexpr Deadline never() { return Deadline(~std::uint64_t{0}); }
  static constexpr Deadline at(std::uint64_t monotonic_ns) { return Deadline(monotonic_ns); }
  // From now. A sum that overflows is never().
  static Deadline after(std::uint64_t ns);
  // Already over: with it a wait only looks whether the condition holds.
  static constexpr Deadline passed() { return Deadline(0); }

  constexpr bool is_never() const { return ns_ == ~std::uint64_t{0}; }
  constexpr std::uint64_t ns() const { return ns_; }
  bool is_over() const;
  // 0 when over; the maximum for never().
  std::uint64_t remaining_ns() const;
  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  constexpr explicit Deadline(std::uint64_t ns) : ns_(ns) {}
  std::uint64_t ns_;
};

// What may end a wait early with Errno::eintr: nothing, only a fatal signal, any signal.
enum class WaitMode : std::uint8_t { uninterruptible, killable, interruptible };

// How urgently a thread has been asked to come out of its wait (Thread::set_interrupted).
enum class InterruptLevel : std::uint8_t { none, signal, kill };

constexpr bool interrupts_wait(InterruptLevel level, WaitMode mode) {
  switch (mode) {
    case WaitMode::uninterruptible:
      return false;
    case WaitMode::killable:
      return level == InterruptLevel::kill;
    case WaitMode::interruptible:
      return level != InterruptLevel::none;
  }
  return false;
}

}  // namespace core
