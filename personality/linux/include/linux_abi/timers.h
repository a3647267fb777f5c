// Timers of a process that end in signals: setitimer(2), timer_create(2), RLIMIT_CPU.
//
// Timers on wall clocks are core::Timers whose callback (in a timer thread) sends the signal. Timers on CPU
// time have no clock that could interrupt: while one is armed, a core::Timer comes back at the earliest
// moment it could have expired and looks at the time used.
//
// Locking: Timers::lock protects everything in it; it is taken before signal_lock. A Timers is made with the
// first timer and lives as long as its Process.
#pragma once

#include "base/vector.h"
#include "core/sync/mutex.h"
#include "core/time/timer.h"
#include "linux_abi/abi/time.h"
#include "linux_abi/process.h"
#include "linux_abi/signal_state.h"

namespace linux_abi {

struct TimerSetting {
  std::uint64_t value_ns = 0;     // until the next expiry; 0: not armed
  std::uint64_t interval_ns = 0;  // afterwards; 0: once
};

class PosixTimer : public base::RefCounted<PosixTimer> {
 public:
  PosixTimer(Process& process, int id, ClockId clock);
  ~PosixTimer();

  // Its signal left the queue: the overrun count since is reported, and a periodic timer goes on.
  void signal_taken(SigInfo& info);

  // With Timers::lock held:
  TimerSetting setting_locked() const;
  // `value_ns` relative; 0 disarms.
  void arm_locked(TimerSetting setting);
  bool is_cpu_clock() const { return clock == ClockId::process_cpu || clock == ClockId::thread_cpu; }
  std::uint64_t cpu_time_ns() const;
  // The time has come: sends the signal, advances the period.
  void expire_locked(std::uint64_t now_ns);

  Process& process;
  const int id;
  const ClockId clock;
  SigEvent event;
  RefPtr<Task> thread;  // SIGEV_THREAD_ID, and the owner for a thread CPU clock
  QueuedSignal entry;
  std::uint64_t deadline_ns = 0;  // monotonic, or CPU time; 0: not armed
  std::uint64_t interval_ns = 0;
  std::uint64_t overruns = 0;  // since the signal in flight was sent
  std::int32_t last_overrun = 0;
  bool deleted = false;
  core::Timer timer;
};

class Timers {
 public:
  explicit Timers(Process& owner);
  ~Timers();

  core::Mutex lock{"process timers"};
  Process& process;
  // ITIMER_REAL
  core::Timer real_timer;
  std::uint64_t real_deadline_ns GUARDED_BY(lock) = 0, real_interval_ns GUARDED_BY(lock) = 0;
  // ITIMER_VIRTUAL, ITIMER_PROF: thresholds of CPU time
  struct CpuItimer {
    std::uint64_t threshold_ns = 0, interval_ns = 0;
  };
  CpuItimer virtual_timer GUARDED_BY(lock), profile_timer GUARDED_BY(lock);
  std::uint64_t cpu_limit_warned_s GUARDED_BY(lock) = 0;
  core::Timer cpu_check;
  base::Vector<RefPtr<PosixTimer>> posix GUARDED_BY(lock);
  int next_id GUARDED_BY(lock) = 0;

  void schedule_cpu_check_locked() REQUIRES(lock);
};

Result<Timers*> timers_of(Process& process);
// The process ends; no signal comes any more.
void stop_timers(Process& process);
void destroy_timers(Process& process);
// exec: POSIX timers go, interval timers stay.
void delete_posix_timers(Process& process);
// Work bit timers: a thread looks at the CPU-time thresholds.
void expire_cpu_timers(Task& task);
// RLIMIT_CPU was set.
void cpu_limit_changed(Process& process);

Result<TimerSetting> get_itimer(Process& process, ItimerKind kind);
// Gives the old setting.
Result<TimerSetting> set_itimer(Process& process, ItimerKind kind, TimerSetting setting);

}  // namespace linux_abi
