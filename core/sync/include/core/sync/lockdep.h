// Lock order checking (debug builds): finds a dead-lock that could happen, the first time each half of it is
// seen.
//
// Every acquisition adds edges "held class -> acquired class" to a graph. An edge that closes a cycle is
// reported once, with both paths: where the locks of this thread were taken, and where the opposite order was
// seen first. Raw spin locks also get the interrupt rules: a class taken inside a hard interrupt must never
// be held with interrupts on, and a sleeping lock is never taken where the thread may not sleep. After the
// first report lockdep falls silent (the rest would be echo); reports() says how many there were, for the
// tests.
//
// Called only by the lock classes of core/sync, whose guards are inlined into the function that takes the
// lock: the return address of lockdep_acquire is the place that a report names. The graph is updated without
// a lock of ours on the common path: an edge already known is a bit test.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/sync/lock_class.h"

namespace core {

enum class LockKind : std::uint8_t { spin, mutex, read_write_read, read_write_write };
enum class LockAttempt : std::uint8_t { blocking, try_only };

inline constexpr unsigned lockdep_depth = 24;

// One lock that a thread holds; a small stack of them lives in ThreadBase.
struct HeldLock {
  const void* lock = nullptr;
  const void* place = nullptr;  // where it was taken
  std::uint16_t key = 0;        // class and nesting level
  LockKind kind = LockKind::spin;
  bool interrupts_off = false;
};

struct HeldLocks {
#if NOS_DEBUG
  HeldLock entries[lockdep_depth];
  std::uint8_t count = 0;
  bool overflowed = false;
#endif
};

#if NOS_DEBUG
void lockdep_acquire(const LockClass& lock_class, const void* lock, LockKind kind, LockAttempt attempt,
                     LockNesting nesting);
// For spin locks, in the context in which they are held: the interrupt rules.
void lockdep_acquired_context(const LockClass& lock_class);
void lockdep_release(const void* lock);
bool lockdep_holds(const void* lock);
// Complains if the current thread holds any lock: on return to user space, at thread exit.
void lockdep_verify_nothing_held(const char* where);
unsigned lockdep_reports();
void lockdep_set_enabled(bool enabled);
// Host tests provoke reports on purpose.
void lockdep_reset_for_test();
#else
inline void lockdep_acquire(const LockClass&, const void*, LockKind, LockAttempt, LockNesting) {}
inline void lockdep_acquired_context(const LockClass&) {}
inline void lockdep_release(const void*) {}
inline void lockdep_verify_nothing_held(const char*) {}
inline unsigned lockdep_reports() { return 0; }
#endif

}  // namespace core
