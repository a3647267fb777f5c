#include "linux_abi/user_account.h"

#include "core/sync/mutex.h"

namespace linux_abi {

using base::Errno;
using base::RefPtr;
using base::Result;

struct AccountTable {
  static constexpr unsigned buckets = 64;
  core::Mutex lock;
  base::IntrusiveList<UserAccount, &UserAccount::hook_> lists[buckets] GUARDED_BY(lock);
};

namespace {
[[clang::no_destroy]] constinit AccountTable accounts;
}

Result<RefPtr<UserAccount>> UserAccount::of(std::uint32_t uid) {
  core::MutexGuard guard{accounts.lock};
  auto& list = accounts.lists[uid % AccountTable::buckets];
  for (UserAccount& account : list)
    if (account.uid_ == uid)
      if (auto found = RefPtr<UserAccount>::try_acquire(&account)) return found;
  auto* account = new (std::nothrow) UserAccount(uid);
  if (!account) return base::error(Errno::enomem);
  list.push_front(*account);
  return RefPtr<UserAccount>::adopt(account);
}

void UserAccount::last_reference_dropped() {
  {
    core::MutexGuard guard{accounts.lock};
    hook_.unlink();
  }
  delete this;
}

}  // namespace linux_abi
