#include "trace_vectors.h"

#include <algorithm>
#include <cstring>

#include "aarch64/floating_point.h"
#include "vector_length.h"

namespace arch {
namespace {

struct Header {
  std::uint32_t size, most_size;
  std::uint16_t length, most_length, flags, reserved;
};
static_assert(sizeof(Header) == 16);
constexpr std::uint16_t scalable = 1;
// The other flags are those of prctl, shifted.
constexpr unsigned prctl_shift = 16;

// After the registers, on the next multiple of 16: FPSR, FPCR.
struct Control {
  std::uint32_t status, control;
};
constexpr std::size_t control_at(unsigned length) {
  return (sizeof(Header) + vector_registers_size(length) + 15) & ~std::size_t{15};
}
constexpr std::size_t size_of(unsigned length, bool live) {
  return live ? control_at(length) + 16 : sizeof(Header) + sizeof(FloatingPointState);
}

// Copies what two ranges have in common; both are counted from the start of the set.
template <typename Byte, typename Other>
void copy_part(std::span<Byte> set, std::size_t at, std::span<Other> part) {
  if (at >= set.size()) return;
  std::size_t size = set.size() - at < part.size() ? set.size() - at : part.size();
  if constexpr (std::is_const_v<Byte>)
    std::memcpy(part.data(), set.data() + at, size);
  else
    std::memcpy(set.data() + at, part.data(), size);
}

base::Result<void> write_live(ThreadState& state, std::span<const std::byte> bytes) {
  auto registers = TRY(frozen_vectors_to_write(state));
  copy_part(bytes, sizeof(Header), registers);
  take_low_halves(state);
  Control control{state.frozen->status, state.frozen->control};
  copy_part(bytes, control_at(state.vector_length), std::as_writable_bytes(std::span(&control, 1)));
  state.frozen->status = control.status;
  state.frozen->control = control.control;
  return {};
}

}  // namespace

std::size_t most_vector_state() {
  unsigned length = longest_vector_length();
  // Short vectors take less than the V registers with their padding.
  return length ? std::max(size_of(length, true), size_of(length, false)) : 0;
}

std::size_t vector_state_size(const ThreadState& state) {
  return longest_vector_length() ? size_of(state.vector_length, state.vectors_live) : 0;
}

void read_vector_state(const ThreadState& state, std::span<std::byte> bytes) {
  unsigned length = state.vector_length, most = longest_vector_length();
  Header header{static_cast<std::uint32_t>(vector_state_size(state)),
                static_cast<std::uint32_t>(size_of(most, true)),
                state.vector_length,
                static_cast<std::uint16_t>(most),
                0,
                0};
  header.flags =
      static_cast<std::uint16_t>((state.vectors_live ? scalable : 0) |
                                 (state.inherits_vector_length ? inherit_vector_length >> prctl_shift : 0));
  copy_part(bytes, 0, std::as_bytes(std::span(&header, 1)));
  if (!state.vectors_live) {
    copy_part(bytes, sizeof(header), std::as_bytes(std::span(state.frozen, 1)));
    return;
  }
  copy_part(bytes, sizeof(header), std::span<const std::byte>(state.vectors, vector_registers_size(length)));
  Control control{state.frozen->status, state.frozen->control};
  copy_part(bytes, control_at(length), std::as_bytes(std::span(&control, 1)));
}

base::Result<void> write_vector_state(ThreadState& state, std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof(header)) return base::error(base::Errno::einval);
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::uint64_t flags = std::uint64_t{header.flags} & ~std::uint64_t{scalable};
  TRY(request_vector_length(state, header.length, flags << prctl_shift));
  if (bytes.size() == sizeof(header)) return {};
  if (!(header.flags & scalable)) {
    forget_vectors(state);
    copy_part(bytes, sizeof(header), std::as_writable_bytes(std::span(state.frozen, 1)));
    return {};
  }
  // Registers of another length than the thread now has.
  if (header.length != state.vector_length) return base::error(base::Errno::eio);
  return write_live(state, bytes);
}

}  // namespace arch
