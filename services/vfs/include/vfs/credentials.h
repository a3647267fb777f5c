// Who acts: user and group ids, supplementary groups, capabilities.
//
// A Credentials object never changes once others can see it. To change (setuid, capset, exec), take
// try_clone(), edit the copy, and publish it in the task in place of the old one; every holder of a reference
// keeps a consistent view (an open file keeps those of its opener).
#pragma once

#include <cstdint>

#include "base/ref.h"
#include "base/result.h"
#include "base/vector.h"

namespace vfs {

using UserId = std::uint32_t;
using GroupId = std::uint32_t;
inline constexpr UserId no_id = ~0u;  // (uid_t)-1: "leave as it is"
inline constexpr UserId overflow_id = 65534;

// Capability numbers: linux/capability.h.
enum class Capability : unsigned {
  chown = 0,
  dac_override = 1,
  dac_read_search = 2,
  fowner = 3,
  fsetid = 4,
  kill = 5,
  setgid = 6,
  setuid = 7,
  setpcap = 8,
  linux_immutable = 9,
  net_bind_service = 10,
  net_broadcast = 11,
  net_admin = 12,
  net_raw = 13,
  ipc_lock = 14,
  ipc_owner = 15,
  sys_module = 16,
  sys_rawio = 17,
  sys_chroot = 18,
  sys_ptrace = 19,
  sys_pacct = 20,
  sys_admin = 21,
  sys_boot = 22,
  sys_nice = 23,
  sys_resource = 24,
  sys_time = 25,
  sys_tty_config = 26,
  mknod = 27,
  lease = 28,
  audit_write = 29,
  audit_control = 30,
  setfcap = 31,
  mac_override = 32,
  mac_admin = 33,
  syslog = 34,
  wake_alarm = 35,
  block_suspend = 36,
  audit_read = 37,
  perfmon = 38,
  bpf = 39,
  checkpoint_restore = 40,
};
inline constexpr unsigned last_capability = 40;

class CapabilitySet {
 public:
  constexpr CapabilitySet() = default;
  constexpr explicit CapabilitySet(std::uint64_t bits) : bits_(bits & all_bits) {}
  static constexpr CapabilitySet all() { return CapabilitySet(all_bits); }
  constexpr bool has(Capability capability) const { return bits_ >> static_cast<unsigned>(capability) & 1; }
  constexpr void add(Capability capability) {
    bits_ |= std::uint64_t{1} << static_cast<unsigned>(capability);
  }
  constexpr void drop(Capability capability) {
    bits_ &= ~(std::uint64_t{1} << static_cast<unsigned>(capability));
  }
  constexpr std::uint64_t bits() const { return bits_; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool is_subset_of(CapabilitySet other) const { return !(bits_ & ~other.bits_); }
  constexpr CapabilitySet operator|(CapabilitySet o) const { return CapabilitySet(bits_ | o.bits_); }
  constexpr CapabilitySet operator&(CapabilitySet o) const { return CapabilitySet(bits_ & o.bits_); }
  constexpr CapabilitySet operator-(CapabilitySet o) const { return CapabilitySet(bits_ & ~o.bits_); }
  constexpr bool operator==(const CapabilitySet&) const = default;

 private:
  static constexpr std::uint64_t all_bits = (std::uint64_t{1} << (last_capability + 1)) - 1;
  std::uint64_t bits_ = 0;
};

// File capabilities apply to these when fsuid leaves 0 (setfsuid(2), capabilities(7)).
inline constexpr CapabilitySet file_system_capabilities{1ull << 0 | 1ull << 1 | 1ull << 2 | 1ull << 3 |
                                                        1ull << 4 | 1ull << 9 | 1ull << 27 | 1ull << 32};

class Credentials : public base::RefCounted<Credentials> {
 public:
  // Root with every capability: the first process and kernel threads.
  static base::Result<base::RefPtr<Credentials>> create_root();
  // The kernel's own, for file operations it does for itself. Valid after initialize().
  static const Credentials& kernel();
  base::Result<base::RefPtr<Credentials>> try_clone() const;

  bool can(Capability capability) const { return effective.has(capability); }
  // By the file-system group id or a supplementary group.
  bool in_group(GroupId group) const;
  // By the effective group id or a supplementary group.
  bool in_effective_group(GroupId group) const;
  base::Result<void> set_groups(std::span<const GroupId> list);  // sorts; before publication only
  std::span<const GroupId> groups() const { return groups_.span(); }

  UserId uid = 0, euid = 0, suid = 0, fsuid = 0;
  GroupId gid = 0, egid = 0, sgid = 0, fsgid = 0;
  CapabilitySet inheritable, permitted, effective, bounding, ambient;
  std::uint32_t secure_bits = 0;
  bool no_new_privileges = false;

 private:
  bool has_supplementary(GroupId group) const;
  base::Vector<GroupId> groups_;  // sorted
};

}  // namespace vfs
