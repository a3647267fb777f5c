// keyctl(2)
#include "base/format.h"
#include "core/time/clock.h"
#include "linux_abi/task_extras.h"
#include "syscalls/keys/key_text.h"
#include "syscalls/keys/rows.h"

namespace linux_abi {

namespace {

using Arguments = std::span<const std::uint64_t, 4>;
using Operation = Result<long> (*)(Task& task, Arguments arguments);

std::int32_t number_of(std::uint64_t argument) { return static_cast<std::int32_t>(argument); }
KeyLookup creating(bool create) { return create ? KeyLookup::create : KeyLookup::plain; }

Result<long> get_keyring_id(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), creating(number_of(a[1])), key_permission::search));
  return use.key->number();
}

Result<long> join_session(Task& task, Arguments a) {
  base::String name;
  UserString from{UserAddress(a[0])};
  if (!from.is_null()) {
    name = TRY(read_key_description(from));
    if (name.view().starts_with('.')) return error(Errno::eperm);
  }
  return TRY(join_session_keyring(task, name));
}

Result<long> update(Task& task, Arguments a) {
  if (a[2] > core::page_size) return error(Errno::einval);
  base::Vector<char> payload;
  if (a[2]) payload = TRY(read_payload(UserAddress(a[1]), a[2]));
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::write));
  if (use.key->is_keyring()) return error(Errno::eopnotsupp);
  TRY(check_payload(use.key->type(), payload.size()));
  core::MutexGuard guard{keys_mutex()};
  TRY(use.key->charge_payload_locked(payload.size()));
  std::swap(use.key->payload, payload);
  use.key->expires_at = 0;
  return 0;
}

Result<long> revoke(Task& task, Arguments a) {
  auto use = lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::write);
  if (!use && use.error() == Errno::eacces)
    use = lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::set_attributes);
  if (!use) return error(use.error());
  base::Vector<RefPtr<Key>> links;  // dropped after the mutex
  base::Vector<char> payload;
  core::MutexGuard guard{keys_mutex()};
  Key& key = *use->key;
  key.revoked = true;
  (void)key.charge_payload_locked(0);
  std::swap(key.payload, payload);
  std::swap(key.links, links);
  return 0;
}

Result<long> change_owner(Task& task, Arguments a) {
  auto uid = static_cast<std::uint32_t>(a[1]), gid = static_cast<std::uint32_t>(a[2]);
  if (uid == vfs::no_id && gid == vfs::no_id) return 0;
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, key_permission::set_attributes));
  RefPtr<KeyOwner> owner;  // dropped after the mutex
  if (uid != vfs::no_id) owner = TRY(KeyOwner::of(uid));
  core::MutexGuard guard{keys_mutex()};
  Key& key = *use.key;
  if (!task.can(vfs::Capability::sys_admin)) {
    if (uid != vfs::no_id && key.uid != uid) return error(Errno::eacces);
    if (gid != vfs::no_id && gid != key.gid && !task.credentials().in_group(gid)) return error(Errno::eacces);
  }
  if (owner && uid != key.uid) TRY(key.change_owner_locked(owner));
  if (gid != vfs::no_id) key.gid = gid;
  return 0;
}

Result<long> set_permissions(Task& task, Arguments a) {
  auto permissions = static_cast<std::uint32_t>(a[1]);
  if (permissions & ~key_permission::every_bit) return error(Errno::einval);
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, key_permission::set_attributes));
  core::MutexGuard guard{keys_mutex()};
  if (use.key->uid != task.credentials().fsuid && !task.can(vfs::Capability::sys_admin))
    return error(Errno::eacces);
  use.key->permissions = permissions;
  return 0;
}

Result<long> describe(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, key_permission::view));
  char head_memory[80];
  base::TextBuffer head(head_memory);
  {
    core::MutexGuard guard{keys_mutex()};
    base::format(head, "{};{};{};{:08x};", name_of(use.key->type()), static_cast<std::int32_t>(use.key->uid),
                 static_cast<std::int32_t>(use.key->gid), use.key->permissions);
  }
  auto text = TRY(base::String::create(head.view()));
  TRY(text.try_append(use.key->description()));
  TRY(text.try_append(std::string_view("\0", 1)));
  if (a[1] && a[2] >= text.size())
    TRY(core::copy_to_user(UserAddress(a[1]), std::as_bytes(std::span(text.view()))));
  return static_cast<long>(text.size());
}

Result<long> clear(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::create, key_permission::write));
  if (!use.key->is_keyring()) return error(Errno::enotdir);
  base::Vector<RefPtr<Key>> links;  // dropped after the mutex
  core::MutexGuard guard{keys_mutex()};
  std::swap(use.key->links, links);
  return 0;
}

Result<long> link(Task& task, Arguments a) {
  KeyUse ring = TRY(lookup_key(task, number_of(a[1]), KeyLookup::create, key_permission::write));
  KeyUse key = TRY(lookup_key(task, number_of(a[0]), KeyLookup::create, key_permission::link));
  KeyGarbage garbage;
  core::MutexGuard guard{keys_mutex()};
  TRY(link_key_locked(*ring.key, key.key, garbage));
  return 0;
}

Result<long> unlink(Task& task, Arguments a) {
  KeyUse ring = TRY(lookup_key(task, number_of(a[1]), KeyLookup::plain, key_permission::write));
  KeyUse key = TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, 0));
  KeyGarbage garbage;
  core::MutexGuard guard{keys_mutex()};
  TRY(unlink_key_locked(*ring.key, *key.key, garbage));
  return 0;
}

Result<long> search(Task& task, Arguments a) {
  auto type_name = TRY(read_key_type_name(UserString{UserAddress(a[1])}));
  auto description = TRY(read_key_description(UserString{UserAddress(a[2])}));
  KeyUse ring = TRY(lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::search));
  std::optional<KeyUse> to;
  if (a[3]) to = TRY(lookup_key(task, number_of(a[3]), KeyLookup::create, key_permission::write));
  KeyType type = TRY(key_type_of(type_name, Errno::enokey));
  auto found = search_ring(task, ring, type, description);
  if (!found) return error(found.error() == Errno::eagain ? Errno::enokey : found.error());
  if (to) TRY(link_found_key(task, *to, *found));
  return found->key->number();
}

Result<base::Vector<char>> contents_of(Key& key) {
  base::Vector<char> bytes;
  core::MutexGuard guard{keys_mutex()};
  TRY(key.check_usable_locked());
  if (!key.is_keyring()) {
    TRY(bytes.try_append(key.payload.span()));
    return bytes;
  }
  for (auto& link : key.links) {
    if (link->invalidated) continue;
    std::int32_t number = link->number();
    // SAFETY: the bytes of a number.
    auto raw = std::as_bytes(std::span(&number, 1));
    for (std::byte byte : raw) TRY(bytes.try_push_back(static_cast<char>(byte)));
  }
  return bytes;
}

Result<long> read(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::plain, 0));
  {
    core::MutexGuard guard{keys_mutex()};
    bool allowed =
        check_key_permission_locked(task, *use.key, use.possessed, key_permission::read).has_value();
    // Who possesses it by being allowed to search may read it.
    if (!allowed && !use.possessed) return error(Errno::eacces);
  }
  if (use.key->type() == KeyType::logon) return error(Errno::eopnotsupp);
  auto bytes = TRY(contents_of(*use.key));
  if (a[1] && a[2]) {
    std::size_t part = bytes.size() < a[2] ? bytes.size() : a[2];
    // A payload comes whole or not at all; of a list what fits.
    if (use.key->is_keyring() || part == bytes.size())
      TRY(core::copy_to_user(
          UserAddress(a[1]),
          std::as_bytes(bytes.span()).first(part & ~std::size_t{use.key->is_keyring() ? 3u : 0u})));
  }
  return static_cast<long>(bytes.size());
}

// Only a helper that the kernel asked to make a key has the authority, and there are none.
Result<long> not_authorised(Task&, Arguments) { return error(Errno::eperm); }
Result<long> assume_authority(Task&, Arguments a) {
  if (number_of(a[0]) < 0) return error(Errno::einval);
  return number_of(a[0]) == 0 ? Result<long>(0) : Result<long>(error(Errno::enokey));
}

Result<long> set_request_destination(Task& task, Arguments a) {
  constexpr int no_change = -1, last = 7, group = 6;
  int wanted = number_of(a[0]);
  TaskExtras& extras = *TRY(TaskExtras::of(task));
  int old = extras.request_destination;
  if (wanted == no_change) return old;
  if (wanted < 0 || wanted > last || wanted == group) return error(Errno::einval);
  if (wanted == 1 || wanted == 2) TRY(lookup_key(task, -wanted, KeyLookup::create, 0));
  extras.request_destination = wanted;
  return old;
}

Result<long> set_timeout(Task& task, Arguments a) {
  auto seconds = static_cast<std::uint32_t>(a[1]);
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, key_permission::set_attributes));
  core::MutexGuard guard{keys_mutex()};
  use.key->expires_at = seconds ? core::realtime_ns() / 1'000'000'000 + seconds : 0;
  return 0;
}

// No security module: an empty label.
Result<long> get_security(Task& task, Arguments a) {
  TRY(lookup_key(task, number_of(a[0]), KeyLookup::partial, key_permission::view));
  if (a[1] && a[2]) TRY(UserOut<char>(UserAddress(a[1])).write(0));
  return 1;
}

Result<long> invalidate(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::search));
  base::Vector<RefPtr<Key>> links;  // dropped after the mutex
  core::MutexGuard guard{keys_mutex()};
  use.key->invalidated = true;
  std::swap(use.key->links, links);
  return 0;
}

Result<long> restrict_keyring(Task& task, Arguments a) {
  KeyUse use = TRY(lookup_key(task, number_of(a[0]), KeyLookup::plain, key_permission::set_attributes));
  if (a[1]) {
    TRY(read_key_type_name(UserString{UserAddress(a[1])}));
    return error(Errno::enoent);  // no type knows how to restrict
  }
  if (a[2]) return error(Errno::einval);
  if (!use.key->is_keyring()) return error(Errno::enotdir);
  core::MutexGuard guard{keys_mutex()};
  if (use.key->takes_no_links) return error(Errno::eexist);
  use.key->takes_no_links = true;
  return 0;
}

Result<long> move(Task& task, Arguments a) {
  constexpr std::uint64_t exclusive = 1;
  if (static_cast<std::uint32_t>(a[3]) & ~exclusive) return error(Errno::einval);
  KeyUse key = TRY(lookup_key(task, number_of(a[0]), KeyLookup::create, key_permission::link));
  KeyUse from = TRY(lookup_key(task, number_of(a[1]), KeyLookup::plain, key_permission::write));
  KeyUse to = TRY(lookup_key(task, number_of(a[2]), KeyLookup::create, key_permission::write));
  if (!from.key->is_keyring() || !to.key->is_keyring()) return error(Errno::enotdir);
  if (from.key == to.key) return 0;
  KeyGarbage garbage;
  TRY(garbage.try_reserve(4));
  core::MutexGuard guard{keys_mutex()};
  bool linked = false;
  for (auto& link : from.key->links) linked |= link == key.key;
  if (!linked) return error(Errno::enoent);
  if ((a[3] & exclusive) && find_in_ring_locked(*to.key, key.key->type(), key.key->description()))
    return error(Errno::eexist);
  TRY(link_key_locked(*to.key, key.key, garbage));
  TRY(unlink_key_locked(*from.key, *key.key, garbage));
  return 0;
}

Result<long> capabilities(Task&, Arguments a) {
  // The call itself, invalidate, restrict, move.
  constexpr std::byte bytes[2] = {std::byte{0x01 | 0x20 | 0x40 | 0x80}, std::byte{0}};
  std::size_t part = a[1] < sizeof(bytes) ? a[1] : sizeof(bytes);
  TRY(core::copy_to_user(UserAddress(a[0]), std::span(bytes).first(part)));
  if (a[1] > part) TRY(core::clear_user(UserAddress(a[0]) + part, a[1] - part));
  return sizeof(bytes);
}

constexpr Operation operations[] = {get_keyring_id,
                                    join_session,
                                    update,
                                    revoke,
                                    change_owner,
                                    set_permissions,
                                    describe,
                                    clear,
                                    link,
                                    unlink,
                                    search,
                                    read,
                                    not_authorised /* instantiate */,
                                    not_authorised /* negate */,
                                    set_request_destination,
                                    set_timeout,
                                    assume_authority,
                                    get_security,
                                    nullptr /* session to parent */,
                                    not_authorised /* reject */,
                                    not_authorised /* instantiate from vectors */,
                                    invalidate,
                                    nullptr /* persistent */,
                                    nullptr,
                                    nullptr,
                                    nullptr,
                                    nullptr,
                                    nullptr,
                                    nullptr /* public keys */,
                                    restrict_keyring,
                                    move,
                                    capabilities,
                                    nullptr /* watch */};

}  // namespace

Result<long> sys_keyctl(Context& context, int operation, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                        std::uint64_t d) {
  if (operation < 0 || static_cast<std::size_t>(operation) >= std::size(operations) || !operations[operation])
    return error(Errno::eopnotsupp);
  const std::uint64_t arguments[4] = {a, b, c, d};
  return operations[operation](context.task, arguments);
}

}  // namespace linux_abi
