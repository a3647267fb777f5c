// add_key(2), request_key(2)
#include "syscalls/keys/key_text.h"
#include "syscalls/keys/rows.h"

namespace linux_abi {

namespace {

constexpr std::size_t type_name_max = 32;
constexpr std::uint32_t key_permissions = 0x3f010000,  // possessor all, user view
    unreadable_permissions = 0x3d010000;

// A key that is there is given the new payload, unless its type has none to give.
Result<RefPtr<Key>> update_locked(const Task& task, const KeyUse& ring, KeyType type,
                                  std::string_view description, base::Vector<char>& payload) {
  if (type == KeyType::keyring) return RefPtr<Key>{};
  Key* key = find_in_ring_locked(*ring.key, type, description);
  if (!key) return RefPtr<Key>{};
  TRY(check_key_permission_locked(task, *key, ring.possessed, key_permission::write));
  TRY(key->charge_payload_locked(payload.size()));
  std::swap(key->payload, payload);
  key->expires_at = 0;
  return RefPtr<Key>(key);
}

}  // namespace

Result<base::String> read_key_type_name(UserString from) {
  auto name = from.read(type_name_max);
  if (!name) return error(name.error() == Errno::enametoolong ? Errno::einval : name.error());
  if (name->empty()) return error(Errno::einval);
  if (name->view().starts_with('.')) return error(Errno::eperm);
  return name;
}

Result<KeyType> key_type_of(std::string_view name, Errno unknown) {
  for (KeyType type : {KeyType::keyring, KeyType::user, KeyType::logon})
    if (name_of(type) == name) return type;
  return error(unknown);
}

Result<base::String> read_key_description(UserString from) {
  auto text = from.read(core::page_size);
  if (!text) return error(text.error() == Errno::enametoolong ? Errno::einval : text.error());
  return text;
}

Result<void> check_payload(KeyType type, std::size_t size) {
  bool good = type == KeyType::keyring ? size == 0 : size > 0 && size <= key_payload_max;
  return good ? Result<void>{} : Result<void>(error(Errno::einval));
}

Result<base::Vector<char>> read_payload(UserAddress from, std::size_t size) {
  base::Vector<char> payload;
  TRY(payload.try_resize(size));
  TRY(core::copy_from_user(std::as_writable_bytes(payload.span()), from));
  return payload;
}

Result<void> link_found_key(Task& task, const KeyUse& ring, const KeyUse& key) {
  KeyGarbage garbage;
  core::MutexGuard guard{keys_mutex()};
  TRY(check_key_permission_locked(task, *key.key, key.possessed, key_permission::link));
  return link_key_locked(*ring.key, key.key, garbage);
}

Result<long> sys_add_key(Context& context, UserString type_argument, UserString description_argument,
                         UserAddress payload_address, std::size_t size, int ring_number) {
  constexpr std::size_t size_max = 1024 * 1024 - 1;
  if (size > size_max) return error(Errno::einval);
  auto type_name = TRY(read_key_type_name(type_argument));
  base::String description;
  if (!description_argument.is_null()) description = TRY(read_key_description(description_argument));
  if (description.view().starts_with('.') && type_name.view().starts_with("keyring"))
    return error(Errno::eperm);
  base::Vector<char> payload;
  if (size) payload = TRY(read_payload(payload_address, size));
  KeyUse ring = TRY(lookup_key(context.task, ring_number, KeyLookup::create, key_permission::write));
  KeyType type = TRY(key_type_of(type_name, Errno::enodev));
  if (!ring.key->is_keyring()) return error(Errno::enotdir);
  if (description.empty()) return error(Errno::einval);
  std::size_t colon = description.view().find(':');
  if (type == KeyType::logon && (colon == std::string_view::npos || colon == 0)) return error(Errno::einval);
  TRY(check_payload(type, size));
  {
    core::MutexGuard guard{keys_mutex()};
    auto updated = TRY(update_locked(context.task, ring, type, description, payload));
    if (updated) return updated->number();
  }
  const vfs::Credentials& who = context.task.credentials();
  auto key = TRY(
      Key::create({type, description, who.fsuid, who.fsgid,
                   type == KeyType::logon ? unreadable_permissions : key_permissions, std::move(payload)}));
  KeyGarbage garbage;
  core::MutexGuard guard{keys_mutex()};
  TRY(link_key_locked(*ring.key, key, garbage));
  return key->number();
}

Result<long> sys_request_key(Context& context, UserString type_argument, UserString description_argument,
                             UserString callout_argument, int ring_number) {
  auto type_name = TRY(read_key_type_name(type_argument));
  auto description = TRY(read_key_description(description_argument));
  if (!callout_argument.is_null()) TRY(read_key_description(callout_argument));
  std::optional<KeyUse> ring;
  if (ring_number)
    ring = TRY(lookup_key(context.task, ring_number, KeyLookup::create, key_permission::write));
  KeyType type = TRY(key_type_of(type_name, Errno::enokey));
  auto found = search_own_rings(context.task, type, description);
  if (!found) return error(found.error() == Errno::eagain ? Errno::enokey : found.error());
  if (ring) TRY(link_found_key(context.task, *ring, *found));
  return found->key->number();
}

}  // namespace linux_abi
