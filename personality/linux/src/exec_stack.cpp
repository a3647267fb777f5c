// The stack of a new program, from the top down (System V ABI, "Process Initialization"):
//
//   8 zero bytes | file name | environment strings | argument strings | platform, 16 random bytes | padding |
//   auxiliary vector | null | environment pointers | null | argument pointers | argument count  <- stack
//   pointer
#include <array>
#include <cstring>

#include "arch/linux_abi.h"
#include "arch/linux_signal.h"
#include "core/random/random.h"
#include "exec_private.h"
#include "linux_abi/abi/process.h"

namespace linux_abi {

namespace {

// Writes upwards into an address space that is not the current one, a block at a time.
class RemoteWriter {
 public:
  RemoteWriter(core::AddressSpace& space, std::uintptr_t address) : space_(space), address_(address) {}
  Result<void> put(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      std::size_t part = bytes.size() < room() ? bytes.size() : room();
      std::memcpy(block_.data() + used_, bytes.data(), part);
      used_ += part;
      bytes = bytes.subspan(part);
      if (!room()) TRY(flush());
    }
    return {};
  }
  Result<void> put_text(std::string_view text) {
    TRY(put(std::as_bytes(std::span(text))));
    return put(std::array<std::byte, 1>{});
  }
  Result<void> put_word(std::uint64_t word) { return put(std::as_bytes(std::span(&word, 1))); }
  // One string of a source.
  Result<void> put_string(StringSource& source, std::size_t index, std::size_t size) {
    for (std::size_t offset = 0; offset < size;) {
      std::size_t part = size - offset < room() ? size - offset : room();
      // SAFETY: bytes of our own block, seen as characters.
      auto* to = reinterpret_cast<char*>(block_.data() + used_);
      TRY(source.copy(index, offset, std::span(to, part)));
      // Another thread may have changed the string since it was measured: its size stays.
      if (offset + part == size) to[part - 1] = '\0';
      used_ += part;
      offset += part;
      if (!room()) TRY(flush());
    }
    return {};
  }
  Result<void> flush() {
    auto bytes = std::span<const std::byte>(block_).first(used_);
    if (space_.write_remote(UserAddress(address_), bytes, core::AddressSpace::RemoteAccess::force) != used_)
      return error(Errno::efault);
    address_ += used_;
    used_ = 0;
    return {};
  }
  std::uintptr_t position() const { return address_ + used_; }

 private:
  std::size_t room() const { return block_.size() - used_; }
  core::AddressSpace& space_;
  std::uintptr_t address_;
  std::size_t used_ = 0;
  std::array<std::byte, 512> block_;
};

struct AuxiliaryVector {
  std::uint64_t words[64] = {};
  std::uint32_t count = 0;
  void add(std::uint64_t type, std::uint64_t value) {
    words[count++] = type;
    words[count++] = value;
  }
};

AuxiliaryVector make_auxiliary_vector(const StackValues& values, std::uintptr_t random,
                                      std::uintptr_t platform, std::uintptr_t file_name) {
  const vfs::Credentials& who = *values.credentials;
  const LoadedProgram& loaded = *values.loaded;
  AuxiliaryVector vector;
  if (values.vdso) vector.add(auxv::sysinfo_ehdr, values.vdso);
  vector.add(auxv::minsigstksz, arch::linux_minimum_signal_stack());
  vector.add(auxv::hwcap, arch::linux_hwcap());
  vector.add(auxv::pagesz, core::page_size);
  vector.add(auxv::clktck, user_ticks_per_second);
  vector.add(auxv::phdr, loaded.program_headers);
  vector.add(auxv::phent, sizeof(elf::ProgramHeader));
  vector.add(auxv::phnum, values.program_header_count);
  vector.add(auxv::base, loaded.interpreter_base);
  vector.add(auxv::flags, 0);
  vector.add(auxv::entry, loaded.entry);
  vector.add(auxv::uid, who.uid);
  vector.add(auxv::euid, who.euid);
  vector.add(auxv::gid, who.gid);
  vector.add(auxv::egid, who.egid);
  vector.add(auxv::secure, values.secure);
  vector.add(auxv::random, random);
  vector.add(auxv::hwcap2, arch::linux_hwcap2());
  vector.add(auxv::execfn, file_name);
  if (platform) vector.add(auxv::platform, platform);
  vector.add(auxv::rseq_feature_size, rseq::feature_size);
  vector.add(auxv::rseq_align, rseq::alignment);
  vector.add(auxv::null, 0);
  return vector;
}

Result<void> map_stack(core::AddressSpace& space, std::uintptr_t top, std::size_t used,
                       elf::StackPermission permission) {
  constexpr std::size_t room_below = 128 * 1024;
  std::size_t size = base::align_up(used + room_below, std::size_t{core::page_size});
  auto protection = core::Protection::read | core::Protection::write;
  if (permission == elf::StackPermission::executable) protection = protection | core::Protection::execute;
  TRY(space.map({.address = UserAddress(top - size),
                 .length = size,
                 .protection = protection,
                 .flags = core::MapFlags::fixed | core::MapFlags::no_replace | core::MapFlags::grows_down |
                          core::MapFlags::stack}));
  return {};
}

}  // namespace

Result<void> StackPlan::measure(Process& process) {
  constexpr std::size_t smallest_limit = 128 * 1024, largest_limit = 6 * 1024 * 1024;
  std::uint64_t limit = process.limit_current(Resource::stack) / 4;
  if (limit > largest_limit) limit = largest_limit;
  if (limit < smallest_limit) limit = smallest_limit;
  std::size_t given = TRY(arguments->count());
  environment_count = TRY(environment->count());
  if (given < skipped_arguments) skipped_arguments = given;
  argument_count = prefix.size() + given - skipped_arguments;
  std::uint64_t total =
      (argument_count + environment_count) * sizeof(std::uintptr_t) + display_path.size() + 1;
  argument_bytes = environment_bytes = 0;
  for (const base::String& text : prefix) argument_bytes += text.size() + 1;
  for (std::size_t i = skipped_arguments; i < given; ++i) {
    argument_bytes += TRY(arguments->size(i));
    if (total + argument_bytes > limit) return error(Errno::e2big);
  }
  for (std::size_t i = 0; i < environment_count; ++i) {
    environment_bytes += TRY(environment->size(i));
    if (total + argument_bytes + environment_bytes > limit) return error(Errno::e2big);
  }
  // A program may rely on argv[0]: it gets an empty one rather than none.
  if (argument_count == 0) {
    argument_count = 1;
    argument_bytes = 1;
    TRY(prefix.try_push_back({}));
  }
  return {};
}

Result<std::uintptr_t> build_stack(core::AddressSpace& space, StackPlan& plan, const StackValues& values,
                                   std::uintptr_t stack_top, elf::StackPermission permission) {
  std::uintptr_t file_name = stack_top - sizeof(std::uint64_t) - (plan.display_path.size() + 1);
  std::uintptr_t environment = file_name - plan.environment_bytes;
  std::uintptr_t arguments = environment - plan.argument_bytes;
  std::string_view platform_text = arch::linux_platform() ? arch::linux_platform() : "";
  std::uintptr_t platform = platform_text.empty() ? 0 : arguments - (platform_text.size() + 1);
  std::uintptr_t random = base::align_down((platform ? platform : arguments) - 16, std::uintptr_t{16});
  AuxiliaryVector auxiliary = make_auxiliary_vector(values, random, platform, file_name);
  std::size_t words = 1 + plan.argument_count + 1 + plan.environment_count + 1 + auxiliary.count;
  std::uintptr_t stack_pointer = base::align_down(random - words * sizeof(std::uint64_t), std::uintptr_t{16});
  TRY(map_stack(space, stack_top, stack_top - stack_pointer, permission));

  RemoteWriter strings(space, arguments), pointers(space, stack_pointer);
  TRY(pointers.put_word(plan.argument_count));
  for (const base::String& text : plan.prefix) {
    TRY(pointers.put_word(strings.position()));
    TRY(strings.put_text(text));
  }
  std::size_t given = plan.argument_count - plan.prefix.size() + plan.skipped_arguments;
  for (std::size_t i = plan.skipped_arguments; i < given; ++i) {
    TRY(pointers.put_word(strings.position()));
    TRY(strings.put_string(*plan.arguments, i, TRY(plan.arguments->size(i))));
    if (strings.position() > environment) return error(Errno::efault);  // changed since it was measured
  }
  TRY(pointers.put_word(0));
  auto& layout = space.program();
  layout.arguments_start = arguments;
  layout.arguments_end = layout.environment_start = strings.position();
  for (std::size_t i = 0; i < plan.environment_count; ++i) {
    TRY(pointers.put_word(strings.position()));
    TRY(strings.put_string(*plan.environment, i, TRY(plan.environment->size(i))));
    if (strings.position() > file_name) return error(Errno::efault);
  }
  TRY(pointers.put_word(0));
  layout.environment_end = strings.position();
  TRY(strings.flush());
  RemoteWriter last(space, file_name);
  TRY(last.put_text(plan.display_path));
  TRY(last.flush());
  for (std::uint32_t i = 0; i < auxiliary.count; ++i) TRY(pointers.put_word(auxiliary.words[i]));
  TRY(pointers.flush());

  std::array<std::byte, 16> secret;
  core::random_bytes(secret);
  RemoteWriter extras(space, random);
  TRY(extras.put(secret));
  TRY(extras.flush());
  if (platform) {
    RemoteWriter text(space, platform);
    TRY(text.put_text(platform_text));
    TRY(text.flush());
  }
  layout.stack_start = stack_pointer;
  std::memcpy(layout.auxiliary, auxiliary.words, sizeof(auxiliary.words));
  layout.auxiliary_words = auxiliary.count;
  return stack_pointer;
}

}  // namespace linux_abi
