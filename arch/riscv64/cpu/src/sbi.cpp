#include "riscv64/sbi.h"

namespace arch {
namespace {

// All harts: the mask is not looked at.
constexpr std::uint64_t every_hart = ~std::uint64_t{0};

}  // namespace

bool has_sbi_extension(SbiExtension extension) {
  constexpr std::uint64_t probe = 3;
  SbiResult result = sbi_call(SbiExtension::base, probe, static_cast<std::uint64_t>(extension));
  return result.error == 0 && result.value != 0;
}

FirmwareIdentity firmware_identity() {
  return {.specification = sbi_call(SbiExtension::base, 0).value,
          .implementation = sbi_call(SbiExtension::base, 1).value,
          .implementation_version = sbi_call(SbiExtension::base, 2).value};
}

void set_firmware_timer(std::uint64_t counter_value) { sbi_call(SbiExtension::timer, 0, counter_value); }

void send_hart_interrupt(std::uint64_t hart) {
  // A mask of one bit, relative to the hart itself.
  sbi_call(SbiExtension::interprocessor_interrupt, 0, 1, hart);
}

SbiResult start_hart(std::uint64_t hart, std::uintptr_t start, std::uintptr_t argument) {
  return sbi_call(SbiExtension::hart_state, 0, hart, start, argument);
}

SbiResult hart_status(std::uint64_t hart) { return sbi_call(SbiExtension::hart_state, 2, hart); }

bool fence_remote_instruction_fetch() {
  return sbi_call(SbiExtension::remote_fence, 0, 0, every_hart).error == 0;
}

bool fence_remote_translations(std::uintptr_t start, std::size_t size) {
  return sbi_call(SbiExtension::remote_fence, 1, 0, every_hart, start, size).error == 0;
}

void reset_system(ResetKind kind) {
  sbi_call(SbiExtension::system_reset, 0, static_cast<std::uint64_t>(kind), 0);
}

}  // namespace arch
