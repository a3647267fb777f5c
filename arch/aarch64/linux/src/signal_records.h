// The records at the end of a signal frame (asm/sigcontext.h): floating-point registers, syndrome of the
// fault, scalable vectors, end. They have 4 KiB in the frame. What does not fit there (vectors of more than
// 64 bytes) is behind them, and a record says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <arch_impl/context.h>

#include "base/result.h"

namespace arch {

struct RecordHeader {
  std::uint32_t magic, size;
};
struct FloatingPointRecord {
  RecordHeader header;
  std::uint32_t status, control;
  std::uint64_t registers[64];
};
static_assert(sizeof(FloatingPointRecord) == 528);
struct SyndromeRecord {
  RecordHeader header;
  std::uint64_t syndrome;
};
struct ExtraRecord {
  RecordHeader header;
  std::uint64_t address;  // of more records: right behind the end that follows this one
  std::uint32_t size, reserved[3];
};
struct VectorRecord {  // the registers follow, if they are live
  RecordHeader header;
  std::uint16_t length, flags, reserved[2];
};

// What a signal finds in the thread's registers. Of the calling thread, which runs no user code meanwhile.
class SignalRecords {
 public:
  std::size_t size() const;
  // EFAULT.
  base::Result<void> write(std::uintptr_t to) const;

  FloatingPointRecord floating_point{};
  SyndromeRecord syndrome{};
  VectorRecord vectors{};  // size 0: the processor has none
  std::span<const std::byte> registers;
};
SignalRecords capture_signal_records(ThreadState& state);
// Of the longest vectors.
std::size_t largest_signal_records();

// Back from the frame, which the program may have changed, into the registers. EFAULT, EINVAL, ENOMEM.
base::Result<void> restore_signal_records(ThreadState& state, std::uintptr_t from);

}  // namespace arch
