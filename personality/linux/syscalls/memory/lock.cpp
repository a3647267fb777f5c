// mlock(2), mlock2(2), munlock(2), mlockall(2), munlockall(2), msync(2), mincore(2)
#include "linux_abi/access_control.h"
#include "syscalls/memory/rows.h"

namespace linux_abi {

using core::AddressSpace;

namespace {

AddressSpace& space_of(Context& context) { return *context.task.thread().address_space; }

Result<void> may_lock(Context& context) {
  // The privilege may have changed since the limits were handed over.
  apply_memory_limits(context.process);
  if (context.process.limit_current(Resource::memlock) || context.task.can(vfs::Capability::ipc_lock))
    return {};
  return error(Errno::eperm);
}

}  // namespace

Result<long> sys_mlock2(Context& context, UserAddress address, std::size_t length, unsigned flags) {
  if (flags & ~mlock_onfault) return error(Errno::einval);
  TRY(may_lock(context));
  auto mode = flags & mlock_onfault ? AddressSpace::LockMode::on_fault : AddressSpace::LockMode::populate;
  TRY(space_of(context).lock_range(address, length, mode));
  return 0;
}

Result<long> sys_mlock(Context& context, UserAddress address, std::size_t length) {
  return sys_mlock2(context, address, length, 0);
}

Result<long> sys_munlock(Context& context, UserAddress address, std::size_t length) {
  TRY(space_of(context).unlock_range(address, length));
  return 0;
}

Result<long> sys_mlockall(Context& context, unsigned flags) {
  if (!flags || flags & ~(mcl_current | mcl_future | mcl_onfault) || flags == mcl_onfault)
    return error(Errno::einval);
  TRY(may_lock(context));
  TRY(space_of(context).lock_all(
      {.current = (flags & mcl_current) != 0,
       .future = (flags & mcl_future) != 0,
       .mode = flags & mcl_onfault ? AddressSpace::LockMode::on_fault : AddressSpace::LockMode::populate}));
  return 0;
}

Result<long> sys_munlockall(Context& context) {
  TRY(space_of(context).lock_all({}));
  return 0;
}

Result<long> sys_msync(Context& context, UserAddress address, std::size_t length, unsigned flags) {
  if (flags & ~(ms_async | ms_invalidate | ms_sync)) return error(Errno::einval);
  if ((flags & ms_async) && (flags & ms_sync)) return error(Errno::einval);
  auto mode = flags & ms_sync ? AddressSpace::SyncMode::synchronous : AddressSpace::SyncMode::asynchronous;
  TRY(space_of(context).synchronise(address, length, mode, flags & ms_invalidate));
  return 0;
}

Result<long> sys_mincore(Context& context, UserAddress address, std::size_t length, UserBuffer out) {
  if (address.value() & (core::page_size - 1)) return error(Errno::einval);
  if (!core::is_user_range(address, length)) return error(Errno::enomem);
  std::size_t pages = (length + core::page_size - 1) / core::page_size;
  unsigned char states[256];
  for (std::size_t done = 0; done < pages;) {
    std::size_t part = pages - done < sizeof(states) ? pages - done : sizeof(states);
    TRY(space_of(context).residency(address + done * core::page_size, std::span(states).first(part)));
    TRY(core::copy_to_user(out.address() + done, std::as_bytes(std::span(states)).first(part)));
    done += part;
  }
  return 0;
}

}  // namespace linux_abi
