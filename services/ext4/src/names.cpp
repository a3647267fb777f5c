// Making, removing and moving names. The vfs holds the locks of the directories and checks permissions; each
// operation is one transaction.
#include <cstring>

#include "core/memory/slab.h"
#include "core/random/random.h"
#include "inode.h"
#include "vfs/dentry.h"

namespace ext4 {

namespace {
constexpr unsigned create_credits = Ext4Inode::entry_credits + 16;

void touch(Ext4Inode& directory) { directory.touch_modified(); }

// Operations that need blocks: once more where room could be made. What failed left nothing behind.
template <typename Operation>
auto with_room(Ext4FileSystem& file_system, Operation&& operation) -> decltype(operation()) {
  auto result = operation();
  if (result || result.error() != Errno::enospc || !file_system.make_room()) return result;
  return operation();
}
}  // namespace

Result<RefPtr<vfs::Inode>> Ext4Inode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  if (name.size() > vfs::name_max) return error(Errno::enametoolong);
  Found found = TRY(find_entry(name));
  if (!found.number) return RefPtr<Inode>{};
  auto inode = ext4().get_inode(found.number);
  if (!inode) {
    if (inode.error() == Errno::estale)
      return ext4().corrupted("entry leads to a deleted inode", found.number);
    return error(inode.error());
  }
  return RefPtr<Inode>(std::move(*inode));
}

// A fresh inode in memory and on the disk, with link count 0.
Result<RefPtr<Ext4Inode>> Ext4Inode::make_child(Handle& handle, const NewInode& properties) {
  std::uint32_t child_number = TRY(ext4().allocate_inode(handle, *this, vfs::is_directory(properties.mode)));
  auto* memory = new (std::nothrow) Ext4Inode(ext4(), child_number, properties);
  if (!memory) {
    TRY(ext4().free_inode(handle, child_number, vfs::is_directory(properties.mode)));
    return error(Errno::enomem);
  }
  auto child = RefPtr<Ext4Inode>::adopt(memory);
  child->set_link_count(0);
  std::uint32_t generation;
  core::random_bytes(std::as_writable_bytes(std::span(&generation, 1)));
  TRY(ext4().insert_inode(*child));
  if (auto begun = child->initialise(handle, generation, *this); !begun) {
    // One that came so far is deleted with its last reference.
    if (!child->loaded_) {
      Indivisible change(handle);
      TRY(ext4().free_inode(handle, child_number, vfs::is_directory(properties.mode)));
      TRY(change.done());
    }
    return error(begun.error());
  }
  // Until it has a name it is an orphan: whatever goes wrong from here on, it is deleted.
  TRY(ext4().add_orphan(handle, *child));
  TRY(child->store(handle));
  return child;
}

Result<RefPtr<vfs::Inode>> Ext4Inode::create_named(Dentry& entry, const NewInode& properties,
                                                   std::string_view link_target) {
  if (!ext4().is_writable()) return error(Errno::erofs);
  RefPtr<Ext4Inode> child;  // dropped after the handle
  Handle handle;
  TRY(handle.start(ext4().journal(), create_credits + entry_credits));
  bool directory = vfs::is_directory(properties.mode);
  child = TRY(make_child(handle, properties));
  if (directory) TRY(child->make_first_block(handle, inode_number()));
  if (!link_target.empty()) TRY(child->set_link_target(handle, link_target));
  TRY(add_entry(handle, entry.name(), child->inode_number(), properties.mode));
  Indivisible change(handle);
  child->set_link_count(directory ? 2 : 1);
  TRY(ext4().remove_orphan(handle, *child));
  if (directory) add_link();
  touch(*this);
  TRY(child->store(handle));
  TRY(store(handle));
  TRY(change.done());
  return RefPtr<Inode>(std::move(child));
}

// Short targets in the inode, longer ones in a block.
Result<void> Ext4Inode::set_link_target(Handle& handle, std::string_view target) {
  if (target.size() >= ext4().block_size()) return error(Errno::enametoolong);
  if (target.size() < sizeof(block_)) {
    std::memset(block_, 0, sizeof(block_));
    std::memcpy(block_, target.data(), target.size());
    set_inline_link({reinterpret_cast<const char*>(block_), target.size()});  // SAFETY: bytes as text
    disk_size_ = target.size();
    return {};
  }
  make_empty_extents();
  std::uint32_t logical;
  BufferRef block = TRY(append_block(handle, logical));
  std::memcpy(block->bytes(), target.data(), target.size());
  disk_size_ = target.size();
  set_size(disk_size_);
  return {};
}

Result<RefPtr<vfs::Inode>> Ext4Inode::create(Dentry& entry, const NewInode& properties) {
  return with_room(ext4(), [&] { return create_named(entry, properties, {}); });
}
Result<RefPtr<vfs::Inode>> Ext4Inode::make_directory(Dentry& entry, const NewInode& properties) {
  if (link_count() >= links_max && !ext4().has_read_only(read_only::directory_links))
    return error(Errno::emlink);
  return with_room(ext4(), [&] { return create_named(entry, properties, {}); });
}
Result<RefPtr<vfs::Inode>> Ext4Inode::make_symlink(Dentry& entry, std::string_view target,
                                                   const NewInode& properties) {
  return with_room(ext4(), [&] { return create_named(entry, properties, target); });
}
Result<RefPtr<vfs::Inode>> Ext4Inode::make_node(Dentry& entry, const NewInode& properties) {
  return with_room(ext4(), [&] { return create_named(entry, properties, {}); });
}

Result<RefPtr<vfs::Inode>> Ext4Inode::create_temporary(const NewInode& properties) {
  if (!ext4().is_writable()) return error(Errno::erofs);
  RefPtr<Ext4Inode> child;
  Handle handle;
  TRY(handle.start(ext4().journal(), create_credits));
  child = TRY(make_child(handle, properties));
  child->set_flag(linkable);
  return RefPtr<Inode>(std::move(child));
}

Result<void> Ext4Inode::link(Inode& target, Dentry& entry) {
  return with_room(ext4(), [&] { return try_link(target, entry); });
}

Result<void> Ext4Inode::try_link(Inode& target, Dentry& entry) {
  auto& inode = static_cast<Ext4Inode&>(target);
  if (inode.link_count() >= links_max) return error(Errno::emlink);
  Handle handle;
  TRY(handle.start(ext4().journal(), create_credits));
  TRY(add_entry(handle, entry.name(), inode.inode_number(), inode.mode()));
  Indivisible change(handle);
  if (inode.link_count() == 0) TRY(ext4().remove_orphan(handle, inode));
  inode.add_link();
  inode.touch_changed();
  touch(*this);
  TRY(inode.store(handle));
  TRY(store(handle));
  return change.done();
}

// A name of the inode has gone; without any it waits, as an orphan, for its last user.
Result<void> Ext4Inode::drop_name(Handle& handle, Ext4Inode& inode) {
  if (vfs::is_directory(inode.mode())) {
    inode.set_link_count(0);
    drop_link();
  } else if (inode.link_count()) {
    inode.drop_link();
  }
  inode.touch_changed();
  if (inode.link_count() == 0) TRY(ext4().add_orphan(handle, inode));
  return inode.store(handle);
}

Result<void> Ext4Inode::unlink(Dentry& entry) {
  auto& inode = static_cast<Ext4Inode&>(*entry.inode());
  Handle handle;
  TRY(handle.start(ext4().journal(), create_credits));
  TRY(remove_entry(handle, entry.name()));
  Indivisible change(handle);
  TRY(drop_name(handle, inode));
  touch(*this);
  TRY(store(handle));
  return change.done();
}

Result<void> Ext4Inode::remove_directory(Dentry& entry) {
  auto& inode = static_cast<Ext4Inode&>(*entry.inode());
  if (!TRY(inode.is_empty_directory())) return error(Errno::enotempty);
  return unlink(entry);
}

Result<void> Ext4Inode::rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) {
  // Whoever replaces a file counts on finding the old content or the new one, also without an fsync: the new
  // one is on the disk before its name is.
  auto& moved = static_cast<Ext4Inode&>(*source.inode());
  bool replaces = target.inode() && kind != vfs::RenameKind::exchange;
  if (replaces && moved.cache() && moved.cache()->has_dirty_pages())
    (void)!moved.cache()->write_back(0, ~std::uint64_t{0});  // recorded for those who ask
  return with_room(ext4(), [&] { return try_rename(source, new_directory, target, kind); });
}

Result<void> Ext4Inode::try_rename(Dentry& source, Inode& new_directory, Dentry& target,
                                   vfs::RenameKind kind) {
  if (kind == vfs::RenameKind::whiteout) return error(Errno::einval);
  auto& destination = static_cast<Ext4Inode&>(new_directory);
  auto& moved = static_cast<Ext4Inode&>(*source.inode());
  auto* replaced = static_cast<Ext4Inode*>(target.inode());
  bool moves_directory = vfs::is_directory(moved.mode()), other_place = &destination != this;
  bool exchange = kind == vfs::RenameKind::exchange;
  bool replaces_directory = replaced && vfs::is_directory(replaced->mode());
  if (replaced && !exchange && replaces_directory && !TRY(replaced->is_empty_directory()))
    return error(Errno::enotempty);
  if (!exchange && other_place && moves_directory && !replaced && destination.link_count() >= links_max &&
      !ext4().has_read_only(read_only::directory_links))
    return error(Errno::emlink);
  Handle handle;
  TRY(handle.start(ext4().journal(), create_credits * 2));
  // The new name first: it is what can fail for want of room.
  if (replaced)
    TRY(destination.change_entry(handle, target.name(), moved.inode_number(), moved.mode()));
  else
    TRY(destination.add_entry(handle, target.name(), moved.inode_number(), moved.mode()));
  Indivisible change(handle);
  if (exchange)
    TRY(change_entry(handle, source.name(), replaced->inode_number(), replaced->mode()));
  else
    TRY(remove_entry(handle, source.name()));
  if (other_place) {
    if (moves_directory) {
      TRY(moved.set_parent(handle, destination.inode_number()));
      drop_link();
      destination.add_link();
    }
    if (exchange && replaces_directory) {
      TRY(replaced->set_parent(handle, inode_number()));
      destination.drop_link();
      add_link();
    }
  }
  moved.touch_changed();
  touch(*this);
  if (other_place) touch(destination);
  if (exchange) {
    replaced->touch_changed();
    TRY(replaced->store(handle));
  } else if (replaced) {
    TRY(destination.drop_name(handle, *replaced));
  }
  TRY(moved.store(handle));
  if (other_place) TRY(destination.store(handle));
  TRY(store(handle));
  return change.done();
}

}  // namespace ext4
