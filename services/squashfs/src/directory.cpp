// Directories: runs of entries, each behind a head that says where the inodes of the run are.
#include <algorithm>

#include "core/memory/slab.h"
#include "inode.h"
#include "vfs/directory.h"

namespace squashfs {

Result<void> SquashInode::for_each_entry(std::uint64_t from,
                                         base::FunctionRef<bool(const Entry&, std::uint64_t)> use) {
  auto entry = TRY(base::try_make_unique<Entry>());
  Cursor cursor = entries_;
  std::uint64_t at = 0;  // bytes of the directory that are behind us
  while (at < entries_size_) {
    auto head = TRY(squash().get<DirectoryHead>(cursor));
    at += sizeof(head);
    if (head.count >= directory_run_max) return squash().corrupted("entries of directory", number());
    for (std::uint32_t i = 0; i <= head.count; ++i) {
      auto raw = TRY(squash().get<DirectoryEntry>(cursor));
      entry->name_size = std::size_t{raw.name_size} + 1;
      at += sizeof(raw) + entry->name_size;
      if (entry->name_size > sizeof(entry->name) || at > entries_size_)
        return squash().corrupted("entry of directory", number());
      TRY(squash().read(cursor, std::as_writable_bytes(std::span(entry->name).first(entry->name_size))));
      if (at <= from) continue;
      if (entry->view().find_first_of(std::string_view("/\0", 2)) != std::string_view::npos)
        return squash().corrupted("name in directory", number());
      entry->reference = std::uint64_t{head.block} << 16 | raw.offset;
      entry->number = head.number + static_cast<std::uint32_t>(static_cast<std::int32_t>(raw.number));
      entry->type = raw.type;
      if (!use(*entry, at)) return {};
    }
  }
  return {};
}

Result<RefPtr<vfs::Inode>> SquashInode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  if (name.size() > vfs::name_max) return error(Errno::enametoolong);
  std::uint64_t reference = no_table;
  TRY(for_each_entry(0, [&](const Entry& entry, std::uint64_t) {
    if (entry.view() == name) reference = entry.reference;
    // They are sorted.
    return entry.view() < name;
  }));
  if (reference == no_table) return RefPtr<Inode>{};
  return RefPtr<Inode>(TRY(squash().get_inode(reference)));
}

// Positions: 0 and 1 are the dots, then two more than the bytes of the directory that are behind.
Result<void> SquashInode::list(vfs::Inode& inode, vfs::DirectorySink& sink, std::uint64_t& position) {
  using vfs::SinkState;
  auto& self = static_cast<SquashInode&>(inode);
  if (position == 0) {
    if (sink.entry(".", self.number(), 4, 1) == SinkState::full) return {};
    position = 1;
  }
  if (position == 1) {
    if (sink.entry("..", self.parent_, 4, 2) == SinkState::full) return {};
    position = 2;
  }
  constexpr std::uint8_t types[] = {0, 4, 8, 10, 6, 2, 1, 12};
  return self.for_each_entry(position - 2, [&](const Entry& entry, std::uint64_t behind) {
    std::uint8_t type = entry.type < std::size(types) ? types[entry.type] : 0;
    if (sink.entry(entry.view(), entry.number, type, behind + 2) == SinkState::full) return false;
    position = behind + 2;
    return true;
  });
}

}  // namespace squashfs
