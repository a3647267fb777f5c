// Who wants to know that a file goes (file.h, FileReleaseObserver).
#include "vfs/file.h"

namespace vfs {

core::Mutex& release_observer_mutex() {
  [[clang::no_destroy]] static constinit core::Mutex mutex{"file release observers"};
  return mutex;
}

void File::add_observer(FileReleaseObserver& observer) {
  core::SpinGuard<core::PreemptOff> guard{observer_lock_};
  observers_.push_back(observer);
}

void File::remove_observer(FileReleaseObserver& observer) {
  core::SpinGuard<core::PreemptOff> guard{observer_lock_};
  observers_.remove(observer);
}

void File::notify_release_observers() {
  auto first = [this] {
    core::SpinGuard<core::PreemptOff> guard{observer_lock_};
    return observers_.first();
  };
  // Nobody can add one any more: that takes a reference. Most files have none and never see the mutex.
  if (!first()) return;
  core::MutexGuard guard{release_observer_mutex()};
  while (FileReleaseObserver* observer = first()) observer->file_released(*this);
}

}  // namespace vfs
