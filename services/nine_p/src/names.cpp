// Names: finding, making, removing and moving them. The vfs holds the locks of the directories and checks
// permissions.
#include "core/memory/slab.h"
#include "inode.h"
#include "vfs/dentry.h"

namespace nine_p {

using vfs::RenameKind;

namespace {
constexpr std::uint32_t at_remove_directory = 0x200;
}

Result<RefPtr<vfs::Inode>> NinePInode::lookup(std::string_view name) {
  if (!vfs::is_directory(mode())) return error(Errno::enotdir);
  if (name.size() > vfs::name_max) return error(Errno::enametoolong);
  auto found = client().walk(*fid(), name);
  if (!found) {
    if (found.error() == Errno::enoent) return RefPtr<Inode>{};
    return error(found.error());
  }
  auto inode = nine_p().get_inode(std::move(*found));
  if (!inode) {
    // It went between the two questions.
    if (inode.error() == Errno::enoent) return RefPtr<Inode>{};
    return error(inode.error());
  }
  return RefPtr<Inode>(std::move(*inode));
}

// The new name is there: what is behind it, with the owner that it should have.
Result<RefPtr<vfs::Inode>> NinePInode::finish_make(Dentry& entry, const NewInode& properties) {
  auto inode = TRY(nine_p().get_inode(TRY(client().walk(*fid(), entry.name()))));
  if (inode->uid() != properties.uid || inode->gid() != properties.gid) {
    // A server that runs as an ordinary user decides by itself who owns files: that is no error.
    vfs::AttributeChange owner;
    if (inode->uid() != properties.uid) owner.uid = properties.uid;
    if (inode->gid() != properties.gid) owner.gid = properties.gid;
    auto given = inode->change_attributes(owner);
    if (!given && given.error() != Errno::eperm && given.error() != Errno::eacces)
      return error(given.error());
    // A change of the owner takes set-id bits with it.
    constexpr vfs::Mode special = vfs::mode_set_uid | vfs::mode_set_gid;
    if (given && (properties.mode & special) && !vfs::is_symlink(properties.mode)) {
      vfs::AttributeChange bits;
      bits.mode = properties.mode & vfs::mode_permissions;
      TRY(inode->change_attributes(bits));
    }
  }
  entry.set_flag(Dentry::needs_validation);
  touch_modified();
  return RefPtr<Inode>(std::move(inode));
}

Result<RefPtr<vfs::Inode>> NinePInode::create(Dentry& entry, const NewInode& properties) {
  // The directory's fid becomes that of the open file.
  WalkResult opened = TRY(client().walk(*fid(), {}));
  {
    constexpr std::uint32_t create_bit = 0100, exclusive = 0200, large_file = 0100000;
    Call call = TRY(client().begin(Type::lcreate));
    call.out.number32(opened.fid->number()).text(entry.name());
    call.out.number32(open_read_write | create_bit | exclusive | large_file);
    call.out.number32(properties.mode & vfs::mode_permissions).number32(properties.gid);
    Reader in = TRY(call.finish());
    (void)read_qid(in);
    opened.fid->io_unit = in.number32();
    TRY(call.check(in));
  }
  auto inode = TRY(finish_make(entry, properties));
  // Whoever makes a file may use it as he asked for, whatever its mode says.
  auto& made = static_cast<NinePInode&>(*inode);
  {
    core::MutexGuard guard{made.fid_mutex_};
    std::swap(made.created_, opened.fid);
  }
  return inode;
}

Result<RefPtr<vfs::Inode>> NinePInode::make_directory(Dentry& entry, const NewInode& properties) {
  {
    Call call = TRY(client().begin(Type::mkdir));
    call.out.number32(fid()->number()).text(entry.name());
    call.out.number32(properties.mode & vfs::mode_permissions).number32(properties.gid);
    (void)TRY(call.finish());
  }
  auto inode = TRY(finish_make(entry, properties));
  add_link();
  return inode;
}

Result<RefPtr<vfs::Inode>> NinePInode::make_symlink(Dentry& entry, std::string_view target,
                                                    const NewInode& properties) {
  {
    Call call = TRY(client().begin(Type::symlink));
    call.out.number32(fid()->number()).text(entry.name()).text(target).number32(properties.gid);
    (void)TRY(call.finish());
  }
  return finish_make(entry, properties);
}

Result<RefPtr<vfs::Inode>> NinePInode::make_node(Dentry& entry, const NewInode& properties) {
  {
    Call call = TRY(client().begin(Type::mknod));
    call.out.number32(fid()->number()).text(entry.name()).number32(properties.mode);
    call.out.number32(properties.device.major).number32(properties.device.minor).number32(properties.gid);
    (void)TRY(call.finish());
  }
  return finish_make(entry, properties);
}

Result<void> NinePInode::link(Inode& target, Dentry& entry) {
  auto& inode = static_cast<NinePInode&>(target);
  Call call = TRY(client().begin(Type::link));
  call.out.number32(fid()->number()).number32(inode.fid()->number()).text(entry.name());
  (void)TRY(call.finish());
  inode.add_link();
  inode.touch_changed();
  entry.set_flag(Dentry::needs_validation);
  touch_modified();
  return {};
}

// What is without names may see its number given to something else.
void NinePInode::name_removed(Dentry& entry) {
  auto& inode = static_cast<NinePInode&>(*entry.inode());
  if (vfs::is_directory(inode.mode())) {
    inode.set_link_count(0);
    drop_link();
  } else if (inode.link_count()) {
    inode.drop_link();
  }
  inode.touch_changed();
  if (inode.link_count() == 0) nine_p().detach_number(inode);
  touch_modified();
}

Result<void> NinePInode::remove(Dentry& entry, std::uint32_t flags) {
  Call call = TRY(client().begin(Type::unlinkat));
  call.out.number32(fid()->number()).text(entry.name()).number32(flags);
  (void)TRY(call.finish());
  name_removed(entry);
  return {};
}

Result<void> NinePInode::unlink(Dentry& entry) { return remove(entry, 0); }
Result<void> NinePInode::remove_directory(Dentry& entry) { return remove(entry, at_remove_directory); }

Result<void> NinePInode::rename(Dentry& source, Inode& new_directory, Dentry& target, RenameKind kind) {
  // The protocol has no other kinds.
  if (kind != RenameKind::replace) return error(Errno::einval);
  auto& destination = static_cast<NinePInode&>(new_directory);
  Call call = TRY(client().begin(Type::renameat));
  call.out.number32(fid()->number()).text(source.name());
  call.out.number32(destination.fid()->number()).text(target.name());
  (void)TRY(call.finish());
  if (target.inode()) destination.name_removed(target);
  if (vfs::is_directory(source.inode()->mode()) && &destination != this) {
    drop_link();
    destination.add_link();
  }
  source.inode()->touch_changed();
  touch_modified();
  destination.touch_modified();
  return {};
}

Result<vfs::LinkTarget> NinePInode::follow(const vfs::Credentials&) {
  if (!vfs::is_symlink(mode())) return error(Errno::einval);
  Call call = TRY(client().begin(Type::readlink));
  call.out.number32(fid()->number());
  Reader in = TRY(call.finish());
  std::string_view text = in.text();
  TRY(call.check(in));
  if (text.empty() || text.size() >= vfs::path_max || text.find('\0') != std::string_view::npos)
    return client().lied("the text of a symbolic link, length", text.size());
  vfs::LinkTarget target;
  target.text = TRY(base::String::create(text));
  return target;
}

}  // namespace nine_p
