// Landlock: rules that a thread puts itself and its children under. See landlock(7).
//
// A domain is a row of layers, one for each time that somebody added rules; it never changes. Something is
// allowed if every layer that handles the access has a rule for it on the object or on a directory above it.
// Rules are on inodes and keep them.
#pragma once

#include "base/intrusive_tree.h"
#include "base/ref.h"
#include "base/vector.h"
#include "vfs/access_guard.h"
#include "vfs/inode.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class Task;

struct LandlockRule {
  base::TreeHook hook;
  std::uintptr_t key = 0;  // the inode's address
  RefPtr<vfs::Inode> inode;
  vfs::GuardedAccess allowed = 0;
};

// One layer; also what is behind a ruleset's descriptor while rules are added.
class LandlockLayer : public base::RefCounted<LandlockLayer> {
 public:
  explicit LandlockLayer(vfs::GuardedAccess handled) : handled(handled) {}
  ~LandlockLayer();
  // Adds to what the inode has.
  Result<void> allow(vfs::Inode& inode, vfs::GuardedAccess access);
  vfs::GuardedAccess allowed_on(const vfs::Inode& inode) const;
  Result<RefPtr<LandlockLayer>> copy() const;
  const vfs::GuardedAccess handled;

 private:
  base::IntrusiveTree<LandlockRule, &LandlockRule::hook, &LandlockRule::key> rules_;
};

class LandlockDomain : public base::RefCounted<LandlockDomain> {
 public:
  static constexpr std::size_t layers_max = 16;
  // `outer` and one layer more. E2BIG.
  static Result<RefPtr<LandlockDomain>> create(const LandlockDomain* outer, const LandlockLayer& inner);
  // What each layer allows at the path, of what it handles; REFER is handled by all.
  void allowed_at(const vfs::Path& path, vfs::GuardedAccess (&allowed)[layers_max]) const;
  Result<void> may(const vfs::Path& path, vfs::GuardedAccess access) const;
  Result<void> may_refer(const vfs::Path& from, vfs::GuardedAccess in_from, const vfs::Path& to,
                         vfs::GuardedAccess in_to) const;
  // Whether whoever is under `other` is under all of these rules too.
  bool includes(const LandlockDomain* other) const;

 private:
  base::Vector<RefPtr<LandlockLayer>> layers_;
};

// The running thread's; null: none.
RefPtr<const LandlockDomain> current_landlock_domain();
// From now on.
Result<void> enter_landlock_domain(Task& task, RefPtr<const LandlockDomain> domain);
// Who is under rules does not change what is mounted. EPERM.
Result<void> may_change_mounts();

}  // namespace linux_abi
