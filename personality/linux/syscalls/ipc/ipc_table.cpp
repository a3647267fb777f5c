#include "syscalls/ipc/ipc_table.h"

namespace linux_abi::ipc {

namespace {
constexpr int longest_sequence = 0xffff;
}

Result<void> Object::check_access(const Task& task, unsigned wanted) const {
  const vfs::Credentials& who = task.credentials();
  unsigned granted = mode_bits.load();
  if (who.euid == creator_uid || who.euid == uid.load())
    granted >>= 6;
  else if (who.in_group(creator_gid) || who.in_group(gid.load()))
    granted >>= 3;
  // One octal digit of `wanted` stands for all three.
  if ((wanted & ~granted & 07) == 0 || who.can(vfs::Capability::ipc_owner)) return {};
  return error(Errno::eacces);
}

Result<void> Object::check_control(const Task& task) const {
  const vfs::Credentials& who = task.credentials();
  if (who.euid == creator_uid || who.euid == uid.load() || who.can(vfs::Capability::sys_admin)) return {};
  return error(Errno::eperm);
}

UserPermissions Object::permissions(std::uint32_t extra_mode) const {
  return {.key = key_.load(),
          .uid = uid.load(),
          .gid = gid.load(),
          .creator_uid = creator_uid,
          .creator_gid = creator_gid,
          .mode = mode_bits.load() | extra_mode,
          .sequence = static_cast<std::uint16_t>(id_ / 32768)};
}

Result<void> Object::set_permissions(const UserPermissions& wanted) {
  if (wanted.uid == ~0u || wanted.gid == ~0u) return error(Errno::einval);
  uid.store(wanted.uid);
  gid.store(wanted.gid);
  mode_bits.store(wanted.mode & 0777);
  change_time.store(seconds_now());
  return {};
}

Result<int> Table::get(const Task& task, std::uint32_t key, unsigned flags,
                       base::FunctionRef<Result<void>(Object&)> check,
                       base::FunctionRef<Result<RefPtr<Object>>()> make) {
  core::MutexGuard guard{lock_};
  std::size_t free = slots_.size();
  for (std::size_t i = slots_.size(); i-- > 0;) {
    Object* object = slots_[i].get();
    if (!object) {
      free = i;
      continue;
    }
    if (key == key_private || object->key_.load() != key) continue;
    if ((flags & flag_create) && (flags & flag_exclusive)) return error(Errno::eexist);
    TRY(check(*object));
    TRY(object->check_access(task, (flags >> 6 | flags >> 3 | flags) & 07));
    return object->id_;
  }
  if (key != key_private && !(flags & flag_create)) return error(Errno::enoent);
  if (free >= limit_) return error(Errno::enospc);
  RefPtr<Object> object = TRY(make());
  if (free == slots_.size()) TRY(slots_.try_push_back(nullptr));
  object->key_.store(key);
  object->id_ = static_cast<int>(free) + (next_sequence_++ & (longest_sequence >> 1)) * sequence_step;
  int id = object->id_;
  slots_[free] = std::move(object);
  return id;
}

Result<RefPtr<Object>> Table::find(int id) {
  if (id < 0) return error(Errno::einval);
  core::MutexGuard guard{lock_};
  auto index = static_cast<std::size_t>(id % sequence_step);
  if (index >= slots_.size() || !slots_[index] || slots_[index]->id_ != id) return error(Errno::einval);
  return slots_[index];
}

Result<RefPtr<Object>> Table::at(int index) {
  core::MutexGuard guard{lock_};
  auto place = static_cast<std::size_t>(index);
  if (index < 0 || place >= slots_.size() || !slots_[place]) return error(Errno::einval);
  return slots_[place];
}

RefPtr<Object> Table::remove(Object& object) {
  RefPtr<Object> removed;
  object.removed_.store(true);
  core::MutexGuard guard{lock_};
  auto index = static_cast<std::size_t>(object.id_ % sequence_step);
  if (index < slots_.size() && slots_[index].get() == &object) removed = std::move(slots_[index]);
  return removed;
}

Table::Use Table::use(base::FunctionRef<void(Object&)> look) {
  Use result;
  core::MutexGuard guard{lock_};
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i]) continue;
    result.highest_index = static_cast<int>(i);
    ++result.count;
    look(*slots_[i]);
  }
  return result;
}

}  // namespace linux_abi::ipc
