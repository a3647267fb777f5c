// Classic BPF: checked when it is installed, so that running it needs no check.
#include <new>

#include "linux_abi/seccomp.h"

#include "linux_abi/seccomp_notify.h"

namespace linux_abi {

using namespace seccomp;

namespace {

constexpr std::size_t added_per_filter = 4;

bool is_arithmetic(unsigned code) {
  switch (code & operation_mask) {
    case add:
    case subtract:
    case multiply:
    case divide:
    case bit_or:
    case bit_and:
    case shift_left:
    case shift_right:
    case bit_xor:
      return !(code & ~(class_mask | operation_mask | source_index));
    case negate:
      return code == (class_arithmetic | negate);
    default:
      return false;
  }
}

bool is_load(const Instruction& instruction, bool index) {
  switch (instruction.code & ~class_mask) {
    case mode_immediate:
    case mode_length:
      return true;
    case mode_memory:
      return instruction.k < memory_words;
    case mode_absolute:
      return !index && instruction.k < sizeof(Data) && !(instruction.k & 3);
    default:
      return false;
  }
}

bool is_valid(const Instruction& instruction, std::size_t left) {
  unsigned code = instruction.code;
  switch (code & class_mask) {
    case class_load:
      return is_load(instruction, false);
    case class_load_index:
      return is_load(instruction, true);
    case class_store:
    case class_store_index:
      return !(code & ~class_mask) && instruction.k < memory_words;
    case class_arithmetic:
      if (!is_arithmetic(code)) return false;
      if (code == (class_arithmetic | divide)) return instruction.k != 0;
      if (code == (class_arithmetic | shift_left) || code == (class_arithmetic | shift_right))
        return instruction.k < 32;
      return true;
    case class_jump: {
      unsigned operation = code & operation_mask;
      if (code & ~(class_mask | operation_mask | source_index) || operation > jump_bits) return false;
      if (operation == jump_always) return code == class_jump && instruction.k < left;
      return instruction.jump_true < left && instruction.jump_false < left;
    }
    case class_return:
      return code == class_return || code == (class_return | return_accumulator);
    default:
      return code == (class_move | move_to_index) || code == (class_move | move_to_accumulator);
  }
}

// No word of memory is read that not every way to the place has written. Jumps go forward only, so one walk
// is enough.
Result<bool> reads_only_what_it_wrote(std::span<const Instruction> program) {
  base::Vector<std::uint16_t> written;  // by every way that jumps here
  for (std::size_t i = 0; i < program.size(); ++i) TRY(written.try_push_back(std::uint16_t{0xffff}));
  std::uint16_t now = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const Instruction& instruction = program[at];
    now &= written[at];
    auto bit = static_cast<std::uint16_t>(1u << (instruction.k & 15));
    auto arrive = [&](std::size_t to) { written[at + 1 + to] &= now; };
    switch (instruction.code & class_mask) {
      case class_store:
      case class_store_index:
        now |= bit;
        break;
      case class_load:
      case class_load_index:
        if ((instruction.code & mode_mask) == mode_memory && !(now & bit)) return false;
        break;
      case class_jump:
        if ((instruction.code & operation_mask) == jump_always) {
          arrive(instruction.k);
        } else {
          arrive(instruction.jump_true);
          arrive(instruction.jump_false);
        }
        now = 0xffff;
        break;
      case class_return:
        now = 0xffff;
        break;
      default:
        break;
    }
  }
  return true;
}

struct Machine {
  std::uint32_t accumulator = 0, index = 0, memory[memory_words] = {};
};

std::uint32_t loaded(const Machine& machine, const Instruction& instruction, const Data& data) {
  switch (instruction.code & mode_mask) {
    case mode_absolute: {
      std::uint32_t word;
      std::memcpy(&word, reinterpret_cast<const std::byte*>(&data) + instruction.k, sizeof(word));
      return word;
    }
    case mode_memory:
      return machine.memory[instruction.k];
    case mode_length:
      return sizeof(Data);
    default:
      return instruction.k;
  }
}

std::uint32_t computed(unsigned operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case add:
      return a + b;
    case subtract:
      return a - b;
    case multiply:
      return a * b;
    case divide:
      return a / b;
    case bit_or:
      return a | b;
    case bit_and:
      return a & b;
    case shift_left:
      return a << (b & 31);
    case shift_right:
      return a >> (b & 31);
    case bit_xor:
      return a ^ b;
    default:
      return 0 - a;
  }
}

bool holds(unsigned operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case jump_equal:
      return a == b;
    case jump_greater:
      return a > b;
    case jump_not_less:
      return a >= b;
    default:
      return a & b;
  }
}

}  // namespace

SeccompFilter::SeccompFilter() = default;
SeccompFilter::~SeccompFilter() {
  if (listener_) listener_->filter_gone();
}

void SeccompFilter::set_listener(RefPtr<SeccompListener> listener) { listener_ = std::move(listener); }

bool SeccompFilter::chain_has_listener() const {
  for (const SeccompFilter* at = this; at; at = at->previous_)
    if (at->listener_) return true;
  return false;
}

Result<RefPtr<SeccompFilter>> SeccompFilter::create(base::Vector<Instruction> program, bool logs) {
  std::size_t size = program.size();
  for (std::size_t i = 0; i < size; ++i)
    if (!is_valid(program[i], size - i - 1)) return error(Errno::einval);
  // Jumps go forward and stay inside: with a return at the end, every run ends.
  if ((program[size - 1].code & class_mask) != class_return) return error(Errno::einval);
  if (!TRY(reads_only_what_it_wrote({program.data(), size}))) return error(Errno::einval);
  auto made = RefPtr<SeccompFilter>::adopt(new (std::nothrow) SeccompFilter);
  if (!made) return error(Errno::enomem);
  made->program_ = std::move(program);
  made->logs_ = logs;
  return made;
}

std::uint32_t SeccompFilter::run(const Data& data) const {
  Machine machine;
  for (const Instruction* at = program_.data();; ++at) {
    bool with_index = at->code & source_index;
    unsigned operation = at->code & operation_mask;
    switch (at->code & class_mask) {
      case class_load:
        machine.accumulator = loaded(machine, *at, data);
        break;
      case class_load_index:
        machine.index = loaded(machine, *at, data);
        break;
      case class_store:
        machine.memory[at->k] = machine.accumulator;
        break;
      case class_store_index:
        machine.memory[at->k] = machine.index;
        break;
      case class_arithmetic: {
        std::uint32_t operand = with_index ? machine.index : at->k;
        if (operation == divide && !operand) return kill_thread;
        machine.accumulator = computed(operation, machine.accumulator, operand);
        break;
      }
      case class_jump:
        if (operation == jump_always)
          at += at->k;
        else
          at += holds(operation, machine.accumulator, with_index ? machine.index : at->k) ? at->jump_true
                                                                                          : at->jump_false;
        break;
      case class_return:
        return at->code & return_accumulator ? machine.accumulator : at->k;
      default:
        if ((at->code & 0xf8) == move_to_index)
          machine.index = machine.accumulator;
        else
          machine.accumulator = machine.index;
        break;
    }
  }
}

void SeccompFilter::append_to(SeccompFilter* previous) { previous_ = previous; }

bool SeccompFilter::comes_from(const SeccompFilter* ancestor) const {
  for (const SeccompFilter* at = this; at; at = at->previous_)
    if (at == ancestor) return true;
  return !ancestor;
}

std::size_t SeccompFilter::path_length() const {
  std::size_t total = program_.size();
  for (const SeccompFilter* at = previous_; at; at = at->previous_)
    total += at->program_.size() + added_per_filter;
  return total;
}

unsigned SeccompFilter::count() const {
  unsigned count = 0;
  for (const SeccompFilter* at = this; at; at = at->previous_) ++count;
  return count;
}

// A loop, not a recursion: chains can be long.
void SeccompFilter::release_reference() {
  SeccompFilter* at = this;
  // acq_rel: the last one to let go sees all that the others did.
  while (at && at->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    SeccompFilter* previous = at->previous_;
    delete at;
    at = previous;
  }
}

}  // namespace linux_abi
