#include "syscalls/ipc/semaphore_set.h"

namespace linux_abi::ipc {

namespace {

constexpr std::int16_t flag_undo = 0x1000;

// What a process has to undo when it ends; made at its first SEM_UNDO.
class UndoList final : public ExitDuty {
 public:
  // The process's entry for the set, made if missing.
  static Result<Undo*> entry_for(Process& process, SemaphoreSet& set);
  void process_ends(Process& process) override;

 private:
  Result<Undo*> find_or_make(SemaphoreSet& set) EXCLUDES(lock_);
  core::Mutex lock_{"semaphore undo list"};
  base::IntrusiveList<Undo, &Undo::process_hook> entries_ GUARDED_BY(lock_);
};

Result<Undo*> UndoList::entry_for(Process& process, SemaphoreSet& set) {
  // One kind of duty exists, so what is there is ours.
  ExitDuty* duty = process.exit_duty.load(std::memory_order_acquire);
  if (!duty) {
    std::unique_ptr<UndoList> fresh(new (std::nothrow) UndoList);
    if (!fresh) return error(Errno::enomem);
    if (process.exit_duty.compare_exchange_strong(duty, fresh.get())) duty = fresh.release();
  }
  return static_cast<UndoList*>(duty)->find_or_make(set);
}

Result<Undo*> UndoList::find_or_make(SemaphoreSet& set) {
  core::MutexGuard guard{lock_};
  for (Undo& undo : entries_)
    if (undo.set.get() == &set) return &undo;
  std::unique_ptr<Undo> undo(new (std::nothrow) Undo);
  if (!undo) return error(Errno::enomem);
  TRY(undo->adjustments.try_resize(set.size()));
  undo->set = RefPtr<SemaphoreSet>(&set);
  set.add_undo(*undo);
  entries_.push_back(*undo);
  return undo.release();
}

void UndoList::process_ends(Process& process) {
  for (;;) {
    std::unique_ptr<Undo> undo;
    {
      core::MutexGuard guard{lock_};
      undo.reset(entries_.pop_front());
    }
    if (!undo) break;
    undo->set->apply_undo(*undo, process.id());
  }
  delete this;
}

}  // namespace

Result<RefPtr<SemaphoreSet>> SemaphoreSet::create(const vfs::Credentials& creator, std::uint32_t mode,
                                                  std::size_t count) {
  base::Vector<Semaphore> semaphores;
  TRY(semaphores.try_resize(count));
  return base::try_make_ref<SemaphoreSet>(creator, mode, std::move(semaphores));
}

void SemaphoreSet::add_undo(Undo& undo) {
  core::MutexGuard guard{lock_};
  undos_.push_back(undo);
}

Result<void> SemaphoreSet::check_there_locked() const {
  if (is_removed()) return error(Errno::eidrm);
  return {};
}

void SemaphoreSet::take_back_locked(std::span<const SemaphoreOperation> done) {
  for (const auto& operation : done)
    semaphores_[operation.number].value =
        static_cast<std::uint16_t>(semaphores_[operation.number].value - operation.amount);
}

// All of the operations or none.
Result<SemaphoreSet::Outcome> SemaphoreSet::attempt_locked(Waiter& waiter) {
  auto operations = waiter.operations;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto& operation = operations[i];
    int value = semaphores_[operation.number].value;
    int result = value + operation.amount;
    bool blocks = operation.amount == 0 ? value != 0 : result < 0;
    bool too_large = result > largest_value;
    if (!blocks && !too_large && (operation.flags & flag_undo)) {
      int adjustment = waiter.undo->adjustments[operation.number] - operation.amount;
      too_large = adjustment > largest_value || adjustment < -largest_value - 1;
    }
    if (blocks || too_large) {
      take_back_locked(operations.first(i));
      if (too_large) return error(Errno::erange);
      if (operation.flags & static_cast<std::int16_t>(flag_no_wait)) return error(Errno::eagain);
      waiter.blocked_at = i;
      return Outcome::would_block;
    }
    semaphores_[operation.number].value = static_cast<std::uint16_t>(result);
  }
  for (const auto& operation : operations) {
    semaphores_[operation.number].last_pid = waiter.pid;
    if (operation.flags & flag_undo) {
      std::int16_t& adjustment = waiter.undo->adjustments[operation.number];
      adjustment = static_cast<std::int16_t>(adjustment - operation.amount);
    }
  }
  operation_time.store(seconds_now());
  return Outcome::done;
}

// Values have changed: whoever can go on now does; that may let others go on.
void SemaphoreSet::serve_waiters_locked() {
  bool served = false;
  for (Waiter* waiter = waiting_.first(); waiter;) {
    Waiter* next = waiting_.next(*waiter);
    auto outcome = attempt_locked(*waiter);
    if (!outcome || *outcome == Outcome::done) {
      bool changed = false;
      if (outcome)
        for (const auto& operation : waiter->operations) changed |= operation.amount != 0;
      else
        waiter->result = error(outcome.error());
      waiter->finished = true;
      waiting_.remove(*waiter);
      served = true;
      if (changed) next = waiting_.first();
    }
    waiter = next;
  }
  if (served) queue_.wake_all();
}

Result<void> SemaphoreSet::operate(Process& process, std::span<const SemaphoreOperation> operations,
                                   core::Deadline deadline) {
  Waiter waiter;
  waiter.operations = operations;
  waiter.pid = process.id();
  for (const auto& operation : operations)
    if ((operation.flags & flag_undo) && !waiter.undo) waiter.undo = TRY(UndoList::entry_for(process, *this));
  core::MutexGuard guard{lock_};
  TRY(check_there_locked());
  if (TRY(attempt_locked(waiter)) == Outcome::done) {
    serve_waiters_locked();
    return {};
  }
  waiting_.push_back(waiter);
  auto ready = [&]() NO_THREAD_SAFETY_ANALYSIS { return waiter.finished || is_removed(); };
  auto waited = queue_.wait(guard, core::WaitMode::interruptible, ready, deadline);
  if (waiter.finished) return std::move(waiter.result);
  waiting_.remove(waiter);
  if (is_removed()) return error(Errno::eidrm);
  // semop(2) is never restarted after a handler.
  return error(!waited && waited.error() == Errno::etimedout ? Errno::eagain : Errno::interrupted_finally);
}

SemaphoreSet::Semaphore SemaphoreSet::value(std::size_t index) {
  core::MutexGuard guard{lock_};
  return semaphores_[index];
}

int SemaphoreSet::waiters(std::size_t index, Waiting kind) {
  int count = 0;
  core::MutexGuard guard{lock_};
  for (Waiter& waiter : waiting_) {
    const auto& operation = waiter.operations[waiter.blocked_at];
    count += operation.number == index && (operation.amount == 0) == (kind == Waiting::for_zero);
  }
  return count;
}

Result<void> SemaphoreSet::set(std::size_t index, std::uint16_t value, int pid) {
  core::MutexGuard guard{lock_};
  TRY(check_there_locked());
  for (UndoLinks& links : undos_) static_cast<Undo&>(links).adjustments[index] = 0;
  semaphores_[index] = {value, pid};
  change_time.store(seconds_now());
  serve_waiters_locked();
  return {};
}

Result<void> SemaphoreSet::get_all(std::span<std::uint16_t> out) {
  core::MutexGuard guard{lock_};
  TRY(check_there_locked());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = semaphores_[i].value;
  return {};
}

Result<void> SemaphoreSet::set_all(std::span<const std::uint16_t> values, int pid) {
  core::MutexGuard guard{lock_};
  TRY(check_there_locked());
  for (UndoLinks& links : undos_)
    for (std::int16_t& adjustment : static_cast<Undo&>(links).adjustments) adjustment = 0;
  for (std::size_t i = 0; i < values.size(); ++i) semaphores_[i] = {values[i], pid};
  change_time.store(seconds_now());
  serve_waiters_locked();
  return {};
}

void SemaphoreSet::wake_all() {
  // With the lock: who looked before the removal sleeps by now.
  core::MutexGuard guard{lock_};
  queue_.wake_all();
}

void SemaphoreSet::apply_undo(Undo& undo, int pid) {
  core::MutexGuard guard{lock_};
  undos_.remove(undo);
  if (is_removed()) return;
  bool changed = false;
  for (std::size_t i = 0; i < undo.adjustments.size(); ++i) {
    if (!undo.adjustments[i]) continue;
    int value = semaphores_[i].value + undo.adjustments[i];
    value = value < 0 ? 0 : value > largest_value ? largest_value : value;
    semaphores_[i] = {static_cast<std::uint16_t>(value), pid};
    changed = true;
  }
  if (!changed) return;
  operation_time.store(seconds_now());
  serve_waiters_locked();
}

}  // namespace linux_abi::ipc
