// What lockdep knows a lock by. All locks that one declaration makes form one class: `SpinLock
// lock_{"inode"}` in a class Inode is one class however many inodes there are. Without a name the place of
// the declaration is the name; note that all unnamed locks of one C++ class share a place (the compiler
// reports the constructor's), so a class that holds two of them together names them.
//
// Release builds carry nothing of this: LockClass is empty there.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"

// Lock guards are inlined in debug builds, so that lockdep sees where they stand.
#if NOS_DEBUG
#define INLINE_GUARD [[gnu::always_inline]]
#else
#define INLINE_GUARD
#endif

namespace core {

// Which of several locks of one class held together: a parent is taken before its child, a first before a
// second. Locks of one `chain` are taken in an order that something else keeps free of circles: lockdep looks
// at their order with other classes only.
enum class LockNesting : std::uint8_t {
  normal = 0,
  child = 1,
  grandchild = 2,
  great_grandchild = 3,
  chain = 4
};
inline constexpr unsigned lock_nesting_levels = 4;

#if NOS_DEBUG
class LockClass {
 public:
  constexpr LockClass(const char* name, const char* file, int line) : name_(name), file_(file), line_(line) {}
  const char* name() const { return name_; }
  const char* file() const { return file_; }
  int line() const { return line_; }
  // Number in lockdep's table, 0 before the first use.
  std::atomic<std::uint16_t>& number() const { return number_; }

 private:
  const char* name_;
  const char* file_;
  int line_;
  mutable std::atomic<std::uint16_t> number_{0};
};
#else
class LockClass {
 public:
  constexpr LockClass(const char*, const char*, int) {}
};
#endif

}  // namespace core
