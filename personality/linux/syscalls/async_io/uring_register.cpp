#include "syscalls/async_io/uring_register.h"

#include <algorithm>
#include <bit>

#include "event/event_file.h"
#include "linux_abi/user_structure.h"
#include "syscalls/async_io/process_async_io.h"
#include "syscalls/async_io/uring_file.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

using namespace uring;
using core::MutexGuard;

namespace {

struct FilesUpdate {
  std::uint32_t offset = 0, reserved = 0;
  std::uint64_t descriptors = 0;
};
struct ResourceRegister {
  std::uint32_t count = 0, flags = 0;
  std::uint64_t reserved = 0, data = 0, tags = 0;
};
struct ResourceUpdate {
  std::uint32_t offset = 0, reserved = 0;
  std::uint64_t data = 0, tags = 0;
  std::uint32_t count = 0, reserved2 = 0;
};
struct ProbeHead {
  std::uint8_t last_op = 0, count = 0;
  std::uint16_t reserved = 0;
  std::uint32_t reserved2[3] = {};
};
struct ProbeOperation {
  std::uint8_t opcode = 0, reserved = 0;
  std::uint16_t flags = 0;
  std::uint32_t reserved2 = 0;
};
struct Restriction {
  std::uint16_t kind = 0;
  std::uint8_t value = 0, reserved = 0;
  std::uint32_t reserved2[3] = {};
};
struct BufferRing {
  std::uint64_t address = 0;
  std::uint32_t entries = 0;
  std::uint16_t group = 0, flags = 0;
  std::uint64_t reserved[3] = {};
};
struct SyncCancel {
  std::uint64_t address = 0;
  std::int32_t fd = 0;
  std::uint32_t flags = 0;
  Timespec timeout;
  std::uint8_t opcode = 0, pad[7] = {};
  std::uint64_t pad2[3] = {};
};
struct FileRange {
  std::uint32_t offset = 0, length = 0;
  std::uint64_t reserved = 0;
};

constexpr std::uint32_t most_files = 1 << 20, most_buffers = 1 << 14;
constexpr std::uint32_t resource_sparse = 1;

// -1: nothing there; -2 (in updates): leave it.
Result<RefPtr<vfs::File>> file_for(Context& context, std::int32_t descriptor) {
  if (descriptor == -1) return RefPtr<vfs::File>{};
  RefPtr<vfs::File> file = TRY(context.task.files->get(descriptor));
  if (file->as<UringFile>()) return error(Errno::ebadf);
  return file;
}

Result<long> register_file_table(Context& context, Ring& ring, UserAddress list, std::uint32_t count,
                                 bool sparse) {
  if (count == 0) return error(Errno::einval);
  if (count > most_files || count > descriptor_limit(context)) return error(Errno::emfile);
  if (MutexGuard guard{ring.resources_lock}; ring.resources.has_files) return error(Errno::ebusy);
  base::Vector<RefPtr<vfs::File>> files;
  TRY(files.try_resize(count));
  for (std::uint32_t i = 0; i < count && !sparse && !list.is_null(); ++i)
    files[i] = TRY(file_for(context, TRY(UserIn<std::int32_t>(list).read_at(i))));
  MutexGuard guard{ring.resources_lock};
  if (ring.resources.has_files) return error(Errno::ebusy);
  std::swap(ring.resources.files, files);
  ring.resources.has_files = true;
  ring.resources.allocate_from = 0;
  ring.resources.allocate_to = count;
  return 0;
}

Result<long> unregister_file_table(Ring& ring) {
  base::Vector<RefPtr<vfs::File>> files;  // dropped with the lock open
  MutexGuard guard{ring.resources_lock};
  if (!ring.resources.has_files) return error(Errno::enxio);
  std::swap(ring.resources.files, files);
  ring.resources.has_files = false;
  return 0;
}

Result<long> update_files(Context& context, Ring& ring, std::uint32_t offset, std::uint64_t list,
                          std::uint32_t count) {
  long done = 0;
  auto result = uring_set_files(context, ring, offset, UserAddress(list), count, done);
  if (done) return done;
  if (!result) return error(result.error());
  return 0;
}

Result<RefPtr<UringFixedBuffer>> buffer_for(Context& context, UserArray<Iovec> list, std::uint32_t index) {
  Iovec vector = TRY(UserIn<Iovec>(list.address()).read_at(index));
  if (!vector.base && !vector.length) return RefPtr<UringFixedBuffer>{};
  if (!vector.base) return error(Errno::efault);
  return UringFixedBuffer::pin(*context.task.thread().address_space, vector.base, vector.length);
}

Result<long> register_buffer_table(Context& context, Ring& ring, UserAddress list, std::uint32_t count,
                                   bool sparse) {
  if (count == 0 || count > most_buffers) return error(Errno::einval);
  if (MutexGuard guard{ring.resources_lock}; ring.resources.has_buffers) return error(Errno::ebusy);
  base::Vector<RefPtr<UringFixedBuffer>> buffers;
  TRY(buffers.try_resize(count));
  for (std::uint32_t i = 0; i < count && !sparse && !list.is_null(); ++i)
    buffers[i] = TRY(buffer_for(context, UserArray<Iovec>(list), i));
  MutexGuard guard{ring.resources_lock};
  if (ring.resources.has_buffers) return error(Errno::ebusy);
  std::swap(ring.resources.buffers, buffers);
  ring.resources.has_buffers = true;
  return 0;
}

Result<long> unregister_buffer_table(Ring& ring) {
  base::Vector<RefPtr<UringFixedBuffer>> buffers;
  MutexGuard guard{ring.resources_lock};
  if (!ring.resources.has_buffers) return error(Errno::enxio);
  std::swap(ring.resources.buffers, buffers);
  ring.resources.has_buffers = false;
  return 0;
}

Result<long> register_resources(Context& context, Ring& ring, std::uint32_t operation, UserAddress argument,
                                std::uint32_t size) {
  if (size != sizeof(ResourceRegister)) return error(Errno::einval);
  auto given = TRY(UserIn<ResourceRegister>(argument).read());
  // Tags are not there (IORING_FEAT_RSRC_TAGS is not claimed).
  if (given.reserved || given.flags & ~resource_sparse || given.tags) return error(Errno::einval);
  bool sparse = given.flags & resource_sparse;
  if (sparse && given.data) return error(Errno::einval);
  return operation == register_files2
             ? register_file_table(context, ring, UserAddress(given.data), given.count, sparse)
             : register_buffer_table(context, ring, UserAddress(given.data), given.count, sparse);
}

Result<long> update_buffers(Context& context, Ring& ring, const ResourceUpdate& update) {
  for (std::uint32_t i = 0; i < update.count; ++i) {
    auto buffer = buffer_for(context, UserArray<Iovec>(UserAddress(update.data)), i);
    if (!buffer) return i ? Result<long>(i) : error(buffer.error());
    RefPtr<UringFixedBuffer> old = std::move(*buffer);
    MutexGuard guard{ring.resources_lock};
    std::uint64_t index = std::uint64_t{update.offset} + i;
    if (!ring.resources.has_buffers) return error(Errno::enxio);
    if (index >= ring.resources.buffers.size()) return i ? Result<long>(i) : error(Errno::einval);
    std::swap(old, ring.resources.buffers[index]);
  }
  return update.count;
}

Result<long> update_resources(Context& context, Ring& ring, std::uint32_t operation, UserAddress argument,
                              std::uint32_t size) {
  if (size != sizeof(ResourceUpdate)) return error(Errno::einval);
  auto update = TRY(UserIn<ResourceUpdate>(argument).read());
  if (update.reserved || update.reserved2 || !update.count || update.tags) return error(Errno::einval);
  return operation == register_files_update2
             ? update_files(context, ring, update.offset, update.data, update.count)
             : update_buffers(context, ring, update);
}

Result<long> register_event(Context& context, Ring& ring, UserAddress argument, std::uint32_t count,
                            bool only_async) {
  if (count != 1) return error(Errno::einval);
  std::int32_t number = TRY(UserIn<std::int32_t>(argument).read());
  RefPtr<vfs::File> file = TRY(context.task.files->get(number));
  auto* signal = file->as<event::EventFile>();
  if (!signal) return error(Errno::einval);
  TRY(ring.set_eventfd(RefPtr<event::EventFile>(signal), only_async));
  return 0;
}

Result<long> probe(UserAddress argument, std::uint32_t count) {
  if (argument.is_null() || count > 256) return error(Errno::einval);
  // Nothing but zeros may be there yet.
  std::size_t size = sizeof(ProbeHead) + count * sizeof(ProbeOperation);
  for (std::size_t at = 0; at < size; ++at)
    if (TRY(UserIn<std::uint8_t>(argument).read_at(at))) return error(Errno::einval);
  count = std::min<std::uint32_t>(count, op_count);
  TRY(UserOut<ProbeHead>(argument).write(
      {.last_op = op_count - 1, .count = static_cast<std::uint8_t>(count)}));
  for (std::uint32_t i = 0; i < count; ++i)
    TRY(UserOut<ProbeOperation>(argument + sizeof(ProbeHead))
            .write_at(i, {.opcode = static_cast<std::uint8_t>(i),
                          .flags = static_cast<std::uint16_t>(uring_supports(i) ? 1 : 0)}));
  return 0;
}

Result<long> add_personality(Context& context, Ring& ring) {
  MutexGuard guard{ring.resources_lock};
  auto& list = ring.resources.personalities;
  std::size_t index = 0;
  while (index < list.size() && list[index]) ++index;
  if (index == 0xffff) return error(Errno::enospc);
  if (index == list.size()) TRY(list.try_push_back({}));
  list[index] = context.task.credentials_reference();
  return static_cast<long>(index + 1);
}

Result<long> remove_personality(Ring& ring, std::uint32_t number) {
  RefPtr<vfs::Credentials> old;
  MutexGuard guard{ring.resources_lock};
  auto& list = ring.resources.personalities;
  if (number == 0 || number > list.size() || !list[number - 1]) return error(Errno::einval);
  std::swap(old, list[number - 1]);
  return 0;
}

Result<long> restrict(Ring& ring, UserAddress argument, std::uint32_t count) {
  if (!ring.disabled.load()) return error(Errno::ebadf);
  if (count > 64 + 32 + 2) return error(Errno::einval);
  UringResources wanted;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto given = TRY(UserIn<Restriction>(argument).read_at(i));
    switch (given.kind) {
      case 0:
        if (given.value > register_file_alloc_range) return error(Errno::einval);
        wanted.allowed_registers |= std::uint64_t{1} << given.value;
        break;
      case 1:
        if (given.value >= op_count) return error(Errno::einval);
        wanted.allowed_opcodes |= std::uint64_t{1} << given.value;
        break;
      case 2:
        wanted.allowed_flags = given.value;
        break;
      case 3:
        wanted.required_flags = given.value;
        break;
      default:
        return error(Errno::einval);
    }
  }
  MutexGuard guard{ring.resources_lock};
  UringResources& own = ring.resources;
  if (own.restricted) return error(Errno::ebusy);
  own.restricted = true;
  own.allowed_registers = wanted.allowed_registers;
  own.allowed_opcodes = wanted.allowed_opcodes;
  own.allowed_flags = wanted.allowed_flags;
  own.required_flags = wanted.required_flags;
  return 0;
}

Result<long> add_buffer_ring(Ring& ring, UserAddress argument, std::uint32_t count) {
  if (count != 1) return error(Errno::einval);
  auto given = TRY(UserIn<BufferRing>(argument).read());
  // Rings of the kernel's memory, and buffers used up bit by bit, are not there.
  if (given.flags || given.reserved[0] || given.reserved[1] || given.reserved[2]) return error(Errno::einval);
  if (!given.address) return error(Errno::efault);
  if (given.address & (core::page_size - 1)) return error(Errno::einval);
  if (!std::has_single_bit(given.entries) || given.entries >= 65536) return error(Errno::einval);
  if (!core::is_user_range(UserAddress(given.address), given.entries * 16)) return error(Errno::efault);
  MutexGuard guard{ring.buffers_lock};
  UringBufferGroup* group = ring.buffers.find(given.group);
  if (group && (group->ring_address || !group->entries.empty())) return error(Errno::eexist);
  if (!group) {
    auto fresh = TRY(base::try_make_unique<UringBufferGroup>());
    fresh->id = given.group;
    group = fresh.get();
    TRY(ring.buffers.groups.try_push_back(std::move(fresh)));
  }
  group->ring_address = given.address;
  group->ring_entries = given.entries;
  group->head = 0;
  return 0;
}

Result<long> remove_buffer_ring(Ring& ring, UserAddress argument, std::uint32_t count) {
  if (count != 1) return error(Errno::einval);
  auto given = TRY(UserIn<BufferRing>(argument).read());
  if (given.flags || given.reserved[0] || given.reserved[1] || given.reserved[2]) return error(Errno::einval);
  MutexGuard guard{ring.buffers_lock};
  auto& groups = ring.buffers.groups;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i]->id != given.group) continue;
    if (!groups[i]->ring_address) return error(Errno::einval);
    groups.erase(i);
    return 0;
  }
  return error(Errno::enoent);
}

Result<long> cancel_now(Context& context, Ring& ring, UserAddress argument, std::uint32_t count) {
  if (argument.is_null() || count != 1) return error(Errno::einval);
  auto given = TRY(UserIn<SyncCancel>(argument).read());
  if (given.flags & ~(cancel_all | cancel_fd | cancel_any | cancel_fd_fixed)) return error(Errno::einval);
  Ring::Match match{.user_data = given.address};
  match.all = given.flags & cancel_all;
  match.any = given.flags & cancel_any;
  RefPtr<vfs::File> file;
  if (given.flags & cancel_fd) {
    file = given.flags & cancel_fd_fixed ? TRY(uring_fixed_file(ring, static_cast<std::uint32_t>(given.fd)))
                                         : TRY(context.task.files->get(given.fd));
    match.file = file.get();
    match.by_user_data = false;
  }
  auto done = ring.cancel(match);
  if (!done && done.error() == Errno::ealready) return 0;
  if (!done) return done;
  return *done || !(match.all || match.any) ? Result<long>(0) : error(Errno::enoent);
}

Result<long> set_file_range(Ring& ring, UserAddress argument, std::uint32_t count) {
  if (argument.is_null() || count) return error(Errno::einval);
  auto given = TRY(UserIn<FileRange>(argument).read());
  auto end = base::checked_add(given.offset, given.length);
  if (!end) return error(Errno::eoverflow);
  MutexGuard guard{ring.resources_lock};
  if (given.reserved || *end > ring.resources.files.size()) return error(Errno::einval);
  ring.resources.allocate_from = given.offset;
  ring.resources.allocate_to = *end;
  return 0;
}

Result<long> max_workers(Context& context, UserAddress argument, std::uint32_t count) {
  if (argument.is_null() || count != 2) return error(Errno::einval);
  std::uint32_t limits[2];
  TRY(UserArray<std::uint32_t>(argument).read(std::span(limits)));
  auto workers = TRY(TRY(ProcessAsyncIo::of(context.process))->ensure_workers(context.task));
  std::uint32_t before = workers->limit();
  // One pool for both kinds.
  std::uint32_t wanted = std::max(limits[0], limits[1]);
  if (limits[0] > 0x7fffffff || limits[1] > 0x7fffffff) return error(Errno::einval);
  if (wanted) workers->set_limit(wanted);
  limits[0] = limits[1] = before;
  TRY(UserArray<std::uint32_t>(argument).write(std::span<const std::uint32_t>(limits)));
  return 0;
}

Result<void> check_allowed(Ring& ring, std::uint32_t operation) {
  MutexGuard guard{ring.resources_lock};
  if (!ring.resources.restricted || ring.disabled.load()) return {};
  if (operation < 64 && (ring.resources.allowed_registers >> operation & 1)) return {};
  return error(Errno::eacces);
}

Result<long> no_argument(UserAddress argument, std::uint32_t count, Result<long> (*function)(Ring&),
                         Ring& ring) {
  if (!argument.is_null() || count) return error(Errno::einval);
  return function(ring);
}

}  // namespace

Result<void> uring_set_files(Context& context, Ring& ring, std::uint32_t offset, UserAddress descriptors,
                             std::uint32_t count, long& done) {
  if (!base::checked_add(offset, count)) return error(Errno::eoverflow);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::int32_t descriptor = TRY(UserIn<std::int32_t>(descriptors).read_at(i));
    RefPtr<vfs::File> file;
    if (descriptor != -2) file = TRY(file_for(context, descriptor));
    MutexGuard guard{ring.resources_lock};
    if (!ring.resources.has_files) return error(Errno::enxio);
    if (offset + i >= ring.resources.files.size()) return error(Errno::einval);
    if (descriptor != -2) std::swap(ring.resources.files[offset + i], file);
    ++done;
  }
  return {};
}

Result<long> uring_files_update(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.op_flags || sqe.extra_fd || !sqe.length) return error(Errno::einval);
  return update_files(issue.context, issue.ring, static_cast<std::uint32_t>(sqe.offset), sqe.address,
                      sqe.length);
}

Result<long> uring_register(Context& context, Ring& ring, std::uint32_t operation, UserAddress argument,
                            std::uint32_t count) {
  TRY(check_allowed(ring, operation));
  switch (operation) {
    case register_buffers:
      if (argument.is_null()) return error(Errno::efault);
      return register_buffer_table(context, ring, argument, count, false);
    case unregister_buffers:
      return no_argument(argument, count, unregister_buffer_table, ring);
    case register_files:
      if (argument.is_null()) return error(Errno::efault);
      return register_file_table(context, ring, argument, count, false);
    case unregister_files:
      return no_argument(argument, count, unregister_file_table, ring);
    case register_files_update: {
      if (!count) return error(Errno::einval);
      auto update = TRY(UserIn<FilesUpdate>(argument).read());
      if (update.reserved) return error(Errno::einval);
      return update_files(context, ring, update.offset, update.descriptors, count);
    }
    case register_files2:
    case register_buffers2:
      return register_resources(context, ring, operation, argument, count);
    case register_files_update2:
    case register_buffers_update:
      return update_resources(context, ring, operation, argument, count);
    case register_eventfd:
    case register_eventfd_async:
      return register_event(context, ring, argument, count, operation == register_eventfd_async);
    case unregister_eventfd:
      if (!argument.is_null() || count) return error(Errno::einval);
      TRY(ring.remove_eventfd());
      return 0;
    case register_probe:
      return probe(argument, count);
    case register_personality:
      if (!argument.is_null() || count) return error(Errno::einval);
      return add_personality(context, ring);
    case unregister_personality:
      if (!argument.is_null()) return error(Errno::einval);
      return remove_personality(ring, count);
    case register_restrictions:
      return restrict(ring, argument, count);
    case register_enable_rings:
      if (!argument.is_null() || count) return error(Errno::einval);
      if (!ring.disabled.exchange(false)) return error(Errno::ebadfd);
      if (ring.has(setup_single_issuer)) ring.submitter.store(&context.task);
      ring.enter_queue.wake_all();
      return 0;
    case register_iowq_max_workers:
      return max_workers(context, argument, count);
    case register_pbuf_ring:
      return add_buffer_ring(ring, argument, count);
    case unregister_pbuf_ring:
      return remove_buffer_ring(ring, argument, count);
    case register_sync_cancel:
      return cancel_now(context, ring, argument, count);
    case register_file_alloc_range:
      return set_file_range(ring, argument, count);
    default:
      return error(Errno::einval);
  }
}

}  // namespace linux_abi
