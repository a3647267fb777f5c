// Writes device trees for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace device_tree::test {

class BlobBuilder {
 public:
  BlobBuilder& begin(std::string_view name) {
    word(structure_, 1);
    text(structure_, name);
    return *this;
  }
  BlobBuilder& end() {
    word(structure_, 2);
    return *this;
  }
  BlobBuilder& bytes(std::string_view name, std::string_view value) {
    word(structure_, 3);
    word(structure_, static_cast<std::uint32_t>(value.size()));
    word(structure_, static_cast<std::uint32_t>(strings_.size()));
    strings_.insert(strings_.end(), name.begin(), name.end());
    strings_.push_back('\0');
    structure_.insert(structure_.end(), value.begin(), value.end());
    while (structure_.size() % 4) structure_.push_back('\0');
    return *this;
  }
  BlobBuilder& string(std::string_view name, std::string_view value) {
    return bytes(name, std::string(value) + '\0');
  }
  BlobBuilder& cells(std::string_view name, std::initializer_list<std::uint32_t> values) {
    std::vector<char> data;
    for (std::uint32_t value : values) word(data, value);
    return bytes(name, {data.data(), data.size()});
  }
  BlobBuilder& flag(std::string_view name) { return bytes(name, ""); }
  BlobBuilder& nop() {
    word(structure_, 4);
    return *this;
  }
  BlobBuilder& reserve(std::uint64_t start, std::uint64_t size) {
    for (std::uint64_t value : {start, size}) {
      word(reservations_, static_cast<std::uint32_t>(value >> 32));
      word(reservations_, static_cast<std::uint32_t>(value));
    }
    return *this;
  }
  std::vector<std::byte> finish() {
    word(structure_, 9);
    reservations_.insert(reservations_.end(), 16, '\0');
    std::vector<char> blob;
    auto reservations_at = std::uint32_t{40};
    auto structure_at = reservations_at + static_cast<std::uint32_t>(reservations_.size());
    auto strings_at = structure_at + static_cast<std::uint32_t>(structure_.size());
    auto total = strings_at + static_cast<std::uint32_t>(strings_.size());
    for (std::uint32_t value :
         {0xd00dfeedu, total, structure_at, strings_at, reservations_at, 17u, 16u, 0u,
          static_cast<std::uint32_t>(strings_.size()), static_cast<std::uint32_t>(structure_.size())})
      word(blob, value);
    for (auto* part : {&reservations_, &structure_, &strings_})
      blob.insert(blob.end(), part->begin(), part->end());
    const auto* data = reinterpret_cast<const std::byte*>(blob.data());
    return {data, data + blob.size()};
  }

 private:
  static void word(std::vector<char>& to, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<char>(value >> shift));
  }
  static void text(std::vector<char>& to, std::string_view value) {
    to.insert(to.end(), value.begin(), value.end());
    do to.push_back('\0');
    while (to.size() % 4);
  }
  std::vector<char> structure_, strings_, reservations_;
};

// A board like QEMU's.
inline std::vector<std::byte> board() {
  BlobBuilder b;
  b.reserve(0x44000000, 0x1000).begin("").cells("#address-cells", {2}).cells("#size-cells", {2});
  b.cells("interrupt-parent", {1}).nop();
  b.begin("aliases").string("serial0", "/soc/serial@100").end();
  b.begin("chosen").string("bootargs", "console=ttyS0 quiet").string("stdout-path", "serial0:115200");
  b.cells("linux,initrd-start", {0x48000000}).cells("linux,initrd-end", {0, 0x48001234}).end();
  b.begin("memory@40000000")
      .string("device_type", "memory")
      .cells("reg", {0, 0x40000000, 0, 0x10000000})
      .end();
  b.begin("reserved-memory").cells("#address-cells", {2}).cells("#size-cells", {2}).flag("ranges");
  b.begin("secure@4f000000").cells("reg", {0, 0x4f000000, 0, 0x100000}).flag("no-map").end().end();
  b.begin("interrupts@8000000").cells("phandle", {1}).cells("#interrupt-cells", {3}).end();
  b.begin("soc")
      .cells("#address-cells", {1})
      .cells("#size-cells", {1})
      .cells("ranges", {0, 0, 0x9000000, 0x10000});
  b.begin("serial@100").bytes("compatible", std::string_view("vendor,uart\0ns16550a\0", 21));
  b.cells("reg", {0x100, 0x100}).cells("interrupts", {0, 1, 4, 0, 2, 4}).end();
  b.begin("timer")
      .cells("interrupts-extended", {1, 1, 11, 8, 1, 1, 14, 8})
      .string("status", "disabled")
      .end();
  b.end().end();
  return b.finish();
}

}  // namespace device_tree::test
