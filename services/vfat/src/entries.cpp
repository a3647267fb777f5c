// Finding, making, removing and moving files. The vfs holds the locks of the directories and checks
// permissions.
#include <cstring>

#include "core/memory/slab.h"
#include "inode.h"
#include "vfs/dentry.h"

namespace vfat {

using core::MutexGuard;

namespace {
// Names are long: not on the stack of every caller.
Result<std::unique_ptr<FoundEntry>> make_found() { return base::try_make_unique<FoundEntry>(); }
}  // namespace

Result<RefPtr<vfs::Inode>> VfatInode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  auto found = TRY(make_found());
  if (!TRY(find(name, *found))) return RefPtr<Inode>{};
  return RefPtr<Inode>(TRY(vfat().get_inode(found->place, found->entry)));
}

Result<RefPtr<vfs::Inode>> VfatInode::make_named(Dentry& entry, bool directory) {
  if (!vfat().is_writable()) return error(Errno::erofs);
  // A name that cannot be costs nothing.
  {
    auto wide = TRY(base::try_make_unique<WideName>());
    TRY(widen(entry.name(), *wide));
  }
  ShortEntry fresh{};
  fresh.attributes = directory ? attribute_directory : attribute_archive;
  const Options& options = vfat().options();
  std::uint16_t date, time;
  encode_time(vfs::current_time(), options, date, time, fresh.birth_hundredths);
  fresh.birth_date = fresh.modify_date = fresh.access_date = date;
  fresh.birth_time = fresh.modify_time = time;
  std::uint32_t cluster = 0;
  if (directory) {
    cluster = TRY(vfat().allocate(0));
    std::uint64_t place = vfat().place_of(cluster);
    auto prepare = [&]() -> Result<void> {
      TRY(vfat().bytes().fill_zero(place, vfat().cluster_bytes()));
      ShortEntry dot = fresh;
      std::memcpy(dot.name, ".          ", 11);
      dot.set_cluster(cluster);
      TRY(vfat().bytes().put(place, dot));
      dot.name[1] = '.';
      MutexGuard guard{chain_mutex_};
      dot.set_cluster(is_root_ ? 0 : chain_.start());
      return vfat().bytes().put(place + entry_size, dot);
    };
    if (auto prepared = prepare(); !prepared) {
      TRY(vfat().cut(0, cluster));
      return error(prepared.error());
    }
    fresh.set_cluster(cluster);
  }
  auto added = add_entry(entry.name(), fresh);
  if (!added) {
    if (cluster) TRY(vfat().cut(0, cluster));
    return error(added.error());
  }
  auto inode = TRY(vfat().get_inode(*added, fresh));
  vfs::Timestamp now = vfs::current_time();
  inode->set_modify_time(now);
  inode->set_change_time(now);
  inode->set_access_time(now);
  entry.set_flag(Dentry::needs_validation);
  touch_modified();
  TRY(store());
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<vfs::Inode>> VfatInode::create(Dentry& entry, const NewInode&) {
  return make_named(entry, false);
}

Result<RefPtr<vfs::Inode>> VfatInode::make_directory(Dentry& entry, const NewInode&) {
  auto inode = TRY(make_named(entry, true));
  add_link();
  return inode;
}

// The entry is gone: the inode lives on for those who have it open.
Result<void> VfatInode::take_name(VfatInode& inode, const FoundEntry& found) {
  MutexGuard guard{inode.entry_mutex_};
  TRY(remove_entry(found));
  vfat().move_inode(inode, 0);
  inode.has_moved_.store(true);
  return {};
}

Result<void> VfatInode::unlink(Dentry& entry) {
  if (!vfat().is_writable()) return error(Errno::erofs);
  auto& inode = static_cast<VfatInode&>(*entry.inode());
  auto found = TRY(make_found());
  if (!TRY(find(entry.name(), *found)) || found->place != inode.table_key) return error(Errno::enoent);
  TRY(take_name(inode, *found));
  inode.set_link_count(0);
  inode.touch_changed();
  touch_modified();
  return store();
}

Result<void> VfatInode::remove_directory(Dentry& entry) {
  auto& inode = static_cast<VfatInode&>(*entry.inode());
  if (!TRY(inode.is_empty_directory())) return error(Errno::enotempty);
  TRY(unlink(entry));
  drop_link();
  return {};
}

Result<void> VfatInode::rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) {
  if (kind != vfs::RenameKind::replace) return error(Errno::einval);
  if (!vfat().is_writable()) return error(Errno::erofs);
  auto& destination = static_cast<VfatInode&>(new_directory);
  auto& moved = static_cast<VfatInode&>(*source.inode());
  auto* replaced = static_cast<VfatInode*>(target.inode());
  bool directory = vfs::is_directory(moved.mode());
  if (replaced && vfs::is_directory(replaced->mode()) && !TRY(replaced->is_empty_directory()))
    return error(Errno::enotempty);
  auto old = TRY(make_found());
  if (!TRY(find(source.name(), *old)) || old->place != moved.table_key) return error(Errno::enoent);
  TRY(moved.store());
  auto entry = TRY(vfat().bytes().get<ShortEntry>(old->place));
  std::uint64_t place;
  if (replaced) {
    // Its entry, with its name, leads to the moved file from now on.
    auto there = TRY(make_found());
    if (!TRY(destination.find(target.name(), *there)) || there->place != replaced->table_key)
      return error(Errno::enoent);
    MutexGuard guard{replaced->entry_mutex_};
    place = there->place;
    std::memcpy(entry.name, there->entry.name, sizeof(entry.name));
    entry.lower = there->entry.lower;
    TRY(vfat().bytes().put(place, entry));
    vfat().move_inode(*replaced, 0);
    replaced->has_moved_.store(true);
  } else {
    place = TRY(destination.add_entry(target.name(), entry));
  }
  {
    MutexGuard guard{moved.entry_mutex_};
    TRY(remove_entry(*old));
    vfat().move_inode(moved, place);
    moved.has_moved_.store(true);
  }
  if (replaced) {
    replaced->set_link_count(0);
    replaced->touch_changed();
    if (vfs::is_directory(replaced->mode())) destination.drop_link();
  }
  if (directory && &destination != this) {
    // ".." is the second entry.
    Place dots = TRY(moved.place_in_directory(entry_size));
    auto up = TRY(vfat().bytes().get<ShortEntry>(dots.offset));
    MutexGuard guard{destination.chain_mutex_};
    up.set_cluster(destination.is_root_ ? 0 : destination.chain_.start());
    TRY(vfat().bytes().put(dots.offset, up));
    drop_link();
    destination.add_link();
  }
  moved.touch_changed();
  touch_modified();
  destination.touch_modified();
  TRY(store());
  return destination.store();
}

}  // namespace vfat
