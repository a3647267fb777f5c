#include "pseudo_inode.h"

#include "core/memory/slab.h"
#include "vfs/dentry.h"
#include "vfs/file_system.h"

namespace pseudo_fs {

PseudoInode::PseudoInode(PseudoFileSystem& file_system, RefPtr<Entry> entry)
    : Inode(file_system, entry->number(), {entry->mode(), entry->owner().uid, entry->owner().gid, {}}),
      entry_(std::move(entry)) {
  if (entry_->has_changing_owner() || entry_->has_custom_permission()) set_flag(custom_permission);
  if (entry_->has_changing_owner()) set_flag(slow_attributes);
  set_link_count(entry_->link_count());
  if (entry_->is_magic_link()) set_flag(magic_link);
}

Result<RefPtr<vfs::Inode>> PseudoInode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  auto found = static_cast<Directory&>(*entry_).find(name);
  if (!found) {
    if (found.error() == Errno::enoent) return RefPtr<vfs::Inode>();
    return error(found.error());
  }
  if (!*found) return RefPtr<vfs::Inode>();
  return RefPtr<vfs::Inode>(TRY(base::try_make_ref<PseudoInode>(pseudo(), std::move(*found))));
}

std::uint32_t PseudoInode::child_dentry_flags() const {
  return vfs::is_directory(mode()) && static_cast<Directory&>(*entry_).is_transient()
             ? vfs::Dentry::needs_validation
             : 0u;
}

Result<RefPtr<vfs::File>> PseudoInode::open(const vfs::OpenRequest& request) {
  if (entry_->is_stale()) return error(Errno::enoent);
  return entry_->open(request);
}

Result<base::String> PseudoInode::read_link(const vfs::Credentials& credentials) {
  auto text = TRY(entry_->link_text(credentials));
  if (!text.empty()) return text;
  return Inode::read_link(credentials);
}

Result<void> PseudoInode::permission(const vfs::Credentials& credentials, vfs::Access access) const {
  if (entry_->has_changing_owner()) {
    Entry::Owner owner = entry_->owner();
    const_cast<PseudoInode*>(this)->set_owner(owner.uid, owner.gid);
  }
  return entry_->has_custom_permission() ? entry_->permission(*this, credentials, access)
                                         : vfs::generic_permission(*this, credentials, access);
}

Result<void> PseudoInode::get_attributes(vfs::Attributes& out) {
  TRY(Inode::get_attributes(out));
  if (entry_->has_changing_owner()) {
    Entry::Owner owner = entry_->owner();
    out.uid = owner.uid;
    out.gid = owner.gid;
  }
  out.size = pseudo().shown_size(*entry_);
  out.blocks_512 = 0;
  out.link_count = entry_->link_count();
  out.block_size = 1024;
  return {};
}

Result<void> PseudoFileSystem::start(RefPtr<Entry> root) {
  return create_root(TRY(base::try_make_ref<PseudoInode>(*this, std::move(root))));
}

Entry& entry_of(vfs::Inode& inode) { return static_cast<PseudoInode&>(inode).entry(); }

}  // namespace pseudo_fs
