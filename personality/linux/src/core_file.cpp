// The core file: an ELF file with one segment of notes and one for each mapping.
#include <cstring>

#include "arch/linux_abi.h"
#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "elf/format.h"
#include "linux_abi/core_dump.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

using core::Area;
using core::AreaFlag;
using core::page_size;

constexpr std::uint16_t type_core = 4;
constexpr std::uint32_t segment_note = 4;

// Bytes to the file in order. Holes cost nothing in a file and are zeroes in a pipe; they do not count for
// RLIMIT_CORE, as on Linux.
class Output {
 public:
  Output(vfs::File& file, std::uint64_t limit)
      : file_(file), limit_(limit), is_stream_(!file.has_trait(vfs::File::has_position)) {}

  bool put(std::span<const std::byte> bytes) {
    if (failed_) return false;
    if (is_stream_ && !fill_hole()) return false;
    at_ += std::exchange(hole_, 0);
    while (!bytes.empty()) {
      if (core::Thread::current().interrupted(core::WaitMode::killable)) return fail();
      std::size_t count = bytes.size();
      if (written_ + count > limit_) return fail();
      auto buffer = core::IoBuffer::kernel(bytes);
      auto done = is_stream_ ? file_.write(buffer) : file_.positioned_write(buffer, at_);
      if (!done || !*done) return fail();
      at_ += *done;
      written_ += *done;
      bytes = bytes.subspan(*done);
    }
    return true;
  }
  void skip(std::uint64_t count) { hole_ += count; }
  // A hole at the end makes the file as long as its headers say.
  void finish() {
    if (!hole_) return;
    --hole_;
    std::byte zero{};
    (void)put(std::span(&zero, 1));
  }
  bool failed() const { return failed_; }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  bool fill_hole() {
    static constexpr std::byte zeroes[page_size] = {};
    for (std::uint64_t left = std::exchange(hole_, 0); left;) {
      std::size_t count = left < sizeof(zeroes) ? left : sizeof(zeroes);
      if (!put(std::span(zeroes).first(count))) return false;
      left -= count;
    }
    return true;
  }

  vfs::File& file_;
  const std::uint64_t limit_;
  const bool is_stream_;
  bool failed_ = false;
  std::uint64_t at_ = 0, written_ = 0, hole_ = 0;
};

// How much of the area is wanted: everything, nothing, or the first page.
std::uintptr_t dumped_end(const Area& area, std::uint32_t filter, CoreArea& out) {
  auto whole_if = [&](std::uint32_t bit) { return filter & bit ? area.end() : area.start(); };
  bool plain_special = area.object() && area.object()->is_special();
  if (plain_special)
    return area.object()->is_plain_memory() && core::includes(area.protection(), core::Protection::execute)
               ? area.end()
               : area.start();
  if (area.has(AreaFlag::dont_dump)) return area.start();
  if (area.is_anonymous()) {
    out.only_if_present = true;
    return whole_if(core_filter::anonymous_private);
  }
  bool named = area.file() && !out.file_path.empty() && !out.file_path.view().ends_with(" (deleted)");
  if (area.is_shared()) return whole_if(named ? core_filter::mapped_shared : core_filter::anonymous_shared);
  if (area.has(AreaFlag::has_anonymous) && filter & core_filter::anonymous_private) return area.end();
  if (filter & core_filter::mapped_private) return area.end();
  if (filter & core_filter::elf_headers && area.first_index() == 0 &&
      core::includes(area.protection(), core::Protection::read)) {
    out.only_if_program = true;
    return area.start() + page_size;
  }
  return area.start();
}

class PathSink final : public base::TextSink {
 public:
  void put(std::string_view text) override {
    if (outcome) outcome = path.try_append(text);
  }
  base::String path;
  Result<void> outcome;
};

Result<CoreArea> describe(const Area& area, std::uint32_t filter) {
  CoreArea out;
  out.start = area.start();
  out.end = area.end();
  if (core::includes(area.protection(), core::Protection::read)) out.flags |= elf::flag_read;
  if (core::includes(area.protection(), core::Protection::write)) out.flags |= elf::flag_write;
  if (core::includes(area.protection(), core::Protection::execute)) out.flags |= elf::flag_execute;
  if (area.file()) {
    PathSink sink;
    area.file()->put_path(sink);
    TRY(sink.outcome);
    out.file_path = std::move(sink.path);
    out.file_page = area.first_index();
  }
  out.dumped_end = dumped_end(area, filter, out);
  return out;
}

Result<base::Vector<CoreArea>> describe_memory(core::AddressSpace& space, std::uint32_t filter) {
  base::Vector<CoreArea> areas;
  Result<void> outcome;
  space.for_each_area(UserAddress(0), [&](const Area& area) {
    auto described = describe(area, filter);
    outcome = described ? areas.try_push_back(std::move(*described)) : Result<void>(error(described.error()));
    return outcome ? core::Iteration::proceed : core::Iteration::stop;
  });
  TRY(outcome);
  for (CoreArea& area : areas) {
    if (!area.only_if_program) continue;
    char magic[4] = {};
    space.read_remote(UserAddress(area.start), std::as_writable_bytes(std::span(magic)),
                      core::AddressSpace::RemoteAccess::force);
    if (std::memcmp(magic, "\177ELF", 4) != 0) area.dumped_end = area.start;
  }
  return areas;
}

elf::FileHeader file_header(std::size_t segments) {
  elf::FileHeader header{};
  constexpr std::uint8_t identification[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  std::memcpy(header.identification, identification, sizeof(identification));
  header.type = type_core;
  header.machine = arch::linux_elf_machine;
  header.version = 1;
  header.program_header_offset = sizeof(header);
  header.header_size = sizeof(header);
  header.program_header_size = sizeof(elf::ProgramHeader);
  header.program_header_count = static_cast<std::uint16_t>(segments);
  return header;
}

bool put_headers(Output& out, std::span<const CoreArea> areas, std::size_t notes_size,
                 std::uint64_t data_at) {
  std::size_t count = areas.size() + 1;
  elf::FileHeader header = file_header(count);
  if (!out.put(std::as_bytes(std::span(&header, 1)))) return false;
  elf::ProgramHeader notes{};
  notes.type = segment_note;
  notes.offset = sizeof(header) + count * sizeof(elf::ProgramHeader);
  notes.file_size = notes_size;
  notes.alignment = 4;
  if (!out.put(std::as_bytes(std::span(&notes, 1)))) return false;
  for (const CoreArea& area : areas) {
    elf::ProgramHeader segment{};
    segment.type = elf::segment_load;
    segment.flags = area.flags;
    segment.offset = data_at;
    segment.virtual_address = area.start;
    segment.file_size = area.dumped_end - area.start;
    segment.memory_size = area.end - area.start;
    segment.alignment = page_size;
    data_at += segment.file_size;
    if (!out.put(std::as_bytes(std::span(&segment, 1)))) return false;
  }
  return true;
}

void put_memory(Output& out, core::AddressSpace& space, const CoreArea& area, std::span<std::byte> page) {
  constexpr std::size_t batch = 64;
  core::PageState states[batch];
  for (std::uintptr_t at = area.start; at < area.dumped_end && !out.failed();) {
    std::size_t count = (area.dumped_end - at) / page_size;
    if (count > batch) count = batch;
    if (area.only_if_present)
      space.for_each_area(UserAddress(at), [&](const Area&) {
        space.page_states(UserAddress(at), std::span(states).first(count));
        return core::Iteration::stop;
      });
    for (std::size_t i = 0; i < count && !out.failed(); ++i, at += page_size) {
      bool absent = area.only_if_present && !states[i].swapped && (!states[i].present || states[i].zero_page);
      if (absent ||
          space.read_remote(UserAddress(at), page, core::AddressSpace::RemoteAccess::force) != page_size)
        out.skip(page_size);
      else
        out.put(page);
    }
  }
}

}  // namespace

bool write_core_file(Task& dumper, const SigInfo& information, vfs::File& file, std::uint64_t limit) {
  Process& process = dumper.process();
  auto space = process.address_space();
  if (!space) return false;
  auto areas = describe_memory(*space, process.core_filter.load(std::memory_order_relaxed));
  if (!areas) return false;
  auto notes = core_notes(dumper, information, areas->span());
  base::Vector<std::byte> page;
  if (!notes || !page.try_resize(page_size)) return false;
  Output out(file, limit);
  std::size_t headers = sizeof(elf::FileHeader) + (areas->size() + 1) * sizeof(elf::ProgramHeader);
  std::uint64_t end = headers + notes->size();
  std::uint64_t data_at = (end + page_size - 1) & ~std::uint64_t{page_size - 1};
  if (!put_headers(out, areas->span(), notes->size(), data_at) || !out.put(notes->span())) return true;
  out.skip(data_at - end);
  for (const CoreArea& area : *areas) {
    if (out.failed()) return true;
    put_memory(out, *space, area, page.span());
  }
  out.finish();
  return true;
}

}  // namespace linux_abi
