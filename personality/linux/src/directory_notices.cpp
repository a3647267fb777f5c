#include "linux_abi/directory_notices.h"

#include "linux_abi/abi/file.h"
#include "linux_abi/async_owner.h"
#include "vfs/inode.h"
#include "vfs/notify.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t dn_access = 1, dn_modify = 2, dn_create = 4, dn_delete = 8, dn_rename = 0x10,
                        dn_attributes = 0x20, dn_multishot = 0x80000000;

vfs::NotifyEvents events_of(std::uint32_t mask) {
  vfs::NotifyEvents events = 0;
  if (mask & dn_access) events |= vfs::notify_access;
  if (mask & dn_modify) events |= vfs::notify_modify;
  if (mask & dn_create) events |= vfs::notify_create | vfs::notify_moved_to;
  if (mask & dn_delete) events |= vfs::notify_delete | vfs::notify_moved_from;
  if (mask & dn_rename) events |= vfs::notify_moved_from | vfs::notify_moved_to;
  if (mask & dn_attributes) events |= vfs::notify_attributes;
  return events;
}

// One open directory with what is to be said of it. Lives with the file: as an observer of its end, and as a
// mark on the inode until then.
class Notice final : public vfs::NotifyMark, public vfs::FileReleaseObserver {
 public:
  Notice(vfs::File& file, int descriptor) : file_(file), descriptor_(descriptor) {}

  void event(vfs::NotifyEvents events, std::uint32_t cookie, std::string_view name) override {
    if (name.empty()) return;  // the directory itself
    std::uint32_t mask = mask_.load();
    bool wanted = events & events_of(mask & ~dn_rename);
    // A rename is one within the directory: it leaves and comes with one cookie.
    if ((mask & dn_rename) && (events & vfs::notify_moved_to) && cookie == left_with_) wanted = true;
    if (events & vfs::notify_moved_from) left_with_ = cookie;
    if (!wanted) return;
    if (!(mask & dn_multishot)) {
      mask_.store(0);
      interest = 0;
    }
    signal_owner(file_, descriptor_, vfs::poll_in | vfs::poll_message);
  }
  void inode_gone(vfs::NotifyEvents) override {}
  void file_released(vfs::File& file) override;

  void add(int descriptor, std::uint32_t mask) {
    descriptor_ = descriptor;
    vfs::set_interest(*this, events_of(mask_.fetch_or(mask) | mask));
  }
  void end() {
    mask_.store(0);
    vfs::set_interest(*this, 0);
  }
  const vfs::File& file() const { return file_; }
  base::ListHook list_hook;

 private:
  vfs::File& file_;
  int descriptor_;
  std::atomic<std::uint32_t> mask_{0};
  std::uint32_t left_with_ = 0;  // mark lock
};

// Every notice there is; few programs know of them.
constinit core::Mutex notices_mutex{"directory notices"};
constinit base::IntrusiveList<Notice, &Notice::list_hook> notices GUARDED_BY(notices_mutex);

void Notice::file_released(vfs::File& file) {
  file.remove_observer(*this);
  {
    core::MutexGuard guard{notices_mutex};
    notices.remove(*this);
  }
  vfs::detach_mark(*this);
  release_reference();  // the file's
}

}  // namespace

Result<long> notice_directory(Context& context, vfs::File& file, int descriptor, std::uint64_t mask) {
  auto wanted = static_cast<std::uint32_t>(mask);
  constexpr std::uint32_t known =
      dn_access | dn_modify | dn_create | dn_delete | dn_rename | dn_attributes | dn_multishot;
  if (!vfs::is_directory(file.inode().mode())) return error(Errno::enotdir);
  core::MutexGuard guard{notices_mutex};
  Notice* notice = notices.first();
  while (notice && &notice->file() != &file) notice = notices.next(*notice);
  if (!(wanted & known & ~dn_multishot)) {
    if (notice) notice->end();
    return 0;
  }
  if (!notice) {
    auto fresh = TRY(base::try_make_ref<Notice>(file, descriptor));
    if (!TRY(async_owner_control(context, file, f_getown, 0)))
      TRY(async_owner_control(context, file, f_setown, static_cast<std::uint64_t>(context.process.id())));
    TRY(vfs::attach_mark(file.inode(), fresh));
    notice = fresh.leak();
    file.add_observer(*notice);
    notices.push_back(*notice);
  }
  notice->add(descriptor, wanted & known);
  return 0;
}

}  // namespace linux_abi
