// The keys themselves: numbers, owners, limits; see linux_abi/keys.h.
#include "linux_abi/keys.h"

#include "core/random/random.h"
#include "core/time/clock.h"

namespace linux_abi {

using base::Errno;
using base::error;

constinit KeyLimits key_limits;

namespace {
constinit core::Mutex the_mutex{"keys"};
}
core::Mutex& keys_mutex() { return the_mutex; }

struct KeyTable {
  base::IntrusiveTree<Key, &Key::hook_, &Key::number_> keys;
  base::IntrusiveList<KeyOwner, &KeyOwner::hook> owners;
};

namespace {
[[clang::no_destroy]] constinit KeyTable table;

std::int32_t random_number() {
  std::uint32_t number = 0;
  core::random_bytes(std::as_writable_bytes(std::span(&number, 1)));
  return static_cast<std::int32_t>(number >> 1);
}
}  // namespace

std::string_view name_of(KeyType type) {
  switch (type) {
    case KeyType::keyring:
      return "keyring";
    case KeyType::user:
      return "user";
    default:
      return "logon";
  }
}

// ---- Owners ----

Result<RefPtr<KeyOwner>> KeyOwner::of(std::uint32_t uid) {
  core::MutexGuard guard{keys_mutex()};
  for (KeyOwner& owner : table.owners)
    if (owner.uid == uid)
      if (auto found = RefPtr<KeyOwner>::try_acquire(&owner)) return found;
  auto* owner = new (std::nothrow) KeyOwner(uid);
  if (!owner) return error(Errno::enomem);
  table.owners.push_back(*owner);
  return RefPtr<KeyOwner>::adopt(owner);
}

void KeyOwner::last_reference_dropped() {
  {
    core::MutexGuard guard{keys_mutex()};
    table.owners.remove(*this);
  }
  delete this;
}

Result<void> KeyOwner::charge_locked(std::int64_t more_keys, std::int64_t more_bytes) {
  std::int64_t most_keys = uid ? key_limits.keys.load() : key_limits.root_keys.load();
  std::int64_t most_bytes = uid ? key_limits.bytes.load() : key_limits.root_bytes.load();
  if ((more_keys > 0 && keys + more_keys > most_keys) || (more_bytes > 0 && bytes + more_bytes > most_bytes))
    return error(Errno::edquot);
  keys += more_keys;
  bytes += more_bytes;
  return {};
}

void KeyOwner::for_each_locked(base::FunctionRef<void(const KeyOwner&)> visit) {
  for (const KeyOwner& owner : table.owners) visit(owner);
}

// ---- Keys ----

Result<RefPtr<Key>> Key::create(NewKey properties) {
  auto owner = TRY(KeyOwner::of(properties.uid));
  auto description = TRY(base::String::create(properties.description));
  RefPtr<Key> key;
  core::MutexGuard guard{keys_mutex()};
  std::int32_t number;
  do number = random_number();
  while (number < 3 || table.keys.find(number));
  auto* made = new (std::nothrow) Key(properties.type, number);
  if (!made) return error(Errno::enomem);
  made->description_ = std::move(description);
  made->uid = properties.uid;
  made->gid = properties.gid;
  made->permissions = properties.permissions;
  auto size = static_cast<std::int64_t>(properties.description.size() + 1 + properties.payload.size());
  auto charged = owner->charge_locked(1, size);
  if (!charged) {
    delete made;
    return error(charged.error());
  }
  made->charged_bytes_ = size;
  made->owner_ = std::move(owner);
  made->payload = std::move(properties.payload);
  table.keys.insert(*made);
  return RefPtr<Key>::adopt(made);
}

RefPtr<Key> Key::find(std::int32_t number) {
  core::MutexGuard guard{keys_mutex()};
  return RefPtr<Key>::try_acquire(table.keys.find(number));
}

RefPtr<Key> Key::next(std::int32_t after) {
  core::MutexGuard guard{keys_mutex()};
  for (Key* at = table.keys.upper_bound(after); at; at = table.keys.next(*at))
    if (auto found = RefPtr<Key>::try_acquire(at)) return found;
  return {};
}

// What it holds is dropped after the mutex: keyrings nest a few levels deep at most.
void Key::last_reference_dropped() {
  {
    core::MutexGuard guard{keys_mutex()};
    table.keys.remove(*this);
    (void)owner_->charge_locked(-1, -charged_bytes_);
  }
  delete this;
}

Result<void> Key::check_usable_locked() const {
  if (invalidated) return error(Errno::enokey);
  if (revoked) return error(Errno::ekeyrevoked);
  if (expires_at && core::realtime_ns() / 1'000'000'000 >= expires_at) return error(Errno::ekeyexpired);
  return {};
}

Result<void> Key::change_owner_locked(RefPtr<KeyOwner>& owner) {
  TRY(owner->charge_locked(1, charged_bytes_));
  (void)owner_->charge_locked(-1, -charged_bytes_);
  std::swap(owner_, owner);
  uid = owner_->uid;
  return {};
}

Result<void> Key::charge_payload_locked(std::size_t new_size) {
  auto more = static_cast<std::int64_t>(new_size) - static_cast<std::int64_t>(payload.size());
  TRY(owner_->charge_locked(0, more));
  charged_bytes_ += more;
  return {};
}

}  // namespace linux_abi
