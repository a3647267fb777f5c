// The checksums of the formats, all incremental.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace decompress {

class Checksum {
 public:
  virtual void update(std::span<const std::uint8_t> bytes) = 0;

 protected:
  ~Checksum() = default;
};

// CRC-32 of IEEE 802.3 (gzip, xz).
class Crc32 final : public Checksum {
 public:
  void update(std::span<const std::uint8_t> bytes) override;
  std::uint32_t value() const { return ~state_; }
  static std::uint32_t of(std::span<const std::uint8_t> bytes);

 private:
  std::uint32_t state_ = ~0u;
};

// CRC-64 of ECMA-182 (xz).
class Crc64 final : public Checksum {
 public:
  void update(std::span<const std::uint8_t> bytes) override;
  std::uint64_t value() const { return ~state_; }

 private:
  std::uint64_t state_ = ~std::uint64_t{0};
};

// RFC 1950.
class Adler32 final : public Checksum {
 public:
  void update(std::span<const std::uint8_t> bytes) override;
  std::uint32_t value() const { return b_ << 16 | a_; }

 private:
  std::uint32_t a_ = 1, b_ = 0;
};

// xxHash with seed 0: 32 bits for LZ4, 64 bits for zstd (which keeps the low half).
class XxHash32 final : public Checksum {
 public:
  XxHash32();
  void update(std::span<const std::uint8_t> bytes) override;
  std::uint32_t value() const;
  static std::uint32_t of(std::span<const std::uint8_t> bytes);

 private:
  static constexpr std::size_t stripe = 16;
  void mix(const std::uint8_t* stripe_bytes);
  std::uint32_t lanes_[4];
  std::uint8_t pending_[stripe] = {};
  std::uint64_t total_ = 0;
};

class XxHash64 final : public Checksum {
 public:
  XxHash64();
  void update(std::span<const std::uint8_t> bytes) override;
  std::uint64_t value() const;

 private:
  static constexpr std::size_t stripe = 32;
  void mix(const std::uint8_t* stripe_bytes);
  std::uint64_t lanes_[4];
  std::uint8_t pending_[stripe] = {};
  std::uint64_t total_ = 0;
};

}  // namespace decompress
