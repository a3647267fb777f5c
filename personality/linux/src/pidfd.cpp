#include "linux_abi/pidfd.h"

#include "base/format.h"
#include "vfs/poll.h"

namespace linux_abi {

using base::Errno;
using base::error;

namespace {

class PidFile final : public vfs::File {
 public:
  static constexpr int kind_tag = 0;
  PidFile(RefPtr<Pid> pid, bool of_thread) : File(0), pid_(std::move(pid)), of_thread_(of_thread) {}
  const void* kind() const override { return &kind_tag; }
  const RefPtr<Pid>& pid() const { return pid_; }

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override {
    if (waiter) waiter->watch(pid_->exit_queue);
    if (of_thread_ ? pid_->task() != nullptr : is_running()) return 0;
    vfs::PollEvents gone = pid_->process() ? 0 : vfs::poll_hang_up;
    return vfs::poll_readable | gone;
  }
  void put_fdinfo(base::TextSink& out) override {
    bool gone = !pid_->process() && !pid_->task();
    base::format(out, "Pid:\t{}\nNSpid:\t{}\n", gone ? -1 : pid_->number(), gone ? -1 : pid_->number());
  }

 private:
  bool is_running() const {
    auto process = pid_->process_reference();
    if (!process) return false;
    core::MutexGuard guard{process_tree_lock()};
    return process->state == Process::State::running;
  }

  const RefPtr<Pid> pid_;
  const bool of_thread_;
};

}  // namespace

Result<RefPtr<vfs::File>> open_pidfd(RefPtr<Pid> pid, unsigned flags, Task& opener) {
  auto file = TRY(base::try_make_ref<PidFile>(std::move(pid), (flags & pidfd_thread) != 0));
  vfs::OpenFlags open_flags = vfs::open_read_write | (flags & pidfd_nonblock ? vfs::open_non_blocking : 0);
  file->attach(TRY(vfs::anonymous_path("[pidfd]")), open_flags, opener.credentials_reference());
  return RefPtr<vfs::File>(std::move(file));
}

Result<RefPtr<Pid>> pid_of_pidfd(vfs::File& file) {
  PidFile* pid_file = file.as<PidFile>();
  if (!pid_file) return error(Errno::ebadf);
  return pid_file->pid();
}

}  // namespace linux_abi
