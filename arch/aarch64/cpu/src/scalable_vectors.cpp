#include "scalable_vectors.h"

#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include <arch/cpu.h>

#include "aarch64/features.h"
#include "aarch64/floating_point.h"
#include "aarch64/registers.h"
#include "arch_common/user_state.h"
#include "base/check.h"

extern "C" {
void arch_save_vectors(std::byte* to);
void arch_load_vectors(const std::byte* from);
void arch_clear_vectors();
std::uint64_t arch_vector_length();
}

namespace arch {
namespace {

// CPACR_EL1.ZEN: the kernel always may, user code with the second bit.
constexpr std::uint64_t kernel_vectors = 1 << 16, user_vectors = 1 << 17;
// Linux's default, unless the processor has less.
constexpr unsigned usual_vector_length = 64;

constinit std::uint32_t lengths = 0;  // bit n: vectors of (n + 1) * 16 bytes
constinit std::atomic<unsigned> default_length{0};

// SAFETY (this file): the registers exist where `lengths` is not empty; the kernel's code does not use
// vectors.
void limit_vector_length(unsigned length) {
  NOS_WRITE_REGISTER("S3_0_C1_C2_0", length / vector_length_unit - 1);  // ZCR_EL1
  instruction_barrier();
}

std::byte* z_register(const ThreadState& state, unsigned number) {
  return state.vectors + std::size_t{number} * state.vector_length;
}
constexpr std::size_t v_size = 16;
const std::byte* v_register(const FloatingPointState& unit, unsigned number) {
  return reinterpret_cast<const std::byte*>(unit.registers) + number * v_size;
}

base::Result<void> allocate_vectors(ThreadState& state) {
  if (state.vectors) return {};
  std::size_t size = vector_registers_size(state.vector_length);
  auto* memory = new (std::nothrow) std::byte[size];
  if (!memory) return base::error(base::Errno::enomem);
  std::memset(memory, 0, size);
  state.vectors = memory;
  return {};
}

// They are not live any more. Of the calling thread, or of a frozen one.
void drop(ThreadState& state) {
  InterruptsOff off;
  state.vectors_live = false;
  if (is_current(state)) allow_vectors(this_cpu_local(), false);
}

}  // namespace

unsigned supported_vector_length(unsigned wanted) {
  unsigned index = wanted < vector_length_limit ? wanted / vector_length_unit : 16;
  while (index > 1 && !(lengths >> (index - 1) & 1)) --index;
  while (!(lengths >> (index - 1) & 1)) ++index;  // below the shortest
  return index * vector_length_unit;
}

unsigned longest_vector_length() { return lengths ? supported_vector_length(vector_length_limit) : 0; }

// relaxed, both: a setting for programs that start later.
unsigned default_vector_length() { return default_length.load(std::memory_order_relaxed); }
void set_default_vector_length(unsigned length) { default_length.store(length, std::memory_order_relaxed); }

void disable_vectors() {
  if (cpu_features().scalable_vectors) allow_vectors(this_cpu_local(), false);
}

void detect_vector_lengths() {
  if (!cpu_features().scalable_vectors) return;
  for (unsigned length = vector_length_limit; length; length -= vector_length_unit) {
    limit_vector_length(length);
    lengths |= 1u << (arch_vector_length() / vector_length_unit - 1);
  }
  set_default_vector_length(supported_vector_length(usual_vector_length));
}

void allow_vectors(CpuLocal& local, bool allowed) {
  if (!cpu_features().scalable_vectors) return;
  local.vectors_allowed = allowed;
  std::uint64_t control = NOS_READ_REGISTER("cpacr_el1") & ~user_vectors;
  NOS_WRITE_REGISTER("cpacr_el1", control | kernel_vectors | (allowed ? user_vectors : 0));
  instruction_barrier();
}

void save_vectors(ThreadState& state) { arch_save_vectors(state.vectors); }

void load_live_vectors(ThreadState& state) {
  for (unsigned i = 0; i < 32; ++i) std::memcpy(z_register(state, i), v_register(*state.unit, i), v_size);
  limit_vector_length(state.vector_length);
  arch_load_vectors(state.vectors);
}

base::Result<void> start_using_vectors(ThreadState& state) {
  TRY(allocate_vectors(state));
  InterruptsOff off;
  state.vectors_live = true;
  limit_vector_length(state.vector_length);
  allow_vectors(this_cpu_local(), true);
  arch_clear_vectors();
  return {};
}

std::span<const std::byte> capture_vectors(ThreadState& state) {
  InterruptsOff off;
  if (!state.vectors_live) return {};
  save_unit(state);
  return {state.vectors, vector_registers_size(state.vector_length)};
}

base::Result<std::span<std::byte>> replace_vectors(ThreadState& state) {
  TRY(allocate_vectors(state));
  drop(state);
  return std::span(state.vectors, vector_registers_size(state.vector_length));
}

void load_vectors(ThreadState& state, const FloatingPointState& low) {
  InterruptsOff off;
  *state.unit = low;
  state.vectors_live = true;
  load_unit(state);
}

void set_vector_length(ThreadState& state, unsigned length) {
  if (length == state.vector_length) return;
  forget_vectors(state);
  state.vector_length = static_cast<std::uint16_t>(length);
}

void forget_vectors(ThreadState& state) {
  drop(state);
  delete[] std::exchange(state.vectors, nullptr);
}

base::Result<std::span<std::byte>> frozen_vectors_to_write(ThreadState& state) {
  TRY(allocate_vectors(state));
  std::size_t size = vector_registers_size(state.vector_length);
  if (!state.vectors_live) {
    std::memset(state.vectors, 0, size);
    for (unsigned i = 0; i < 32; ++i) std::memcpy(z_register(state, i), v_register(*state.frozen, i), v_size);
    state.vectors_live = true;
  }
  return std::span(state.vectors, size);
}

void take_low_halves(ThreadState& state) {
  auto* low = reinterpret_cast<std::byte*>(state.frozen->registers);
  for (unsigned i = 0; i < 32; ++i) std::memcpy(low + i * v_size, z_register(state, i), v_size);
}

}  // namespace arch

extern "C" void arch_drop_vectors() {
  arch::CpuLocal& local = arch::this_cpu_local();
  local.current_state->vectors_live = false;
  arch::allow_vectors(local, false);
}
