// A process's place in the file system: root directory, current directory, umask. Shared by tasks with
// CLONE_FS.
//
// Path walk reads root and current directory under RCU and checks sequence(); everyone else takes references
// with root() and current_directory().
#pragma once

#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "core/sync/spin_lock.h"
#include "vfs/credentials.h"
#include "vfs/path.h"

namespace vfs {

class FileSystemContext : public base::RefCounted<FileSystemContext> {
 public:
  static Result<RefPtr<FileSystemContext>> create(Path root, Path current_directory, Mode umask = 022);
  Result<RefPtr<FileSystemContext>> try_clone();
  ~FileSystemContext();

  Path root();
  Path current_directory();
  void set_root(Path path);
  void set_current_directory(Path path);
  Mode umask() const { return umask_.load(std::memory_order_relaxed); }
  Mode exchange_umask(Mode mask) { return umask_.exchange(mask & 0777, std::memory_order_relaxed); }
  // pivot_root: replaces `from` by `to` where root or current directory are exactly `from`.
  void replace(const Path& from, const Path& to);

  // Unreferenced views for the path walk; valid under an RcuReadGuard while the sequence stands.
  struct View {
    Mount* mount;
    Dentry* dentry;
  };
  std::uint32_t sequence() const { return sequence_.load(std::memory_order_acquire); }
  bool sequence_is(std::uint32_t value) const {
    std::atomic_thread_fence(
        std::memory_order_acquire);  // keeps the reads being validated above the second look
    return sequence_.load(std::memory_order_relaxed) == value;
  }
  View root_view() const { return root_.view(); }
  View current_directory_view() const { return current_.view(); }

 private:
  struct Slot {
    std::atomic<Mount*> mount{nullptr};
    std::atomic<Dentry*> dentry{nullptr};
    View view() const {
      return {mount.load(std::memory_order_acquire), dentry.load(std::memory_order_acquire)};
    }
  };
  friend void for_each_context(base::FunctionRef<void(FileSystemContext&)> visit);
  FileSystemContext() = default;
  Path get(const Slot& slot);
  Path exchange(Slot& slot, Path path);  // returns what was there

  core::SpinLock lock_{"file system context"};
  std::atomic<std::uint32_t> sequence_{0};
  Slot root_, current_;  // each holds references
  std::atomic<Mode> umask_{022};
  base::ListHook all_hook_;  // in the list of all contexts

 public:
  using All = base::IntrusiveList<FileSystemContext, &FileSystemContext::all_hook_>;
};

// Every context there is (pivot_root moves all that stand at the old root).
void for_each_context(base::FunctionRef<void(FileSystemContext&)> visit);

// Who asks, and from where: the first argument of every path operation.
struct Caller {
  FileSystemContext& context;
  const Credentials& credentials;
};

}  // namespace vfs
