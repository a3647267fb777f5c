// What few inodes have: extended attributes, and lists of access rights, which programs see as such.
#include "core/memory/slab.h"
#include "tmpfs_internal.h"

namespace tmpfs {

using vfs::access_list_name;
using vfs::AccessList;
using vfs::default_list_name;

namespace {
bool is_supported(std::string_view name) {
  return name.starts_with("user.") || name.starts_with("trusted.") || name.starts_with("security.");
}
constexpr std::size_t value_max = 65536, total_max = 256;
bool is_list(std::string_view name) { return name == access_list_name || name == default_list_name; }
}  // namespace

Result<Extras*> TmpfsInode::ensure_extras() {
  if (Extras* existing = extras()) return existing;
  auto* fresh = new (std::nothrow) Extras;
  if (!fresh) return error(Errno::enomem);
  extras_.store(fresh, std::memory_order_release);  // release: complete before permission() sees it
  return fresh;
}

// ---- Extended attributes ----

Result<base::Vector<char>> TmpfsInode::get_xattr(std::string_view name) {
  Extras* extra = extras();
  if (is_list(name)) {
    if (vfs::is_symlink(mode())) return error(Errno::eopnotsupp);
    const AccessList* list = !extra                     ? nullptr
                             : name == access_list_name ? extra->access_list.load_locked()
                                                        : extra->default_list.get();
    if (!list) return error(Errno::enodata);
    return list->text();
  }
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  if (extra)
    for (Xattr& xattr : extra->xattrs)
      if (xattr.name == name) {
        base::Vector<char> copy;
        TRY(copy.try_append(xattr.value.span()));
        return copy;
      }
  return error(Errno::enodata);
}

Result<void> TmpfsInode::set_xattr(std::string_view name, std::span<const char> value, vfs::XattrMode mode) {
  if (is_list(name)) return set_access_list(name, TRY(AccessList::parse(value)));
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  if (value.size() > value_max) return error(Errno::e2big);
  if (!extras() && mode == vfs::XattrMode::replace_only) return error(Errno::enodata);
  base::Vector<Xattr>& xattrs = TRY(ensure_extras())->xattrs;
  base::Vector<char> copy;
  TRY(copy.try_append(value));
  for (Xattr& xattr : xattrs) {
    if (xattr.name != name) continue;
    if (mode == vfs::XattrMode::create_only) return error(Errno::eexist);
    xattr.value = std::move(copy);
    return {};
  }
  if (mode == vfs::XattrMode::replace_only) return error(Errno::enodata);
  if (xattrs.size() >= total_max) return error(Errno::enospc);
  return xattrs.try_push_back({TRY(base::String::create(name)), std::move(copy)});
}

Result<void> TmpfsInode::remove_xattr(std::string_view name) {
  if (is_list(name)) return set_access_list(name, nullptr);
  if (!is_supported(name)) return error(Errno::eopnotsupp);
  if (Extras* extra = extras())
    for (std::size_t i = 0; i < extra->xattrs.size(); ++i)
      if (extra->xattrs[i].name == name) {
        extra->xattrs.erase(i);
        return {};
      }
  return error(Errno::enodata);
}

void TmpfsInode::list_xattrs(base::TextSink& out) {
  Extras* extra = extras();
  if (!extra) return;
  auto put = [&](std::string_view name) {
    out.put(name);
    out.put(std::string_view("\0", 1));
  };
  if (extra->access_list.load_locked()) put(access_list_name);
  if (extra->default_list) put(default_list_name);
  for (Xattr& xattr : extra->xattrs) put(xattr.name);
}

// ---- Lists of access rights ----

Result<void> TmpfsInode::set_access_list(std::string_view name, AccessList::Pointer list) {
  if (vfs::is_symlink(mode())) return error(Errno::eopnotsupp);
  if (name == default_list_name) {
    if (!vfs::is_directory(mode())) return list ? Result<void>(error(Errno::eacces)) : Result<void>();
    if (!list && !extras()) return {};
    Extras* extra = TRY(ensure_extras());
    extra->default_list = std::move(list);
    extra->default_list ? set_flag(vfs::has_default_list) : clear_flag(vfs::has_default_list);
    return {};
  }
  if (!list && !extras()) return {};
  Extras* extra = TRY(ensure_extras());
  if (list) set_mode((mode() & ~vfs::Mode{0777}) | list->mode_bits());
  if (list && list->is_minimal()) list = nullptr;
  publish_access_list(*extra, std::move(list));
  return {};
}

void TmpfsInode::publish_access_list(Extras& extra, AccessList::Pointer list) {
  bool any = static_cast<bool>(list);
  AccessList* old = extra.access_list.exchange(list.release());
  any ? set_flag(custom_permission) : clear_flag(custom_permission);
  core::rcu_delete(old);
}

// A new object takes what its directory says for it; the permission bits are what both allow.
Result<void> TmpfsInode::inherit_list(const TmpfsInode& directory) {
  const Extras* source = directory.extras();
  if (!source || !source->default_list) return {};
  AccessList::Pointer mine = TRY(source->default_list->copy());
  set_mode(mine->restrict_to(mode()));
  bool is_below = vfs::is_directory(mode());
  if (mine->is_minimal() && !is_below) return {};
  Extras* extra = TRY(ensure_extras());
  if (is_below) {
    extra->default_list = TRY(source->default_list->copy());
    set_flag(vfs::has_default_list);
  }
  if (!mine->is_minimal()) publish_access_list(*extra, std::move(mine));
  return {};
}

Result<void> TmpfsInode::change_attributes(const vfs::AttributeChange& change) {
  Extras* extra = change.mode ? extras() : nullptr;
  const AccessList* list = extra ? extra->access_list.load_locked() : nullptr;
  AccessList::Pointer changed;
  if (list) {
    changed = TRY(list->copy());
    changed->set_mode_bits(*change.mode);
  }
  TRY(Inode::change_attributes(change));
  if (changed) publish_access_list(*extra, std::move(changed));
  return {};
}

Result<void> TmpfsInode::permission(const vfs::Credentials& credentials, vfs::Access access) const {
  core::RcuReadGuard guard;
  const Extras* extra = extras();
  const AccessList* list = extra ? extra->access_list.load() : nullptr;
  return list ? vfs::permission_by_list(*this, *list, credentials, access)
              : vfs::generic_permission(*this, credentials, access);
}

}  // namespace tmpfs
