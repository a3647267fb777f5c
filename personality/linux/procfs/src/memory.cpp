// maps, smaps, smaps_rollup, cmdline, environ, auxv, and mem.
#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "linux_abi/task_extras.h"
#include "subject.h"

namespace linux_procfs {

using core::Area;
using core::AreaFlag;

namespace {

void put_area_line(TextSink& out, const Area& area, core::AddressSpace& space) {
  core::MappingIdentity identity = area.file() ? area.file()->identity() : core::MappingIdentity{};
  using core::Protection;
  auto letter = [&](Protection wanted, char c) {
    return core::includes(area.protection(), wanted) ? c : '-';
  };
  char memory[128];
  base::TextBuffer text(memory);
  format(text, "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", area.start(), area.end(),
         letter(Protection::read, 'r'), letter(Protection::write, 'w'), letter(Protection::execute, 'x'),
         area.is_shared() ? 's' : 'p', area.is_anonymous() ? 0 : area.first_index() << core::page_shift,
         identity.device_major, identity.device_minor, identity.inode);
  out.put(text.view());
  auto pad = [&] {
    for (std::size_t i = text.view().size(); i < 73; ++i) out.put(" ");
  };
  const core::ProgramLayout& layout = space.program();
  if (area.file()) {
    pad();
    area.file()->put_path(out);
  } else if (area.name()) {
    pad();
    out.put(area.name());
  } else if (area.has(AreaFlag::stack) || (layout.stack_start && area.contains(layout.stack_start))) {
    pad();
    out.put("[stack]");
  } else if (area.is_anonymous() && layout.break_start && area.start() <= space.current_break().value() &&
             area.end() > layout.break_start) {
    pad();
    out.put("[heap]");
  } else if (area.is_shared()) {
    pad();
    out.put("/dev/zero (deleted)");
  }
  out.put("\n");
}

// A snapshot in pieces: the walk holds the space's lock, under which nothing may sleep for long, so the text
// is collected for one area at a time.
Result<void> show_maps(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  space->for_each_area(core::UserAddress(0), [&](const Area& area) {
    put_area_line(out, area, *space);
    return core::Iteration::proceed;
  });
  return {};
}

void add(core::AreaUsage& total, const core::AreaUsage& part) {
  total.resident += part.resident, total.proportional += part.proportional,
      total.shared_clean += part.shared_clean;
  total.shared_dirty += part.shared_dirty, total.private_clean += part.private_clean;
  total.private_dirty += part.private_dirty, total.referenced += part.referenced,
      total.anonymous += part.anonymous;
  total.locked += part.locked, total.swap += part.swap, total.swap_proportional += part.swap_proportional;
}

void put_usage(TextSink& out, const core::AreaUsage& usage) {
  auto line = [&](std::string_view name, std::uint64_t bytes) {
    char label[24];
    base::TextBuffer text(label);
    format(text, "{}:", name);
    format(out, "{:<16}{:>8} kB\n", text.view(), bytes / 1024);
  };
  line("Rss", usage.resident), line("Pss", usage.proportional), line("Shared_Clean", usage.shared_clean);
  line("Shared_Dirty", usage.shared_dirty), line("Private_Clean", usage.private_clean);
  line("Private_Dirty", usage.private_dirty), line("Referenced", usage.referenced),
      line("Anonymous", usage.anonymous);
  line("AnonHugePages", 0), line("Swap", usage.swap), line("SwapPss", usage.swap_proportional),
      line("Locked", usage.locked);
}

Result<void> show_smaps(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  space->for_each_area(core::UserAddress(0), [&](const Area& area) {
    put_area_line(out, area, *space);
    format(out, "Size:           {:>8} kB\nKernelPageSize: {:>8} kB\nMMUPageSize:    {:>8} kB\n",
           area.size() / 1024, 4, 4);
    put_usage(out, space->area_usage(area));
    format(out, "THPeligible:           0\nVmFlags:");
    using core::Protection;
    if (core::includes(area.protection(), Protection::read)) format(out, " rd");
    if (core::includes(area.protection(), Protection::write)) format(out, " wr");
    if (core::includes(area.protection(), Protection::execute)) format(out, " ex");
    if (area.is_shared()) format(out, " sh");
    if (core::includes(area.maximum_protection(), Protection::read)) format(out, " mr");
    if (core::includes(area.maximum_protection(), Protection::write)) format(out, " mw");
    if (core::includes(area.maximum_protection(), Protection::execute)) format(out, " me");
    if (area.has(AreaFlag::grows_down)) format(out, " gd");
    if (area.has(AreaFlag::locked)) format(out, " lo");
    if (area.has(AreaFlag::accounted)) format(out, " ac");
    if (area.has(AreaFlag::no_reserve)) format(out, " nr");
    if (area.has(AreaFlag::dont_fork)) format(out, " dc");
    if (area.has(AreaFlag::dont_dump)) format(out, " dd");
    if (core::includes(area.protection(), Protection::guarded)) format(out, " bt");
    format(out, " \n");
    return core::Iteration::proceed;
  });
  return {};
}

Result<void> show_smaps_rollup(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return error(Errno::esrch);
  core::AreaUsage total;
  std::uintptr_t first = 0, last = 0;
  space->for_each_area(core::UserAddress(0), [&](const Area& area) {
    if (!first) first = area.start();
    last = area.end();
    add(total, space->area_usage(area));
    return core::Iteration::proceed;
  });
  format(out, "{:08x}-{:08x} ---p 00000000 00:00 0                          [rollup]\n", first, last);
  put_usage(out, total);
  return {};
}

// Bytes [start, end) of the program's memory, as far as they can be read.
Result<void> put_memory_range(const Subject& subject, TextSink& out, std::uintptr_t start,
                              std::uintptr_t end) {
  auto space = subject.process->address_space();
  if (!space || start >= end) return {};
  struct Piece {
    char bytes[4096];
  };
  auto piece = TRY(base::try_make_unique<Piece>());
  // What programs put there is theirs: no more than a sane limit.
  constexpr std::uintptr_t largest = 4u << 20;
  if (end - start > largest) end = start + largest;
  while (start < end) {
    std::size_t count = end - start < sizeof(piece->bytes) ? end - start : sizeof(piece->bytes);
    std::size_t got =
        space->read_remote(core::UserAddress(start), std::as_writable_bytes(std::span(piece->bytes, count)),
                           core::AddressSpace::RemoteAccess::force);
    out.put({piece->bytes, got});
    if (got < count) break;
    start += count;
  }
  return {};
}

Result<void> show_cmdline(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  return put_memory_range(subject, out, space->program().arguments_start, space->program().arguments_end);
}
Result<void> show_environ(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  return put_memory_range(subject, out, space->program().environment_start, space->program().environment_end);
}
Result<void> show_auxv(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  const core::ProgramLayout& layout = space->program();
  auto bytes = std::as_bytes(std::span(layout.auxiliary, layout.auxiliary_words));
  for (std::byte byte : bytes) {
    char c = static_cast<char>(byte);
    out.put({&c, 1});
  }
  return {};
}
Result<void> store_clear_refs(const Subject& subject, std::string_view text) {
  auto space = subject.process->address_space();
  if (!space) return error(Errno::esrch);
  if (text.empty() || text[0] < '1' || text[0] > '5') return error(Errno::einval);
  if (text[0] == '5')
    space->reset_resident_peak();
  else
    space->clear_references(text[0] == '4');
  return {};
}
Result<void> show_unreadable(const Subject&, TextSink&) { return error(Errno::einval); }

// The policy of a range as set_mempolicy(2) numbers it, in the words of numa_maps.
void put_policy(TextSink& out, std::uint32_t word) {
  constexpr std::string_view names[] = {
      "default", "prefer", "bind", "interleave", "local", "prefer (many)", "weighted interleave"};
  std::uint32_t mode = word & 0x1fff;
  format(out, "{}", mode < std::size(names) ? names[mode] : "default");
  if (word & 0x8000) format(out, "=static");
  if (word & 0x4000) format(out, "=relative");
  if (word & 0x10000) format(out, ":0");
}

Result<void> show_numa_maps(const Subject& subject, TextSink& out) {
  auto space = subject.process->address_space();
  if (!space) return {};
  RefPtr<Task> task = subject.representative();
  // What other threads were given is known to themselves only.
  bool is_own = task && task.get() == linux_abi::current_task_or_null();
  const linux_abi::TaskExtras* extras = is_own ? linux_abi::TaskExtras::find(*task) : nullptr;
  std::uint32_t of_task = !extras ? 0 : extras->memory_policy | (extras->memory_node_given ? 0x10000u : 0u);
  space->for_each_area(core::UserAddress(0), [&](const core::Area& area) {
    format(out, "{:08x} ", area.start());
    put_policy(out, area.policy() ? area.policy() : of_task);
    if (area.file()) {
      format(out, " file=");
      area.file()->put_path(out);
    } else if (area.name() && std::string_view(area.name()) == "[heap]") {
      format(out, " heap");
    } else if (area.has(core::AreaFlag::grows_down)) {
      format(out, " stack");
    }
    core::AreaUsage usage = space->area_usage(area);
    auto pages = [&](std::string_view name, std::uint64_t bytes) {
      if (bytes) format(out, " {}={}", name, bytes / core::page_size);
    };
    pages("anon", usage.anonymous);
    pages("dirty", usage.private_dirty + usage.shared_dirty);
    pages("mapped", usage.resident - usage.anonymous);
    pages("N0", usage.resident);
    if (usage.resident) format(out, " kernelpagesize_kB={}", core::page_size / 1024);
    format(out, "\n");
    return core::Iteration::proceed;
  });
  return {};
}

constexpr TextRow rows[] = {
    {"numa_maps", 0444, show_numa_maps, nullptr, TextRow::Inspect::checked},
    {"maps", 0444, show_maps, nullptr, TextRow::Inspect::checked},
    {"smaps", 0444, show_smaps, nullptr, TextRow::Inspect::checked},
    {"smaps_rollup", 0444, show_smaps_rollup, nullptr, TextRow::Inspect::checked},
    {"cmdline", 0444, show_cmdline},
    {"environ", 0400, show_environ, nullptr, TextRow::Inspect::checked},
    {"auxv", 0400, show_auxv, nullptr, TextRow::Inspect::checked},
    {"clear_refs", 0200, show_unreadable, store_clear_refs},
};

// /proc/PID/mem: the program's memory at its addresses.
class MemoryFile final : public vfs::File {
 public:
  explicit MemoryFile(RefPtr<core::AddressSpace> space) : File(has_position), space_(std::move(space)) {}
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    return transfer(buffer, offset, [&](std::span<std::byte> piece, std::uint64_t at) {
      std::size_t got =
          space_->read_remote(core::UserAddress(at), piece, core::AddressSpace::RemoteAccess::force);
      return buffer.copy_out(piece.first(got));
    });
  }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    return transfer(buffer, offset, [&](std::span<std::byte> piece, std::uint64_t at) {
      std::size_t got = buffer.copy_in(piece);
      return space_->write_remote(core::UserAddress(at), piece.first(got),
                                  core::AddressSpace::RemoteAccess::force);
    });
  }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }

 private:
  template <typename Move>
  Result<std::size_t> transfer(core::IoBuffer& buffer, std::uint64_t offset, Move&& move) {
    struct Piece {
      std::byte bytes[4096];
    };
    auto piece = TRY(base::try_make_unique<Piece>());
    std::size_t total = 0;
    while (!buffer.empty()) {
      std::size_t count =
          buffer.remaining() < sizeof(piece->bytes) ? buffer.remaining() : sizeof(piece->bytes);
      std::size_t done = move(std::span(piece->bytes, count), offset + total);
      total += done;
      if (done < count) break;
    }
    if (!total) return error(buffer.faulted() ? Errno::efault : Errno::eio);
    return total;
  }
  RefPtr<core::AddressSpace> space_;
};

class MemoryEntry final : public OfSubject<pseudo_fs::Entry> {
 public:
  explicit MemoryEntry(const Subject& subject) : OfSubject(subject, vfs::mode_regular | 0600) {}
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest&) override {
    TRY(check_inspect(subject_));
    auto space = subject_.process->address_space();
    if (!space) return error(Errno::esrch);
    return RefPtr<vfs::File>(TRY(base::try_make_ref<MemoryFile>(std::move(space))));
  }
};

}  // namespace

std::span<const TextRow> memory_rows() { return rows; }

Result<RefPtr<pseudo_fs::Entry>> make_memory_file(const Subject& subject) {
  return RefPtr<pseudo_fs::Entry>(TRY(base::try_make_ref<MemoryEntry>(subject)));
}

}  // namespace linux_procfs
