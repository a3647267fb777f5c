// Objects of tmpfs: directories, files, links, nodes.
#include <cstring>

#include "core/memory/slab.h"
#include "tmpfs_internal.h"

namespace tmpfs {

using page_cache::PageCache;

Result<RefPtr<TmpfsInode>> make_inode(TmpfsFileSystem& file_system, const NewInode& properties) {
  TRY(file_system.charge_inode());
  auto* inode = new (std::nothrow) TmpfsInode(file_system, properties);
  if (!inode) {
    file_system.uncharge_inode();
    return error(Errno::enomem);
  }
  return RefPtr<TmpfsInode>::adopt(inode);
}

TmpfsInode::TmpfsInode(TmpfsFileSystem& file_system, const NewInode& properties)
    : Inode(file_system, file_system.next_inode_number(), properties) {
  if (vfs::is_directory(properties.mode)) set_flag(complete_directory);
}

TmpfsInode::~TmpfsInode() {
  ::operator delete(static_cast<void*>(text_));
  delete extras();
}

void TmpfsInode::evict() {
  if (PageCache* cache = cache_.exchange(nullptr, std::memory_order_acq_rel)) {
    cache->detach();
    cache->release_reference();
  }
  tmpfs().uncharge_inode();
}

Result<PageCache*> TmpfsInode::ensure_cache() {
  if (PageCache* existing = cache()) return existing;
  auto fresh = TRY(PageCache::create(tmpfs()));
  fresh->set_size(size());
  PageCache* expected = nullptr;
  if (!cache_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) return expected;
  return fresh.leak();
}

Result<void> TmpfsInode::set_text(std::string_view text) {
  text_ = static_cast<char*>(::operator new(text.size() + 1, std::nothrow));
  if (!text_) return error(Errno::enomem);
  std::memcpy(text_, text.data(), text.size());
  text_[text.size()] = 0;
  if (vfs::is_symlink(mode())) set_inline_link({text_, text.size()});
  return {};
}

void TmpfsInode::describe(base::TextSink& out) const {
  base::format(out, "{} (deleted)", text_ ? text_ : "/");
}

// ---- Directories ----

void TmpfsInode::become_directory() {
  set_link_count(2);
  if (tmpfs().magic() != TmpfsFileSystem::ramfs_magic) set_size(2 * entry_size);  // "." and ".."
}

void TmpfsInode::entry_added() {
  set_size(size() + entry_size);
  touch_modified();
}
void TmpfsInode::entry_removed() {
  set_size(size() - entry_size);
  touch_modified();
}

Result<RefPtr<Inode>> TmpfsInode::create(Dentry&, const NewInode& properties) {
  auto inode = TRY(make_inode(tmpfs(), properties));
  TRY(inode->inherit_list(*this));
  entry_added();
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<Inode>> TmpfsInode::make_directory(Dentry& entry, const NewInode& properties) {
  auto inode = TRY(create(entry, properties));
  static_cast<TmpfsInode&>(*inode).become_directory();
  add_link();
  return inode;
}

Result<RefPtr<Inode>> TmpfsInode::make_symlink(Dentry&, std::string_view target, const NewInode& properties) {
  auto inode = TRY(make_inode(tmpfs(), properties));
  TRY(inode->set_text(target));
  entry_added();
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<Inode>> TmpfsInode::make_node(Dentry& entry, const NewInode& properties) {
  return create(entry, properties);
}

Result<RefPtr<Inode>> TmpfsInode::create_temporary(const NewInode& properties) {
  auto inode = TRY(make_inode(tmpfs(), properties));
  TRY(inode->inherit_list(*this));
  inode->set_link_count(0);
  inode->set_flag(linkable);
  return RefPtr<Inode>(std::move(inode));
}

Result<void> TmpfsInode::link(Inode& target, Dentry&) {
  target.add_link();
  target.touch_changed();
  entry_added();
  return {};
}

Result<void> TmpfsInode::unlink(Dentry& entry) {
  Inode& inode = *entry.inode();
  inode.drop_link();
  inode.touch_changed();
  entry_removed();
  return {};
}

Result<void> TmpfsInode::remove_directory(Dentry& entry) {
  if (entry.has_children()) return error(Errno::enotempty);
  Inode& inode = *entry.inode();
  inode.set_link_count(0);
  inode.touch_changed();
  drop_link();
  entry_removed();
  return {};
}

Result<void> TmpfsInode::rename(Dentry& source, Inode& new_directory, Dentry& target, vfs::RenameKind kind) {
  if (kind == vfs::RenameKind::whiteout) return error(Errno::einval);
  auto& destination = static_cast<TmpfsInode&>(new_directory);
  Inode& moved = *source.inode();
  Inode* replaced = target.inode();
  bool moves_directory = vfs::is_directory(moved.mode());
  if (kind == vfs::RenameKind::exchange) {
    bool other_directory = vfs::is_directory(replaced->mode());
    if (&destination != this && moves_directory != other_directory) {
      (moves_directory ? *this : destination).drop_link();
      (moves_directory ? destination : *this).add_link();
    }
    touch_modified();
    destination.touch_modified();
    moved.touch_changed();
    replaced->touch_changed();
    return {};
  }
  if (replaced) {
    if (moves_directory) {
      TRY(destination.remove_directory(target));
    } else {
      TRY(destination.unlink(target));
    }
  }
  if (moves_directory) {
    drop_link();
    destination.add_link();
  }
  entry_removed();
  destination.entry_added();
  moved.touch_changed();
  return {};
}

// ---- Files ----

Result<RefPtr<vfs::File>> TmpfsInode::open(const vfs::OpenRequest& request) {
  switch (mode() & vfs::mode_type_mask) {
    case vfs::mode_regular:
      return make_file();
    case vfs::mode_directory:
      return vfs::open_storage_directory();
    default:
      return Inode::open(request);
  }
}

Result<void> TmpfsInode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  PageCache* pages = cache();
  out.blocks_512 = pages ? pages->resident_pages() * (core::page_size / 512) : 0;
  return {};
}

Result<void> TmpfsInode::truncate(std::uint64_t new_size) {
  if (!vfs::is_regular(mode())) return error(Errno::einval);
  unsigned sealed = seals();
  if ((sealed & seal_shrink) && new_size < size()) return error(Errno::eperm);
  if ((sealed & seal_grow) && new_size > size()) return error(Errno::eperm);
  if (PageCache* pages = cache()) TRY(pages->truncate(new_size));
  set_size(new_size);
  return {};
}

}  // namespace tmpfs
