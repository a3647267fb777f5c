// Many readers or one writer; sleeping.
//
//   RwMutex lock_{"mount tree"};
//   ReadGuard guard{lock_};    WriteGuard guard{lock_};
//
// A waiting writer stops new readers, so writers do not starve. The writer inherits the urgency of the
// readers and writers that wait for it; readers inside inherit nothing (they are not known), which is why
// what must be bounded takes Mutex or RCU. Thread context only. Not recursive, neither for readers: a writer
// may be waiting in between. A free lock costs one atomic operation each way.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "core/sync/lockdep.h"
#include "core/sync/pi_lock.h"

namespace core {

class CAPABILITY("rw mutex") RwMutex {
 public:
  constexpr RwMutex(const char* name = nullptr, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE())
      : lock_class_(name, file, line), writer_("RwMutex waiters", nullptr, 0) {}
  RwMutex(const RwMutex&) = delete;
  RwMutex& operator=(const RwMutex&) = delete;

  bool is_write_held_by_current() const { return writer_.is_owned_by_current(); }

 private:
  friend class ReadGuard;
  friend class WriteGuard;
  friend class ReadTryGuard;
  friend class WriteTryGuard;
  // readers_ counts the readers inside; open is added while no writer is in or waits at the door.
  static constexpr std::int32_t open = 1 << 30;

  INLINE_GUARD void lock_read(LockNesting nesting) {
    lockdep_acquire(lock_class_, this, LockKind::read_write_read, LockAttempt::blocking, nesting);
    enter_read();
  }
  INLINE_GUARD bool try_lock_read() {
    if (!try_enter_read()) return false;
    lockdep_acquire(lock_class_, this, LockKind::read_write_read, LockAttempt::try_only, LockNesting::normal);
    return true;
  }
  INLINE_GUARD void lock_write(LockNesting nesting) {
    lockdep_acquire(lock_class_, this, LockKind::read_write_write, LockAttempt::blocking, nesting);
    enter_write();
  }
  INLINE_GUARD bool try_lock_write() {
    if (!try_enter_write()) return false;
    lockdep_acquire(lock_class_, this, LockKind::read_write_write, LockAttempt::try_only,
                    LockNesting::normal);
    return true;
  }
  void unlock_read();
  void unlock_write();
  void enter_read();
  bool try_enter_read();
  void enter_write();
  bool try_enter_write();
  void downgrade();
  void lock_read_slow();
  void unlock_read_slow();

  [[no_unique_address]] LockClass lock_class_;
  std::atomic<std::int32_t> readers_{open};
  std::atomic<Thread*> draining_{nullptr};  // the writer that waits for the last reader
  PiLock writer_;  // held by the writer; readers that find the door closed queue here
};

class SCOPED_CAPABILITY [[nodiscard]] ReadGuard {
 public:
  INLINE_GUARD explicit ReadGuard(RwMutex& mutex, LockNesting nesting = LockNesting::normal)
      ACQUIRE_SHARED(mutex)
      : mutex_(mutex) {
    mutex.lock_read(nesting);
  }
  ~ReadGuard() RELEASE() { mutex_.unlock_read(); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  RwMutex& mutex_;
};

class SCOPED_CAPABILITY [[nodiscard]] WriteGuard {
 public:
  INLINE_GUARD explicit WriteGuard(RwMutex& mutex, LockNesting nesting = LockNesting::normal) ACQUIRE(mutex)
      : mutex_(mutex) {
    mutex.lock_write(nesting);
  }
  ~WriteGuard() RELEASE() { mutex_.unlock_write(); }
  WriteGuard(const WriteGuard&) = delete;
  WriteGuard& operator=(const WriteGuard&) = delete;

 private:
  RwMutex& mutex_;
};

// As MutexTryGuard: test before use.
class SCOPED_CAPABILITY [[nodiscard]] ReadTryGuard {
 public:
  INLINE_GUARD explicit ReadTryGuard(RwMutex& mutex) ACQUIRE_SHARED(mutex)
      : mutex_(mutex), held_(mutex.try_lock_read()) {}
  ~ReadTryGuard() RELEASE() {
    if (held_) mutex_.unlock_read();
  }
  ReadTryGuard(const ReadTryGuard&) = delete;
  explicit operator bool() const { return held_; }

 private:
  RwMutex& mutex_;
  bool held_;
};

class SCOPED_CAPABILITY [[nodiscard]] WriteTryGuard {
 public:
  INLINE_GUARD explicit WriteTryGuard(RwMutex& mutex) ACQUIRE(mutex)
      : mutex_(mutex), held_(mutex.try_lock_write()) {}
  ~WriteTryGuard() RELEASE() {
    if (held_) mutex_.unlock_write();
  }
  WriteTryGuard(const WriteTryGuard&) = delete;
  explicit operator bool() const { return held_; }

 private:
  RwMutex& mutex_;
  bool held_;
};

}  // namespace core
