// Many readers or one writer; sleeping.
//
//   RwMutex lock_{"mount tree"};
//   ReadGuard guard{lock_};    WriteGuard guard{lock_};
//
// A waiting writer stops new readers, so writers do not starve. The writer inherits the urgency of the readers and
// writers that wait for it; readers inside inherit nothing (they are not known), which is why what must be bounded takes
// Mutex or RCU. Thread context only. Not recursive, neither for readers: a writer may be waiting in between. A free lock
// costs one atomic operation each way.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"
#include "core/sync/lockdep.h"
#include "core/sync/pi_lock.h"

namespace core {

class CAPABILITY("rw mutex") RwMutex {
 public:
  constexpr RwMutex(const char* name = nullptr, const char* file = __builtin_FILE(), int line = __builtin_LINE())
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

  void lock_read(LockNesting nesting, const void* place);
  bool try_lock_read(const void* place);
  void unlock_read();
  void lock_write(LockNesting nesting, const void* place);
  bool try_lock_write(const void* place);
  void unlock_write();
  void downgrade();
  void lock_read_slow();
  void unlock_read_slow();

  [[no_unique_address]] LockClass lock_class_;
  std::atomic<std::int32_t> readers_{open};
  std::atomic<Thread*> draining_{nullptr};  // the writer that waits for the last reader
  PiLock writer_;                           // held by the writer; readers that find the door closed queue here
};

class SCOPED_CAPABILITY [[nodiscard]] ReadGuard {
 public:
  explicit ReadGuard(RwMutex& mutex, LockNesting nesting = LockNesting::normal) ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex.lock_read(nesting, __builtin_return_address(0));
  }
  ~ReadGuard() RELEASE() { mutex_.unlock_read(); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  RwMutex& mutex_;
};

class SCOPED_CAPABILITY [[nodiscard]] WriteGuard {
 public:
  explicit WriteGuard(RwMutex& mutex, LockNesting nesting = LockNesting::normal) ACQUIRE(mutex) : mutex_(mutex) {
    mutex.lock_write(nesting, __builtin_return_address(0));
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
  explicit ReadTryGuard(RwMutex& mutex) ACQUIRE_SHARED(mutex)
      : mutex_(mutex), held_(mutex.try_lock_read(__builtin_return_address(0))) {}
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
  explicit WriteTryGuard(RwMutex& mutex) ACQUIRE(mutex)
      : mutex_(mutex), held_(mutex.try_lock_write(__builtin_return_address(0))) {}
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
