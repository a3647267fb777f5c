// Encoding of 9P2000.L: little-endian numbers and counted strings, behind a header of size, type and tag.
//
// Both ends are closed against mistakes: a Writer that runs out of room and a Reader that runs out of bytes
// only remember it; has_failed() is asked once at the end. What a Reader gives after that is zero or empty.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace nine_p {

enum class Type : std::uint8_t {
  error_answer = 7,
  statfs = 8,
  lopen = 12,
  lcreate = 14,
  symlink = 16,
  mknod = 18,
  readlink = 22,
  getattr = 24,
  setattr = 26,
  xattrwalk = 30,
  xattrcreate = 32,
  readdir = 40,
  fsync = 50,
  link = 70,
  mkdir = 72,
  renameat = 74,
  unlinkat = 76,
  version = 100,
  attach = 104,
  flush = 108,
  walk = 110,
  read = 116,
  write = 118,
  clunk = 120,
};

inline constexpr std::size_t header_size = 7;
inline constexpr std::uint16_t no_tag = 0xffff;
inline constexpr std::uint32_t no_fid = 0xffffffff;
inline constexpr std::size_t read_overhead = header_size + 4;    // Rread, Rreaddir
inline constexpr std::size_t write_overhead = header_size + 16;  // Twrite

class Writer {
 public:
  Writer() = default;
  explicit Writer(std::span<std::byte> memory) : memory_(memory) {}

  Writer& number8(std::uint8_t value) { return put(&value, 1); }
  Writer& number16(std::uint16_t value) { return put(&value, 2); }
  Writer& number32(std::uint32_t value) { return put(&value, 4); }
  Writer& number64(std::uint64_t value) { return put(&value, 8); }
  Writer& text(std::string_view value) {
    if (value.size() > 0xffff) failed_ = true;
    return number16(static_cast<std::uint16_t>(value.size())).put(value.data(), value.size());
  }
  // Room for data that the caller fills in; empty when there is none.
  std::span<std::byte> room(std::size_t count) {
    if (failed_ || count > memory_.size() - used_) {
      failed_ = true;
      return {};
    }
    used_ += count;
    return memory_.subspan(used_ - count, count);
  }
  // Takes back the last `count` bytes.
  void shrink(std::size_t count) { used_ -= count; }
  std::size_t used() const { return used_; }
  bool has_failed() const { return failed_; }
  // Over what was written before (lengths that are known late).
  void set32(std::size_t at, std::uint32_t value) {
    if (at + 4 <= used_) std::memcpy(memory_.data() + at, &value, 4);
  }

 private:
  Writer& put(const void* bytes, std::size_t count) {
    if (auto space = room(count); !space.empty()) std::memcpy(space.data(), bytes, count);
    return *this;
  }
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
  bool failed_ = false;
};

class Reader {
 public:
  Reader() = default;
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint8_t number8() { return get<std::uint8_t>(); }
  std::uint16_t number16() { return get<std::uint16_t>(); }
  std::uint32_t number32() { return get<std::uint32_t>(); }
  std::uint64_t number64() { return get<std::uint64_t>(); }
  std::string_view text() {
    auto bytes = data(number16());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // SAFETY: bytes as text
  }
  std::span<const std::byte> data(std::size_t count) {
    if (count > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    auto result = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return result;
  }
  bool is_empty() const { return bytes_.empty(); }
  bool has_failed() const { return failed_; }

 private:
  template <typename T>
  T get() {
    T value = 0;
    auto bytes = data(sizeof(T));
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes_;
  bool failed_ = false;
};

// What the server calls an object. The path is its identity for as long as it exists.
struct Qid {
  std::uint8_t type = 0;
  std::uint32_t version = 0;
  std::uint64_t path = 0;
};
inline Qid read_qid(Reader& in) {
  Qid qid;
  qid.type = in.number8();
  qid.version = in.number32();
  qid.path = in.number64();
  return qid;
}

}  // namespace nine_p
