// keys, key-users, sys/kernel/keys/*: what keyrings(7) says of them.
#include "keys.h"

#include "core/time/clock.h"
#include "linux_abi/task_extras.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

namespace {

using linux_abi::Key;
using linux_abi::key_limits;
using linux_abi::KeyOwner;

// How long it lasts: "perm", "expd", or a number with a unit.
void put_life(TextSink& out, std::uint64_t expires_at) {
  std::uint64_t now = core::realtime_ns() / 1'000'000'000;
  if (!expires_at) return format(out, "perm");
  if (now >= expires_at) return format(out, "expd");
  std::uint64_t left = expires_at - now;
  constexpr struct {
    std::uint64_t below, unit;
    char letter;
  } units[] = {{60, 1, 's'}, {3600, 60, 'm'}, {86400, 3600, 'h'}, {604800, 86400, 'd'}};
  char memory[24];
  base::TextBuffer text(memory);
  for (const auto& unit : units)
    if (left < unit.below) {
      format(text, "{}{}", left / unit.unit, unit.letter);
      return format(out, "{:>4}", text.view());
    }
  format(text, "{}w", left / 604800);
  format(out, "{:>4}", text.view());
}

void put_key_locked(TextSink& out, const Key& key) {
  // Instantiated, counted against its owner.
  format(out, "{:08x} I{}-Q--- {:>5} ", static_cast<std::uint32_t>(key.number()), key.revoked ? 'R' : '-',
         key.reference_count());
  put_life(out, key.expires_at);
  format(out, " {:08x} {:>5} {:>5} {:<9} {}: ", key.permissions, static_cast<std::int32_t>(key.uid),
         static_cast<std::int32_t>(key.gid), name_of(key.type()), key.description());
  if (!key.is_keyring())
    format(out, "{}\n", key.payload.size());
  else if (key.links.empty())
    format(out, "empty\n");
  else
    format(out, "{}\n", key.links.size());
}

Result<void> show_keys(TextSink& out) {
  linux_abi::Task& task = linux_abi::current_task();
  RefPtr<Key> key;
  for (std::int32_t at = 0; (key = Key::next(at)); at = key->number()) {
    bool possessed = linux_abi::possesses(task, *key);
    core::MutexGuard guard{linux_abi::keys_mutex()};
    if (key->invalidated) continue;
    if (check_key_permission_locked(task, *key, possessed, linux_abi::key_permission::view))
      put_key_locked(out, *key);
  }
  return {};
}

Result<void> show_key_users(TextSink& out) {
  core::MutexGuard guard{linux_abi::keys_mutex()};
  KeyOwner::for_each_locked([&](const KeyOwner& owner) {
    std::int64_t most_keys = owner.uid ? key_limits.keys.load() : key_limits.root_keys.load();
    std::int64_t most_bytes = owner.uid ? key_limits.bytes.load() : key_limits.root_bytes.load();
    format(out, "{:>5}: {:>5} {}/{} {}/{} {}/{}\n", owner.uid, owner.reference_count(), owner.keys,
           owner.keys, owner.keys, most_keys, owner.bytes, most_bytes);
  });
  return {};
}

template <std::atomic<std::int64_t> linux_abi::KeyLimits::* limit>
Result<void> show_limit(TextSink& out) {
  format(out, "{}\n", (key_limits.*limit).load());
  return {};
}
template <std::atomic<std::int64_t> linux_abi::KeyLimits::* limit>
Result<void> store_limit(std::string_view text) {
  std::int64_t value = TRY(procfs::parse_number(text));
  if (value < 0) return base::error(base::Errno::einval);
  (key_limits.*limit).store(value);
  return {};
}

template <std::atomic<std::int64_t> linux_abi::KeyLimits::* limit>
Result<void> add_limit(std::string_view path) {
  return procfs::add_text(path, 0644, show_limit<limit>, store_limit<limit>);
}

}  // namespace

Result<void> add_key_files() {
  using linux_abi::KeyLimits;
  TRY(procfs::add_text("keys", 0444, show_keys));
  TRY(procfs::add_text("key-users", 0444, show_key_users));
  TRY(add_limit<&KeyLimits::keys>("sys/kernel/keys/maxkeys"));
  TRY(add_limit<&KeyLimits::bytes>("sys/kernel/keys/maxbytes"));
  TRY(add_limit<&KeyLimits::root_keys>("sys/kernel/keys/root_maxkeys"));
  TRY(add_limit<&KeyLimits::root_bytes>("sys/kernel/keys/root_maxbytes"));
  return {};
}

}  // namespace linux_procfs
