// What file systems that are only read have in common: the table of their inodes, and open files.
//
//   InodeTable<MyInode> table;                       // MyInode: table_hook, table_key
//   auto inode = TRY(table.get(key, [&] { return MyInode::load(key); }));   // one object for each key
//   bool last = table.forget(*this);                 // from evict(); true: nobody is left, and close() was
//   called
//
// Locking: the table's mutex is a leaf; `make` runs without it.
#pragma once

#include "base/intrusive_tree.h"
#include "byte_cache/byte_cache.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "page_cache/page_cache.h"
#include "vfs/file.h"

namespace byte_cache {

template <typename T>
class InodeTable {
 public:
  template <typename Make>
  Result<RefPtr<T>> get(std::uint64_t key, Make&& make) EXCLUDES(mutex_) {
    RefPtr<T> fresh;
    for (;;) {
      {
        core::MutexGuard guard{mutex_};
        if (T* existing = tree_.find(key)) {
          if (existing->try_acquire_reference()) {
            auto found = RefPtr<T>::adopt(existing);
            guard.unlock();
            fresh = nullptr;
            guard.lock();
            return found;
          }
          TRY(gone_.wait(guard, core::WaitMode::uninterruptible,
                         [&]() NO_THREAD_SAFETY_ANALYSIS { return tree_.find(key) != existing; }));
          continue;
        }
        if (fresh) {
          fresh->table_key = key;
          tree_.insert(*fresh);
          return fresh;
        }
      }
      fresh = TRY(make());
    }
  }
  // Each inode, also one that never came into the table, is counted from its birth on.
  void count() EXCLUDES(mutex_) {
    core::MutexGuard guard{mutex_};
    ++count_;
  }
  bool forget(T& inode) EXCLUDES(mutex_) {
    bool last;
    {
      core::MutexGuard guard{mutex_};
      if (inode.table_hook.is_linked()) tree_.remove(inode);
      last = --count_ == 0 && closed_;
    }
    gone_.wake_all();
    return last;
  }
  // No more inodes will be asked for; true if none is left.
  bool close() EXCLUDES(mutex_) {
    core::MutexGuard guard{mutex_};
    closed_ = true;
    return count_ == 0;
  }

 private:
  core::Mutex mutex_{"inode table"};
  core::WaitQueue gone_;
  base::IntrusiveTree<T, &T::table_hook, &T::table_key> tree_ GUARDED_BY(mutex_);
  std::size_t count_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
};

// An open file whose bytes come from `cache`.
Result<RefPtr<vfs::File>> open_cached_file(RefPtr<page_cache::PageCache> cache);
// An open directory: `list(inode, sink, position)` gives its entries.
using ListFunction = Result<void> (*)(vfs::Inode& inode, vfs::DirectorySink& sink, std::uint64_t& position);
Result<RefPtr<vfs::File>> open_listed_directory(ListFunction list);

}  // namespace byte_cache
