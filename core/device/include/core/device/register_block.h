// The registers of one device, handed to its driver by the platform or a bus: the driver reaches nothing
// else, and does not know whether they are I/O ports or memory.
//
// Accesses reach the device in program order. Offsets are in bytes from the start of the block and are the
// driver's responsibility; the block checks them in debug builds.
#pragma once

#include <cstdint>

namespace core {

class RegisterBlock {
 public:
  virtual std::uint8_t read8(unsigned offset) = 0;
  virtual void write8(unsigned offset, std::uint8_t value) = 0;

 protected:
  ~RegisterBlock() = default;
};

}  // namespace core
