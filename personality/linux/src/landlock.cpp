#include "linux_abi/landlock.h"

#include <bit>

#include "linux_abi/task_extras.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

constexpr vfs::GuardedAccess access_of_files =
    vfs::guarded_execute | vfs::guarded_write_file | vfs::guarded_read_file;

std::uintptr_t key_of(const vfs::Inode& inode) { return std::bit_cast<std::uintptr_t>(&inode); }

// The directory above, through mount points; false at the top. The process' root directory is no limit.
bool go_up(vfs::Path& path) {
  while (&path.dentry() == &path.mount().root()) {
    RefPtr<vfs::Mount> mount;
    RefPtr<vfs::Dentry> place;
    {
      core::RcuReadGuard guard;
      vfs::Mount* parent = path.mount().parent();
      vfs::Dentry* point = path.mount().mount_point();
      if (!parent || !point || parent == &path.mount()) return false;
      mount = RefPtr<vfs::Mount>::try_acquire(parent);
      place = RefPtr<vfs::Dentry>::try_acquire(point);
    }
    if (!mount || !place) return false;
    path = vfs::Path(std::move(mount), std::move(place));
  }
  if (path.dentry().is_root()) return false;
  path = vfs::Path(path.mount_reference(), path.dentry().parent_reference());
  return true;
}

class Guard final : public vfs::AccessGuard {
 public:
  Result<void> may(const vfs::Path& path, vfs::GuardedAccess access) override {
    RefPtr<const LandlockDomain> domain = current_landlock_domain();
    return domain ? domain->may(path, access) : Result<void>();
  }
  Result<void> may_refer(const vfs::Path& from, vfs::GuardedAccess in_from, const vfs::Path& to,
                         vfs::GuardedAccess in_to) override {
    RefPtr<const LandlockDomain> domain = current_landlock_domain();
    return domain ? domain->may_refer(from, in_from, to, in_to) : Result<void>();
  }
};
constinit Guard guard_of_all;

}  // namespace

LandlockLayer::~LandlockLayer() {
  while (LandlockRule* rule = rules_.first()) {
    rules_.remove(*rule);
    delete rule;
  }
}

Result<void> LandlockLayer::allow(vfs::Inode& inode, vfs::GuardedAccess access) {
  if (LandlockRule* rule = rules_.find(key_of(inode))) {
    rule->allowed |= access;
    return {};
  }
  LandlockRule* rule = TRY(base::try_make_unique<LandlockRule>()).release();
  rule->key = key_of(inode);
  rule->inode = RefPtr<vfs::Inode>(&inode);
  rule->allowed = access;
  rules_.insert(*rule);
  return {};
}

vfs::GuardedAccess LandlockLayer::allowed_on(const vfs::Inode& inode) const {
  const LandlockRule* rule = rules_.find(key_of(inode));
  return rule ? rule->allowed : 0;
}

Result<RefPtr<LandlockLayer>> LandlockLayer::copy() const {
  auto layer = TRY(base::try_make_ref<LandlockLayer>(handled));
  for (LandlockRule* rule = rules_.first(); rule; rule = rules_.next(*rule))
    TRY(layer->allow(*rule->inode, rule->allowed));
  return layer;
}

Result<RefPtr<LandlockDomain>> LandlockDomain::create(const LandlockDomain* outer,
                                                      const LandlockLayer& inner) {
  auto domain = TRY(base::try_make_ref<LandlockDomain>());
  if (outer) {
    if (outer->layers_.size() >= layers_max) return error(Errno::e2big);
    for (const auto& layer : outer->layers_) TRY(domain->layers_.try_push_back(layer));
  }
  TRY(domain->layers_.try_push_back(TRY(inner.copy())));
  return domain;
}

void LandlockDomain::allowed_at(const vfs::Path& path, vfs::GuardedAccess (&allowed)[layers_max]) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) allowed[i] = ~layers_[i]->handled & ~vfs::guarded_refer;
  vfs::Path at = path;
  do {
    vfs::Inode* inode = at.dentry().inode();
    if (!inode) continue;
    for (std::size_t i = 0; i < layers_.size(); ++i) allowed[i] |= layers_[i]->allowed_on(*inode);
  } while (go_up(at));
}

Result<void> LandlockDomain::may(const vfs::Path& path, vfs::GuardedAccess access) const {
  // Objects in no directory (pipes, memfd) are nobody's business.
  if (!path.mount().mount_namespace()) return {};
  vfs::GuardedAccess allowed[layers_max];
  allowed_at(path, allowed);
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (access & ~allowed[i]) return error(Errno::eacces);
  return {};
}

Result<void> LandlockDomain::may_refer(const vfs::Path& from, vfs::GuardedAccess in_from, const vfs::Path& to,
                                       vfs::GuardedAccess in_to) const {
  vfs::GuardedAccess there[layers_max], here[layers_max];
  allowed_at(from, there);
  allowed_at(to, here);
  bool may_cross = true;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if ((in_from & ~there[i]) || (in_to & ~here[i])) return error(Errno::eacces);
    if (!(there[i] & here[i] & vfs::guarded_refer)) may_cross = false;
    // Nothing may be moved to where more is allowed with it.
    bool directory = in_to & vfs::guarded_make_directory;
    vfs::GuardedAccess gained = here[i] & ~there[i] & layers_[i]->handled & ~vfs::guarded_refer;
    if (gained & (directory ? ~0u : access_of_files)) may_cross = false;
  }
  return may_cross ? Result<void>() : error(Errno::exdev);
}

bool LandlockDomain::includes(const LandlockDomain* other) const {
  if (!other || other->layers_.size() < layers_.size()) return false;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (other->layers_[i].get() != layers_[i].get()) return false;
  return true;
}

RefPtr<const LandlockDomain> current_landlock_domain() {
  Task* task = current_task_or_null();
  return task ? TaskExtras::domain_of(*task) : RefPtr<const LandlockDomain>{};
}

Result<void> enter_landlock_domain(Task& task, RefPtr<const LandlockDomain> domain) {
  TRY(TaskExtras::of(task))->set_domain(std::move(domain));
  vfs::set_access_guard(guard_of_all);
  return {};
}

Result<void> may_change_mounts() {
  return current_landlock_domain() ? Result<void>(error(Errno::eperm)) : Result<void>();
}

}  // namespace linux_abi
