// Reference counting.
//
//   class Thing : public RefCounted<Thing> { ... };
//   RefPtr<Thing> thing = TRY(try_make_ref<Thing>(arguments));
//
// The last RefPtr to go calls Thing::last_reference_dropped() if Thing has that member (it then owns the
// object, and may for example hand it to RCU), else deletes it. An object found without holding a reference
// (under RCU or a lock) may be on its way out: take it with RefPtr<Thing>::try_acquire(pointer), which fails
// once the count has reached zero.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/result.h"

namespace base {

template <typename T>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  // relaxed: a new reference is made from an existing one, which already orders everything.
  void acquire_reference() const {
    [[maybe_unused]] auto old = references_.fetch_add(1, std::memory_order_relaxed);
    debug_verify(old != 0 && old < 0x80000000u, "reference taken on a dead object");
  }
  [[nodiscard]] bool try_acquire_reference() const {
    auto old = references_.load(std::memory_order_relaxed);
    do {
      if (old == 0) return false;
      // acquire: what the last writer did to the object before it was published is visible.
    } while (!references_.compare_exchange_weak(old, old + 1, std::memory_order_acquire,
                                                std::memory_order_relaxed));
    return true;
  }
  void release_reference() const {
    // release: our use of the object happens before its destruction; acquire below: in whoever destroys it.
    if (references_.fetch_sub(1, std::memory_order_release) != 1) return;
    std::atomic_thread_fence(std::memory_order_acquire);
    auto* self = const_cast<T*>(static_cast<const T*>(this));
    if constexpr (requires { self->last_reference_dropped(); })
      self->last_reference_dropped();
    else
      delete self;
  }
  // A hint for statistics and tests; stale as soon as it is returned.
  std::uint32_t reference_count() const { return references_.load(std::memory_order_relaxed); }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<std::uint32_t> references_{1};
};

template <typename T>
class RefPtr {
 public:
  constexpr RefPtr() = default;
  constexpr RefPtr(std::nullptr_t) {}
  // Shares: takes a reference of its own.
  explicit RefPtr(T* object) : object_(object) {
    if (object_) object_->acquire_reference();
  }
  RefPtr(const RefPtr& other) : RefPtr(other.object_) {}
  RefPtr(RefPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  RefPtr(const RefPtr<U>& other) : RefPtr(static_cast<T*>(other.get())) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  RefPtr(RefPtr<U>&& other) noexcept : object_(other.leak()) {}
  ~RefPtr() {
    if (object_) object_->release_reference();
  }
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  // Takes over a reference that the caller owned.
  static RefPtr adopt(T* object) {
    RefPtr result;
    result.object_ = object;
    return result;
  }
  // Null when the object is already being destroyed (or is null).
  static RefPtr try_acquire(T* object) {
    return object && object->try_acquire_reference() ? adopt(object) : RefPtr{};
  }
  // Gives the reference to the caller, who must release it.
  [[nodiscard]] T* leak() { return std::exchange(object_, nullptr); }

  T* get() const { return object_; }
  T* operator->() const {
    debug_verify(object_, "null RefPtr");
    return object_;
  }
  T& operator*() const {
    debug_verify(object_, "null RefPtr");
    return *object_;
  }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const RefPtr& other) const { return object_ == other.object_; }
  bool operator==(const T* other) const { return object_ == other; }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Arguments>
Result<RefPtr<T>> try_make_ref(Arguments&&... arguments) {
  T* object = new (std::nothrow) T(std::forward<Arguments>(arguments)...);
  if (!object) return error(Errno::enomem);
  return RefPtr<T>::adopt(object);
}

template <typename T, typename... Arguments>
Result<std::unique_ptr<T>> try_make_unique(Arguments&&... arguments) {
  T* object = new (std::nothrow) T(std::forward<Arguments>(arguments)...);
  if (!object) return error(Errno::enomem);
  return std::unique_ptr<T>(object);
}

}  // namespace base
