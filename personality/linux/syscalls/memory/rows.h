// Memory of the calling process, and of others.
#pragma once

#include "core/memory/address_space.h"
#include "linux_abi/abi/memory.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/prelude.h"

namespace linux_abi {

Result<long> sys_mmap(Context& context, UserAddress address, std::size_t length, unsigned protection,
                      unsigned flags, int fd, std::uint64_t offset);
Result<long> sys_munmap(Context& context, UserAddress address, std::size_t length);
Result<long> sys_mprotect(Context& context, UserAddress address, std::size_t length, unsigned protection);
Result<long> sys_mremap(Context& context, UserAddress address, std::size_t old_length, std::size_t new_length,
                        unsigned flags, UserAddress new_address);
Result<long> sys_brk(Context& context, UserAddress wanted);
Result<long> sys_madvise(Context& context, UserAddress address, std::size_t length, int advice);
Result<long> sys_process_madvise(Context& context, FileDescriptor fd, UserArray<Iovec> vectors,
                                 std::size_t count, int advice, unsigned flags);
Result<long> sys_mlock(Context& context, UserAddress address, std::size_t length);
Result<long> sys_mlock2(Context& context, UserAddress address, std::size_t length, unsigned flags);
Result<long> sys_munlock(Context& context, UserAddress address, std::size_t length);
Result<long> sys_mlockall(Context& context, unsigned flags);
Result<long> sys_munlockall(Context& context);
Result<long> sys_msync(Context& context, UserAddress address, std::size_t length, unsigned flags);
Result<long> sys_mincore(Context& context, UserAddress address, std::size_t length, UserBuffer out);
Result<long> sys_process_vm_readv(Context& context, int pid, UserArray<Iovec> local, std::size_t local_count,
                                  UserArray<Iovec> remote, std::size_t remote_count, std::uint64_t flags);
Result<long> sys_process_vm_writev(Context& context, int pid, UserArray<Iovec> local, std::size_t local_count,
                                   UserArray<Iovec> remote, std::size_t remote_count, std::uint64_t flags);
Result<long> sys_mseal(Context& context, UserAddress address, std::size_t length, unsigned long flags);
Result<long> sys_memfd_secret(Context& context, unsigned flags);
Result<long> sys_process_mrelease(Context& context, FileDescriptor fd, unsigned flags);
Result<long> sys_remap_file_pages(Context& context, UserAddress address, std::size_t length,
                                  unsigned long protection, std::size_t page_offset, unsigned long flags);
Result<long> sys_swapon(Context& context, UserString path, unsigned flags);
Result<long> sys_swapoff(Context& context, UserString path);

namespace syscalls::memory {

inline constexpr SyscallRow rows[] = {
    row<number::mmap, sys_mmap>("mmap", "all but MAP_HUGETLB (EINVAL) and MAP_SYNC (EOPNOTSUPP)"),
    row<number::munmap, sys_munmap>("munmap"),
    row<number::mprotect, sys_mprotect>("mprotect"),
    row<number::mremap, sys_mremap>("mremap"),
    row<number::brk, sys_brk>("brk"),
    row<number::madvise, sys_madvise>("madvise"),
    row<number::swapon, sys_swapon>("swapon"),
    row<number::swapoff, sys_swapoff>("swapoff"),
    row<number::process_madvise, sys_process_madvise>("process_madvise", "COLD PAGEOUT WILLNEED COLLAPSE"),
    row<number::mlock, sys_mlock>("mlock"),
    row<number::mlock2, sys_mlock2>("mlock2"),
    row<number::munlock, sys_munlock>("munlock"),
    row<number::mlockall, sys_mlockall>("mlockall"),
    row<number::munlockall, sys_munlockall>("munlockall"),
    row<number::msync, sys_msync>("msync"),
    row<number::mincore, sys_mincore>("mincore"),
    row<number::process_vm_readv, sys_process_vm_readv>("process_vm_readv"),
    row<number::process_vm_writev, sys_process_vm_writev>("process_vm_writev"),
    row<number::mseal, sys_mseal>("mseal"),
    row<number::memfd_secret, sys_memfd_secret>("memfd_secret"),
    row<number::process_mrelease, sys_process_mrelease>("process_mrelease"),
    row<number::remap_file_pages, sys_remap_file_pages>("remap_file_pages"),
};

}  // namespace syscalls::memory

}  // namespace linux_abi
