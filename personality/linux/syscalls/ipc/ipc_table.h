// What the three kinds of System V IPC have in common: keys, identifiers, owners (sysvipc(7)).
//
// An identifier is an index into the table and a sequence number, so that one that was removed is not
// mistaken for its successor. Objects are counted; one that is removed lives on for those who hold it, and
// says is_removed().
//
// Locking: the table's lock protects keys and places; owner and mode are read without it, one word each. It
// may be taken with an object's own lock held, never the other way round.
#pragma once

#include <atomic>

#include "base/vector.h"
#include "core/sync/mutex.h"
#include "core/time/clock.h"
#include "linux_abi/prelude.h"

namespace linux_abi::ipc {

inline constexpr int command_remove = 0, command_set = 1, command_stat = 2, command_info = 3;
inline constexpr unsigned flag_create = 01000, flag_exclusive = 02000, flag_no_wait = 04000;
inline constexpr std::uint32_t key_private = 0;
inline constexpr unsigned wants_read = 0444, wants_write = 0222;

// struct ipc64_perm
struct UserPermissions {
  std::uint32_t key = 0, uid = 0, gid = 0, creator_uid = 0, creator_gid = 0, mode = 0;
  std::uint16_t sequence = 0, unused_16 = 0;
  std::uint32_t padding = 0;
  std::uint64_t unused[2] = {};
};

inline std::int64_t seconds_now() { return static_cast<std::int64_t>(core::realtime_ns() / 1'000'000'000); }

class Object : public base::RefCounted<Object> {
 public:
  virtual ~Object() = default;
  Object(const vfs::Credentials& creator, std::uint32_t mode)
      : creator_uid(creator.euid),
        creator_gid(creator.egid),
        uid(creator.euid),
        gid(creator.egid),
        mode_bits(mode & 0777) {}

  const std::uint32_t creator_uid, creator_gid;
  std::atomic<std::uint32_t> uid, gid, mode_bits;
  std::atomic<std::int64_t> change_time{seconds_now()};

  int id() const { return id_; }
  bool is_removed() const { return removed_.load(); }
  // EACCES unless all of `wanted` (bits of 0666) is allowed.
  Result<void> check_access(const Task& task, unsigned wanted) const;
  // EPERM for those who may not remove or change it.
  Result<void> check_control(const Task& task) const;
  UserPermissions permissions(std::uint32_t extra_mode = 0) const;
  // IPC_SET
  Result<void> set_permissions(const UserPermissions& wanted);

 private:
  friend class Table;
  int id_ = -1;
  std::atomic<std::uint32_t> key_{0};
  std::atomic<bool> removed_{false};
};

class Table {
 public:
  constexpr explicit Table(const char* name, std::size_t limit) : limit_(limit), lock_(name) {}

  // semget and its like: finds the object with the key or makes one. `check(object)` may refuse what was
  // found.
  Result<int> get(const Task& task, std::uint32_t key, unsigned flags,
                  base::FunctionRef<Result<void>(Object&)> check,
                  base::FunctionRef<Result<RefPtr<Object>>()> make) EXCLUDES(lock_);
  Result<RefPtr<Object>> find(int id) EXCLUDES(lock_);  // EINVAL
  Result<RefPtr<Object>> at(int index) EXCLUDES(lock_);
  // Takes it out of the table; the reference is the caller's to drop. Null if it was gone.
  RefPtr<Object> remove(Object& object) EXCLUDES(lock_);
  // No key finds it any more.
  void forget_key(Object& object) EXCLUDES(lock_) { object.key_.store(key_private); }

  struct Use {
    int highest_index = 0;
    int count = 0;
  };
  // Calls `look` on each, with the lock held.
  Use use(base::FunctionRef<void(Object&)> look = [](Object&) {}) EXCLUDES(lock_);
  // The same without the lock, for what takes an object's own.
  template <typename Look>
  void for_each(Look&& look) EXCLUDES(lock_) {
    for (int index = 0, highest = use().highest_index; index <= highest; ++index)
      if (auto object = at(index)) look(**object);
  }

 private:
  static constexpr int sequence_step = 32768;
  const std::size_t limit_;
  core::Mutex lock_;
  base::Vector<RefPtr<Object>> slots_ GUARDED_BY(lock_);
  std::uint16_t next_sequence_ GUARDED_BY(lock_) = 0;
};

}  // namespace linux_abi::ipc
