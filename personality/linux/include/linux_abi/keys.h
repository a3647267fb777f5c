// Keys that the kernel keeps for programs (keyrings(7)): secrets in memory, found by type and description in
// keyrings, which are keys that hold keys.
//
//   - A key lives while a keyring, a thread or a running call refers to it; each has a number by which
//     programs name it.
//   - What a thread may do with a key depends on whether it possesses it: whether it is found by a search
//   from
//     the thread's own keyrings.
//   - Each user may have so many keys and so many bytes in them.
//
// Locking: keys_mutex() protects everything but what says so. A reference that may be the last one is never
// dropped with it held; KeyGarbage collects those.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/format.h"
#include "base/intrusive_list.h"
#include "base/intrusive_tree.h"
#include "base/ref.h"
#include "base/string.h"
#include "base/vector.h"
#include "core/sync/mutex.h"
#include "vfs/credentials.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class Task;

core::Mutex& keys_mutex();

enum class KeyType : std::uint8_t { keyring, user, logon };
std::string_view name_of(KeyType type);

namespace key_permission {
inline constexpr std::uint32_t view = 1, read = 2, write = 4, search = 8, link = 0x10, set_attributes = 0x20,
                               all = 0x3f;
inline constexpr unsigned possessor_shift = 24, user_shift = 16, group_shift = 8;
inline constexpr std::uint32_t every_bit = 0x3f3f3f3f;
}  // namespace key_permission

// What counts against a user's limits.
class KeyOwner : public base::RefCounted<KeyOwner> {
 public:
  static Result<RefPtr<KeyOwner>> of(std::uint32_t uid);
  const std::uint32_t uid;
  // keys_mutex():
  std::int64_t keys = 0, bytes = 0;
  // EDQUOT.
  Result<void> charge_locked(std::int64_t more_keys, std::int64_t more_bytes);
  void last_reference_dropped();
  static void for_each_locked(base::FunctionRef<void(const KeyOwner&)> visit);
  base::ListHook hook;

 private:
  explicit KeyOwner(std::uint32_t owner_uid) : uid(owner_uid) {}
  friend class base::RefCounted<KeyOwner>;
};

struct KeyLimits {
  std::atomic<std::int64_t> keys{200}, bytes{20000}, root_keys{1'000'000}, root_bytes{25'000'000};
};
extern KeyLimits key_limits;

struct NewKey {
  KeyType type = KeyType::user;
  std::string_view description;
  std::uint32_t uid = 0, gid = 0, permissions = 0;
  base::Vector<char> payload{};
};

class Key : public base::RefCounted<Key> {
 public:
  static constexpr unsigned depth_max = 6;  // keyrings in keyrings

  static Result<RefPtr<Key>> create(NewKey properties) EXCLUDES(keys_mutex());
  static RefPtr<Key> find(std::int32_t number) EXCLUDES(keys_mutex());
  // The next key by number, for /proc/keys.
  static RefPtr<Key> next(std::int32_t after) EXCLUDES(keys_mutex());

  std::int32_t number() const { return number_; }
  KeyType type() const { return type_; }
  bool is_keyring() const { return type_ == KeyType::keyring; }
  std::string_view description() const { return description_; }

  // keys_mutex():
  std::uint32_t uid = 0, gid = 0, permissions = 0;
  std::uint64_t expires_at = 0;  // seconds since 1970; 0: never
  bool revoked = false, invalidated = false;
  bool takes_no_links = false;  // KEYCTL_RESTRICT_KEYRING
  base::Vector<char> payload;
  base::Vector<RefPtr<Key>> links;  // of a keyring

  // ENOKEY, EKEYREVOKED, EKEYEXPIRED.
  Result<void> check_usable_locked() const;
  bool matches(KeyType type, std::string_view description) const {
    return type_ == type && description_.view() == description;
  }
  // Moves what the key counts for to another user. EDQUOT.
  Result<void> change_owner_locked(RefPtr<KeyOwner>& owner);
  // Counts for the new size. EDQUOT.
  Result<void> charge_payload_locked(std::size_t new_size);
  void last_reference_dropped();

 private:
  friend class base::RefCounted<Key>;
  friend struct KeyTable;
  Key(KeyType type, std::int32_t number) : number_(number), type_(type) {}
  ~Key() = default;
  base::TreeHook hook_;
  const std::int32_t number_;
  const KeyType type_;
  base::String description_;
  RefPtr<KeyOwner> owner_;
  std::int64_t charged_bytes_ = 0;
};

// References to be dropped once the mutex is free: declared before the guard.
using KeyGarbage = base::Vector<RefPtr<Key>>;

// A key and whether the running thread possesses it.
struct KeyUse {
  RefPtr<Key> key;
  bool possessed = false;
};

// ---- Keyrings; keys_mutex() held ----
// Puts a key in, in place of one with the same type and description. ENOTDIR, EDEADLK, ELOOP, EKEYREVOKED.
Result<void> link_key_locked(Key& ring, const RefPtr<Key>& key, KeyGarbage& garbage);
Result<void> unlink_key_locked(Key& ring, const Key& key, KeyGarbage& garbage);  // ENOENT
Key* find_in_ring_locked(Key& ring, KeyType type, std::string_view description);
// Forgets what was invalidated.
Result<void> prune_ring_locked(Key& ring, KeyGarbage& garbage);

// ---- Of the running thread ----
// EACCES.
Result<void> check_key_permission_locked(const Task& task, const Key& key, bool possessed,
                                         std::uint32_t wanted);
// Looks through a keyring and those in it, or through the thread's own. EAGAIN: there is none; else why what
// there is cannot be used.
Result<KeyUse> search_ring(Task& task, const KeyUse& ring, KeyType type, std::string_view description);
Result<KeyUse> search_own_rings(Task& task, KeyType type, std::string_view description);
bool possesses(Task& task, const Key& key);

enum class KeyLookup : std::uint8_t { plain = 0, create = 1, partial = 2 };
// What a program's number means, KEY_SPEC_* among them, if it may do `wanted` with it.
Result<KeyUse> lookup_key(Task& task, std::int32_t number, KeyLookup how, std::uint32_t wanted);
// The thread gets a new session keyring, or joins the one of that name.
Result<std::int32_t> join_session_keyring(Task& task, std::string_view name);

}  // namespace linux_abi
