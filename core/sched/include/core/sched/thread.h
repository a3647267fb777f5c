// A thread of the kernel: what the scheduler runs. A thread of a Linux process is one of these whose entry
// function is the personality's loop around arch::enter_user().
//
//   RefPtr<Thread> thread = TRY(Thread::create("worker", entry, argument, SchedulingParameters::fifo(50)));
//   thread->start();
//
//   new --start()--> runnable <--> running --exit()--> dead
//                        ^            |
//                        +-- wake() --+-- sleep: asleep
//
// A thread ends by returning from its entry or by Thread::exit(); it keeps itself alive until then, so the
// creator may drop its reference at once. Its memory and stack are freed by RCU after it is off its CPU and
// the last reference is gone: whoever finds a Thread* under RCU may look at it, and keep it with
// RefPtr::try_acquire.
//
// Members: "own" = only the thread itself, while running; "run queue" = the lock of the run queue that the
// thread is on.
#pragma once

#include <arch/context.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ref.h"
#include "base/result.h"
#include "core/sched/parameters.h"
#include "core/sched/scheduling_entity.h"
#include "core/sync/blocking.h"
#include "core/sync/cpu_mask.h"
#include "core/sync/rcu.h"
#include "core/sync/thread_base.h"
#include "core/time/timer.h"

namespace core {

class AddressSpace;
class RunQueue;
class Scheduler;

// As /proc shows it.
enum class RunState : std::uint8_t {
  created,
  runnable,
  asleep_interruptible,
  asleep_uninterruptible,
  stopped,
  dead
};

class Thread final : public ThreadBase, public base::RefCounted<Thread> {
 public:
  using Entry = void (*)(void* argument);
  static constexpr std::size_t name_capacity = 16;  // with the final zero, as TASK_COMM_LEN

  static base::Result<base::RefPtr<Thread>> create(std::string_view name, Entry entry, void* argument,
                                                   const SchedulingParameters& parameters = {});
  // Once, by the creator. The thread may run before start() returns.
  void start();
  // A thread that turns out not to be needed is never started: drop the RefPtr.

  static Thread& current() { return *arch::current_thread(); }
  // Ends the calling thread. No locks held, not in an RCU reader.
  [[noreturn]] static void exit();

  // --- Name. set_name truncates; name() may be called by anyone and is never torn across calls of set_name
  // by itself.
  void set_name(std::string_view name);
  std::array<char, name_capacity> name() const;

  // --- Waiting and interruption.
  // What a wait of this thread gives up for (deadline.h). Raising the level wakes a wait that admits it.
  void set_interrupted(InterruptLevel level);
  InterruptLevel interrupt_level() const { return interrupt_level_.load(); }
  bool interrupted(WaitMode mode) const { return interrupts_wait(interrupt_level(), mode); }
  // Ends an interruptible wait now without raising anything (SIGCONT, freezer): it returns EINTR or looks
  // again.
  void wake_if_waiting_interruptibly();
  RunState state() const;

  // --- Where and how it runs. Any thread may call these on any other. The setters do not check privileges.
  SchedulingParameters parameters() const;
  base::Result<void> set_parameters(
      const SchedulingParameters& parameters);  // EINVAL, EBUSY (deadline admission)
  CpuMask affinity() const;
  base::Result<void> set_affinity(
      const CpuMask& mask);  // EINVAL: no online CPU in it. Moves a running thread too.
  unsigned last_cpu() const { return cpu_.load(std::memory_order_relaxed); }
  int nice() const { return parameters().nice; }
  // What /proc/PID/stat calls priority, and rt_priority.
  int proc_priority() const;

  // --- Memory. The thread itself: the user half it runs in. Takes a reference; null for kernel threads.
  void set_address_space(base::RefPtr<AddressSpace> space);
  // Other threads may read ThreadBase::address_space only when the personality keeps it alive for them.

  // --- Accounting, nanoseconds. Current also for a running thread (as of now).
  std::uint64_t user_ns() const;
  std::uint64_t system_ns() const;
  std::uint64_t runtime_ns() const;  // user + system (CLOCK_THREAD_CPUTIME_ID)
  std::uint64_t wait_ns() const;     // runnable but not running (schedstat)
  // How often the thread left its CPU; while it could have gone on, and to sleep.
  std::uint64_t switches() const { return switches_.load(std::memory_order_relaxed); }
  std::uint64_t involuntary_switches() const { return involuntary_switches_.load(std::memory_order_relaxed); }
  std::uint64_t voluntary_switches() const {
    std::uint64_t involuntary = involuntary_switches(), all = switches();
    return all > involuntary ? all - involuntary : 0;
  }
  std::uint64_t start_time_ns() const { return start_time_ns_; }
  // Called by the personality around arch::enter_user(), on the thread itself: the time between is user time.
  void account_user_enter();
  void account_user_leave();
  // From now on `bits` are set in `word` whenever the thread is switched away from, and enter_user() does not
  // go on without returning once more after a preemption: so the thread learns before it is in user mode that
  // its CPU may be another one. Null ends it. By the thread itself, or its creator before start(); the word
  // must outlive the thread or be taken back.
  void note_switches(std::atomic<std::uint32_t>* word, std::uint32_t bits) {
    switch_bits_ = bits;
    switch_word_ = word;
  }

  // --- The owner's.
  void* personality = nullptr;  // its Task; null for kernel threads. Set before start().
  arch::ThreadState arch_state;
  void* stack_bottom() const { return stack_bottom_; }
  std::size_t stack_size() const { return stack_size_; }

 private:
  friend class base::RefCounted<Thread>;
  friend class Scheduler;
  friend class RunQueue;
  friend struct ThreadAccess;  // the sources of core/sched

  Thread() = default;
  ~Thread() = default;
  void last_reference_dropped();

  RcuHead rcu_head_;
  void* stack_bottom_ = nullptr;  // immutable after creation
  std::size_t stack_size_ = 0;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;

  std::array<std::atomic<char>, name_capacity> name_{};

  // Sleeping: see blocking.h. Written by the thread; cleared by whoever wakes it.
  enum class Sleep : std::uint8_t { awake, uninterruptible, killable, interruptible };
  std::atomic<Sleep> sleep_{Sleep::awake};
  std::atomic<InterruptLevel> interrupt_level_{InterruptLevel::none};
  std::atomic<bool> dead_{false};
  bool started_ = false;

  // Run queue.
  SchedulingEntity entity_;
  std::atomic<std::uint32_t> cpu_{0};  // whose run queue; changes with that queue's lock held
  // off: asleep, nobody's. moving: some CPU is taking it from one run queue to another. queued: runnable or
  // running.
  enum class QueueState : std::uint8_t { off, moving, queued };
  std::atomic<QueueState> queue_state_{QueueState::off};
  bool counted_uninterruptible_ = false;  // by the queue on which it went to sleep
  std::atomic<bool> on_cpu_{false};       // its stack is in use; cleared by the successor after the switch
  unsigned saved_preempt_count_ = 0;

  mutable SpinLock parameters_lock_{"Thread::parameters"};
  SchedulingParameters parameters_ GUARDED_BY(parameters_lock_);
  // Run queue (not parameters_lock_: whoever places a thread holds the queue's lock, often in an interrupt).
  CpuMask affinity_ = CpuMask::all();

  // Accounting; written by the thread's own CPU, read by anyone.
  // User time in units of the raw counter. While the thread is in user mode this is the sum before less the
  // counter when it entered, which is negative because the counter is older than any thread: one word tells
  // both, and the way in and the way out are a subtraction and an addition.
  std::atomic<std::int64_t> user_ticks_{0};
  bool user_clock_paused_ = false;        // switched away on its way to user mode; run queue
  std::int64_t user_ticks_charged_ = 0;   // how much of user_ticks_ the CPU's figures have; run queue
  std::atomic<std::uint64_t> run_ns_{0};  // up to the last switch away
  std::atomic<std::uint64_t> switched_in_at_ns_{0};  // 0: not running
  std::atomic<std::uint64_t> wait_ns_{0};
  std::uint64_t runnable_since_ns_ = 0;
  std::atomic<std::uint32_t>* switch_word_ = nullptr;
  std::uint32_t switch_bits_ = 0;
  std::atomic<std::uint64_t> switches_{0};
  std::atomic<std::uint64_t> involuntary_switches_{0};
  std::uint64_t start_time_ns_ = 0;
};

static_assert(std::is_base_of_v<ThreadBase, Thread>);

}  // namespace core
