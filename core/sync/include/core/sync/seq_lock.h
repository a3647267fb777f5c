// Data that is read often, without writing to shared memory, and changed rarely.
//
//   SeqLock lock_;                                   // writers exclude each other
//   { SeqWriteGuard guard{lock_}; a_ = 1; b_ = 2; }
//   do { seq = lock_.read_begin(); x = a_; y = b_; } while (lock_.read_retry(seq));
//
// What is read inside the loop may be torn, so it is copied into locals and used after the loop only. Fields
// are plain machine words or std::atomic with relaxed accesses; no pointers are followed inside (use RCU).
// Writers hold a raw spin lock with interrupts off: a reader, also one in an interrupt handler, waits for a
// few instructions at most.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/sync/spin_lock.h"

namespace core {

// The counter alone, for data whose writers are serialised by something else; their preemption must be off.
class SeqCounter {
 public:
  std::uint32_t read_begin() const {
    std::uint32_t sequence;
    // acquire: the reads of the data come after this.
    while ((sequence = sequence_.load(std::memory_order_acquire)) & 1) arch::relax();
    return sequence;
  }
  [[nodiscard]] bool read_retry(std::uint32_t sequence) const {
    // The fence keeps the data's reads from passing the second look at the counter; relaxed then suffices.
    std::atomic_thread_fence(std::memory_order_acquire);
    return sequence_.load(std::memory_order_relaxed) != sequence;
  }
  void write_begin() {
    // relaxed: the only writer. The fence keeps the data's writes from passing the odd value.
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  void write_end() {
    // release: the data's writes come before the even value.
    sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> sequence_{0};
};

class CAPABILITY("sequence lock") SeqLock {
 public:
  constexpr SeqLock(const char* name = nullptr, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE())
      : lock_(name, file, line) {}
  std::uint32_t read_begin() const { return counter_.read_begin(); }
  [[nodiscard]] bool read_retry(std::uint32_t sequence) const { return counter_.read_retry(sequence); }

 private:
  friend class SeqWriteGuard;
  SpinLock lock_;
  SeqCounter counter_;
};

class SCOPED_CAPABILITY [[nodiscard]] SeqWriteGuard {
 public:
  explicit SeqWriteGuard(SeqLock& lock) ACQUIRE(lock) : lock_(lock), guard_(lock.lock_) {
    lock_.counter_.write_begin();
  }
  ~SeqWriteGuard() RELEASE() { lock_.counter_.write_end(); }

 private:
  SeqLock& lock_;
  SpinGuard<IrqSave> guard_;
};

}  // namespace core
