#include "riscv64/features.h"

#include <cstring>

#include "riscv64/registers.h"
#include "riscv64/sbi.h"
#include "riscv64/tlb.h"
#include "riscv64/vector.h"
#include "unit.h"

namespace arch {
namespace {

constinit CpuFeatures features;

// The extensions after the single letters are separated by underscores.
bool has_extension(std::string_view isa, std::string_view name) {
  std::size_t at = isa.find('_');
  while (at != std::string_view::npos) {
    std::string_view rest = isa.substr(at + 1);
    std::size_t end = rest.find('_');
    if (rest.substr(0, end) == name) return true;
    at = end == std::string_view::npos ? end : at + 1 + end;
  }
  return false;
}

bool has_letter(std::string_view isa, char letter) {
  constexpr std::size_t width = 4;  // "rv64"
  if (isa.size() <= width) return false;
  return isa.substr(width, isa.find('_') - width).find(letter) != std::string_view::npos;
}

}  // namespace

const CpuFeatures& cpu_features() { return features; }

void detect_cpu_features(std::string_view isa) {
  std::size_t size = isa.size() < sizeof(features.isa) ? isa.size() : sizeof(features.isa) - 1;
  std::memcpy(features.isa, isa.data(), size);
  features.isa[size] = '\0';
  if (has_letter(isa, 'v')) features.vector_registers_size = measure_vector_registers();
  features.zba = has_extension(isa, "zba");
  features.zbb = has_extension(isa, "zbb");
  features.zbc = has_extension(isa, "zbc");
  features.zbs = has_extension(isa, "zbs");
  features.zicboz = has_extension(isa, "zicboz");
  features.memory_types = has_extension(isa, "svpbmt");
  features.supervisor_timer = has_extension(isa, "sstc");
  features.vendor = sbi_call(SbiExtension::base, 4).value;
  features.architecture = sbi_call(SbiExtension::base, 5).value;
  features.implementation = sbi_call(SbiExtension::base, 6).value;
  features.address_space_bits = count_address_space_bits();
}

void enable_cpu_features() {
  // The unit is never off: its state is clean while it holds what is also in memory
  // (floating_point.h). That for vectors is on for threads that use it.
  clear_sstatus(STATUS_UNIT_DIRTY | vectors_dirty | STATUS_USER_ACCESS);
  set_sstatus(STATUS_UNIT_CLEAN);
  constexpr std::uint64_t time_counter = 2;
  write_scounteren(time_counter);
}

}  // namespace arch
