// One path walk; see vfs/lookup.h. The state is a position (mount, dentry, inode) and the text still to go.
//
// Two modes. With `rcu`, the position is borrowed: nothing is referenced, everything read is checked
// afterwards against sequences, and any doubt ends in Errno walk_again. In reference mode the position owns a
// reference on mount and dentry. leave_rcu() turns the first into the second where that is possible.
#pragma once

#include "base/string.h"
#include "base/vector.h"
#include "dentry_cache.h"
#include "mount_tree.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"

namespace vfs {

// The walk without references cannot go on: start again with them. Never leaves this module.
inline constexpr Errno walk_again = Errno::echild;

class Walk {
 public:
  enum class Style { rcu, references };
  enum class Stop { at_end, at_parent };

  Walk(const Caller& caller, LookupFlags flags, Style style);
  ~Walk();
  Walk(const Walk&) = delete;

  Result<void> run(const Path* start, std::string_view path, Stop stop);
  // After run(…, at_parent): the last component.
  std::string_view last() const { return last_; }
  ParentAndName::Kind last_kind() const { return last_kind_; }
  bool trailing_slash() const { return trailing_slash_; }
  // The parent is the position; what was found for last() is a link that is to be followed: walks on to the
  // parent of where it leads. In reference mode.
  Result<void> follow_last(Dentry& link);

  bool in_rcu() const { return rcu_; }
  Inode& inode() const { return *inode_; }
  Mount& mount() const { return *mount_; }
  Dentry& dentry() const { return *dentry_; }
  // In rcu mode: was everything seen so far true?
  bool is_valid() const;
  Result<void> leave_rcu();
  // The position with references; ends the walk.
  Result<Path> take();

 private:
  struct Frame {
    std::string_view rest;
    RefPtr<Inode> holder;  // keeps the text of a link (reference mode)
    base::String owned;
    bool is_link = false;
  };

  Result<void> begin(const Path* start, std::string_view path);
  Result<void> walk_text();
  Result<void> step(std::string_view name, std::string_view after, bool is_last, bool has_slash);
  Result<void> step_rcu(std::string_view name, std::uint32_t hash, Mount*& mount, Dentry*& dentry,
                        Inode*& inode, std::uint32_t& sequence);
  Result<RefPtr<Dentry>> step_references(std::string_view name, std::uint32_t hash);
  Result<void> step_up();
  Result<void> step_up_rcu();
  Result<void> step_up_references();
  Result<void> follow(Mount& mount, Dentry& link, Inode& inode, std::uint32_t sequence,
                      std::string_view after, bool is_last);
  Result<void> jump_to_root();
  Result<void> may_follow(Mount& mount, Inode& link, bool is_last);
  bool pop();
  bool is_nested() const { return rcu_stack_size_ != 0 || !stack_.empty(); }
  void set_position(const Path& path);
  void drop_position();
  void end_rcu();

  const Caller& caller_;
  const LookupFlags flags_;
  bool rcu_;
  bool must_be_directory_ = false;
  bool trailing_slash_ = false;
  Stop stop_ = Stop::at_end;
  ParentAndName::Kind last_kind_ = ParentAndName::Kind::normal;
  unsigned links_ = 0;
  std::uint32_t mount_sequence_ = 0;
  std::uint32_t sequence_ = 0;
  Mount* mount_ = nullptr;
  Dentry* dentry_ = nullptr;
  Inode* inode_ = nullptr;
  std::string_view rest_, last_;
  Path root_;   // reference mode
  Frame text_;  // of the text being walked; its `rest` is unused
  // Texts to go on with once a link's text is done. Under rcu nothing is allocated: deeper nesting takes
  // references.
  base::Vector<Frame> stack_;
  static constexpr unsigned rcu_depth = 3;
  struct {
    std::string_view rest;
    bool is_link;
  } rcu_stack_[rcu_depth];
  unsigned rcu_stack_size_ = 0;
};

// The name in a directory whose inode lock is held exclusively: cached, or asked from the file system. May be
// negative.
Result<RefPtr<Dentry>> lookup_locked(Dentry& directory, std::string_view name);

// Runs `use(walk)` in rcu mode, and once more in reference mode if that was not enough.
template <typename Use>
auto with_walk(const Caller& caller, LookupFlags flags, Use&& use)
    -> decltype(use(*static_cast<Walk*>(nullptr))) {
  constexpr LookupFlags scoped = lookup_beneath | lookup_in_root;
  if (!(flags & scoped)) {
    Walk walk(caller, flags, Walk::Style::rcu);
    auto result = use(walk);
    if (result || result.error() != walk_again) return result;
  }
  if (flags & lookup_cached) return error(Errno::eagain);
  Walk walk(caller, flags, Walk::Style::references);
  return use(walk);
}

}  // namespace vfs
