// The table behind the dentry cache (vfs/dentry.h): finding, moving, shrinking.
#pragma once

#include "vfs/dentry.h"

namespace vfs {

// Odd while a rename moves a dentry between chains or parents: a failed search that overlaps one proves
// nothing.
extern std::atomic<std::uint32_t> rename_sequence;

class DentryCache {
 public:
  static Result<void> initialize(std::size_t buckets);
  // Under RCU. `sequence` is the dentry's, taken before it was compared.
  static Dentry* find_rcu(const Dentry& parent, std::string_view name, std::uint32_t hash,
                          std::uint32_t& sequence);
  // With a reference, or null if the name is not cached.
  static RefPtr<Dentry> find(const Dentry& parent, std::string_view name, std::uint32_t hash);
  // Rename: `source` takes the place and the name of `target`, which is unhashed if it was hashed. `spare` is
  // memory for the name (try_make_name); consumed. Both parents' inodes are locked.
  static void move(Dentry& source, Dentry& target, DentryName* spare);
  // RENAME_EXCHANGE: both change places and names.
  static void exchange(Dentry& a, Dentry& b, DentryName* name_for_a, DentryName* name_for_b);
  static Result<DentryName*> try_make_name(std::string_view text);
  static void free_name(DentryName* name);
  // Everything unused below `root`, and the pins of a storage file system. At the last unmount, and of an
  // empty directory that goes.
  static void drop_tree(Dentry& root);
  // Everything unused below `directory` (a process that is gone); unhashes all of it.
  static void invalidate(Dentry& dentry);
  static std::size_t shrink(std::size_t count);
  static std::size_t unused();
  static void drop_pin(Dentry& dentry) { unpin(dentry); }

 private:
  friend class Dentry;
  struct Bucket;
  static std::atomic<Dentry*>& bucket(const Dentry* parent, std::uint32_t hash);
  static core::SpinLock& bucket_lock(const Dentry* parent, std::uint32_t hash);
  static void hash_insert(Dentry& dentry);
  static void hash_remove(Dentry& dentry);
  static void change_parent(Dentry& dentry, Dentry& parent);
  static void attach_child(Dentry& parent, Dentry& child);
  static void detach_child(Dentry& child);
  static void lru_add(Dentry& dentry);
  static void lru_remove(Dentry& dentry);
  // `dentry` has the dead count; frees it, and then every ancestor that loses its last reference by that.
  static void kill(Dentry* dentry);
  static void unpin(Dentry& dentry);
  static RefPtr<Dentry> next_child(Dentry& parent, std::uint64_t from);
};

}  // namespace vfs
