#include "walk.h"

#include <cstring>

#include "vfs_internal.h"

namespace vfs {

Walk::Walk(const Caller& caller, LookupFlags flags, Style style)
    : caller_(caller), flags_(flags), rcu_(style == Style::rcu) {
  if (rcu_) core::rcu_read_begin();
}

Walk::~Walk() {
  if (rcu_)
    end_rcu();
  else
    drop_position();
}

void Walk::end_rcu() {
  rcu_ = false;
  mount_ = nullptr;
  dentry_ = nullptr;
  core::rcu_read_end();
}

void Walk::drop_position() {
  if (dentry_) dentry_->release_reference();
  if (mount_) mount_->release_reference();
  dentry_ = nullptr;
  mount_ = nullptr;
}

void Walk::set_position(const Path& path) {
  path.mount().acquire_reference();
  path.dentry().acquire_reference();
  drop_position();
  mount_ = &path.mount();
  dentry_ = &path.dentry();
  inode_ = dentry_->inode();
}

bool Walk::is_valid() const {
  return dentry_->sequence_is(sequence_) && mount_sequence.load(std::memory_order_relaxed) == mount_sequence_;
}

Result<void> Walk::leave_rcu() {
  if (!rcu_) return {};
  // The text of a link lives by the grace of RCU only.
  if (text_.is_link || is_nested()) return error(walk_again);
  auto mount = RefPtr<Mount>::try_acquire(mount_);
  auto dentry = mount ? RefPtr<Dentry>::try_acquire(dentry_) : nullptr;
  bool valid = dentry && is_valid();
  end_rcu();
  if (!valid) return error(walk_again);
  root_ = caller_.context.root();
  mount_ = mount.leak();
  dentry_ = dentry.leak();
  inode_ = dentry_->inode();
  return {};
}

Result<Path> Walk::take() {
  if (rcu_) {
    auto mount = RefPtr<Mount>::try_acquire(mount_);
    auto dentry = mount ? RefPtr<Dentry>::try_acquire(dentry_) : nullptr;
    bool valid = dentry && is_valid();
    end_rcu();
    if (!valid) return error(walk_again);
    return Path(std::move(mount), std::move(dentry));
  }
  Path path(RefPtr<Mount>::adopt(std::exchange(mount_, nullptr)),
            RefPtr<Dentry>::adopt(std::exchange(dentry_, nullptr)));
  if ((flags_ & (lookup_beneath | lookup_in_root)) && !is_below(path, root_)) return error(Errno::exdev);
  return path;
}

// ---- The start ----

Result<void> Walk::begin(const Path* start, std::string_view path) {
  bool absolute = path.starts_with('/');
  bool scoped = flags_ & (lookup_beneath | lookup_in_root);
  if (absolute && (flags_ & lookup_beneath)) return error(Errno::exdev);
  if (!rcu_) {
    if (scoped) {
      root_ = start ? *start : caller_.context.current_directory();
      set_position(root_);
      return {};
    }
    root_ = caller_.context.root();
    if (absolute)
      set_position(root_);
    else
      set_position(start ? *start : caller_.context.current_directory());
    return {};
  }
  mount_sequence_ = mount_sequence.load(std::memory_order_acquire);
  if (mount_sequence_ & 1) return error(walk_again);
  if (start && !absolute) {
    mount_ = &start->mount();
    dentry_ = &start->dentry();
    sequence_ = dentry_->sequence();
    inode_ = dentry_->inode();
    if (!inode_) return error(walk_again);
    return {};
  }
  std::uint32_t context_sequence = caller_.context.sequence();
  auto view = absolute ? caller_.context.root_view() : caller_.context.current_directory_view();
  mount_ = view.mount;
  dentry_ = view.dentry;
  sequence_ = dentry_->sequence();
  inode_ = dentry_->inode();
  if (!inode_ || (context_sequence & 1) || !caller_.context.sequence_is(context_sequence))
    return error(walk_again);
  return {};
}

Result<void> Walk::run(const Path* start, std::string_view path, Stop stop) {
  stop_ = stop;
  if (path.size() >= path_max) return error(Errno::enametoolong);
  TRY(begin(start, path));
  rest_ = path;
  if (stop == Stop::at_parent) {
    last_ = {};
    last_kind_ = ParentAndName::Kind::root;
  }
  TRY(walk_text());
  if (stop == Stop::at_end && (must_be_directory_ || (flags_ & lookup_directory)) &&
      !is_directory(inode_->mode()))
    return error(Errno::enotdir);
  return {};
}

// ---- Component by component ----

Result<void> Walk::walk_text() {
  for (;;) {
    while (rest_.starts_with('/')) rest_.remove_prefix(1);
    if (rest_.empty()) {
      if (!pop()) return {};
      continue;
    }
    const auto* slash = static_cast<const char*>(std::memchr(rest_.data(), '/', rest_.size()));
    std::size_t length = slash ? static_cast<std::size_t>(slash - rest_.data()) : rest_.size();
    std::string_view name = rest_.substr(0, length);
    std::string_view after = rest_.substr(length);
    bool has_slash = !after.empty();
    while (after.starts_with('/')) after.remove_prefix(1);
    bool is_last = after.empty() && !is_nested();

    if (!is_directory(inode_->mode())) return error(Errno::enotdir);
    // Search permission of the directory; the common "everyone may" without a look at the ids.
    Mode mode = inode_->mode();
    bool custom = inode_->has(Inode::custom_permission);
    if (custom) TRY(leave_rcu());  // it may sleep
    if ((mode & 0111) != 0111 || custom) TRY(check_permission(*inode_, caller_.credentials, access_execute));
    if (length > name_max) return error(Errno::enametoolong);

    bool dot = name == ".", dot_dot = name == "..";
    if (is_last && stop_ == Stop::at_parent) {
      last_ = name;
      last_kind_ = dot       ? ParentAndName::Kind::dot
                   : dot_dot ? ParentAndName::Kind::dot_dot
                             : ParentAndName::Kind::normal;
      trailing_slash_ = has_slash || must_be_directory_;
      return {};
    }
    if (is_last && has_slash) must_be_directory_ = true;
    rest_ = after;
    if (dot) continue;
    if (dot_dot)
      TRY(step_up());
    else
      TRY(step(name, after, is_last, has_slash));
  }
}

bool Walk::pop() {
  if (rcu_stack_size_) {
    auto& frame = rcu_stack_[--rcu_stack_size_];
    rest_ = frame.rest;
    text_.is_link = frame.is_link;
    return true;
  }
  if (stack_.empty()) return false;
  text_ = std::move(stack_.back());
  rest_ = text_.rest;
  stack_.pop_back();
  return true;
}

Result<void> Walk::step(std::string_view name, std::string_view after, bool is_last, bool has_slash) {
  std::uint32_t hash = hash_name(name);
  bool may_follow_last = (flags_ & lookup_follow) || has_slash || must_be_directory_;
  if (rcu_) {
    Mount* mount = mount_;
    Dentry* dentry = nullptr;
    Inode* inode = nullptr;
    std::uint32_t sequence = 0;
    auto result = step_rcu(name, hash, mount, dentry, inode, sequence);
    if (result) {
      if (is_symlink(inode->mode()) && (!is_last || may_follow_last)) {
        if (!inode->inline_link().empty()) return follow(*mount, *dentry, *inode, sequence, after, is_last);
        TRY(leave_rcu());  // at the directory; the link is found again with references
      } else {
        mount_ = mount;
        dentry_ = dentry;
        inode_ = inode;
        sequence_ = sequence;
        return {};
      }
    } else if (result.error() == walk_again) {
      TRY(leave_rcu());
    } else {
      return result;
    }
  }
  auto found = TRY(step_references(name, hash));
  Path path(RefPtr<Mount>(mount_), std::move(found));
  if (path.dentry().has(Dentry::mount_point)) {
    if (flags_ & lookup_no_mount_crossing) {
      if (MountTree::find(path.mount(), path.dentry())) return error(Errno::exdev);
    }
    MountTree::cross(path);
  }
  Inode* inode = path.dentry().inode();
  if (!inode) return error(Errno::enoent);
  if (is_symlink(inode->mode()) && (!is_last || may_follow_last))
    return follow(path.mount(), path.dentry(), *inode, 0, after, is_last);
  set_position(path);
  return {};
}

Result<void> Walk::step_rcu(std::string_view name, std::uint32_t hash, Mount*& mount, Dentry*& dentry,
                            Inode*& inode, std::uint32_t& sequence) {
  std::uint32_t rename_before = rename_sequence.load(std::memory_order_acquire);
  dentry = DentryCache::find_rcu(*dentry_, name, hash, sequence);
  if (!dentry_->sequence_is(sequence_)) return error(walk_again);
  if (!dentry) {
    if (inode_->has(Inode::complete_directory) && !(rename_before & 1) &&
        rename_sequence.load(std::memory_order_relaxed) == rename_before)
      return error(Errno::enoent);
    return error(walk_again);
  }
  inode = dentry->inode();
  if (sequence & 1) return error(walk_again);
  std::uint32_t flags = dentry->flags();
  if ((flags & Dentry::needs_validation) && inode && inode->is_stale()) return error(walk_again);
  if (!dentry->sequence_is(sequence)) return error(walk_again);
  if (!inode) return error(Errno::enoent);
  while (flags & Dentry::mount_point) [[unlikely]] {
    Mount* mounted = MountTree::find_rcu(mount, dentry);
    if (mount_sequence.load(std::memory_order_acquire) != mount_sequence_) return error(walk_again);
    if (!mounted) break;
    if (flags_ & lookup_no_mount_crossing) return error(Errno::exdev);
    mount = mounted;
    dentry = &mounted->root();
    sequence = dentry->sequence();
    inode = dentry->inode();
    flags = dentry->flags();
  }
  return {};
}

Result<RefPtr<Dentry>> Walk::step_references(std::string_view name, std::uint32_t hash) {
  if (auto found = DentryCache::find(*dentry_, name, hash)) {
    Inode* inode = found->inode();
    if (!found->has(Dentry::needs_validation) || !inode || !inode->is_stale()) {
      if (!inode) return error(Errno::enoent);
      return found;
    }
  } else if (inode_->has(Inode::complete_directory)) {
    return error(Errno::enoent);
  }
  core::WriteGuard guard{inode_->lock()};
  auto found = TRY(lookup_locked(*dentry_, name));
  if (found->is_negative()) return error(Errno::enoent);
  return found;
}

Result<RefPtr<Dentry>> lookup_locked(Dentry& directory, std::string_view name) {
  Inode& inode = *directory.inode();
  if (auto found = DentryCache::find(directory, name, hash_name(name))) {
    Inode* known = found->inode();
    if (!found->has(Dentry::needs_validation) || !known || !known->is_stale()) return found;
    // It stays if the file system, asked again, finds the same: with what is mounted on it and below it.
    if (!inode.has(Inode::dead_directory)) {
      RefPtr<Inode> again = TRY(inode.lookup(name));
      if (again.get() == known) return found;
    }
    DentryCache::invalidate(*found);
  }
  if (inode.has(Inode::dead_directory)) return error(Errno::enoent);
  auto dentry = TRY(Dentry::create(directory.file_system(), &directory, name));
  if (inode.has(Inode::complete_directory)) return dentry;
  RefPtr<Inode> child = TRY(inode.lookup(name));
  if (child) {
    if (std::uint32_t flags = inode.child_dentry_flags()) dentry->set_flag(static_cast<Dentry::Flag>(flags));
    dentry->instantiate(std::move(child));
    dentry->insert_in_cache();
  } else if (directory.file_system().remembers_missing_names()) {
    dentry->insert_in_cache();
  }
  return dentry;
}

// ---- Up ----

Result<void> Walk::step_up() {
  if (rcu_) {
    auto result = step_up_rcu();
    if (result || result.error() != walk_again) return result;
    TRY(leave_rcu());
  }
  return step_up_references();
}

Result<void> Walk::step_up_rcu() {
  std::uint32_t context_sequence = caller_.context.sequence();
  auto root = caller_.context.root_view();
  if ((context_sequence & 1) || !caller_.context.sequence_is(context_sequence)) return error(walk_again);
  for (;;) {
    if (mount_ == root.mount && dentry_ == root.dentry) return {};
    if (dentry_ != &mount_->root()) {
      Dentry* parent = dentry_->parent();
      std::uint32_t sequence = parent->sequence();
      Inode* inode = parent->inode();
      if (!dentry_->sequence_is(sequence_) || !inode || (sequence & 1)) return error(walk_again);
      dentry_ = parent;
      inode_ = inode;
      sequence_ = sequence;
      break;
    }
    Mount* parent = mount_->parent();
    Dentry* point = mount_->mount_point();
    if (mount_sequence.load(std::memory_order_acquire) != mount_sequence_) return error(walk_again);
    if (!parent || !point) return {};
    if (flags_ & lookup_no_mount_crossing) return error(Errno::exdev);
    mount_ = parent;
    dentry_ = point;
    sequence_ = point->sequence();
    inode_ = point->inode();
    if (!inode_ || (sequence_ & 1)) return error(walk_again);
  }
  while (dentry_->has(Dentry::mount_point)) {
    Mount* mounted = MountTree::find_rcu(mount_, dentry_);
    if (mount_sequence.load(std::memory_order_acquire) != mount_sequence_) return error(walk_again);
    if (!mounted) break;
    mount_ = mounted;
    dentry_ = &mounted->root();
    sequence_ = dentry_->sequence();
    inode_ = dentry_->inode();
  }
  return {};
}

Result<void> Walk::step_up_references() {
  Path path{RefPtr<Mount>(mount_), RefPtr<Dentry>(dentry_)};
  for (;;) {
    if (path == root_) {
      if (flags_ & lookup_beneath) return error(Errno::exdev);
      return {};
    }
    if (&path.dentry() != &path.mount().root()) {
      path = Path(path.mount_reference(), path.dentry().parent_reference());
      MountTree::cross(path);
      break;
    }
    Path above = MountTree::place_of(path.mount());
    if (!above) break;  // the top of a namespace, or unmounted
    if (flags_ & lookup_no_mount_crossing) return error(Errno::exdev);
    path = std::move(above);
  }
  if (path.dentry().is_negative()) return error(Errno::enoent);
  set_position(path);
  return {};
}

// ---- Links ----

Result<void> Walk::may_follow(Mount& mount, Inode& link, bool is_last) {
  if (++links_ > symlinks_max) return error(Errno::eloop);
  if (flags_ & lookup_no_symlinks) return error(Errno::eloop);
  if (mount.has(mount_no_symlink_follow)) return error(Errno::eloop);
  // In a sticky directory that everybody may write to, only links of one's own or of the directory's owner
  // lead on.
  Mode directory = inode_->mode();
  if (is_last && limits.protected_symlinks.load(std::memory_order_relaxed) && (directory & mode_sticky) &&
      (directory & 02) && link.uid() != caller_.credentials.fsuid && link.uid() != inode_->uid())
    return error(Errno::eacces);
  return {};
}

Result<void> Walk::jump_to_root() {
  if (flags_ & lookup_beneath) return error(Errno::exdev);
  if (rcu_) {
    std::uint32_t context_sequence = caller_.context.sequence();
    auto root = caller_.context.root_view();
    if ((flags_ & lookup_no_mount_crossing) && root.mount != mount_) return error(Errno::exdev);
    mount_ = root.mount;
    dentry_ = root.dentry;
    sequence_ = dentry_->sequence();
    inode_ = dentry_->inode();
    if ((context_sequence & 1) || !caller_.context.sequence_is(context_sequence) || !inode_)
      return error(walk_again);
    return {};
  }
  if ((flags_ & lookup_no_mount_crossing) && &root_.mount() != mount_) return error(Errno::exdev);
  set_position(root_);
  return {};
}

Result<void> Walk::follow(Mount& mount, Dentry& link, Inode& inode, std::uint32_t sequence,
                          std::string_view after, bool is_last) {
  TRY(may_follow(mount, inode, is_last));
  std::string_view text = inode.inline_link();
  Frame fresh;
  if (rcu_) {
    if (!link.sequence_is(sequence)) return error(walk_again);
  } else if (!text.empty()) {
    fresh.holder = RefPtr<Inode>(&inode);
  } else {
    if ((flags_ & lookup_no_magic_links) && inode.has(Inode::magic_link)) return error(Errno::eloop);
    LinkTarget target = TRY(inode.follow(caller_.credentials));
    if (target.jump) {
      if (flags_ & (lookup_beneath | lookup_in_root)) return error(Errno::exdev);
      if ((flags_ & lookup_no_mount_crossing) && &target.jump.mount() != mount_) return error(Errno::exdev);
      set_position(target.jump);
      if (stop_ == Stop::at_parent && is_last) last_kind_ = ParentAndName::Kind::root;
      return {};
    }
    fresh.owned = std::move(target.text);
    text = fresh.owned.view();
    if (text.empty()) return error(Errno::enoent);
  }
  if (!after.empty()) {
    if (rcu_) {
      if (rcu_stack_size_ == rcu_depth) return error(walk_again);
      rcu_stack_[rcu_stack_size_++] = {after, text_.is_link};
    } else {
      text_.rest = after;
      TRY(stack_.try_push_back(std::move(text_)));
    }
  }
  text_ = std::move(fresh);
  text_.is_link = true;
  if (text.starts_with('/')) TRY(jump_to_root());
  rest_ = text;
  return {};
}

Result<void> Walk::follow_last(Dentry& link) {
  Inode* inode = link.inode();
  last_ = {};
  last_kind_ = ParentAndName::Kind::root;
  must_be_directory_ = trailing_slash_;
  rest_ = {};
  TRY(follow(*mount_, link, *inode, 0, {}, true));
  return walk_text();
}

}  // namespace vfs
