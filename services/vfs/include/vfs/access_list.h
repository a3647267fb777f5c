// Lists of access rights (the ACLs of the withdrawn POSIX.1e, as acl(5) has them): more than owner, group and
// others. A file system that has them keeps an AccessList with an inode, sets Inode::custom_permission and
// answers permission() with permission_by_list(); a directory's default list goes to what is made in it, with
// inherit_list().
//
// A list never changes after it has been made, so that readers need no lock: it is published through an
// RcuPointer and disposed of with core::rcu_delete(). Programs see lists as extended attributes with
// the names below, in a form that parse() reads and text() makes.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/vector.h"
#include "core/sync/rcu.h"
#include "vfs/inode.h"

namespace vfs {

inline constexpr std::string_view access_list_name = "system.posix_acl_access",
                                  default_list_name = "system.posix_acl_default";

// An Inode::Flag of directories with a default list: that list, not the umask, limits what is made in it.
inline constexpr auto has_default_list = static_cast<Inode::Flag>(1 << 11);

struct AccessEntry {
  // In the order that the entries of a list have.
  enum class Tag : std::uint16_t {
    owner = 0x01,
    user = 0x02,
    owning_group = 0x04,
    group = 0x08,
    mask = 0x10,
    others = 0x20,
  };
  Tag tag;
  std::uint16_t granted;  // access_read, access_write, access_execute
  std::uint32_t id;       // of a user or group entry
};

struct AccessList {
  core::RcuHead rcu;
  base::Vector<AccessEntry> entries;

  using Pointer = std::unique_ptr<AccessList>;
  // Null for an empty list: there is none. EOPNOTSUPP: another version, EINVAL: not a valid list.
  static base::Result<Pointer> parse(std::span<const char> text);
  base::Result<base::Vector<char>> text() const;
  base::Result<Pointer> copy() const;

  // Says the same as the permission bits alone.
  bool is_minimal() const { return entries.size() == 3; }
  // The nine bits that stand for the list: the group's are those of the mask, if there is one.
  Mode mode_bits() const;
  // After chmod(2): the entries behind the bits get them.
  void set_mode_bits(Mode mode);
  // Of an object made with `mode` in a directory whose default list this was: both lose what the other lacks.
  Mode restrict_to(Mode mode);

  AccessEntry* find(AccessEntry::Tag tag);
  const AccessEntry* find(AccessEntry::Tag tag) const { return const_cast<AccessList*>(this)->find(tag); }
};

// What Inode::permission() answers for an inode with a list. Under RCU.
Result<void> permission_by_list(const Inode& inode, const AccessList& list, const Credentials& credentials,
                                Access access);

// The end of every check: what capabilities allow where the mode or the list do not.
Result<void> permission_by_capability(const Inode& inode, const Credentials& credentials, Access access);

}  // namespace vfs
