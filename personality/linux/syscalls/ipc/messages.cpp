// msgget(2), msgsnd(2), msgrcv(2), msgctl(2)
#include "core/init/init_step.h"
#include "procfs/procfs.h"
#include "syscalls/ipc/ipc_table.h"
#include "syscalls/ipc/rows.h"

namespace linux_abi {

using ipc::Object;

namespace {

constexpr unsigned flag_truncate = 010000, flag_except = 020000, flag_copy = 040000;
constexpr int command_stat_index = 11, command_usage = 12, command_stat_any = 13;
constexpr std::size_t most_queues = 32000, longest_message = 8192;
constexpr std::uint64_t default_capacity = 16384;

constinit ipc::Table queues{"message queues", most_queues};

// struct msqid64_ds
struct UserQueue {
  ipc::UserPermissions permissions;
  std::int64_t send_time = 0, receive_time = 0, change_time = 0;
  std::uint64_t bytes = 0, messages = 0, capacity = 0;
  std::int32_t last_sender = 0, last_receiver = 0;
  std::uint64_t unused[2] = {};
};
// struct msginfo
struct UserLimits {
  std::int32_t pool = 512000, map = 16384, longest = longest_message, capacity = default_capacity,
               queues = most_queues, segment_size = 16, headers = 16384;
  std::uint16_t segments = 0xffff, padding = 0;
};

struct Letter {
  base::ListHook hook;
  std::int64_t kind = 0;
  base::Vector<std::byte> text;
};

class Queue final : public Object {
 public:
  using Object::Object;
  ~Queue() override {
    while (Letter* letter = letters_.pop_front()) delete letter;
  }

  Result<void> send(std::unique_ptr<Letter> letter, bool wait, int pid) EXCLUDES(lock_);
  struct Wanted {
    std::int64_t kind;
    std::size_t room;
    unsigned flags;
  };
  Result<std::unique_ptr<Letter>> receive(const Wanted& wanted, int pid) EXCLUDES(lock_);
  UserQueue describe() EXCLUDES(lock_);
  void set_capacity(std::uint64_t bytes) EXCLUDES(lock_);
  std::uint64_t capacity() EXCLUDES(lock_);
  void wake_all() EXCLUDES(lock_);

 private:
  bool has_room_locked(std::size_t size) const REQUIRES(lock_) {
    return size + bytes_ <= capacity_ && count_ + 1 <= capacity_;
  }
  Letter* find_locked(const Wanted& wanted) REQUIRES(lock_);
  Result<void> wait_locked(core::MutexGuard& guard, core::WaitQueue& queue, base::FunctionRef<bool()> ready)
      REQUIRES(lock_);

  core::Mutex lock_{"message queue"};
  core::WaitQueue senders_{"message queue senders"}, receivers_{"message queue receivers"};
  base::IntrusiveList<Letter, &Letter::hook> letters_ GUARDED_BY(lock_);
  std::uint64_t bytes_ GUARDED_BY(lock_) = 0, count_ GUARDED_BY(lock_) = 0;
  std::uint64_t capacity_ GUARDED_BY(lock_) = default_capacity;
  std::int64_t send_time_ GUARDED_BY(lock_) = 0, receive_time_ GUARDED_BY(lock_) = 0;
  int last_sender_ GUARDED_BY(lock_) = 0, last_receiver_ GUARDED_BY(lock_) = 0;
};

// Never restarted after a handler (signal(7)).
Result<void> Queue::wait_locked(core::MutexGuard& guard, core::WaitQueue& queue,
                                base::FunctionRef<bool()> ready) {
  auto waited = queue.wait(guard, core::WaitMode::interruptible, [&] { return ready() || is_removed(); });
  if (is_removed()) return error(Errno::eidrm);
  if (!waited) return error(Errno::interrupted_finally);
  return {};
}

Result<void> Queue::send(std::unique_ptr<Letter> letter, bool wait, int pid) {
  core::MutexGuard guard{lock_};
  if (is_removed()) return error(Errno::eidrm);
  std::size_t size = letter->text.size();
  if (!has_room_locked(size)) {
    if (!wait) return error(Errno::eagain);
    TRY(wait_locked(guard, senders_, [&]() NO_THREAD_SAFETY_ANALYSIS { return has_room_locked(size); }));
  }
  bytes_ += size;
  ++count_;
  send_time_ = ipc::seconds_now();
  last_sender_ = pid;
  letters_.push_back(*letter.release());
  // Every receiver looks: they want different kinds.
  receivers_.wake_all();
  return {};
}

Letter* Queue::find_locked(const Wanted& wanted) {
  Letter* best = nullptr;
  for (Letter& letter : letters_) {
    if (wanted.kind == 0) return &letter;
    if (wanted.kind > 0) {
      if ((letter.kind == wanted.kind) != ((wanted.flags & flag_except) != 0)) return &letter;
    } else if (letter.kind <= -wanted.kind && (!best || letter.kind < best->kind)) {
      best = &letter;
    }
  }
  return best;
}

Result<std::unique_ptr<Letter>> Queue::receive(const Wanted& wanted, int pid) {
  core::MutexGuard guard{lock_};
  if (is_removed()) return error(Errno::eidrm);
  Letter* found = find_locked(wanted);
  if (!found) {
    if (wanted.flags & ipc::flag_no_wait) return error(Errno::enomsg);
    TRY(wait_locked(guard, receivers_,
                    [&]() NO_THREAD_SAFETY_ANALYSIS { return (found = find_locked(wanted)) != nullptr; }));
  }
  if (found->text.size() > wanted.room && !(wanted.flags & flag_truncate)) return error(Errno::e2big);
  letters_.remove(*found);
  bytes_ -= found->text.size();
  --count_;
  receive_time_ = ipc::seconds_now();
  last_receiver_ = pid;
  senders_.wake_all();
  return std::unique_ptr<Letter>(found);
}

UserQueue Queue::describe() {
  core::MutexGuard guard{lock_};
  return {.permissions = permissions(),
          .send_time = send_time_,
          .receive_time = receive_time_,
          .change_time = change_time.load(),
          .bytes = bytes_,
          .messages = count_,
          .capacity = capacity_,
          .last_sender = last_sender_,
          .last_receiver = last_receiver_};
}

std::uint64_t Queue::capacity() {
  core::MutexGuard guard{lock_};
  return capacity_;
}
void Queue::set_capacity(std::uint64_t bytes) {
  core::MutexGuard guard{lock_};
  capacity_ = bytes;
  senders_.wake_all();
}
void Queue::wake_all() {
  core::MutexGuard guard{lock_};
  senders_.wake_all();
  receivers_.wake_all();
}

Result<RefPtr<Queue>> find_queue(int id) {
  auto object = TRY(queues.find(id));
  return RefPtr<Queue>(static_cast<Queue*>(object.get()));
}

Result<long> report_all(int command, UserAddress out) {
  UserLimits limits;
  std::uint64_t messages = 0, bytes = 0;
  auto use = queues.use([&](Object& object) {
    UserQueue state = static_cast<Queue&>(object).describe();
    messages += state.messages;
    bytes += state.bytes;
  });
  if (command == command_usage) {
    limits.pool = use.count;
    limits.map = static_cast<std::int32_t>(messages);
    limits.headers = static_cast<std::int32_t>(bytes);
  }
  TRY(UserOut<UserLimits>(out).write(limits));
  return use.highest_index;
}

Result<long> change(Context& context, Queue& queue, const UserQueue& wanted) {
  TRY(queue.check_control(context.task));
  if (wanted.capacity > default_capacity && !context.task.can(vfs::Capability::sys_resource))
    return error(Errno::eperm);
  TRY(queue.set_permissions(wanted.permissions));
  queue.set_capacity(wanted.capacity);
  return 0;
}

}  // namespace

namespace {

Result<void> show_queues(base::TextSink& out) {
  base::format(
      out,
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime "
      "     rtime      ctime\n");
  queues.for_each([&](Object& object) {
    UserQueue queue = static_cast<Queue&>(object).describe();
    const ipc::UserPermissions& p = queue.permissions;
    base::format(out, "{:>10} {:>10}  {:>4o}  {:>10} {:>10} {:>5} {:>5} {:>5} {:>5} {:>5} {:>5} ",
                 static_cast<std::int32_t>(p.key), object.id(), p.mode, queue.bytes, queue.messages,
                 queue.last_sender, queue.last_receiver, p.uid, p.gid, p.creator_uid, p.creator_gid);
    base::format(out, "{:>10} {:>10} {:>10}\n", queue.send_time, queue.receive_time, queue.change_time);
  });
  return {};
}
Result<void> add_queues_file() { return procfs::add_text("sysvipc/msg", 0444, show_queues); }
INIT_STEP queues_file_step{"ipc.msg_file", {"procfs"}, add_queues_file, {"vfs"}};

}  // namespace

Result<long> sys_msgget(Context& context, std::uint32_t key, unsigned flags) {
  auto check = [](Object&) -> Result<void> { return {}; };
  auto make = [&]() -> Result<RefPtr<Object>> {
    return RefPtr<Object>(TRY(base::try_make_ref<Queue>(context.task.credentials(), flags)));
  };
  return TRY(queues.get(context.task, key, flags, check, make));
}

Result<long> sys_msgsnd(Context& context, int id, UserAddress message, std::size_t size, unsigned flags) {
  std::int64_t kind = TRY(UserIn<std::int64_t>(message).read());
  if (size > longest_message || id < 0 || kind < 1) return error(Errno::einval);
  std::unique_ptr<Letter> letter(new (std::nothrow) Letter);
  if (!letter) return error(Errno::enomem);
  letter->kind = kind;
  TRY(letter->text.try_resize(size));
  TRY(UserBuffer(message + sizeof(kind)).read({letter->text.data(), size}));
  auto queue = TRY(find_queue(id));
  TRY(queue->check_access(context.task, ipc::wants_write));
  TRY(queue->send(std::move(letter), !(flags & ipc::flag_no_wait), context.process.id()));
  return 0;
}

Result<long> sys_msgrcv(Context& context, int id, UserAddress message, std::size_t size, std::int64_t kind,
                        unsigned flags) {
  if (id < 0 || static_cast<std::int64_t>(size) < 0) return error(Errno::einval);
  if (flags & flag_copy) return error(Errno::enosys);  // as without CONFIG_CHECKPOINT_RESTORE
  if (kind == INT64_MIN) kind = -INT64_MAX;
  auto queue = TRY(find_queue(id));
  TRY(queue->check_access(context.task, ipc::wants_read));
  auto letter = TRY(queue->receive({kind, size, flags}, context.process.id()));
  std::size_t count = letter->text.size() < size ? letter->text.size() : size;
  TRY(UserOut<std::int64_t>(message).write(letter->kind));
  TRY(UserBuffer(message + sizeof(std::int64_t)).write({letter->text.data(), count}));
  return static_cast<long>(count);
}

Result<long> sys_msgctl(Context& context, int id, int command, UserAddress argument) {
  if (id < 0) return error(Errno::einval);
  switch (command) {
    case ipc::command_info:
    case command_usage:
      return report_all(command, argument);
    case ipc::command_stat:
    case command_stat_index:
    case command_stat_any: {
      RefPtr<Object> object = TRY(command == ipc::command_stat ? queues.find(id) : queues.at(id));
      if (command != command_stat_any) TRY(object->check_access(context.task, ipc::wants_read));
      TRY(UserOut<UserQueue>(argument).write(static_cast<Queue&>(*object).describe()));
      return command == ipc::command_stat ? 0 : object->id();
    }
    case ipc::command_set: {
      auto wanted = TRY(UserIn<UserQueue>(argument).read());
      return change(context, *TRY(find_queue(id)), wanted);
    }
    case ipc::command_remove: {
      auto queue = TRY(find_queue(id));
      TRY(queue->check_control(context.task));
      RefPtr<Object> from_table = queues.remove(*queue);
      queue->wake_all();
      return 0;
    }
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
