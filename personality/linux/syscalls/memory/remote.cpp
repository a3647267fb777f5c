// process_vm_readv(2), process_vm_writev(2)
#include "linux_abi/access_control.h"
#include "syscalls/memory/rows.h"

namespace linux_abi {

namespace {

enum class Direction { from_remote, to_remote };

// Both lists are walked in step, a piece of at most one block at a time.
Result<long> transfer(Context& context, core::AddressSpace& remote, UserArray<Iovec> local_vectors,
                      std::size_t local_count, UserArray<Iovec> remote_vectors, std::size_t remote_count,
                      Direction direction) {
  std::byte block[512];
  Iovec here, there;
  std::size_t local_index = 0, remote_index = 0, total = 0;
  while (true) {
    while (here.length == 0) {
      if (local_index == local_count) return static_cast<long>(total);
      TRY(local_vectors.read(std::span(&here, 1), local_index++));
    }
    while (there.length == 0) {
      if (remote_index == remote_count) return static_cast<long>(total);
      TRY(remote_vectors.read(std::span(&there, 1), remote_index++));
    }
    std::size_t part = sizeof(block);
    if (here.length < part) part = here.length;
    if (there.length < part) part = there.length;
    auto bytes = std::span(block).first(part);
    std::size_t done;
    constexpr auto mode = core::AddressSpace::RemoteAccess::obey_protection;
    if (direction == Direction::from_remote) {
      done = remote.read_remote(UserAddress(there.base), bytes, mode);
      if (!core::copy_to_user(UserAddress(here.base), bytes.first(done))) return error(Errno::efault);
    } else {
      TRY(core::copy_from_user(bytes, UserAddress(here.base)));
      done = remote.write_remote(UserAddress(there.base), bytes, mode);
    }
    total += done;
    if (done < part) {
      if (total) return static_cast<long>(total);
      return error(Errno::efault);
    }
    here.base += part;
    here.length -= part;
    there.base += part;
    there.length -= part;
    if (context.task.thread().interrupted(core::WaitMode::killable)) return error(Errno::eintr);
  }
}

Result<long> remote_memory(Context& context, int pid, UserArray<Iovec> local, std::size_t local_count,
                           UserArray<Iovec> remote, std::size_t remote_count, std::uint64_t flags,
                           Direction direction) {
  if (flags || local_count > iov_max || remote_count > iov_max) return error(Errno::einval);
  auto target = TRY(task_by_id(context, pid));
  TRY(may_inspect(context.task, target->process()));
  auto space = target->process().address_space();
  if (!space) return error(Errno::esrch);
  return transfer(context, *space, local, local_count, remote, remote_count, direction);
}

}  // namespace

Result<long> sys_process_vm_readv(Context& context, int pid, UserArray<Iovec> local, std::size_t local_count,
                                  UserArray<Iovec> remote, std::size_t remote_count, std::uint64_t flags) {
  return remote_memory(context, pid, local, local_count, remote, remote_count, flags, Direction::from_remote);
}
Result<long> sys_process_vm_writev(Context& context, int pid, UserArray<Iovec> local, std::size_t local_count,
                                   UserArray<Iovec> remote, std::size_t remote_count, std::uint64_t flags) {
  return remote_memory(context, pid, local, local_count, remote, remote_count, flags, Direction::to_remote);
}

}  // namespace linux_abi
