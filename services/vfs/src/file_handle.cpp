#include "vfs/file_handle.h"

#include "vfs/file_system.h"
#include "vfs_internal.h"

namespace vfs {

namespace {
struct Registration {
  const FileSystemType* type = nullptr;
  const HandleSource* source = nullptr;
};
constexpr unsigned registrations_max = 8;
constinit Registration registrations[registrations_max];
constinit std::atomic<unsigned> registration_count{0};
}  // namespace

void register_handle_source(const FileSystemType& type, const HandleSource& source) {
  unsigned next = registration_count.load();
  base::verify(next < registrations_max, "too many kinds of file systems with handles");
  registrations[next] = {&type, &source};
  registration_count.store(next + 1);
}

const HandleSource* handle_source_of(const FileSystem& file_system) {
  unsigned count = registration_count.load();
  for (unsigned i = 0; i < count; ++i)
    if (registrations[i].type == &file_system.type()) return registrations[i].source;
  return nullptr;
}

// Down into each directory, on to the next name by its cookie, back up. Nothing moves from one directory to
// another meanwhile; within one, a renamed entry comes once more.
Result<RefPtr<Dentry>> find_stored_entry(FileSystem& file_system, std::uint64_t inode_number) {
  core::MutexGuard guard{file_system.rename_mutex()};
  RefPtr<Dentry> directory = file_system.root();
  if (directory->inode()->number() == inode_number) return directory;
  std::uint64_t cookie = 0;
  for (;;) {
    RefPtr<Dentry> child;
    bool at_end;
    {
      core::ReadGuard reading{directory->inode()->lock()};
      Dentry* next = directory->first_child_from(cookie);
      child = RefPtr<Dentry>::try_acquire(next);
      at_end = !next;
      if (next) cookie = next->cookie() + 1;
    }
    if (at_end) {
      if (directory->is_root()) return error(Errno::estale);
      cookie = directory->cookie() + 1;
      directory = directory->parent_reference();
      continue;
    }
    Inode* inode = child ? child->inode() : nullptr;  // one that is on its way out has none
    if (!inode || !child->has(Dentry::hashed)) continue;
    if (inode->number() == inode_number) return child;
    if (!is_directory(inode->mode())) continue;
    directory = std::move(child);
    cookie = 0;
  }
}

}  // namespace vfs
