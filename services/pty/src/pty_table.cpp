#include "pty_table.h"

namespace pty {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using core::MutexGuard;

namespace {

// Indexed by number; grows with use, never shrinks; made by the first open of a master.
using Pairs = base::Vector<RefPtr<PtyTerminal>>;

struct Table {
  core::Mutex lock{"pty table"};
  Pairs* pairs GUARDED_BY(lock) = nullptr;
};
Table& table() {
  [[clang::no_destroy]] static constinit Table instance;
  return instance;
}

}  // namespace

Result<RefPtr<PtyTerminal>> create_pair(vfs::UserId uid, vfs::GroupId gid) {
  Table& all = table();
  MutexGuard guard{all.lock};
  if (!all.pairs) all.pairs = new (std::nothrow) Pairs;
  if (!all.pairs) return error(Errno::enomem);
  Pairs& pairs = *all.pairs;
  unsigned index = 0;
  while (index < pairs.size() && pairs[index]) ++index;
  if (index == maximum_pairs) return error(Errno::enospc);
  auto terminal = TRY(base::try_make_ref<PtyTerminal>(index, device_of(index), uid, gid));
  if (index == pairs.size()) TRY(pairs.try_push_back(nullptr));
  pairs[index] = terminal;
  return terminal;
}

void retire_pair(PtyTerminal& terminal) {
  RefPtr<PtyTerminal> held;  // goes after the lock
  Table& all = table();
  MutexGuard guard{all.lock};
  std::swap(held, (*all.pairs)[terminal.index()]);
}

RefPtr<PtyTerminal> find_pair(unsigned index) {
  Table& all = table();
  MutexGuard guard{all.lock};
  return all.pairs && index < all.pairs->size() ? (*all.pairs)[index] : nullptr;
}

RefPtr<PtyTerminal> next_pair(unsigned index) {
  Table& all = table();
  MutexGuard guard{all.lock};
  for (; all.pairs && index < all.pairs->size(); ++index) {
    if ((*all.pairs)[index]) return (*all.pairs)[index];
  }
  return nullptr;
}

}  // namespace pty
