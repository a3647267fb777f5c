// mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), mseal(2), remap_file_pages(2)
#include "linux_abi/access_control.h"
#include "linux_abi/protection.h"
#include "syscalls/memory/rows.h"

namespace linux_abi {

namespace {

using core::MapFlags;
using core::Protection;

MapFlags to_map_flags(unsigned flags) {
  MapFlags result = MapFlags::none;
  auto take = [&](unsigned bit, MapFlags flag) {
    if (flags & bit) result |= flag;
  };
  take(map_fixed, MapFlags::fixed);
  take(map_fixed_noreplace, MapFlags::fixed | MapFlags::no_replace);
  take(map_growsdown, MapFlags::grows_down);
  take(map_locked, MapFlags::locked);
  take(map_noreserve, MapFlags::no_reserve);
  take(map_stack, MapFlags::stack);
  take(map_populate, MapFlags::populate);
  take(map_nonblock, MapFlags::non_blocking);
  take(map_32bit, MapFlags::below_4g);
  return result;
}

Result<void> map_file(Context& context, core::MapRequest& request, int fd, bool shared) {
  FileUse file = TRY(context.task.files->use(fd));
  constexpr std::uint64_t offset_max = ~std::uint64_t{0} >> 1;
  if (request.offset > offset_max || request.length > offset_max - request.offset)
    return error(Errno::eoverflow);
  if (!file->can_read()) return error(Errno::eacces);
  if (shared && includes(request.protection, Protection::write) && !file->can_write())
    return error(Errno::eacces);
  if (shared && !file->can_write()) request.maximum_protection = Protection::read | Protection::execute;
  bool no_execute = file->path() && file->path().mount().has(vfs::mount_no_execute);
  if (no_execute) {
    if (includes(request.protection, Protection::execute)) return error(Errno::eperm);
    request.maximum_protection = request.maximum_protection & (Protection::read | Protection::write);
  }
  TRY(file->map(request));
  // Secret memory is locked without being asked for.
  if (core::has(request.flags, MapFlags::locked)) apply_memory_limits(context.process);
  return {};
}

}  // namespace

Result<long> sys_mmap(Context& context, UserAddress address, std::size_t length, unsigned protection,
                      unsigned flags, int fd, std::uint64_t offset) {
  if (offset & (core::page_size - 1)) return error(Errno::einval);
  if (length == 0) return error(Errno::einval);
  core::MapRequest request;
  request.address = address;
  request.length = length;
  request.protection = TRY(to_protection(protection));
  if ((context.task.personality & personality_read_implies_exec) && (protection & prot_read))
    request.protection = request.protection | Protection::execute;
  request.flags = to_map_flags(flags);
  request.offset = offset;
  unsigned type = flags & map_type;
  bool shared = type == map_shared || type == map_shared_validate;
  if (!shared && type != map_private) return error(Errno::einval);
  constexpr unsigned known = map_type | map_fixed | map_anonymous | map_32bit | map_growsdown |
                             map_denywrite | map_executable | map_locked | map_noreserve | map_populate |
                             map_nonblock | map_stack | map_fixed_noreplace | map_hugetlb | map_sync;
  if (type == map_shared_validate && (flags & ~known || (flags & map_sync))) return error(Errno::eopnotsupp);
  if (flags & map_locked) apply_memory_limits(context.process);
  if (flags & map_hugetlb) return error(Errno::einval);  // no huge page pool
  if (shared) request.flags |= MapFlags::shared;
  if (!(flags & map_anonymous)) {
    TRY(map_file(context, request, fd, shared));
  } else if (shared) {
    request.object = TRY(core::create_shared_memory(length));
    request.offset = 0;
  } else {
    request.offset = 0;
  }
  UserAddress where = TRY(context.task.thread().address_space->map(request));
  return static_cast<long>(where.value());
}

Result<long> sys_munmap(Context& context, UserAddress address, std::size_t length) {
  TRY(context.task.thread().address_space->unmap(address, length));
  return 0;
}

Result<long> sys_mprotect(Context& context, UserAddress address, std::size_t length, unsigned protection) {
  auto edge = core::AddressSpace::ProtectEdge::exact;
  if (protection & prot_growsup) return error(Errno::einval);
  if (protection & prot_growsdown) edge = core::AddressSpace::ProtectEdge::grows_down;
  Protection wanted = TRY(to_protection(protection & ~prot_growsdown));
  if ((context.task.personality & personality_read_implies_exec) && (protection & prot_read))
    wanted = wanted | Protection::execute;
  TRY(context.task.thread().address_space->protect(address, length, wanted, edge));
  return 0;
}

Result<long> sys_mremap(Context& context, UserAddress address, std::size_t old_length, std::size_t new_length,
                        unsigned flags, UserAddress new_address) {
  if (flags & ~(mremap_maymove | mremap_fixed | mremap_dontunmap)) return error(Errno::einval);
  if ((flags & (mremap_fixed | mremap_dontunmap)) && !(flags & mremap_maymove)) return error(Errno::einval);
  core::RemapFlags remap{.may_move = (flags & mremap_maymove) != 0,
                         .fixed = (flags & mremap_fixed) != 0,
                         .dont_unmap = (flags & mremap_dontunmap) != 0};
  UserAddress where =
      TRY(context.task.thread().address_space->remap(address, old_length, new_length, remap, new_address));
  return static_cast<long>(where.value());
}

Result<long> sys_brk(Context& context, UserAddress wanted) {
  return static_cast<long>(context.task.thread().address_space->set_break(wanted).value());
}

Result<long> sys_mseal(Context& context, UserAddress address, std::size_t length, unsigned long flags) {
  if (flags) return error(Errno::einval);
  TRY(context.task.thread().address_space->seal(address, length));
  return 0;
}

// As Linux does it since the mappings with pages in any order went: the range becomes a mapping of its own.
Result<long> sys_remap_file_pages(Context& context, UserAddress address, std::size_t length,
                                  unsigned long protection, std::size_t page_offset, unsigned long flags) {
  if (protection) return error(Errno::einval);
  std::uintptr_t start = address.value() & ~(core::page_size - 1);
  std::size_t size = length & ~(core::page_size - 1);
  if (start + size <= start) return error(Errno::einval);
  if (page_offset + (size >> core::page_shift) < page_offset) return error(Errno::einval);
  core::AddressSpace& space = *context.task.thread().address_space;
  core::MapRequest request{.address = UserAddress(start), .length = size, .flags = MapFlags::fixed};
  request.flags |= MapFlags::shared;
  if (flags & map_nonblock) request.flags |= MapFlags::non_blocking;
  request.flags |= MapFlags::populate;
  request.offset = page_offset << core::page_shift;
  std::uintptr_t covered = start;
  space.for_each_area(UserAddress(start), [&](const core::Area& area) {
    bool fits =
        area.start() <= covered && area.is_shared() && area.object() && !area.has(core::AreaFlag::special);
    if (covered == start && fits) {
      request.protection = area.protection();
      request.maximum_protection = area.maximum_protection();
      request.object = RefPtr<core::MemoryObject>(area.object());
      request.file = area.file();
      if (request.file) request.file->acquire_mapped_file();
    }
    fits = fits && area.object() == request.object.get() && area.file() == request.file &&
           area.protection() == request.protection;
    if (fits) covered = area.end();
    return fits && covered < start + size ? core::Iteration::proceed : core::Iteration::stop;
  });
  Result<UserAddress> mapped =
      request.object && covered >= start + size ? space.map(request) : error(Errno::einval);
  if (request.file) request.file->release_mapped_file();
  TRY(mapped);
  return 0;
}

}  // namespace linux_abi
