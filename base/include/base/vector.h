// A growing array whose growth can fail.
//
//   Vector<int> values;
//   TRY(values.try_push_back(3));
//
// StaticVector<T, N> has room for N inside itself and fails with ENOSPC beyond that.
#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/bits.h"
#include "base/check.h"
#include "base/result.h"

namespace base {

template <typename T>
class Vector {
 public:
  Vector() = default;
  Vector(const Vector&) = delete;
  Vector& operator=(const Vector&) = delete;
  Vector(Vector&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Vector& operator=(Vector&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Vector() {
    clear();
    ::operator delete(static_cast<void*>(data_));
  }

  [[nodiscard]] Result<void> try_reserve(std::size_t capacity) {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    if (capacity <= capacity_) return {};
    auto bytes = checked_multiply(capacity, sizeof(T));
    if (!bytes) return error(Errno::enomem);
    T* larger = static_cast<T*>(::operator new(*bytes, std::nothrow));
    if (!larger) return error(Errno::enomem);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(larger + i, std::move(data_[i]));
      std::destroy_at(data_ + i);
    }
    ::operator delete(static_cast<void*>(data_));
    data_ = larger;
    capacity_ = capacity;
    return {};
  }
  template <typename... Arguments>
  [[nodiscard]] Result<void> try_emplace_back(Arguments&&... arguments) {
    if (size_ == capacity_) TRY(try_reserve(capacity_ ? capacity_ * 2 : 4));
    std::construct_at(data_ + size_, std::forward<Arguments>(arguments)...);
    ++size_;
    return {};
  }
  [[nodiscard]] Result<void> try_push_back(T value) { return try_emplace_back(std::move(value)); }
  [[nodiscard]] Result<void> try_resize(std::size_t size) {
    TRY(try_reserve(size));
    while (size_ > size) pop_back();
    if constexpr (std::is_trivially_default_constructible_v<T> && std::is_trivially_copyable_v<T>) {
      // All bits zero is what such a type begins with.
      if (size_ < size) std::memset(static_cast<void*>(data_ + size_), 0, (size - size_) * sizeof(T));
      size_ = size;
    } else {
      while (size_ < size) std::construct_at(data_ + size_++);
    }
    return {};
  }
  [[nodiscard]] Result<void> try_append(std::span<const T> values) {
    if (capacity_ - size_ < values.size()) {
      std::size_t wanted = size_ + values.size();
      TRY(try_reserve(wanted > capacity_ * 2 ? wanted : capacity_ * 2));
    }
    for (const T& value : values) std::construct_at(data_ + size_++, value);
    return {};
  }
  // Cannot fail: the caller reserved before.
  void push_back_reserved(T value) {
    verify(size_ < capacity_, "push_back_reserved without room");
    std::construct_at(data_ + size_++, std::move(value));
  }
  void pop_back() {
    verify(size_ > 0, "pop_back of an empty vector");
    std::destroy_at(data_ + --size_);
  }
  // Keeps the order.
  void erase(std::size_t index) {
    verify(index < size_, "erase past the end");
    for (std::size_t i = index + 1; i < size_; ++i) data_[i - 1] = std::move(data_[i]);
    pop_back();
  }
  void clear() {
    while (size_) pop_back();
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t index) {
    verify(index < size_, "index past the end");
    return data_[index];
  }
  const T& operator[](std::size_t index) const {
    verify(index < size_, "index past the end");
    return data_[index];
  }
  T& back() { return (*this)[size_ - 1]; }
  T& front() { return (*this)[0]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

template <typename T, std::size_t N>
class StaticVector {
 public:
  constexpr StaticVector() {}
  StaticVector(const StaticVector&) = delete;
  StaticVector& operator=(const StaticVector&) = delete;
  ~StaticVector() { clear(); }

  template <typename... Arguments>
  [[nodiscard]] Result<void> try_emplace_back(Arguments&&... arguments) {
    if (size_ == N) return error(Errno::enospc);
    std::construct_at(data() + size_, std::forward<Arguments>(arguments)...);
    ++size_;
    return {};
  }
  [[nodiscard]] Result<void> try_push_back(T value) { return try_emplace_back(std::move(value)); }
  void pop_back() {
    verify(size_ > 0, "pop_back of an empty vector");
    std::destroy_at(data() + --size_);
  }
  void clear() {
    while (size_) pop_back();
  }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == N; }
  // SAFETY: storage_ is aligned for T and elements below size_ are alive.
  T* data() { return reinterpret_cast<T*>(storage_); }
  const T* data() const { return reinterpret_cast<const T*>(storage_); }
  T& operator[](std::size_t index) {
    verify(index < size_, "index past the end");
    return data()[index];
  }
  const T& operator[](std::size_t index) const {
    verify(index < size_, "index past the end");
    return data()[index];
  }
  T& back() { return (*this)[size_ - 1]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  std::span<T> span() { return {data(), size_}; }

 private:
  alignas(T) unsigned char storage_[sizeof(T) * N];
  std::size_t size_ = 0;
};

}  // namespace base
