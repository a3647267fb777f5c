#include "linux_abi/seccomp_notify.h"

#include "core/random/random.h"
#include "linux_abi/prelude.h"
#include "linux_abi/user_structure.h"
#include "vfs/poll.h"

namespace linux_abi {

namespace {

// struct seccomp_notif, seccomp_notif_resp, seccomp_notif_addfd
struct Request {
  std::uint64_t id = 0;
  std::uint32_t pid = 0, flags = 0;
  seccomp::Data data;
};
static_assert(sizeof(Request) == 80);
struct Response {
  std::uint64_t id = 0;
  std::int64_t value = 0;
  std::int32_t error = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(Response) == 24);
struct Addition {
  std::uint64_t id = 0;
  std::uint32_t flags = 0;
  std::int32_t source = 0;
  std::uint32_t number = 0, descriptor_flags = 0;
};
static_assert(sizeof(Addition) == 24);

constexpr std::uint32_t continue_call = 1;
constexpr std::uint32_t at_number = 1, and_reply = 2, close_on_exec_flag = 02000000;

constexpr unsigned ioctl_receive = 0xc0502100, ioctl_send = 0xc0182101, ioctl_check = 0x40082102,
                   ioctl_check_old = 0x80082102, ioctl_set_flags = 0x40082104, ioctl_add_base = 0x40002103,
                   ioctl_size_mask = 0x3fff0000, ioctl_size_shift = 16;

class ListenerFile final : public vfs::File {
 public:
  explicit ListenerFile(RefPtr<SeccompListener> listener) : File(0), listener_(std::move(listener)) {}
  void release() override { listener_->close(); }
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override { return listener_->poll(waiter); }
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    UserAddress address(argument);
    switch (command) {
      case ioctl_receive:
        return listener_->receive(address, is_non_blocking());
      case ioctl_send:
        return listener_->send(address);
      case ioctl_check:
      case ioctl_check_old:
        return listener_->check_id(address);
      case ioctl_set_flags:
        // The one flag there is only moves the wake-up to the same CPU.
        return argument <= 1 ? Result<long>(0) : Result<long>(error(Errno::einval));
      default:
        if ((command & ~ioctl_size_mask) == ioctl_add_base)
          return listener_->add_descriptor(address, (command & ioctl_size_mask) >> ioctl_size_shift);
        return error(Errno::einval);
    }
  }

 private:
  const RefPtr<SeccompListener> listener_;
};

// Puts a file into the descriptor table of the task that asked.
Result<int> give(Task& task, const Addition& addition, RefPtr<vfs::File> file) {
  auto close = addition.descriptor_flags & close_on_exec_flag ? CloseOnExec::yes : CloseOnExec::no;
  RefPtr<FileTable> table = files_of(task);
  if (!table) return error(Errno::esrch);
  std::uint64_t limit = task.process().limit_current(Resource::nofile);
  if (!(addition.flags & at_number)) return table->add(std::move(file), close, limit);
  int number = static_cast<int>(addition.number);
  TRY(table->replace(number, std::move(file), close, limit));
  return number;
}

}  // namespace

Result<RefPtr<vfs::File>> open_seccomp_listener(RefPtr<SeccompListener> listener, Task& opener) {
  auto file = TRY(base::try_make_ref<ListenerFile>(std::move(listener)));
  file->attach(TRY(vfs::anonymous_path("seccomp notify")), vfs::open_read_write,
               opener.credentials_reference());
  return RefPtr<vfs::File>(std::move(file));
}

SeccompListener::Notification* SeccompListener::find_locked(std::uint64_t id) {
  for (Notification& at : waiting_)
    if (at.id == id) return &at;
  return nullptr;
}

SeccompListener::Notification* SeccompListener::first_locked(State state) {
  for (Notification& at : waiting_)
    if (at.state == state) return &at;
  return nullptr;
}

SeccompVerdict SeccompListener::ask(Task& task, const seccomp::Data& data) {
  Notification own{.task = task, .data = data};
  core::MutexGuard guard{mutex_};
  if (closed_) return {.error = -static_cast<std::int32_t>(Errno::enosys)};
  // Numbers are hard to guess, so that a stale one is not mistaken for another.
  if (!next_id_) core::random_bytes(std::as_writable_bytes(std::span(&next_id_, 1)));
  own.id = next_id_++;
  waiting_.push_back(own);
  changed_.wake_all();
  auto answered = [&] { return own.state == State::replied; };
  auto waited = answers_.wait(guard, core::WaitMode::interruptible,
                              [&] { return answered() || (waits_killable_ && own.state == State::sent); });
  if (waited && !answered()) waited = answers_.wait(guard, core::WaitMode::killable, answered);
  waiting_.remove(own);
  if (!answered()) own.verdict = {.interrupted = true};
  changed_.wake_all();
  return own.verdict;
}

void SeccompListener::filter_gone() {
  core::MutexGuard guard{mutex_};
  unused_ = true;
  changed_.wake_all();
}

void SeccompListener::close() {
  core::MutexGuard guard{mutex_};
  closed_ = true;
  for (Notification& at : waiting_) {
    if (at.state == State::replied) continue;
    at.state = State::replied;
    at.verdict = {.error = -static_cast<std::int32_t>(Errno::enosys)};
  }
  answers_.wake_all();
}

Result<long> SeccompListener::receive(UserAddress to, bool non_blocking) {
  Request request = TRY(UserIn<Request>(to).read());
  constexpr Request empty;
  // SAFETY: a structure of the ABI without padding.
  if (std::memcmp(&request, &empty, sizeof(empty)) != 0) return error(Errno::einval);
  {
    core::MutexGuard guard{mutex_};
    auto something = [&]() NO_THREAD_SAFETY_ANALYSIS { return unused_ || first_locked(State::fresh); };
    if (!something()) {
      if (non_blocking) return error(Errno::eagain);
      TRY(changed_.wait(guard, core::WaitMode::interruptible, something));
    }
    Notification* next = first_locked(State::fresh);
    if (!next) return error(Errno::enoent);
    next->state = State::sent;
    request = {next->id, static_cast<std::uint32_t>(next->task.id()), 0, next->data};
    changed_.wake_all();
    answers_.wake_all();
  }
  if (auto written = UserOut<Request>(to).write(request); !written) {
    core::MutexGuard guard{mutex_};
    // It can be read again, unless it has gone.
    if (Notification* again = find_locked(request.id); again && again->state == State::sent) {
      again->state = State::fresh;
      changed_.wake_all();
    }
    return error(written.error());
  }
  return 0;
}

Result<void> SeccompListener::reply(std::uint64_t id, const SeccompVerdict& verdict) {
  core::MutexGuard guard{mutex_};
  Notification* found = find_locked(id);
  if (!found) return error(Errno::enoent);
  if (found->state != State::sent) return error(Errno::einprogress);
  found->state = State::replied;
  found->verdict = verdict;
  answers_.wake_all();
  return {};
}

Result<long> SeccompListener::send(UserAddress from) {
  Response response = TRY(UserIn<Response>(from).read());
  if (response.flags & ~continue_call) return error(Errno::einval);
  bool continues = response.flags & continue_call;
  if (continues && (response.error || response.value)) return error(Errno::einval);
  TRY(reply(response.id, {continues, false, response.value, response.error}));
  return 0;
}

Result<long> SeccompListener::check_id(UserAddress from) {
  std::uint64_t id = TRY(UserIn<std::uint64_t>(from).read());
  core::MutexGuard guard{mutex_};
  Notification* found = find_locked(id);
  return found && found->state == State::sent ? Result<long>(0) : Result<long>(error(Errno::enoent));
}

Result<long> SeccompListener::add_descriptor(UserAddress from, std::size_t size) {
  if (size >= core::page_size) return error(Errno::einval);
  Addition addition = TRY(read_extensible<Addition>(from, size, sizeof(Addition)));
  if (addition.descriptor_flags & ~close_on_exec_flag) return error(Errno::einval);
  if (addition.flags & ~(at_number | and_reply)) return error(Errno::einval);
  if (addition.number && !(addition.flags & at_number)) return error(Errno::einval);
  RefPtr<vfs::File> file = TRY(current_task().files->get(addition.source));
  RefPtr<Task> task;
  {
    core::MutexGuard guard{mutex_};
    Notification* found = find_locked(addition.id);
    if (!found) return error(Errno::enoent);
    if (found->state != State::sent) return error(Errno::einprogress);
    task = RefPtr<Task>(&found->task);
  }
  int number = TRY(give(*task, addition, std::move(file)));
  if (addition.flags & and_reply) TRY(reply(addition.id, {.value = number}));
  return number;
}

vfs::PollEvents SeccompListener::poll(vfs::PollWaiter* waiter) {
  if (waiter) waiter->watch(changed_);
  core::MutexGuard guard{mutex_};
  vfs::PollEvents events = 0;
  if (first_locked(State::fresh)) events |= vfs::poll_readable;
  if (first_locked(State::sent)) events |= vfs::poll_writable;
  if (unused_) events |= vfs::poll_hang_up;
  return events;
}

}  // namespace linux_abi
