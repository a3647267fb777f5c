#include "linux_abi/async_owner.h"

#include "linux_abi/abi/file.h"

namespace linux_abi {

namespace {

class SignalOwner final : public vfs::AsyncOwner {
 public:
  SignalOwner(RefPtr<Pid> pid, int type, int number, const vfs::Credentials& setter)
      : pid_(std::move(pid)), type_(type), number_(number), uid_(setter.uid), euid_(setter.euid) {}
  void ready(vfs::File& file, vfs::PollEvents events) override { send(-1, events); }
  void send(int descriptor, vfs::PollEvents events);
  const RefPtr<Pid>& pid() const { return pid_; }
  int type() const { return type_; }
  int number() const { return number_; }
  std::uint32_t uid() const { return uid_; }
  std::uint32_t euid() const { return euid_; }

 private:
  const RefPtr<Pid> pid_;  // null: nobody (only F_SETSIG was called)
  const int type_;         // f_owner_tid, _pid, _pgrp
  const int number_;       // 0: SIGIO without further information
  const std::uint32_t uid_, euid_;
};

int poll_code(vfs::PollEvents events) {
  if (events & vfs::poll_message) return si::poll_message;
  if (events & vfs::poll_in) return si::poll_in;
  if (events & vfs::poll_out) return si::poll_out;
  if (events & vfs::poll_error) return si::poll_error;
  if (events & vfs::poll_priority) return si::poll_priority;
  return si::poll_hangup;
}

void SignalOwner::send(int descriptor, vfs::PollEvents events) {
  if (!pid_) return;
  SigInfo info(number_ ? number_ : signal::io, number_ ? poll_code(events) : si::kernel);
  if (number_) {
    info.poll.band = static_cast<std::int64_t>(events);
    info.poll.fd = descriptor;
  }
  switch (type_) {
    case f_owner_tid:
      if (auto task = pid_->task_reference()) (void)send_signal(*task, info);
      break;
    case f_owner_pid:
      if (auto process = pid_->process_reference()) (void)send_signal(*process, info);
      break;
    default:
      signal_group(*pid_, info);
      break;
  }
}

// Only the personality makes owners.
SignalOwner* owner_of(vfs::File& file, RefPtr<vfs::AsyncOwner>& keep) {
  keep = file.async_owner();
  return static_cast<SignalOwner*>(keep.get());
}

Result<long> set_owner(Context& context, vfs::File& file, int type, int id) {
  RefPtr<vfs::AsyncOwner> keep;
  SignalOwner* old = owner_of(file, keep);
  RefPtr<Pid> pid;
  if (id) {
    pid = Pid::get(id);
    if (!pid) return error(Errno::esrch);
  }
  auto owner = TRY(base::try_make_ref<SignalOwner>(std::move(pid), type, old ? old->number() : 0,
                                                   context.task.credentials()));
  file.set_async_owner(RefPtr<vfs::AsyncOwner>(std::move(owner)));
  return 0;
}

}  // namespace

void signal_owner(vfs::File& file, int descriptor, vfs::PollEvents events) {
  RefPtr<vfs::AsyncOwner> keep;
  if (SignalOwner* owner = owner_of(file, keep)) owner->send(descriptor, events);
}

Result<long> async_owner_control(Context& context, vfs::File& file, int command, std::uint64_t argument) {
  RefPtr<vfs::AsyncOwner> keep;
  SignalOwner* old = owner_of(file, keep);
  int id = old && old->pid() ? old->pid()->number() : 0;
  switch (command) {
    case f_setown: {
      int wanted = static_cast<int>(argument);
      if (wanted == -0x7fffffff - 1) return error(Errno::einval);
      return set_owner(context, file, wanted < 0 ? f_owner_pgrp : f_owner_pid, wanted < 0 ? -wanted : wanted);
    }
    case f_getown:
      return old && old->type() == f_owner_pgrp ? -id : id;
    case f_setown_ex: {
      FileOwner owner = TRY(UserIn<FileOwner>(argument).read());
      if (owner.type < f_owner_tid || owner.type > f_owner_pgrp) return error(Errno::einval);
      return set_owner(context, file, owner.type, owner.pid);
    }
    case f_getown_ex:
      TRY(UserOut<FileOwner>(argument).write({old ? old->type() : f_owner_pid, id}));
      return 0;
    case f_getowner_uids: {
      struct Ids {
        std::uint32_t uid, euid;
      };
      TRY(UserOut<Ids>(argument).write({old ? old->uid() : 0, old ? old->euid() : 0}));
      return 0;
    }
    case f_getsig:
      return old ? old->number() : 0;
    case f_setsig: {
      if (argument > static_cast<std::uint64_t>(signal_count)) return error(Errno::einval);
      auto owner = TRY(
          base::try_make_ref<SignalOwner>(old ? old->pid() : RefPtr<Pid>{}, old ? old->type() : f_owner_pid,
                                          static_cast<int>(argument), context.task.credentials()));
      file.set_async_owner(RefPtr<vfs::AsyncOwner>(std::move(owner)));
      return 0;
    }
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
