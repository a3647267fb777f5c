// Keyrings: links, searches, and the keyrings that a thread has by itself; see linux_abi/keys.h.
#include "base/format.h"
#include "linux_abi/keys.h"
#include "linux_abi/task_extras.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

constexpr std::uint32_t own_ring_permissions = 0x3f010000,  // possessor all, user view
    session_permissions = 0x3f030000,                       // and read
    named_session_permissions = 0x3f130000,                 // and link
    user_ring_permissions = 0x1f3f0000;

// How many levels of keyrings there are in one; more than the limit is as good as too many. Whether `wanted`
// is one of them. The explicit stack is as deep as keyrings nest.
constexpr unsigned steps_max =
    1 << 16;  // keyrings that share what is in them make many ways through few keys

struct RingWalk {
  Key* ring = nullptr;
  std::size_t next = 0;
};

Result<void> check_cycle_locked(Key& ring, const Key& inner) {
  if (&ring == &inner) return error(Errno::edeadlk);
  RingWalk stack[Key::depth_max + 1];
  unsigned depth = 0;
  stack[0] = {const_cast<Key*>(&inner), 0};
  for (unsigned steps = 0; steps < steps_max; ++steps) {
    RingWalk& at = stack[depth];
    if (at.next == at.ring->links.size()) {
      if (depth == 0) return {};
      --depth;
      continue;
    }
    Key& link = *at.ring->links[at.next++];
    if (&link == &ring) return error(Errno::edeadlk);
    if (!link.is_keyring()) continue;
    if (depth == Key::depth_max) return error(Errno::eloop);
    stack[++depth] = {&link, 0};
  }
  return error(Errno::eloop);
}

struct Wanted {
  const Key* itself = nullptr;  // or by type and description
  KeyType type = KeyType::user;
  std::string_view description;
  bool skip_expired = false;
};

// The best reason why nothing was found so far.
void note_failure(Errno& why, Errno found) {
  if (why == Errno::eagain || (why == Errno::enokey && found != Errno::eagain)) why = found;
}

// EAGAIN: nothing. Breadth within one keyring first, then what is in it.
Result<RefPtr<Key>> search_locked(const Task& task, Key& top, bool possessed, const Wanted& wanted) {
  Errno why = Errno::eagain;
  auto take = [&](Key& key) {
    if (wanted.itself ? &key != wanted.itself : !key.matches(wanted.type, wanted.description)) return false;
    if (!wanted.itself) {
      if (auto usable = key.check_usable_locked(); !usable) {
        if (!(wanted.skip_expired && usable.error() == Errno::ekeyexpired)) note_failure(why, usable.error());
        return false;
      }
    }
    if (auto allowed = check_key_permission_locked(task, key, possessed, key_permission::search); !allowed) {
      note_failure(why, allowed.error());
      return false;
    }
    return true;
  };
  if (wanted.itself == &top || (!wanted.itself && wanted.type == KeyType::keyring))
    if (take(top)) return RefPtr<Key>(&top);
  RingWalk stack[Key::depth_max + 1];
  unsigned depth = 0;
  stack[0] = {&top, 0};
  bool entering = true;
  for (std::size_t steps = 0; steps < steps_max; ++steps) {
    RingWalk& at = stack[depth];
    if (entering) {
      steps += at.ring->links.size();
      for (auto& link : at.ring->links)
        if (!link->invalidated && take(*link)) return link;
    }
    entering = false;
    if (at.next == at.ring->links.size()) {
      if (depth == 0) return error(why);
      --depth;
      continue;
    }
    Key& link = *at.ring->links[at.next++];
    if (!link.is_keyring() || link.revoked || link.invalidated || depth == Key::depth_max) continue;
    if (!check_key_permission_locked(task, link, possessed, key_permission::search)) continue;
    stack[++depth] = {&link, 0};
    entering = true;
  }
  return error(why);
}

Result<RefPtr<Key>> make_ring(const Task& task, std::string_view name, std::uint32_t permissions) {
  const vfs::Credentials& who = task.credentials();
  return Key::create({KeyType::keyring, name, who.fsuid, who.fsgid, permissions});
}

// ---- The keyrings of users: they last while the user's session keyring is used, found by name ----

class UserRings {
 public:
  enum Kind : unsigned { user, session };
  Result<RefPtr<Key>> get(std::uint32_t uid, Kind kind) EXCLUDES(mutex_) {
    core::MutexGuard guard{mutex_};
    for (auto& entry : entries_)
      if (entry.uid == uid) return entry.rings[kind];
    Entry entry{uid, {}};
    for (unsigned i = 0; i < 2; ++i) {
      char name[24];
      base::TextBuffer text(name);
      base::format(text, "_uid{}.{}", i == session ? "_ses" : "", uid);
      entry.rings[i] =
          TRY(Key::create({KeyType::keyring, text.view(), uid, vfs::no_id, user_ring_permissions}));
    }
    KeyGarbage garbage;
    {
      core::MutexGuard keys{keys_mutex()};
      TRY(link_key_locked(*entry.rings[session], entry.rings[user], garbage));
    }
    TRY(entries_.try_push_back(entry));
    return entry.rings[kind];
  }

 private:
  struct Entry {
    std::uint32_t uid;
    RefPtr<Key> rings[2];
  };
  core::Mutex mutex_{"user keyrings"};
  base::Vector<Entry> entries_ GUARDED_BY(mutex_);
};
[[clang::no_destroy]] constinit UserRings user_rings;

// The thread's own keyring of a kind, made if wanted. ENOKEY.
Result<RefPtr<Key>> own_ring(Task& task, TaskExtras::Ring which, std::string_view name, bool create) {
  TaskExtras* extras = TaskExtras::find(task);
  if (extras)
    if (auto ring = extras->ring(which)) return ring;
  if (!create) return error(Errno::enokey);
  extras = TRY(TaskExtras::of(task));
  auto ring = TRY(make_ring(task, name, own_ring_permissions));
  extras->set_ring(which, ring);
  return ring;
}

// Without a session keyring a thread uses its user's.
Result<RefPtr<Key>> session_ring(Task& task, bool create) {
  auto of_user = TRY(user_rings.get(task.credentials().uid, UserRings::session));
  TaskExtras& extras = *TRY(TaskExtras::of(task));
  auto ring = extras.ring(TaskExtras::session_ring);
  if (ring && !(create && ring == of_user)) return ring;
  if (create) {
    TRY(join_session_keyring(task, {}));
    return extras.ring(TaskExtras::session_ring);
  }
  extras.set_ring(TaskExtras::session_ring, of_user);
  return of_user;
}

Result<RefPtr<Key>> special_ring(Task& task, std::int32_t number, bool create) {
  switch (number) {
    case -1:
      return own_ring(task, TaskExtras::thread_ring, "_tid", create);
    case -2:
      return own_ring(task, TaskExtras::process_ring, "_pid", create);
    case -3:
      return session_ring(task, create);
    case -4:
      return user_rings.get(task.credentials().uid, UserRings::user);
    case -5:
      return user_rings.get(task.credentials().uid, UserRings::session);
    case -7:
    case -8:
      return error(Errno::enokey);  // only while a key is being made by a helper
    default:
      return error(Errno::einval);
  }
}

}  // namespace

Result<void> link_key_locked(Key& ring, const RefPtr<Key>& key, KeyGarbage& garbage) {
  if (!ring.is_keyring()) return error(Errno::enotdir);
  TRY(ring.check_usable_locked());
  if (ring.takes_no_links) return error(Errno::eperm);
  if (key->is_keyring()) TRY(check_cycle_locked(ring, *key));
  TRY(prune_ring_locked(ring, garbage));
  for (auto& link : ring.links) {
    if (!link->matches(key->type(), key->description())) continue;
    TRY(garbage.try_push_back(link));
    link = key;
    return {};
  }
  return ring.links.try_push_back(key);
}

Result<void> unlink_key_locked(Key& ring, const Key& key, KeyGarbage& garbage) {
  if (!ring.is_keyring()) return error(Errno::enotdir);
  for (std::size_t i = 0; i < ring.links.size(); ++i) {
    if (ring.links[i].get() != &key) continue;
    TRY(garbage.try_push_back(ring.links[i]));
    ring.links.erase(i);
    return {};
  }
  return error(Errno::enoent);
}

Key* find_in_ring_locked(Key& ring, KeyType type, std::string_view description) {
  for (auto& link : ring.links)
    if (link->matches(type, description) && !link->revoked && !link->invalidated) return link.get();
  return nullptr;
}

Result<void> prune_ring_locked(Key& ring, KeyGarbage& garbage) {
  for (std::size_t i = 0; i < ring.links.size();) {
    if (!ring.links[i]->invalidated) {
      ++i;
      continue;
    }
    TRY(garbage.try_push_back(ring.links[i]));
    ring.links.erase(i);
  }
  return {};
}

Result<void> check_key_permission_locked(const Task& task, const Key& key, bool possessed,
                                         std::uint32_t wanted) {
  using namespace key_permission;
  const vfs::Credentials& who = task.credentials();
  std::uint32_t granted = key.permissions;
  if (key.uid == who.fsuid)
    granted >>= user_shift;
  else if (key.gid != vfs::no_id && (key.permissions >> group_shift & all) && who.in_group(key.gid))
    granted >>= group_shift;
  if (possessed) granted |= key.permissions >> possessor_shift;
  if ((granted & wanted & all) != wanted) return error(Errno::eacces);
  return {};
}

Result<KeyUse> search_ring(Task& task, const KeyUse& ring, KeyType type, std::string_view description) {
  core::MutexGuard guard{keys_mutex()};
  if (!ring.key->is_keyring()) return error(Errno::enotdir);
  TRY(check_key_permission_locked(task, *ring.key, ring.possessed, key_permission::search));
  return KeyUse{TRY(search_locked(task, *ring.key, ring.possessed, {nullptr, type, description})),
                ring.possessed};
}

namespace {
Result<KeyUse> search_own(Task& task, const Wanted& wanted) {
  const TaskExtras* extras = TaskExtras::find(task);
  Errno why = Errno::eagain;
  for (auto which : {TaskExtras::thread_ring, TaskExtras::process_ring, TaskExtras::session_ring}) {
    RefPtr<Key> ring = extras ? extras->ring(which) : RefPtr<Key>{};
    if (!ring && which == TaskExtras::session_ring)
      ring = TRY(user_rings.get(task.credentials().uid, UserRings::session));
    if (!ring) continue;
    core::MutexGuard guard{keys_mutex()};
    if (!check_key_permission_locked(task, *ring, true, key_permission::search)) {
      note_failure(why, Errno::eacces);
      continue;
    }
    auto found = search_locked(task, *ring, true, wanted);
    if (found) return KeyUse{*found, true};
    note_failure(why, found.error());
  }
  return error(why);
}
}  // namespace

Result<KeyUse> search_own_rings(Task& task, KeyType type, std::string_view description) {
  return search_own(task, {nullptr, type, description, true});
}

bool possesses(Task& task, const Key& key) { return search_own(task, {.itself = &key}).has_value(); }

Result<KeyUse> lookup_key(Task& task, std::int32_t number, KeyLookup how, std::uint32_t wanted) {
  KeyUse use;
  if (number < 0) {
    use.key = TRY(special_ring(task, number, how != KeyLookup::plain));
    use.possessed = number >= -3 || possesses(task, *use.key);
  } else {
    if (number == 0) return error(Errno::einval);
    use.key = Key::find(number);
    if (!use.key) return error(Errno::enokey);
    use.possessed = possesses(task, *use.key);
  }
  core::MutexGuard guard{keys_mutex()};
  if (how != KeyLookup::partial || wanted) TRY(use.key->check_usable_locked());
  TRY(check_key_permission_locked(task, *use.key, use.possessed, wanted));
  return use;
}

Result<std::int32_t> join_session_keyring(Task& task, std::string_view name) {
  TaskExtras& extras = *TRY(TaskExtras::of(task));
  RefPtr<Key> ring;
  if (!name.empty()) {
    for (std::int32_t at = 0; (ring = Key::next(at)); at = ring->number()) {
      core::MutexGuard guard{keys_mutex()};
      if (ring->matches(KeyType::keyring, name) && ring->check_usable_locked() &&
          check_key_permission_locked(task, *ring, false, key_permission::search))
        break;
    }
  }
  if (!ring)
    ring = TRY(make_ring(task, name.empty() ? "_ses" : name,
                         name.empty() ? session_permissions : named_session_permissions));
  std::int32_t number = ring->number();
  extras.set_ring(TaskExtras::session_ring, std::move(ring));
  return number;
}

}  // namespace linux_abi
