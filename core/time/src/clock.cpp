#include "core/time/clock.h"

#include <arch/time.h>

#include <atomic>

#include "base/bits.h"
#include "core/sync/deadline.h"
#include "core/sync/seq_lock.h"
#include "timer_time.h"

namespace core {

namespace {

// The state of all clocks. Before initialize_clocks() the multiplier is 0 and monotonic_ns() is
// arch::nanoseconds().
constinit SeqLock clock_lock{"clocks"};
constinit ClockData data GUARDED_BY(clock_lock);
constinit ClockAdjustment adjustment GUARDED_BY(clock_lock);
constinit std::atomic<bool> initialized{false};
constinit std::atomic<std::uint64_t> set_count{0};
constinit std::atomic<void (*)(const ClockData&)> data_listener{nullptr};
constinit std::atomic<ClockSetListener> set_listeners[8] = {};

std::uint64_t scaled(std::uint64_t ticks, std::uint64_t multiplier, unsigned shift) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(ticks) * multiplier) >> shift);
}

// A copy that belongs together. Lock-free; what is torn is thrown away.
ClockData read_data() NO_THREAD_SAFETY_ANALYSIS {
  ClockData copy;
  std::uint32_t sequence;
  do {
    sequence = clock_lock.read_begin();
    copy = data;
  } while (clock_lock.read_retry(sequence));
  return copy;
}

// A counter read on another CPU just before the base was moved may lie behind it.
std::uint64_t ticks_since(const ClockData& clock, std::uint64_t now) {
  return static_cast<std::int64_t>(now - clock.counter_base) > 0 ? now - clock.counter_base : 0;
}
std::uint64_t monotonic_of(const ClockData& clock, std::uint64_t now) {
  return clock.monotonic_base_ns + scaled(ticks_since(clock, now), clock.multiplier, clock.shift);
}

// Moves the base to `now`, so that a new multiplier changes the future only.
void rebase_locked(std::uint64_t now) REQUIRES(clock_lock) {
  std::uint64_t ticks = ticks_since(data, now);
  data.monotonic_base_ns += scaled(ticks, data.multiplier, data.shift);
  data.raw_base_ns += scaled(ticks, data.raw_multiplier, data.shift);
  data.counter_base += ticks;
}

void publish_locked() REQUIRES(clock_lock) {
  // acquire: what the listener's owner set up is visible.
  if (auto* listener = data_listener.load(std::memory_order_acquire)) listener(data);
}

// multiplier = raw * (1 + ppm/10^6); ppm has 16 fractional bits.
std::uint64_t trimmed(std::uint64_t raw, std::int64_t ppm_16) {
  // In two parts, because there is no 128-bit division here: |ppm_16| is below 2^25, so neither product
  // overflows.
  constexpr std::int64_t unit = std::int64_t{1'000'000} << 16;
  auto whole = static_cast<std::int64_t>(raw) / unit, rest = static_cast<std::int64_t>(raw) % unit;
  std::int64_t delta = whole * ppm_16 + rest * ppm_16 / unit;
  return raw + static_cast<std::uint64_t>(delta);
}

void tell_set_listeners() {
  for (auto& slot : set_listeners)
    if (auto* listener = slot.load(std::memory_order_acquire)) listener();
}

}  // namespace

std::uint64_t monotonic_ns() {
  // relaxed: both sources agree at the moment of the change.
  if (!initialized.load(std::memory_order_relaxed)) return arch::nanoseconds();
  ClockData clock = read_data();
  return monotonic_of(clock, arch::counter());
}
std::uint64_t raw_ns() {
  if (!initialized.load(std::memory_order_relaxed)) return arch::nanoseconds();
  ClockData clock = read_data();
  return clock.raw_base_ns + scaled(ticks_since(clock, arch::counter()), clock.raw_multiplier, clock.shift);
}
std::uint64_t boot_ns() {
  if (!initialized.load(std::memory_order_relaxed)) return arch::nanoseconds();
  ClockData clock = read_data();
  return monotonic_of(clock, arch::counter()) + clock.boot_offset_ns;
}
std::uint64_t realtime_ns() {
  if (!initialized.load(std::memory_order_relaxed)) return arch::nanoseconds();
  ClockData clock = read_data();
  return monotonic_of(clock, arch::counter()) + clock.realtime_offset_ns;
}
std::uint64_t tai_ns() {
  ClockData clock = read_data();
  return realtime_ns() + static_cast<std::uint64_t>(static_cast<std::int64_t>(clock.tai_offset_s) *
                                                    static_cast<std::int64_t>(ns_per_second));
}
// The counter is cheap on every machine we run on; "coarse" only promises a coarser resolution.
std::uint64_t coarse_monotonic_ns() { return monotonic_ns(); }
std::uint64_t coarse_realtime_ns() { return realtime_ns(); }

base::Result<void> set_realtime(std::uint64_t ns_since_1970) {
  {
    SeqWriteGuard guard(clock_lock);
    std::uint64_t now = monotonic_of(data, arch::counter());
    if (ns_since_1970 < now || ns_since_1970 >> 63) return base::error(base::Errno::einval);
    data.realtime_offset_ns = ns_since_1970 - now;
    publish_locked();
  }
  set_count.fetch_add(1);
  tell_set_listeners();
  return {};
}

base::Result<void> shift_realtime(std::int64_t ns) {
  {
    SeqWriteGuard guard(clock_lock);
    auto offset = static_cast<std::int64_t>(data.realtime_offset_ns);
    auto sum = base::checked_add(offset, ns);
    if (!sum || *sum < 0) return base::error(base::Errno::einval);
    data.realtime_offset_ns = static_cast<std::uint64_t>(*sum);
    publish_locked();
  }
  set_count.fetch_add(1);
  tell_set_listeners();
  return {};
}

void add_clock_set_listener(ClockSetListener listener) {
  for (auto& slot : set_listeners) {
    ClockSetListener none = nullptr;
    if (slot.compare_exchange_strong(none, listener)) return;
  }
  base::verify(false, "too many clock listeners");
}
std::uint64_t clock_set_count() { return set_count.load(); }

ClockAdjustment clock_adjustment() {
  SeqWriteGuard guard(clock_lock);
  return adjustment;
}

base::Result<void> set_clock_adjustment(const ClockAdjustment& wanted) {
  constexpr std::int64_t limit = std::int64_t{500} << 16;
  if (wanted.frequency_ppm_16 > limit || wanted.frequency_ppm_16 < -limit)
    return base::error(base::Errno::einval);
  SeqWriteGuard guard(clock_lock);
  adjustment = wanted;
  // Working a slew off gradually would need a tick; it is one step of CLOCK_REALTIME, which only moves the
  // offset.
  std::int64_t slew = adjustment.slew_remaining_ns;
  if (slew != 0) {
    auto offset = static_cast<std::int64_t>(data.realtime_offset_ns) + slew;
    if (offset < 0) return base::error(base::Errno::einval);
    data.realtime_offset_ns = static_cast<std::uint64_t>(offset);
    adjustment.slew_remaining_ns = 0;
  }
  rebase_locked(arch::counter());
  data.multiplier = trimmed(data.raw_multiplier, adjustment.frequency_ppm_16);
  data.tai_offset_s = adjustment.tai_offset_s;
  publish_locked();
  return {};
}

ClockData clock_data() { return read_data(); }

void set_clock_data_listener(void (*listener)(const ClockData&)) {
  SeqWriteGuard guard(clock_lock);
  data_listener.store(listener, std::memory_order_release);
  listener(data);
}

void initialize_clocks() {
  const auto& scale = arch::counter_scale();
  {
    SeqWriteGuard guard(clock_lock);
    data.counter_base = scale.base;
    data.multiplier = data.raw_multiplier = scale.multiplier;
    data.shift = scale.shift;
    data.usable_by_user = scale.vdso_usable;
    data.realtime_offset_ns = arch::wall_clock_at_boot_ns();
  }
  // release: the data above is there when the flag is seen.
  initialized.store(true, std::memory_order_release);
}

std::uint64_t timer_time_of(std::uint64_t monotonic) {
  if (!initialized.load(std::memory_order_relaxed)) return monotonic;
  ClockData clock = read_data();
  if (clock.multiplier == clock.raw_multiplier)
    return monotonic - clock.monotonic_base_ns + clock.raw_base_ns;
  std::uint64_t now = arch::counter();
  std::uint64_t now_monotonic = monotonic_of(clock, now);
  std::uint64_t now_raw =
      clock.raw_base_ns + scaled(ticks_since(clock, now), clock.raw_multiplier, clock.shift);
  std::uint64_t left = monotonic > now_monotonic ? monotonic - now_monotonic : 0;
  // The trim is at most 500 ppm; a thousandth less is early enough.
  return now_raw + left - left / 1000;
}

// --- Deadlines.

Deadline Deadline::after(std::uint64_t ns) {
  std::uint64_t sum;
  if (__builtin_add_overflow(monotonic_ns(), ns, &sum)) return never();
  return at(sum);
}
bool Deadline::is_over() const { return !is_never() && monotonic_ns() >= ns_; }
std::uint64_t Deadline::remaining_ns() const {
  if (is_never()) return ~std::uint64_t{0};
  std::uint64_t now = monotonic_ns();
  return now >= ns_ ? 0 : ns_ - now;
}

}  // namespace core
