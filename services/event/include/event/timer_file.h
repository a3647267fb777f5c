// timerfd_create(2): a timer that is read as a file.
//
// A periodic timer that nobody reads does not run on: it fires once, and the expirations since then are
// counted, and the next one started, when somebody reads or asks for the time left. So an interval of a
// nanosecond costs nothing.
//
// Locking: lock_ protects the settings and the count; the timer's callback takes it in the timer thread. A
// callback that was already on its way when the timer was set anew sees that its time has not come and does
// nothing.
#pragma once

#include <cstdint>

#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "core/time/timer.h"
#include "vfs/file.h"

namespace event {

enum class TimerClock { realtime = 0, monotonic = 1, boot = 7, realtime_alarm = 8, boot_alarm = 9 };

// struct itimerspec, in nanoseconds.
struct TimerSetting {
  std::uint64_t value_ns = 0;     // 0: disarmed
  std::uint64_t interval_ns = 0;  // 0: once
};

class TimerFile final : public vfs::File {
 public:
  static base::Result<base::RefPtr<TimerFile>> create(TimerClock clock, vfs::OpenFlags flags,
                                                      base::RefPtr<const vfs::Credentials> credentials);
  explicit TimerFile(TimerClock clock);
  ~TimerFile() override;

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }

  enum class Start { relative, absolute };
  enum class OnClockSet { ignore, cancel };  // TFD_TIMER_CANCEL_ON_SET
  // Returns the setting before.
  TimerSetting set(const TimerSetting& setting, Start start, OnClockSet on_clock_set) EXCLUDES(lock_);
  TimerSetting get() EXCLUDES(lock_);

  base::Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset,
                                    vfs::IoFlags io_flags) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  base::Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  void put_fdinfo(base::TextSink& out) override;
  void release() override;

 private:
  friend class ClockSetWatch;
  static void expired(core::Timer& timer);
  void clock_was_set() EXCLUDES(lock_);
  bool on_realtime() const { return clock_ == TimerClock::realtime || clock_ == TimerClock::realtime_alarm; }
  std::uint64_t now_locked() const REQUIRES(lock_);
  void start_locked() REQUIRES(lock_);
  void catch_up_locked() REQUIRES(lock_);
  TimerSetting current_locked() REQUIRES(lock_);

  const TimerClock clock_;
  core::Mutex lock_{"timerfd"};
  core::WaitQueue queue_{"timerfd readers"};
  core::Timer timer_{expired};
  // Protected by lock_:
  std::uint64_t expiry_ns_ GUARDED_BY(lock_) =
      0;  // of the next expiration, on monotonic_base's clock; 0: disarmed
  std::uint64_t interval_ns_ GUARDED_BY(lock_) = 0;
  std::uint64_t ticks_ GUARDED_BY(lock_) = 0;         // expirations not read yet
  bool stopped_ GUARDED_BY(lock_) = false;            // fired; the periodic timer waits for a reader
  bool absolute_realtime_ GUARDED_BY(lock_) = false;  // expiry_ns_ is on CLOCK_REALTIME and moves with it
  bool cancel_on_set_ GUARDED_BY(lock_) = false;
  bool canceled_ GUARDED_BY(lock_) = false;
  base::ListHook watch_hook_;  // of those that care about clock sets; its list's lock

 public:
  // For the list in timer_file.cpp.
  static constexpr auto watch_hook = &TimerFile::watch_hook_;
};

}  // namespace event
