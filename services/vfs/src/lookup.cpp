#include "vfs/lookup.h"

#include <cstring>

#include "vfs/operations.h"
#include "vfs_internal.h"
#include "walk.h"

namespace vfs {

Result<Path> resolve(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags) {
  if (path.empty()) {
    if (!(flags & lookup_empty_allowed)) return error(Errno::enoent);
    return start ? *start : caller.context.current_directory();
  }
  return with_walk(caller, flags, [&](Walk& walk) -> Result<Path> {
    TRY(walk.run(start, path, Walk::Stop::at_end));
    return walk.take();
  });
}

Result<void> with_resolved(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags,
                           base::FunctionRef<Result<bool>(Inode&, Mount&, MaySleep)> use) {
  if (path.empty()) {
    Path found = TRY(resolve(caller, start, path, flags));
    (void)TRY(use(found.inode(), found.mount(), MaySleep::yes));
    return {};
  }
  return with_walk(caller, flags, [&](Walk& walk) -> Result<void> {
    TRY(walk.run(start, path, Walk::Stop::at_end));
    if (walk.in_rcu()) {
      auto result = use(walk.inode(), walk.mount(), MaySleep::no);
      if (!walk.is_valid()) return error(walk_again);
      if (!result) return error(result.error());
      if (*result) return {};
    }
    Path found = TRY(walk.take());
    (void)TRY(use(found.inode(), found.mount(), MaySleep::yes));
    return {};
  });
}

Result<ParentAndName> resolve_parent(const Caller& caller, const Path* start, std::string_view path,
                                     LookupFlags flags) {
  if (path.empty()) return error(Errno::enoent);
  return with_walk(caller, flags, [&](Walk& walk) -> Result<ParentAndName> {
    TRY(walk.run(start, path, Walk::Stop::at_parent));
    ParentAndName result;
    result.name = walk.last();
    result.kind = walk.last_kind();
    result.trailing_slash = walk.trailing_slash();
    result.parent = TRY(walk.take());
    return result;
  });
}

Result<RefPtr<Dentry>> lookup_one(const Path& directory, std::string_view name,
                                  const Credentials& credentials) {
  if (name.size() > name_max) return error(Errno::enametoolong);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos)
    return error(Errno::eacces);
  Inode& inode = directory.inode();
  if (!is_directory(inode.mode())) return error(Errno::enotdir);
  TRY(check_permission(inode, credentials, access_execute));
  core::WriteGuard guard{inode.lock()};
  auto found = TRY(lookup_locked(directory.dentry(), name));
  if (found->is_negative()) return error(Errno::enoent);
  return found;
}

// ---- From a place to its text ----

namespace {
// Grows from the end of the memory towards its start.
class BackwardText {
 public:
  explicit BackwardText(std::span<char> memory) : memory_(memory), at_(memory.size()) {}
  bool prepend(std::string_view text) {
    if (text.size() > at_) return false;
    at_ -= text.size();
    std::memcpy(memory_.data() + at_, text.data(), text.size());
    return true;
  }
  std::string_view view() const { return {memory_.data() + at_, memory_.size() - at_}; }

 private:
  std::span<char> memory_;
  std::size_t at_;
};

enum class Climb { reached_root, reached_top, too_long, torn };

// Under RCU; names may be those of before a rename, which the caller finds out from the sequences.
Climb climb(const Path& path, const Path* root, BackwardText& text) {
  const Mount* mount = &path.mount();
  const Dentry* dentry = &path.dentry();
  bool any = false;
  for (unsigned steps = 0;; ++steps) {
    if (steps > 100000) return Climb::torn;
    if (root && mount == &root->mount() && dentry == &root->dentry()) {
      if (!any && !text.prepend("/")) return Climb::too_long;
      return Climb::reached_root;
    }
    if (dentry == &mount->root() || dentry->is_root()) {
      const Mount* parent = mount->parent();
      const Dentry* point = mount->mount_point();
      if (dentry != &mount->root() || !parent || !point) {
        if (!any && !text.prepend("/")) return Climb::too_long;
        return Climb::reached_top;
      }
      dentry = point;
      mount = parent;
      continue;
    }
    if (!text.prepend(dentry->name()) || !text.prepend("/")) return Climb::too_long;
    any = true;
    dentry = dentry->parent();
  }
}
}  // namespace

Result<std::string_view> path_text(const Path& path, const Path* root, std::span<char> memory,
                                   DeletedMark mark) {
  Dentry& dentry = path.dentry();
  if (dentry.has(Dentry::anonymous)) {
    base::TextBuffer text(memory);
    if (Inode* inode = dentry.inode()) inode->describe(text);
    if (text.truncated()) return error(Errno::enametoolong);
    return text.view();
  }
  for (;;) {
    BackwardText text(memory);
    if (mark == DeletedMark::append && !dentry.is_root() && !dentry.has(Dentry::hashed) &&
        !text.prepend(" (deleted)"))
      return error(Errno::enametoolong);
    Climb result;
    {
      core::RcuReadGuard guard;
      std::uint32_t renames = rename_sequence.load(std::memory_order_acquire);
      std::uint32_t mounts = mount_sequence.load(std::memory_order_acquire);
      result = climb(path, root, text);
      std::atomic_thread_fence(std::memory_order_acquire);  // the climb stays before the second look
      if ((renames & 1) || (mounts & 1) || rename_sequence.load(std::memory_order_relaxed) != renames ||
          mount_sequence.load(std::memory_order_relaxed) != mounts)
        continue;
    }
    if (result == Climb::too_long) return error(Errno::enametoolong);
    if (result == Climb::reached_top && root && !text.prepend("(unreachable)"))
      return error(Errno::enametoolong);
    return text.view();
  }
}

void put_escaped(base::TextSink& out, std::string_view text, std::string_view escape) {
  while (!text.empty()) {
    std::size_t plain = text.find_first_of(escape);
    if (plain == std::string_view::npos) {
      out.put(text);
      return;
    }
    out.put(text.substr(0, plain));
    auto c = static_cast<unsigned char>(text[plain]);
    const char octal[4] = {'\\', static_cast<char>('0' + (c >> 6)), static_cast<char>('0' + (c >> 3 & 7)),
                           static_cast<char>('0' + (c & 7))};
    out.put({octal, 4});
    text.remove_prefix(plain + 1);
  }
}

bool is_below(const Path& path, const Path& ancestor) {
  for (;;) {
    core::RcuReadGuard guard;
    std::uint32_t renames = rename_sequence.load(std::memory_order_acquire);
    std::uint32_t mounts = mount_sequence.load(std::memory_order_acquire);
    const Mount* mount = &path.mount();
    const Dentry* dentry = &path.dentry();
    bool found = false;
    for (;;) {
      if (mount == &ancestor.mount() && dentry == &ancestor.dentry()) {
        found = true;
        break;
      }
      if (dentry == &mount->root() || dentry->is_root()) {
        const Mount* parent = mount->parent();
        const Dentry* point = mount->mount_point();
        if (dentry != &mount->root() || !parent || !point) break;
        dentry = point;
        mount = parent;
      } else {
        dentry = dentry->parent();
      }
    }
    std::atomic_thread_fence(std::memory_order_acquire);  // the climb stays before the second look
    if (!(renames & 1) && !(mounts & 1) && rename_sequence.load(std::memory_order_relaxed) == renames &&
        mount_sequence.load(std::memory_order_relaxed) == mounts)
      return found;
  }
}

}  // namespace vfs
