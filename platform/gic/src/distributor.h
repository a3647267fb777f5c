// The distributor: what both versions of the GIC have in common (ARM IHI 0048 and IHI 0069).
#pragma once

#include <cstddef>
#include <cstdint>

namespace gic {

// Memory-mapped registers. SAFETY: mapped as device memory for ever; offsets are those of the manuals.
class Registers {
 public:
  constexpr Registers() = default;
  explicit Registers(void* base) : base_(static_cast<volatile std::byte*>(base)) {}
  explicit operator bool() const { return base_; }
  Registers at(std::size_t offset) const {
    Registers result;
    result.base_ = base_ + offset;
    return result;
  }
  // SAFETY: as above.
  std::uint32_t read(std::size_t offset) const {
    return *reinterpret_cast<volatile std::uint32_t*>(base_ + offset);
  }
  // SAFETY: as above.
  std::uint64_t read64(std::size_t offset) const {
    return *reinterpret_cast<volatile std::uint64_t*>(base_ + offset);
  }
  // SAFETY: as above.
  void write(std::size_t offset, std::uint32_t value) const {
    *reinterpret_cast<volatile std::uint32_t*>(base_ + offset) = value;
  }
  // SAFETY: as above.
  void write64(std::size_t offset, std::uint64_t value) const {
    *reinterpret_cast<volatile std::uint64_t*>(base_ + offset) = value;
  }
  // SAFETY: as above.
  void write8(std::size_t offset, std::uint8_t value) const {
    *reinterpret_cast<volatile std::uint8_t*>(base_ + offset) = value;
  }

 private:
  volatile std::byte* base_ = nullptr;
};

enum Distributor : std::size_t {
  control = 0x000,
  type = 0x004,
  group = 0x080,
  set_enable = 0x100,
  clear_enable = 0x180,
  priority = 0x400,
  targets = 0x800,  // version 2
  configuration = 0xc00,
  routing = 0x6000,  // version 3
};

inline constexpr std::uint8_t usual_priority = 0xa0;
inline constexpr unsigned first_shared = 32, last_shared = 1019;

// Sends an interrupt to a CPU: differs by version.
using Route = void (*)(unsigned interrupt, unsigned cpu);

// Every shared interrupt off, level-triggered, in group 1. The distributor itself is switched on by the
// caller.
void prepare_distributor(Registers distributor);
// The domain of shared interrupts works from now on.
void start_distributor(Registers distributor, Route route);
// An interrupt of the distributor or, below 32, of a redistributor with the same layout.
void enable(Registers registers, unsigned interrupt);
void disable(Registers registers, unsigned interrupt);

}  // namespace gic
