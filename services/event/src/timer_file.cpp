#include "event/timer_file.h"

#include "core/init/init_step.h"
#include "core/memory/io_buffer.h"
#include "core/memory/user_pointer.h"
#include "core/time/clock.h"

namespace event {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using core::Deadline;
using core::MutexGuard;

// The timers on CLOCK_REALTIME, which hear of jumps of that clock. Its lock comes before a timer's.
class ClockSetWatch {
 public:
  void add(TimerFile& timer) {
    MutexGuard guard{lock_};
    if (!timer.watch_hook_.is_linked()) timers_.push_back(timer);
  }
  void remove(TimerFile& timer) {
    MutexGuard guard{lock_};
    if (timer.watch_hook_.is_linked()) timers_.remove(timer);
  }
  void clock_was_set() {
    MutexGuard guard{lock_};
    for (TimerFile& timer : timers_) timer.clock_was_set();
  }

 private:
  core::Mutex lock_{"timerfd clock watch"};
  base::IntrusiveList<TimerFile, TimerFile::watch_hook> timers_ GUARDED_BY(lock_);
};

namespace {

ClockSetWatch& clock_set_watch() {
  [[clang::no_destroy]] static constinit ClockSetWatch watch;
  return watch;
}

Result<void> watch_clock() {
  core::add_clock_set_listener([] { clock_set_watch().clock_was_set(); });
  return {};
}
INIT_STEP timer_file_step{"event.timerfd", {"threads"}, watch_clock, {"personality"}};

constexpr unsigned tfd_ioc_set_ticks = 0x40085400;

}  // namespace

TimerFile::TimerFile(TimerClock clock) : File(no_wait_capable), clock_(clock) {}
TimerFile::~TimerFile() = default;

Result<RefPtr<TimerFile>> TimerFile::create(TimerClock clock, vfs::OpenFlags flags,
                                            RefPtr<const vfs::Credentials> credentials) {
  auto file = TRY(base::try_make_ref<TimerFile>(clock));
  file->attach(TRY(vfs::anonymous_path("[timerfd]")), vfs::open_read_write | flags, std::move(credentials));
  return file;
}

void TimerFile::release() {
  clock_set_watch().remove(*this);
  timer_.cancel();
}

std::uint64_t TimerFile::now_locked() const {
  if (absolute_realtime_) return core::realtime_ns();
  if (clock_ == TimerClock::boot || clock_ == TimerClock::boot_alarm) return core::boot_ns();
  return core::monotonic_ns();
}

void TimerFile::start_locked() {
  std::uint64_t now = now_locked();
  timer_.start(Deadline::after(expiry_ns_ > now ? expiry_ns_ - now : 0));
}

void TimerFile::expired(core::Timer& timer) {
  auto& self = *base::container_of(&timer, &TimerFile::timer_);
  {
    MutexGuard guard{self.lock_};
    if (self.expiry_ns_ == 0 || self.stopped_) return;
    if (self.now_locked() < self.expiry_ns_)
      return self.start_locked();  // set anew, or the clock was set back
    self.ticks_ = 1;
    self.stopped_ = true;
    if (self.interval_ns_ == 0) self.expiry_ns_ = 0;
  }
  self.queue_.wake_all(vfs::poll_in);
}

// Counts what a stopped periodic timer has missed and starts it for the next time.
void TimerFile::catch_up_locked() {
  if (!stopped_ || interval_ns_ == 0) return;
  std::uint64_t now = now_locked();
  std::uint64_t passed = now > expiry_ns_ ? (now - expiry_ns_) / interval_ns_ : 0;
  ticks_ += passed;
  expiry_ns_ += (passed + 1) * interval_ns_;
  stopped_ = false;
  start_locked();
}

TimerSetting TimerFile::current_locked() {
  catch_up_locked();
  if (expiry_ns_ == 0) return {0, interval_ns_};
  std::uint64_t now = now_locked();
  return {expiry_ns_ > now ? expiry_ns_ - now : 1, interval_ns_};
}

TimerSetting TimerFile::set(const TimerSetting& setting, Start start, OnClockSet on_clock_set) {
  bool absolute = start == Start::absolute;
  if (on_realtime() && absolute)
    clock_set_watch().add(*this);
  else
    clock_set_watch().remove(*this);
  MutexGuard guard{lock_};
  TimerSetting before = current_locked();
  timer_.cancel_async();
  absolute_realtime_ = on_realtime() && absolute;
  cancel_on_set_ = absolute_realtime_ && on_clock_set == OnClockSet::cancel;
  canceled_ = false;
  ticks_ = 0;
  stopped_ = false;
  interval_ns_ = setting.interval_ns;
  expiry_ns_ = 0;
  if (setting.value_ns) {
    std::uint64_t from = absolute ? 0 : now_locked();
    if (__builtin_add_overflow(from, setting.value_ns, &expiry_ns_)) expiry_ns_ = ~std::uint64_t{0};
    start_locked();
  }
  return before;
}

TimerSetting TimerFile::get() {
  MutexGuard guard{lock_};
  return current_locked();
}

void TimerFile::clock_was_set() {
  {
    MutexGuard guard{lock_};
    if (!absolute_realtime_) return;
    if (expiry_ns_ && !stopped_) start_locked();
    if (!cancel_on_set_) return;
    canceled_ = true;
  }
  queue_.wake_all(vfs::poll_in);
}

Result<std::size_t> TimerFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  if (buffer.remaining() < sizeof(std::uint64_t)) return error(Errno::einval);
  std::uint64_t ticks;
  {
    MutexGuard guard{lock_};
    auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return ticks_ > 0 || canceled_; };
    if (!ready()) {
      if (is_non_blocking() || (io_flags & vfs::io_no_wait)) return error(Errno::eagain);
      TRY(queue_.wait(guard, core::WaitMode::interruptible, ready));
    }
    if (canceled_) {
      canceled_ = false;
      ticks_ = 0;
      return error(Errno::ecanceled);
    }
    catch_up_locked();
    ticks = std::exchange(ticks_, 0);
  }
  if (!buffer.put(ticks)) return error(Errno::efault);
  return sizeof(ticks);
}

vfs::PollEvents TimerFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(queue_);
  MutexGuard guard{lock_};
  return ticks_ > 0 || canceled_ ? vfs::poll_in : 0;
}

Result<long> TimerFile::ioctl(unsigned command, std::uintptr_t argument) {
  if (command != tfd_ioc_set_ticks) return error(Errno::enotty);
  std::uint64_t ticks = TRY(core::UserIn<std::uint64_t>(argument).read());
  if (ticks == 0) return error(Errno::einval);
  {
    MutexGuard guard{lock_};
    if (canceled_) return error(Errno::ecanceled);
    ticks_ = ticks;
  }
  queue_.wake_all(vfs::poll_in);
  return 0;
}

void TimerFile::put_fdinfo(base::TextSink& out) {
  MutexGuard guard{lock_};
  TimerSetting setting = current_locked();
  base::format(out,
               "clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: ({}, {})\nit_interval: ({}, {})\n",
               clock_, ticks_, (absolute_realtime_ ? 1 : 0) | (cancel_on_set_ ? 2 : 0),
               setting.value_ns / core::ns_per_second, setting.value_ns % core::ns_per_second,
               setting.interval_ns / core::ns_per_second, setting.interval_ns % core::ns_per_second);
}

}  // namespace event
