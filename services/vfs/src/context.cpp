#include "vfs/context.h"

#include "core/sync/mutex.h"

namespace vfs {

namespace {
struct AllContexts {
  core::Mutex mutex{"all file system contexts"};
  FileSystemContext::All list;
};
[[clang::no_destroy]] constinit AllContexts all;
}  // namespace

void for_each_context(base::FunctionRef<void(FileSystemContext&)> visit) {
  core::MutexGuard guard{all.mutex};
  for (FileSystemContext& context : all.list) visit(context);
}

Result<RefPtr<FileSystemContext>> FileSystemContext::create(Path root, Path current_directory, Mode umask) {
  auto* context = new (std::nothrow) FileSystemContext;
  if (!context) return error(Errno::enomem);
  auto result = RefPtr<FileSystemContext>::adopt(context);
  context->exchange(context->root_, std::move(root));
  context->exchange(context->current_, std::move(current_directory));
  context->umask_.store(umask, std::memory_order_relaxed);
  core::MutexGuard guard{all.mutex};
  all.list.push_back(*context);
  return result;
}

Result<RefPtr<FileSystemContext>> FileSystemContext::try_clone() {
  return create(root(), current_directory(), umask());
}

FileSystemContext::~FileSystemContext() {
  {
    core::MutexGuard guard{all.mutex};
    all.list.remove(*this);
  }
  exchange(root_, Path());
  exchange(current_, Path());
}

Path FileSystemContext::get(const Slot& slot) {
  // The slot's own references cannot go while the lock is held.
  core::SpinGuard<core::PreemptOff> guard{lock_};
  View view = slot.view();
  return Path(RefPtr<Mount>(view.mount), RefPtr<Dentry>(view.dentry));
}

Path FileSystemContext::exchange(Slot& slot, Path path) {
  RefPtr<Mount> mount = path.mount_reference();
  RefPtr<Dentry> dentry = path.dentry_reference();
  core::SpinGuard<core::PreemptOff> guard{lock_};
  sequence_.fetch_add(1, std::memory_order_acq_rel);
  Mount* old_mount = slot.mount.exchange(mount.leak(), std::memory_order_acq_rel);
  Dentry* old_dentry = slot.dentry.exchange(dentry.leak(), std::memory_order_acq_rel);
  sequence_.fetch_add(1, std::memory_order_release);
  return Path(RefPtr<Mount>::adopt(old_mount), RefPtr<Dentry>::adopt(old_dentry));
}

Path FileSystemContext::root() { return get(root_); }
Path FileSystemContext::current_directory() { return get(current_); }
// What was there is dropped by the caller's frame, after the lock.
void FileSystemContext::set_root(Path path) { Path old = exchange(root_, std::move(path)); }
void FileSystemContext::set_current_directory(Path path) { Path old = exchange(current_, std::move(path)); }

void FileSystemContext::replace(const Path& from, const Path& to) {
  if (root() == from) set_root(to);
  if (current_directory() == from) set_current_directory(to);
}

}  // namespace vfs
