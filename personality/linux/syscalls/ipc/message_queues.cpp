// mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2), mq_getsetattr(2)
#include <optional>

#include "core/init/init_step.h"
#include "core/memory/io_buffer.h"
#include "core/time/clock.h"
#include "linux_abi/abi/file.h"
#include "linux_abi/abi/time.h"
#include "linux_abi/open_flags.h"
#include "linux_abi/user_account.h"
#include "mqueue/mqueue.h"
#include "syscalls/ipc/rows.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

using mqueue::Queue;

// --- What the queues cost their creator

class UserCharge final : public mqueue::Charge {
 public:
  UserCharge(RefPtr<UserAccount> account, std::uint64_t bytes)
      : account_(std::move(account)), bytes_(bytes) {}
  ~UserCharge() override { account_->queue_bytes.fetch_sub(bytes_, std::memory_order_relaxed); }

 private:
  const RefPtr<UserAccount> account_;
  const std::uint64_t bytes_;
};

Result<RefPtr<mqueue::Charge>> charge_creator(std::uint64_t bytes) {
  Task& task = current_task();
  std::uint64_t limit = task.process().limit_current(Resource::msgqueue);
  // relaxed: a limit, not an order.
  std::uint64_t before = task.account->queue_bytes.fetch_add(bytes, std::memory_order_relaxed);
  auto give_back = [&] { task.account->queue_bytes.fetch_sub(bytes, std::memory_order_relaxed); };
  if (before + bytes < before || before + bytes > limit) {
    give_back();
    return error(Errno::emfile);
  }
  auto charge = base::try_make_ref<UserCharge>(task.account, bytes);
  if (!charge) {
    give_back();
    return error(charge.error());
  }
  return RefPtr<mqueue::Charge>(std::move(*charge));
}

// --- Notification

class SignalNotification final : public mqueue::Notification {
 public:
  SignalNotification(Process& process, const SigEvent& event)
      : pid_(process.pid), owner_(&process), event_(event) {}
  void deliver() override {
    RefPtr<Process> process = pid_->process_reference();
    if (event_.notify != sigev_signal || !process || process.get() != owner_) return;
    SigInfo info(event_.number, si::message);
    Task& sender = current_task();
    info.sender.pid = sender.process().id();
    info.sender.uid = sender.credentials().uid;
    info.sender.value = event_.value;
    (void)send_signal(*process, info);
  }
  const void* owner() const override { return owner_; }
  int kind() const override { return event_.notify; }
  int signal_number() const override { return event_.notify == sigev_signal ? event_.number : 0; }
  int process_id() const override { return pid_->number(); }

 private:
  const RefPtr<Pid> pid_;
  const void* const owner_;  // only compared
  const SigEvent event_;
};

const void* closing_process() {
  Task* task = current_task_or_null();
  return task ? &task->process() : nullptr;
}

Result<void> install_hooks() {
  mqueue::set_charge_hook(charge_creator);
  mqueue::set_owner_hook(closing_process);
  return {};
}
INIT_STEP message_queue_step{"ipc.message_queues", {"threads"}, install_hooks, {"personality"}};

// --- Arguments

Result<core::Deadline> read_deadline(UserIn<Timespec> in) {
  if (in.is_null()) return core::Deadline::never();
  Timespec time = TRY(in.read());
  if (!time.is_valid()) return error(Errno::einval);
  std::uint64_t wanted = to_nanoseconds(time), now = core::realtime_ns();
  return wanted <= now ? core::Deadline::passed() : core::Deadline::after(wanted - now);
}

enum class Direction { receives, sends, any };
struct QueueUse {
  FileUse file;
  Queue& queue;
};
Result<QueueUse> queue_at(Context& context, FileDescriptor fd, Direction direction) {
  auto file = TRY(context.task.files->use(fd.number));
  Queue* queue = mqueue::queue_of(*file);
  if (!queue || (direction == Direction::receives && !file->can_read()) ||
      (direction == Direction::sends && !file->can_write()))
    return error(Errno::ebadf);
  return QueueUse{std::move(file), *queue};
}

Result<base::String> read_name(UserString name) { return name.read(vfs::path_max); }

}  // namespace

Result<long> sys_mq_open(Context& context, UserString name_argument, unsigned flags, unsigned mode,
                         UserIn<QueueAttributes> attributes_argument) {
  std::optional<mqueue::Attributes> attributes;
  if ((flags & o_creat) && !attributes_argument.is_null()) {
    QueueAttributes wanted = TRY(attributes_argument.read());
    attributes.emplace();
    // What is negative is too large as well.
    attributes->messages_max = wanted.messages_max < 0 ? 0 : static_cast<std::uint64_t>(wanted.messages_max);
    attributes->message_size_max =
        wanted.message_size_max < 0 ? 0 : static_cast<std::uint64_t>(wanted.message_size_max);
  }
  base::String name = TRY(read_name(name_argument));
  auto descriptor = TRY(context.task.files->reserve(CloseOnExec::yes, descriptor_limit(context)));
  constexpr unsigned meant = o_accmode | o_creat | o_excl | o_nonblock;
  auto file =
      TRY(mqueue::open(*context.task.file_system, context.task.credentials(), name,
                       to_open_flags(flags & meant), mode & 07777, attributes ? &*attributes : nullptr));
  int number = descriptor.number();
  descriptor.publish(std::move(file));
  return number;
}

Result<long> sys_mq_unlink(Context& context, UserString name_argument) {
  base::String name = TRY(read_name(name_argument));
  TRY(mqueue::unlink(context.task.credentials(), name));
  return 0;
}

Result<long> sys_mq_timedsend(Context& context, FileDescriptor fd, UserAddress message, std::size_t size,
                              unsigned priority, UserIn<Timespec> deadline_argument) {
  core::Deadline deadline = TRY(read_deadline(deadline_argument));
  if (priority >= mqueue::priority_end) return error(Errno::einval);
  auto use = TRY(queue_at(context, fd, Direction::sends));
  auto buffer = core::IoBuffer::user(message, size);
  TRY(use.queue.send(buffer, priority, deadline, use.file->is_non_blocking()));
  return 0;
}

Result<long> sys_mq_timedreceive(Context& context, FileDescriptor fd, UserAddress message, std::size_t size,
                                 UserOut<std::uint32_t> priority, UserIn<Timespec> deadline_argument) {
  core::Deadline deadline = TRY(read_deadline(deadline_argument));
  auto use = TRY(queue_at(context, fd, Direction::receives));
  auto buffer = core::IoBuffer::user(message, size);
  Queue::Received received = TRY(use.queue.receive(buffer, deadline, use.file->is_non_blocking()));
  if (!priority.is_null()) TRY(priority.write(received.priority));
  return static_cast<long>(received.size);
}

Result<long> sys_mq_notify(Context& context, FileDescriptor fd, UserIn<SigEvent> event_argument) {
  if (event_argument.is_null()) {
    auto use = TRY(queue_at(context, fd, Direction::any));
    use.queue.remove_notification(&context.process);
    return 0;
  }
  SigEvent event = TRY(event_argument.read());
  // SIGEV_THREAD comes as a message of a netlink socket, of which there are none.
  if (event.notify != sigev_none && event.notify != sigev_signal) return error(Errno::einval);
  if (event.notify == sigev_signal && !is_signal(event.number)) return error(Errno::einval);
  auto use = TRY(queue_at(context, fd, Direction::any));
  auto notification = TRY(base::try_make_ref<SignalNotification>(context.process, event));
  TRY(use.queue.set_notification(std::move(notification)));
  return 0;
}

Result<long> sys_mq_getsetattr(Context& context, FileDescriptor fd, UserIn<QueueAttributes> wanted_argument,
                               UserOut<QueueAttributes> old) {
  std::optional<QueueAttributes> wanted;
  if (!wanted_argument.is_null()) {
    wanted = TRY(wanted_argument.read());
    if (wanted->flags & ~std::int64_t{o_nonblock}) return error(Errno::einval);
  }
  auto use = TRY(queue_at(context, fd, Direction::any));
  QueueAttributes now;
  now.flags = use.file->is_non_blocking() ? o_nonblock : 0;
  now.messages_max = static_cast<std::int64_t>(use.queue.attributes().messages_max);
  now.message_size_max = static_cast<std::int64_t>(use.queue.attributes().message_size_max);
  now.messages = static_cast<std::int64_t>(use.queue.message_count());
  if (wanted) {
    vfs::OpenFlags flags = use.file->flags() & ~vfs::open_non_blocking;
    use.file->set_flags(wanted->flags & o_nonblock ? flags | vfs::open_non_blocking : flags);
  }
  if (!old.is_null()) TRY(old.write(now));
  return 0;
}

}  // namespace linux_abi
