// mounts, mountinfo, mountstats: the mounts as the process sees them; pollers learn of changes.
#include "core/memory/slab.h"
#include "procfs/procfs.h"
#include "subject.h"
#include "vfs/mount.h"

namespace linux_procfs {

namespace {

class MountText final : public OfSubject<pseudo_fs::Text> {
 public:
  MountText(const Subject& subject, procfs::MountFormat style)
      : OfSubject(subject, vfs::Mode{style == procfs::MountFormat::mountstats ? 0400u : 0444u}),
        style_(style) {}
  Result<void> show(TextSink& out, const vfs::Credentials&) override {
    RefPtr<Task> task = subject_.representative();
    auto context = task ? linux_abi::file_system_of(*task) : nullptr;
    if (!context) return error(Errno::einval);
    return procfs::show_mounts(out, context->root(), style_);
  }
  vfs::PollEvents poll(vfs::PollWaiter* waiter, std::uint64_t& state) override {
    vfs::MountNamespace& space = vfs::initial_mount_namespace();
    if (waiter) waiter->watch(space.changed());
    std::uint64_t event = space.event();
    vfs::PollEvents result = vfs::poll_readable;
    if (state && state != event) result |= vfs::poll_error | vfs::poll_priority;
    state = event;
    return result;
  }

 private:
  procfs::MountFormat style_;
};

}  // namespace

Result<RefPtr<pseudo_fs::Entry>> make_mount_text(const Subject& subject, int style) {
  return RefPtr<pseudo_fs::Entry>(
      TRY(base::try_make_ref<MountText>(subject, static_cast<procfs::MountFormat>(style))));
}

}  // namespace linux_procfs
