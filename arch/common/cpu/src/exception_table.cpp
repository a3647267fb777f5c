#include "arch_common/exception_table.h"

extern "C" {
// Pairs of distances from the word itself.
struct ExceptionTableEntry {
  std::int32_t instruction;
  std::int32_t fixup;
};
extern const ExceptionTableEntry __exception_table_start[], __exception_table_end[];
}

namespace arch {
namespace {

std::uintptr_t address_in(const std::int32_t& distance) {
  // SAFETY: a distance from the word itself, made by the assembler.
  return reinterpret_cast<std::uintptr_t>(&distance) + static_cast<std::uintptr_t>(std::intptr_t{distance});
}

}  // namespace

std::uintptr_t find_fixup(std::uintptr_t instruction) {
  for (const auto* entry = __exception_table_start; entry != __exception_table_end; ++entry)
    if (address_in(entry->instruction) == instruction) return address_in(entry->fixup);
  return 0;
}

}  // namespace arch
