#include "x86_64/extended_state.h"

#include <cstdint>
#include <cstring>
#include <new>

#include "x86_64/features.h"

namespace arch {
namespace {

// The allocator aligns to 16 bytes; the distance to the block's start is kept in the word before the area.
constexpr std::size_t alignment = 64;
constexpr std::size_t legacy_area_size = 512, header_size = 64;

}  // namespace

base::Result<std::byte*> allocate_extended_state() {
  std::size_t size = cpu_features().extended_size + extended_state_slack + alignment + sizeof(std::uintptr_t);
  auto* block = static_cast<std::byte*>(::operator new(size, std::nothrow));
  if (!block) return base::error(base::Errno::enomem);
  // SAFETY: rounds up inside the block just allocated.
  auto address =
      (reinterpret_cast<std::uintptr_t>(block) + sizeof(std::uintptr_t) + alignment - 1) & ~(alignment - 1);
  auto* area = reinterpret_cast<std::byte*>(address);
  std::memcpy(area - sizeof(block), &block, sizeof(block));
  std::memset(area, 0, cpu_features().extended_size);
  reset_extended_state(area);
  return area;
}

void free_extended_state(std::byte* area) {
  if (!area) return;
  std::byte* block;
  std::memcpy(&block, area - sizeof(block), sizeof(block));
  ::operator delete(block);
}

// The header says which components are in the area; none means that XRSTOR loads the initial state of all,
// whatever else is there. FXRSTOR knows no header.
void reset_extended_state(std::byte* area) {
  if (cpu_features().xsave)
    std::memset(area + legacy_area_size, 0, header_size);
  else
    std::memset(area, 0, legacy_area_size);
  const std::uint16_t x87_control = 0x37f;
  const std::uint32_t simd_control = 0x1f80;
  std::memcpy(area, &x87_control, sizeof(x87_control));
  std::memcpy(area + 24, &simd_control, sizeof(simd_control));
}

// SAFETY: the area has the size that CPUID gives for all enabled components. A component in its initial state
// is not written by XSAVEOPT; its bit in the header says so.
void save_extended_state(std::byte* area) {
  const CpuFeatures& features = cpu_features();
  if (features.xsaveopt)
    asm volatile("xsaveopt64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else if (features.xsave)
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else
    asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

// XSAVE, unlike XSAVEOPT, writes components in their initial state too.
// SAFETY (below): areas are as large as the CPU asks for, aligned to 64, and hold what it wrote itself.
void save_whole_extended_state(std::byte* area) {
  if (cpu_features().xsave)
    asm volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else
    asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void restore_extended_state(const std::byte* area) {
  if (cpu_features().xsave)
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
  else
    asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

}  // namespace arch
