// The table of operations, and those that are a system call by another name.
#include "syscalls/async_io/uring_ops.h"

#include "syscalls/files/rows.h"
#include "syscalls/files/splice.h"
#include "syscalls/memory/rows.h"
#include "syscalls/polling/rows.h"
#include "vfs/inode.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

using namespace uring;

struct Operation {
  Result<long> (*issue)(UringIssue&) = nullptr;
  bool needs_file = false;
  bool selects_buffers = false;
  bool can_wait = true;  // ASYNC may hand it to a worker at once
  bool is_quick = false;
};

Result<long> nop(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.op_flags & ~1u) return error(Errno::einval);
  if (!(sqe.op_flags & 1)) return 0;
  return static_cast<std::int32_t>(sqe.length);  // IORING_NOP_INJECT_RESULT
}

Result<long> advise(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.opcode == op_madvise) {
    TRY(issue.in_worker());
    std::size_t length = sqe.length ? sqe.length : sqe.offset;
    return sys_madvise(issue.context, UserAddress(sqe.address), length, static_cast<int>(sqe.op_flags));
  }
  if (issue.file().has_trait(vfs::File::pipe_file)) return error(Errno::espipe);
  return sqe.op_flags > 5 ? Result<long>(error(Errno::einval)) : Result<long>(0);
}

Result<long> epoll_control(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.buffer || sqe.extra_fd) return error(Errno::einval);
  return sys_epoll_ctl(issue.context, FileDescriptor{sqe.fd}, static_cast<int>(sqe.length),
                       FileDescriptor{static_cast<int>(sqe.offset)}, UserAddress(sqe.address));
}

// SPLICE and TEE: `fd` is where it goes, `extra_fd` where it comes from. They may wait for both: a worker
// does it.
Result<long> splice_or_tee(UringIssue& issue) {
  constexpr unsigned source_is_fixed = 1u << 31;
  constexpr auto no_offset = ~std::uint64_t{0};
  const UringSqe& sqe = issue.sqe();
  bool is_tee = sqe.opcode == op_tee;
  unsigned flags = sqe.op_flags & ~source_is_fixed;
  if (flags & ~splice_known_flags) return error(Errno::einval);
  if (is_tee && (sqe.address || sqe.offset)) return error(Errno::einval);
  TRY(issue.in_worker());
  auto source = sqe.op_flags & source_is_fixed
                    ? TRY(uring_fixed_file(issue.ring, static_cast<std::uint32_t>(sqe.extra_fd)))
                    : TRY(issue.context.task.files->get(sqe.extra_fd));
  if (!sqe.length) return 0;
  if (is_tee) return static_cast<long>(TRY(tee_files(*source, issue.file(), sqe.length, flags)));
  auto from = static_cast<std::int64_t>(sqe.address), to = static_cast<std::int64_t>(sqe.offset);
  return static_cast<long>(
      TRY(splice_files(issue.context.task, *source, sqe.address == no_offset ? nullptr : &from, issue.file(),
                       sqe.offset == no_offset ? nullptr : &to, sqe.length, flags)));
}

struct Table {
  Operation operation[op_count];
};

consteval Table make_table() {
  Table table;
  auto set = [&](Opcode opcode, Operation operation) { table.operation[opcode] = operation; };
  set(op_nop, {.issue = nop, .can_wait = false, .is_quick = true});
  for (Opcode opcode : {op_readv, op_writev, op_read_fixed, op_write_fixed, op_read, op_write})
    set(opcode, {.issue = uring_transfer,
                 .needs_file = true,
                 .selects_buffers = opcode == op_readv || opcode == op_read,
                 .is_quick = opcode != op_readv && opcode != op_writev});
  set(op_fsync, {.issue = uring_fsync, .needs_file = true});
  set(op_sync_file_range, {.issue = uring_sync_file_range, .needs_file = true});
  set(op_fallocate, {.issue = uring_fallocate, .needs_file = true});
  set(op_ftruncate, {.issue = uring_ftruncate, .needs_file = true});
  set(op_fadvise, {.issue = advise, .needs_file = true});
  set(op_madvise, {.issue = advise});
  set(op_poll_add, {.issue = uring_poll_add, .needs_file = true, .can_wait = false});
  set(op_poll_remove, {.issue = uring_poll_remove, .can_wait = false});
  set(op_timeout, {.issue = uring_timeout, .can_wait = false});
  set(op_timeout_remove, {.issue = uring_timeout_remove, .can_wait = false});
  set(op_link_timeout, {.issue = uring_timeout, .can_wait = false});
  set(op_async_cancel, {.issue = uring_async_cancel, .can_wait = false});
  set(op_msg_ring, {.issue = uring_msg_ring, .needs_file = true, .can_wait = false});
  for (Opcode opcode :
       {op_openat, op_openat2, op_statx, op_renameat, op_unlinkat, op_mkdirat, op_symlinkat, op_linkat})
    set(opcode, {.issue = uring_path_operation});
  for (Opcode opcode : {op_setxattr, op_getxattr, op_fsetxattr, op_fgetxattr})
    set(opcode, {.issue = uring_xattr});
  set(op_close, {.issue = uring_close, .can_wait = false});
  set(op_files_update, {.issue = uring_files_update, .can_wait = false});
  set(op_fixed_fd_install, {.issue = uring_fixed_fd_install, .needs_file = true, .can_wait = false});
  set(op_provide_buffers, {.issue = uring_provide_buffers, .can_wait = false});
  set(op_remove_buffers, {.issue = uring_remove_buffers, .can_wait = false});
  set(op_epoll_ctl, {.issue = epoll_control});
  for (Opcode opcode : {op_futex_wait, op_futex_wake, op_futex_waitv}) set(opcode, {.issue = uring_futex});
  set(op_waitid, {.issue = uring_waitid});
  set(op_send, {.issue = uring_send, .needs_file = true});
  set(op_sendmsg, {.issue = uring_send, .needs_file = true});
  set(op_recv, {.issue = uring_receive, .needs_file = true, .selects_buffers = true});
  set(op_recvmsg, {.issue = uring_receive, .needs_file = true, .selects_buffers = true});
  set(op_accept, {.issue = uring_accept, .needs_file = true});
  set(op_connect, {.issue = uring_connect, .needs_file = true});
  for (Opcode opcode : {op_shutdown, op_bind, op_listen})
    set(opcode, {.issue = uring_socket_call, .needs_file = true});
  set(op_socket, {.issue = uring_socket_call});
  set(op_splice, {.issue = splice_or_tee, .needs_file = true});
  set(op_tee, {.issue = splice_or_tee, .needs_file = true});
  return table;
}

constexpr Table table = make_table();

// Credentials of a registered personality, for the length of one operation.
class AsWhom {
 public:
  AsWhom(Task& task, const UringRequest& request) : task_(task) {
    if (task.credentials_reference() == request.credentials) return;
    before_ = task.credentials_reference();
    task.set_credentials(request.credentials);
  }
  ~AsWhom() {
    if (before_) task_.set_credentials(std::move(before_));
  }
  AsWhom(const AsWhom&) = delete;

 private:
  Task& task_;
  RefPtr<vfs::Credentials> before_;
};

}  // namespace

bool uring_supports(unsigned opcode) { return opcode < op_count && table.operation[opcode].issue; }
bool uring_selects_buffers(unsigned opcode) { return table.operation[opcode].selects_buffers; }
bool uring_can_wait(unsigned opcode) { return table.operation[opcode].can_wait; }
bool uring_is_quick(const UringSqe& sqe) {
  return sqe.opcode < op_count && table.operation[sqe.opcode].is_quick &&
         !(sqe.flags & ~(fixed_file | skip_success)) && !sqe.personality;
}

Result<long> uring_issue(Context& context, Ring& ring, UringRequest& request, bool may_wait) {
  const Operation& operation = table.operation[request.sqe.opcode];
  if (operation.needs_file && !request.file) {
    request.file = request.has_flag(fixed_file)
                       ? TRY(uring_fixed_file(ring, static_cast<std::uint32_t>(request.sqe.fd)))
                       : TRY(context.task.files->get(request.sqe.fd));
  }
  UringIssue issue{context, ring, request, may_wait};
  if (!request.sqe.personality) return operation.issue(issue);
  AsWhom whom(context.task, request);
  return operation.issue(issue);
}

// A FIFO's open waits for the other side: not in the submitting thread.
static bool open_may_wait(UringIssue& issue, unsigned flags) {
  if (issue.may_wait || (flags & (o_nonblock | o_path))) return false;
  PathText text;
  auto path = text.read(UserString(UserAddress(issue.sqe().address)));
  if (!path) return false;
  auto start = PathStart::of(issue.context, issue.sqe().fd, *path);
  if (!start) return false;
  vfs::Attributes attributes;
  auto found = vfs::stat(caller_of(issue.context.task), start->path(), *path, vfs::lookup_follow, attributes);
  return found && (vfs::is_fifo(attributes.mode) || vfs::is_character(attributes.mode));
}

static Result<long> open_operation(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  UserString path{UserAddress(sqe.address)};
  auto place = static_cast<std::uint32_t>(sqe.extra_fd);
  if (sqe.opcode == op_openat) {
    if (place && (sqe.op_flags & o_cloexec)) return error(Errno::einval);
    if (open_may_wait(issue, sqe.op_flags)) TRY(issue.in_worker());
    auto opened = sys_openat(issue.context, sqe.fd, path, sqe.op_flags, sqe.length);
    return uring_move_to_fixed(issue, opened, place);
  }
  if (open_may_wait(issue, 0)) TRY(issue.in_worker());
  return uring_move_to_fixed(
      issue, sys_openat2(issue.context, sqe.fd, path, UserAddress(sqe.offset), sqe.length), place);
}

Result<long> uring_path_operation(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  Context& context = issue.context;
  if (issue.request.has_flag(fixed_file)) return error(Errno::ebadf);
  if (sqe.buffer) return error(Errno::einval);
  UserString path{UserAddress(sqe.address)}, second{UserAddress(sqe.offset)};
  switch (sqe.opcode) {
    case op_openat:
    case op_openat2:
      return open_operation(issue);
    case op_statx:
      return sys_statx(context, sqe.fd, path, sqe.op_flags, sqe.length,
                       UserOut<Statx>(UserAddress(sqe.offset)));
    case op_renameat:
      return sys_renameat2(context, sqe.fd, path, static_cast<int>(sqe.length), second, sqe.op_flags);
    case op_unlinkat:
      if (sqe.offset || sqe.length || sqe.extra_fd) return error(Errno::einval);
      return sys_unlinkat(context, sqe.fd, path, sqe.op_flags);
    case op_mkdirat:
      if (sqe.offset || sqe.op_flags || sqe.extra_fd) return error(Errno::einval);
      return sys_mkdirat(context, sqe.fd, path, sqe.length);
    case op_symlinkat:
      if (sqe.length || sqe.op_flags || sqe.extra_fd) return error(Errno::einval);
      return sys_symlinkat(context, path, sqe.fd, second);
    default:
      return sys_linkat(context, sqe.fd, path, static_cast<int>(sqe.length), second, sqe.op_flags);
  }
}

Result<long> uring_xattr(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  Context& context = issue.context;
  if (issue.request.has_flag(fixed_file)) return error(Errno::ebadf);
  UserString name{UserAddress(sqe.address)}, path{UserAddress(sqe.address3)};
  UserBuffer value{UserAddress(sqe.offset)};
  switch (sqe.opcode) {
    case op_setxattr:
      return sys_setxattr(context, path, name, value, sqe.length, static_cast<int>(sqe.op_flags));
    case op_fsetxattr:
      return sys_fsetxattr(context, FileDescriptor{sqe.fd}, name, value, sqe.length,
                           static_cast<int>(sqe.op_flags));
    case op_getxattr:
      if (sqe.op_flags) return error(Errno::einval);
      return sys_getxattr(context, path, name, value, sqe.length);
    default:
      if (sqe.op_flags) return error(Errno::einval);
      return sys_fgetxattr(context, FileDescriptor{sqe.fd}, name, value, sqe.length);
  }
}

}  // namespace linux_abi
