// Reading an ELF program and mapping it.
#include <array>

#include "arch/linux_abi.h"
#include "core/memory/io_buffer.h"
#include "core/random/random.h"
#include "exec_private.h"
#include "linux_abi/vdso.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

constexpr std::uint64_t page_size = core::page_size;

Result<void> read_exactly(vfs::File& file, std::uint64_t offset, std::span<std::uint8_t> to) {
  auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(to));
  while (!buffer.empty()) {
    std::size_t done = TRY(file.positioned_read(buffer, offset + buffer.transferred()));
    if (!done) return error(Errno::eio);
  }
  return {};
}

// `guarded`: the program has marks where branches may go.
core::Protection to_protection(std::uint32_t flags, bool guarded) {
  auto protection = core::Protection::none;
  if (flags & elf::flag_read) protection = protection | core::Protection::read;
  if (flags & elf::flag_write) protection = protection | core::Protection::write;
  if (flags & elf::flag_execute) {
    protection = protection | core::Protection::execute;
    if (guarded) protection = protection | core::Protection::guarded;
  }
  return protection;
}

// Clears the rest of a file's last page, which a program expects to be zero.
Result<void> clear_tail(core::AddressSpace& space, std::uintptr_t from, std::uintptr_t to) {
  static constexpr std::array<std::byte, 256> zeroes{};
  for (std::uintptr_t at = from; at < to;) {
    std::size_t part = to - at < zeroes.size() ? to - at : zeroes.size();
    if (space.write_remote(UserAddress(at), std::span(zeroes).first(part),
                           core::AddressSpace::RemoteAccess::force) != part)
      return error(Errno::efault);
    at += part;
  }
  return {};
}

Result<void> map_segment(core::AddressSpace& space, vfs::File& file, const elf::Segment& segment,
                         std::uint64_t bias, bool guarded) {
  elf::Placement place = elf::place_segment(segment, bias, page_size);
  auto fixed = core::MapFlags::fixed | core::MapFlags::no_replace;
  if (place.file_length) {
    core::MapRequest request{.address = UserAddress(place.address),
                             .length = place.file_length,
                             .protection = to_protection(segment.flags, guarded),
                             .flags = fixed,
                             .offset = place.file_offset};
    TRY(file.map(request));
    TRY(space.map(request));
  }
  std::uint64_t file_end = place.address + base::align_up(place.file_length, page_size);
  if (place.zero_end <= place.zero_start) return {};
  std::uint64_t tail_end = place.zero_end < file_end ? place.zero_end : file_end;
  if (place.zero_start < file_end && (segment.flags & elf::flag_write))
    TRY(clear_tail(space, place.zero_start, tail_end));
  std::uint64_t zero_pages_end = base::align_up(place.zero_end, page_size);
  std::uint64_t zero_pages_start =
      place.file_length ? file_end : base::align_down(place.zero_start, page_size);
  if (zero_pages_end > zero_pages_start)
    TRY(space.map({.address = UserAddress(zero_pages_start),
                   .length = zero_pages_end - zero_pages_start,
                   .protection = to_protection(segment.flags, guarded),
                   .flags = fixed}));
  return {};
}

// Finds a place for the whole image by mapping and unmapping a reservation; segments are then put inside.
Result<std::uintptr_t> find_place(core::AddressSpace& space, const elf::Extent& extent,
                                  std::uint64_t alignment, std::uintptr_t hint) {
  std::size_t length = base::align_up(extent.high - extent.low, page_size);
  UserAddress where = TRY(space.map({.address = UserAddress(hint),
                                     .length = length,
                                     .flags = core::MapFlags::no_reserve,
                                     .alignment = alignment > page_size ? alignment : 0}));
  TRY(space.unmap(where, length));
  return where.value();
}

Result<std::uint64_t> map_image(core::AddressSpace& space, const Program& program, const elf::Extent& extent,
                                std::uintptr_t hint, bool guarded) {
  std::uint64_t bias = 0;
  if (program.image.header.kind == elf::Header::Kind::position_independent)
    bias = TRY(find_place(space, extent, program.image.alignment, hint)) - extent.low;
  for (const elf::Segment& segment : program.image.segments)
    TRY(map_segment(space, *program.file, segment, bias, guarded));
  return bias;
}

// Whether all of its code has marks where branches may go, and the processor looks at them.
Result<bool> has_branch_targets(vfs::File& file, const elf::Image& image) {
  constexpr std::size_t most_properties = 1024;
  arch::LinuxGuard guard = arch::linux_guard();
  if (!guard.property || !image.gnu_property) return false;
  if (image.gnu_property->size > most_properties) return error(Errno::enoexec);
  base::Vector<std::uint8_t> note;
  TRY(note.try_resize(image.gnu_property->size));
  TRY(read_exactly(file, image.gnu_property->offset, note.span()));
  return (TRY(elf::read_gnu_property(note.span(), guard.property)) & guard.property_bit) != 0;
}

}  // namespace

Result<Program> read_program(RefPtr<vfs::File> file, ProgramRole role) {
  std::uint8_t first[sizeof(elf::FileHeader)] = {};
  auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span(first)));
  std::size_t size = TRY(file->positioned_read(buffer, 0));
  if (role == ProgramRole::interpreter && size < sizeof(first)) return error(Errno::eio);
  auto bad = [&](Errno code) { return role == ProgramRole::interpreter ? Errno::elibbad : code; };
  auto header = elf::read_file_header(first, arch::linux_elf_machine);
  if (!header) return error(bad(header.error()));
  base::Vector<std::uint8_t> table;
  TRY(table.try_resize(header->program_headers_size));
  if (!read_exactly(*file, header->program_headers_offset, table.span())) return error(bad(Errno::enoexec));
  auto image = elf::read_image(*header, table.span());
  if (!image) return error(bad(image.error()));
  auto guarded = has_branch_targets(*file, *image);
  if (!guarded) return error(bad(guarded.error()));
  return Program{std::move(file), std::move(*image), *guarded};
}

Result<std::optional<base::String>> interpreter_path(const Program& program) {
  if (!program.image.interpreter) return std::optional<base::String>{};
  base::Vector<std::uint8_t> bytes;
  TRY(bytes.try_resize(program.image.interpreter->size));
  TRY(read_exactly(*program.file, program.image.interpreter->offset, bytes.span()));
  auto name = TRY(elf::interpreter_name(bytes.span()));
  base::String text;
  for (std::uint8_t byte : name) TRY(text.try_push_back(static_cast<char>(byte)));
  return std::optional(std::move(text));
}

Randomness Randomness::draw(const Task& task) {
  Randomness random;
  if ((task.personality & personality_addr_no_randomize) || !randomize_addresses()) {
    random.enabled = false;
    return random;
  }
  auto pages = [](unsigned bits) { return core::random_below(std::uint64_t{1} << bits) * page_size; };
  random.stack = pages(arch::linux_stack_random_bits);
  random.map = pages(arch::linux_mmap_random_bits);
  random.program = pages(arch::linux_mmap_random_bits);
  random.brk = pages(arch::linux_break_random_bits);
  return random;
}

Result<RefPtr<core::AddressSpace>> create_address_space(Process& process, const Randomness& random) {
  constexpr std::uint64_t gap_minimum = 128 << 20;
  std::uintptr_t top = arch::linux_stack_top();
  std::uint64_t gap = process.limit_current(Resource::stack);
  // Room for the stack to grow to its limit, its own random offset and the guard below it.
  std::uint64_t extra = (std::uint64_t{1} << arch::linux_stack_random_bits) * page_size + (1 << 20);
  std::uint64_t gap_maximum = top / 6 * 5;
  if (gap < gap_minimum) gap = gap_minimum;
  if (gap > gap_maximum - extra) gap = gap_maximum - extra;
  core::AddressSpaceLayout layout;
  layout.highest = top;
  layout.map_base = base::align_down(top - gap - extra - random.map, std::uintptr_t{page_size});
  auto space = TRY(core::AddressSpace::create(layout));
  space->owner = &process;
  return space;
}

Result<LoadedProgram> map_program(core::AddressSpace& space, const Program& program,
                                  const Program* interpreter, const Randomness& random) {
  elf::LayoutLimits limits{.page_size = page_size, .address_end = arch::linux_stack_top()};
  LoadedProgram loaded;
  loaded.extent = TRY(elf::check_layout(program.image, limits));
  // With an interpreter the program goes low, so that the break can grow; without one it is itself like a
  // library.
  std::uintptr_t hint = 0;
  if (interpreter)
    hint = base::align_down(arch::linux_stack_top() / 3 * 2, std::uintptr_t{page_size}) + random.program;
  // Who has an interpreter is guarded by it, once all that it loads is known.
  loaded.bias = TRY(map_image(space, program, loaded.extent, hint, program.guarded && !interpreter));
  loaded.entry = loaded.start = program.image.header.entry + loaded.bias;
  if (program.image.program_headers_address)
    loaded.program_headers = program.image.program_headers_address + loaded.bias;

  if (interpreter) {
    elf::Extent extent = TRY(elf::check_layout(interpreter->image, limits));
    std::uint64_t bias = TRY(map_image(space, *interpreter, extent, 0, interpreter->guarded));
    loaded.interpreter_base = bias + extent.low;
    loaded.start = interpreter->image.header.entry + bias;
  }

  std::uintptr_t break_start =
      base::align_up(loaded.extent.break_start + loaded.bias, std::uint64_t{page_size});
  // A static PIE stands among the mappings, where a break could not grow.
  if (!interpreter && program.image.header.kind == elf::Header::Kind::position_independent)
    break_start = base::align_down(arch::linux_stack_top() / 3 * 2, std::uintptr_t{page_size});
  space.initialize_break(UserAddress(break_start + random.brk));

  auto& layout = space.program();
  layout.code_start = loaded.extent.code_start + loaded.bias;
  layout.code_end = loaded.extent.code_end + loaded.bias;
  layout.data_start = loaded.extent.data_start + loaded.bias;
  layout.data_end = loaded.extent.data_end + loaded.bias;
  layout.break_start = break_start + random.brk;
  return loaded;
}

}  // namespace linux_abi
