#include "signal_records.h"

#include <cstring>
#include <optional>

#include "aarch64/floating_point.h"
#include "core/memory/user_copy.h"

namespace arch {
namespace {

constexpr std::uint32_t floating_point_magic = 0x46508001, syndrome_magic = 0x45535201,
                        extra_magic = 0x45585401, vector_magic = 0x53564501;
constexpr std::size_t record_space = 4096, end_size = sizeof(RecordHeader) + 8;  // padded to 16 bytes
constexpr std::size_t always = sizeof(FloatingPointRecord) + sizeof(SyndromeRecord);
constexpr std::size_t extra_at = always + sizeof(ExtraRecord) + end_size;

constexpr std::size_t record_size(std::size_t registers) {
  return (sizeof(VectorRecord) + registers + 15) & ~std::size_t{15};
}
constexpr bool fits(std::size_t vectors) { return extra_at + vectors <= record_space; }
constexpr std::size_t total(std::size_t vectors) {
  return fits(vectors) ? record_space : extra_at + vectors + end_size;
}

template <typename T>
base::Result<void> put(std::uintptr_t to, const T& object) {
  return core::copy_to_user(core::UserAddress(to), std::as_bytes(std::span(&object, 1)));
}
template <typename T>
base::Result<T> get(std::uintptr_t from) {
  T object;
  TRY(core::copy_from_user(std::as_writable_bytes(std::span(&object, 1)), core::UserAddress(from)));
  return object;
}

// Where the frame's records are, as far as they are of use.
struct Found {
  std::optional<std::uintptr_t> floating_point, vectors;
};

class RecordReader {
 public:
  explicit RecordReader(std::uintptr_t from) : at_(from), end_(from + record_space) {}

  base::Result<Found> read() {
    for (;;) {
      if (end_ - at_ < sizeof(RecordHeader)) return invalid();
      auto header = TRY(get<RecordHeader>(at_));
      if (!header.magic) {
        if (header.size) return invalid();
        return found_;
      }
      if (header.size < sizeof(RecordHeader) || header.size % 16 || header.size > end_ - at_)
        return invalid();
      TRY(take(header));
    }
  }

 private:
  static base::Result<Found> invalid() { return base::error(base::Errno::einval); }
  static base::Result<void> refuse() { return base::error(base::Errno::einval); }

  base::Result<void> take(const RecordHeader& header) {
    switch (header.magic) {
      case floating_point_magic:
        if (found_.floating_point || header.size != sizeof(FloatingPointRecord)) return refuse();
        found_.floating_point = at_;
        break;
      case syndrome_magic:
        break;
      case vector_magic:
        if (found_.vectors || !longest_vector_length() || header.size < sizeof(VectorRecord)) return refuse();
        found_.vectors = at_;
        break;
      case extra_magic:
        return go_to_extra(header);
      default:
        return refuse();
    }
    at_ += header.size;
    return {};
  }

  // It must follow the end of the others, and there is only one.
  base::Result<void> go_to_extra(const RecordHeader& header) {
    if (header.size != sizeof(ExtraRecord) || in_extra_) return refuse();
    auto extra = TRY(get<ExtraRecord>(at_));
    std::uintptr_t behind = at_ + sizeof(ExtraRecord);
    auto end = TRY(get<RecordHeader>(behind));
    if (end.magic || end.size || extra.address != behind + end_size || extra.size % 16 ||
        extra.size > total(record_size(vector_registers_size(vector_length_limit))))
      return refuse();
    in_extra_ = true;
    at_ = behind + end_size;
    end_ = at_ + extra.size;
    return {};
  }

  std::uintptr_t at_, end_;
  bool in_extra_ = false;
  Found found_;
};

}  // namespace

std::size_t SignalRecords::size() const { return total(vectors.header.size); }

base::Result<void> SignalRecords::write(std::uintptr_t to) const {
  constexpr std::uint64_t end[2] = {};
  TRY(put(to, floating_point));
  TRY(put(to + sizeof(floating_point), syndrome));
  std::uintptr_t at = to + always;
  if (!fits(vectors.header.size)) {
    ExtraRecord extra{{extra_magic, sizeof(ExtraRecord)}, to + extra_at, 0, {}};
    extra.size = static_cast<std::uint32_t>(vectors.header.size + end_size);
    TRY(put(at, extra));
    TRY(put(at + sizeof(extra), end));
    at = to + extra_at;
  }
  if (vectors.header.size) {
    TRY(put(at, vectors));
    TRY(core::copy_to_user(core::UserAddress(at + sizeof(vectors)), registers));
  }
  return put(at + vectors.header.size, end);
}

SignalRecords capture_signal_records(ThreadState& state) {
  SignalRecords records;
  if (longest_vector_length()) {
    records.registers = capture_vectors(state);
    records.vectors.header = {vector_magic,
                              static_cast<std::uint32_t>(record_size(records.registers.size()))};
    records.vectors.length = state.vector_length;
  }
  FloatingPointState unit;
  capture_floating_point(state, unit);
  records.floating_point.header = {floating_point_magic, sizeof(FloatingPointRecord)};
  records.floating_point.status = unit.status;
  records.floating_point.control = unit.control;
  std::memcpy(records.floating_point.registers, unit.registers, sizeof(unit.registers));
  records.syndrome = {{syndrome_magic, sizeof(SyndromeRecord)}, state.fault.error_code};
  return records;
}

std::size_t largest_signal_records() {
  unsigned length = longest_vector_length();
  return total(length ? record_size(vector_registers_size(length)) : 0);
}

base::Result<void> restore_signal_records(ThreadState& state, std::uintptr_t from) {
  Found found = TRY(RecordReader(from).read());
  if (!found.floating_point) return base::error(base::Errno::einval);
  auto record = TRY(get<FloatingPointRecord>(*found.floating_point));
  FloatingPointState unit;
  unit.status = record.status;
  unit.control = record.control;
  std::memcpy(unit.registers, record.registers, sizeof(unit.registers));
  if (found.vectors) {
    auto vectors = TRY(get<VectorRecord>(*found.vectors));
    if (vectors.length != state.vector_length || vectors.flags) return base::error(base::Errno::einval);
    if (vectors.header.size > sizeof(VectorRecord)) {
      if (vectors.header.size < record_size(vector_registers_size(vectors.length)))
        return base::error(base::Errno::einval);
      auto registers = TRY(replace_vectors(state));
      TRY(core::copy_from_user(registers, core::UserAddress(*found.vectors + sizeof(VectorRecord))));
      load_vectors(state, unit);
      return {};
    }
  }
  replace_floating_point(state, unit);
  return {};
}

}  // namespace arch
