#include "riscv64/vector.h"

#include <cstring>
#include <new>

#include <arch/cpu.h>

#include "riscv64/features.h"
#include "riscv64/registers.h"
#include "unit.h"

extern "C" std::size_t arch_vector_register_bytes();

namespace arch {
namespace {

constexpr std::size_t register_count = 32;
// A thread's copy comes from the allocator of kernel objects.
constexpr std::size_t most_register_bytes = 1024;

VectorState* allocate() {
  void* memory = ::operator new(sizeof(VectorState) + vector_registers_size(), std::nothrow);
  if (!memory) return nullptr;
  auto* vectors = new (memory) VectorState;
  vectors->register_bytes = vector_registers_size() / register_count;
  std::memset(vectors->registers(), 0, vector_registers_size());
  return vectors;
}

}  // namespace

std::size_t vector_registers_size() { return cpu_features().vector_registers_size; }

std::size_t measure_vector_registers() {
  set_sstatus(vectors_clean);
  std::size_t bytes = arch_vector_register_bytes();
  clear_sstatus(vectors_dirty);
  return bytes <= most_register_bytes ? bytes * register_count : 0;
}

bool is_vector_instruction(std::uint32_t instruction) {
  unsigned opcode = instruction & 0x7f, width = instruction >> 12 & 7, number = instruction >> 20;
  switch (opcode) {
    case 0x57:  // arithmetic and configuration
      return true;
    case 0x07:  // loads and stores share their codes with those of floating-point registers
    case 0x27:
      return width == 0 || width >= 5;
    case 0x73:  // vstart, vxsat, vxrm, vcsr, vl, vtype, vlenb
      return width != 0 && width != 4 &&
             ((number >= 0x008 && number <= 0x00a) || number == 0x00f ||
              (number >= 0xc20 && number <= 0xc22));
    default:
      return false;
  }
}

base::Result<void> start_using_vectors(ThreadState& state) {
  if (!vector_registers_size() || units_of(state).vectors) return base::error(base::Errno::eexist);
  VectorState* vectors = allocate();
  if (!vectors) return base::error(base::Errno::enomem);
  InterruptsOff off;
  save_unit(state);  // loading takes all registers from memory
  units_of(state).vectors = vectors;
  load_unit(state);
  return {};
}

void stop_using_vectors(ThreadState& state) {
  VectorState* vectors;
  {
    InterruptsOff off;
    vectors = units_of(state).vectors;
    units_of(state).vectors = nullptr;
    if (is_current(state)) clear_sstatus(vectors_dirty);
  }
  if (vectors) ::operator delete(vectors);
}

const VectorState* capture_vectors(ThreadState& state) {
  InterruptsOff off;
  save_unit(state);
  return units_of(state).vectors;
}

VectorState* replace_vectors(ThreadState& state) {
  InterruptsOff off;
  save_unit(state);  // of what is not replaced
  return units_of(state).vectors;
}

VectorState* frozen_vectors(ThreadState& state) { return static_cast<Units&>(*state.frozen).vectors; }

void load_vectors(ThreadState& state) {
  InterruptsOff off;
  save_unit(state);
  load_unit(state);
}

}  // namespace arch
