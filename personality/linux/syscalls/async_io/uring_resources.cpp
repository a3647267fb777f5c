// Fixed files, fixed buffers and provided buffers, as requests use them.
#include "syscalls/async_io/uring_resources.h"

#include "arch/page_attributes.h"
#include "core/memory/address_space.h"
#include "core/memory/kernel_map.h"
#include "syscalls/async_io/uring_file.h"
#include "syscalls/async_io/uring_ops.h"
#include "syscalls/files/rows.h"

namespace linux_abi {

using namespace uring;
using core::MutexGuard;

// ---- Fixed buffers ----

Result<RefPtr<UringFixedBuffer>> UringFixedBuffer::pin(core::AddressSpace& space, std::uint64_t address,
                                                       std::uint64_t length) {
  if (!length) return error(Errno::efault);
  if (length > (1u << 30)) return error(Errno::efault);
  if (!core::is_user_range(UserAddress(address), length)) return error(Errno::efault);
  auto buffer = TRY(base::try_make_ref<UringFixedBuffer>());
  std::uint64_t first = base::align_down(address, std::uint64_t{core::page_size});
  std::uint64_t end = base::align_up(address + length, std::uint64_t{core::page_size});
  std::size_t count = (end - first) / core::page_size;
  base::Vector<core::Page*> raw;
  TRY(raw.try_reserve(count));
  TRY(buffer->pages_.try_reserve(count));
  for (std::uint64_t at = first; at < end; at += core::page_size) {
    if (core::Thread::current().interrupted(core::WaitMode::killable)) return error(Errno::eintr);
    core::PageRef page = TRY(space.pin_page(UserAddress(at), core::FaultAccess::write));
    raw.push_back_reserved(page.get());
    buffer->pages_.push_back_reserved(std::move(page));
  }
  buffer->memory_ = TRY(
      core::map_kernel_pages(raw.span(), arch::PageAttributes{.read = true, .write = true, .global = true}));
  buffer->address_ = address;
  buffer->length_ = length;
  return buffer;
}

UringFixedBuffer::~UringFixedBuffer() {
  if (memory_) core::unmap_kernel(memory_);
}

Result<std::span<std::byte>> UringFixedBuffer::range(std::uint64_t address, std::uint64_t length) const {
  if (address < address_ || length > length_ || address - address_ > length_ - length)
    return error(Errno::efault);
  std::uint64_t offset = (address_ & (core::page_size - 1)) + (address - address_);
  return std::span(static_cast<std::byte*>(memory_) + offset, length);
}

// ---- Fixed files ----

Result<RefPtr<vfs::File>> uring_fixed_file(Ring& ring, std::uint32_t index) {
  MutexGuard guard{ring.resources_lock};
  auto& files = ring.resources.files;
  if (index >= files.size() || !files[index]) return error(Errno::ebadf);
  return files[index];
}

Result<long> uring_install_fixed(Ring& ring, RefPtr<vfs::File> file, std::uint32_t place) {
  RefPtr<vfs::File> old;  // dropped with the lock open
  MutexGuard guard{ring.resources_lock};
  UringResources& resources = ring.resources;
  if (!resources.has_files) return error(Errno::enxio);
  if (file->as<UringFile>()) return error(Errno::ebadf);
  if (place == ~0u) {
    std::uint32_t end =
        std::min<std::uint32_t>(resources.allocate_to, static_cast<std::uint32_t>(resources.files.size()));
    for (std::uint32_t index = resources.allocate_from; index < end; ++index) {
      if (resources.files[index]) continue;
      resources.files[index] = std::move(file);
      return index;
    }
    return error(Errno::enfile);
  }
  if (place - 1 >= resources.files.size()) return error(Errno::einval);
  old = std::exchange(resources.files[place - 1], std::move(file));
  return 0;
}

Result<long> uring_move_to_fixed(UringIssue& issue, Result<long> descriptor, std::uint32_t place) {
  if (!descriptor || !place) return descriptor;
  auto file = TRY(issue.context.task.files->remove(static_cast<int>(*descriptor)));
  return uring_install_fixed(issue.ring, std::move(file), place);
}

Result<long> uring_close(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.offset || sqe.address || sqe.length || sqe.op_flags || sqe.buffer) return error(Errno::einval);
  if (issue.request.has_flag(fixed_file)) return error(Errno::ebadf);
  if (!sqe.extra_fd) {
    FileUse file = TRY(issue.context.task.files->use_any(sqe.fd));
    if (file->as<UringFile>()) return error(Errno::ebadf);
    return sys_close(issue.context, FileDescriptor{sqe.fd});
  }
  if (sqe.fd) return error(Errno::einval);
  RefPtr<vfs::File> old;
  MutexGuard guard{issue.ring.resources_lock};
  auto& files = issue.ring.resources.files;
  auto index = static_cast<std::uint32_t>(sqe.extra_fd) - 1;
  if (!issue.ring.resources.has_files) return error(Errno::enxio);
  if (index >= files.size()) return error(Errno::einval);
  if (!files[index]) return error(Errno::ebadf);
  std::swap(old, files[index]);
  return 0;
}

Result<long> uring_fixed_fd_install(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.offset || sqe.address || sqe.length || sqe.buffer || sqe.extra_fd || sqe.address3)
    return error(Errno::einval);
  if (!issue.request.has_flag(fixed_file)) return error(Errno::ebadf);
  if (sqe.op_flags & ~1u) return error(Errno::einval);
  return TRY(issue.context.task.files->add(issue.request.file,
                                           sqe.op_flags & 1 ? CloseOnExec::no : CloseOnExec::yes,
                                           descriptor_limit(issue.context)));
}

// ---- Provided buffers ----

namespace {

// struct io_uring_buf
struct RingBuffer {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint16_t id = 0, reserved = 0;
};
constexpr std::size_t tail_offset = 14;

Result<void> take_from_ring(UringRequest& request, UringBufferGroup& group) {
  UserAddress base(group.ring_address);
  auto tail = UserIn<std::uint16_t>(base + tail_offset).read();
  if (!tail || *tail == group.head) return error(Errno::enobufs);
  std::size_t index = group.head & (group.ring_entries - 1);
  auto buffer = UserIn<RingBuffer>(base).read_at(index);
  if (!buffer) return error(Errno::enobufs);
  request.buffer_address = buffer->address;
  request.buffer_length = buffer->length;
  request.buffer_id = buffer->id;
  ++group.head;
  return {};
}

}  // namespace

Result<void> uring_select_buffer(UringIssue& issue) {
  UringRequest& request = issue.request;
  if (request.has_buffer) return {};
  MutexGuard guard{issue.ring.buffers_lock};
  UringBufferGroup* group = issue.ring.buffers.find(request.sqe.buffer);
  if (!group) return error(Errno::enobufs);
  if (group->ring_address) {
    TRY(take_from_ring(request, *group));
  } else {
    if (group->entries.empty()) return error(Errno::enobufs);
    const UringBufferGroup::Entry& entry = group->entries.front();
    request.buffer_address = entry.address;
    request.buffer_length = entry.length;
    request.buffer_id = entry.id;
    group->entries.erase(0);
  }
  request.has_buffer = true;
  request.cqe_flags = cqe_buffer | static_cast<std::uint32_t>(request.buffer_id) << cqe_buffer_shift;
  return {};
}

void uring_return_buffer(UringIssue& issue) {
  UringRequest& request = issue.request;
  if (!request.has_buffer) return;
  MutexGuard guard{issue.ring.buffers_lock};
  UringBufferGroup* group = issue.ring.buffers.find(request.sqe.buffer);
  if (group && group->ring_address) {
    --group->head;
  } else if (group) {
    if (!group->entries.try_push_back({request.buffer_address, request.buffer_length, request.buffer_id}))
      return;  // kept for the next try
  }
  request.has_buffer = false;
  request.cqe_flags = 0;
}

Result<long> uring_provide_buffers(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  std::uint32_t count = static_cast<std::uint32_t>(sqe.fd);
  if (sqe.op_flags || sqe.extra_fd) return error(Errno::einval);
  if (count == 0 || count > 65536) return error(Errno::e2big);
  if (!sqe.length) return error(Errno::einval);
  if (sqe.offset > 0xffff || sqe.offset + count > 65536)
    return error(sqe.offset > 0xffff ? Errno::e2big : Errno::einval);
  std::uint64_t size = std::uint64_t{count} * sqe.length;
  if (!core::is_user_range(UserAddress(sqe.address), size)) return error(Errno::efault);
  MutexGuard guard{issue.ring.buffers_lock};
  UringBufferGroup* group = issue.ring.buffers.find(sqe.buffer);
  if (!group) {
    auto fresh = TRY(base::try_make_unique<UringBufferGroup>());
    fresh->id = sqe.buffer;
    group = fresh.get();
    TRY(issue.ring.buffers.groups.try_push_back(std::move(fresh)));
  }
  if (group->ring_address) return error(Errno::einval);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto added = group->entries.try_push_back({sqe.address + std::uint64_t{i} * sqe.length, sqe.length,
                                               static_cast<std::uint16_t>(sqe.offset + i)});
    if (!added) return i ? Result<long>(0) : error(Errno::enomem);
  }
  return 0;
}

Result<long> uring_remove_buffers(UringIssue& issue) {
  const UringSqe& sqe = issue.sqe();
  if (sqe.op_flags || sqe.address || sqe.length || sqe.offset || sqe.extra_fd) return error(Errno::einval);
  if (sqe.fd <= 0 || sqe.fd > 65536) return error(Errno::einval);
  MutexGuard guard{issue.ring.buffers_lock};
  UringBufferGroup* group = issue.ring.buffers.find(sqe.buffer);
  if (!group) return error(Errno::enoent);
  if (group->ring_address) return error(Errno::einval);
  long removed = 0;
  while (removed < sqe.fd && !group->entries.empty()) {
    group->entries.pop_back();
    ++removed;
  }
  return removed;
}

}  // namespace linux_abi
