// adjtimex(2), clock_adjtime(2)
#include "core/time/clock.h"
#include "syscalls/time/rows.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t adj_offset = 1, adj_frequency = 2, adj_max_error = 4, adj_estimated_error = 8,
                        adj_status = 0x10, adj_constant = 0x20, adj_tai = 0x80, adj_set_offset = 0x100,
                        adj_micro = 0x1000, adj_nano = 0x2000, adj_tick = 0x4000, adj_single_shot = 0x8001,
                        adj_read_only = 0xa001;
constexpr std::int32_t sta_nano = 0x2000, sta_unsync = 0x40;
constexpr long time_error = 5;

Result<void> change(core::ClockAdjustment& state, const Timex& wanted) {
  std::uint32_t modes = wanted.modes;
  if (modes == adj_single_shot) {
    state.slew_remaining_ns = wanted.offset * 1000;
    return {};
  }
  if (modes & adj_nano) state.status |= sta_nano;
  if (modes & adj_micro) state.status &= ~sta_nano;
  if (modes & adj_status) state.status = (state.status & sta_nano) | (wanted.status & ~sta_nano);
  if (modes & adj_frequency) state.frequency_ppm_16 = wanted.frequency;
  if (modes & adj_max_error) state.max_error_us = wanted.max_error;
  if (modes & adj_estimated_error) state.estimated_error_us = wanted.estimated_error;
  if (modes & adj_constant) state.constant = wanted.constant;
  if (modes & adj_tai) state.tai_offset_s = static_cast<std::int32_t>(wanted.constant);
  if (modes & adj_offset) state.offset_ns = state.status & sta_nano ? wanted.offset : wanted.offset * 1000;
  if (modes & adj_tick) {
    if (wanted.tick < 9000 || wanted.tick > 11000) return error(Errno::einval);
    state.tick_us = wanted.tick;
  }
  return {};
}

}  // namespace

Result<long> sys_adjtimex(Context& context, UserInOut<Timex> buffer) {
  Timex timex = TRY(buffer.read());
  bool read_only = timex.modes == 0 || timex.modes == adj_read_only;
  if (!read_only && !context.task.can(vfs::Capability::sys_time)) return error(Errno::eperm);
  core::ClockAdjustment state = core::clock_adjustment();
  core::ClockAdjustment before = state;
  if (timex.modes & adj_set_offset && !read_only) {
    std::int64_t part = timex.modes & adj_nano ? timex.microseconds : timex.microseconds * 1000;
    if (part < 0 || part >= 1'000'000'000) return error(Errno::einval);
    TRY(core::shift_realtime(timex.seconds * 1'000'000'000 + part));
  }
  if (!read_only) {
    TRY(change(state, timex));
    TRY(core::set_clock_adjustment(state));
  }
  bool nano = state.status & sta_nano;
  timex.offset = nano ? state.offset_ns : state.offset_ns / 1000;
  if (timex.modes == adj_single_shot || timex.modes == adj_read_only)
    timex.offset = before.slew_remaining_ns / 1000;
  timex.frequency = state.frequency_ppm_16;
  timex.max_error = state.max_error_us;
  timex.estimated_error = state.estimated_error_us;
  timex.status = state.status;
  timex.constant = state.constant;
  timex.precision = 1;
  timex.tolerance = 500 << 16;
  std::uint64_t now = core::realtime_ns();
  timex.seconds = static_cast<std::int64_t>(now / nanoseconds_per_second);
  timex.microseconds = static_cast<std::int64_t>(now % nanoseconds_per_second / (nano ? 1 : 1000));
  timex.tick = state.tick_us;
  timex.tai = state.tai_offset_s;
  TRY(buffer.write(timex));
  return state.status & sta_unsync ? time_error : 0;
}

Result<long> sys_clock_adjtime(Context& context, ClockId clock, UserInOut<Timex> buffer) {
  if (clock != ClockId::realtime) return error(Errno::eopnotsupp);
  return sys_adjtimex(context, buffer);
}

}  // namespace linux_abi
