// Calls to the firmware (RISC-V Supervisor Binary Interface, version 0.2 and later; the console of 0.1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace arch {

enum class SbiExtension : std::uint64_t {
  legacy_put_character = 1,
  base = 0x10,
  timer = 0x54494d45,
  interprocessor_interrupt = 0x735049,
  remote_fence = 0x52464e43,
  hart_state = 0x48534d,
  system_reset = 0x53525354,
  debug_console = 0x4442434e,
};

struct SbiResult {
  long error = 0;  // 0 or a negative number
  std::uint64_t value = 0;
};

// SAFETY: the firmware keeps every register but a0 and a1.
inline SbiResult sbi_call(SbiExtension extension, std::uint64_t function, std::uint64_t first = 0,
                          std::uint64_t second = 0, std::uint64_t third = 0, std::uint64_t fourth = 0,
                          std::uint64_t fifth = 0) {
  register std::uint64_t a0 asm("a0") = first;
  register std::uint64_t a1 asm("a1") = second;
  register std::uint64_t a2 asm("a2") = third;
  register std::uint64_t a3 asm("a3") = fourth;
  register std::uint64_t a4 asm("a4") = fifth;
  register std::uint64_t a6 asm("a6") = function;
  register std::uint64_t a7 asm("a7") = static_cast<std::uint64_t>(extension);
  asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
  return {static_cast<long>(a0), a1};
}

// The firmware's own numbers for version and make; 0 for what it does not know.
struct FirmwareIdentity {
  std::uint64_t specification = 0, implementation = 0, implementation_version = 0;
};
FirmwareIdentity firmware_identity();
bool has_sbi_extension(SbiExtension extension);

void set_firmware_timer(std::uint64_t counter_value);
// Software interrupt on one hart.
void send_hart_interrupt(std::uint64_t hart);
// The hart begins at the physical address `start` with translation off, a0 its number and a1 = argument.
SbiResult start_hart(std::uint64_t hart, std::uintptr_t start, std::uintptr_t argument);
enum class HartState : std::uint64_t { started = 0, stopped = 1, start_pending = 2, stop_pending = 3 };
SbiResult hart_status(std::uint64_t hart);
// FENCE.I, or SFENCE.VMA of [start, start + size), on every other hart. False: the firmware cannot.
bool fence_remote_instruction_fetch();
bool fence_remote_translations(std::uintptr_t start, std::size_t size);
enum class ResetKind : std::uint64_t { power_off = 0, cold_reboot = 1, warm_reboot = 2 };
void reset_system(ResetKind kind);

}  // namespace arch
