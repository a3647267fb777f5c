#include "vfs/file.h"

#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/locks.h"
#include "vfs/lookup.h"
#include "vfs/notify.h"
#include "vfs_internal.h"

namespace vfs {

PER_CPU constinit core::PerCpuCounter file_counter;

namespace {

void tell_slow(const File& file, NotifyEvents events) {
  if (file.flags() & open_without_notice) return;
  bool directory = is_directory(file.inode().mode());
  notify_slow(file.path(), file.inode(), events | (directory ? notify_is_directory : 0));
}
inline void tell(const File& file, NotifyEvents events) {
  if (is_anything_watched()) [[unlikely]]
    tell_slow(file, events);
}

Result<void> ask_to_read_slow(const File& file) {
  if (file.flags() & open_without_notice) return {};
  bool directory = is_directory(file.inode().mode());
  return ask_slow(file.path(), file.inode(), notify_may_access | (directory ? notify_is_directory : 0));
}
inline Result<void> ask_to_read(const File& file) {
  // relaxed: as in ask().
  if (!notify_question_count.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return ask_to_read_slow(file);
}

}  // namespace

File::~File() = default;

void File::attach(Path path, OpenFlags flags, RefPtr<const Credentials> credentials) {
  path_ = std::move(path);
  inode_ = &path_.inode();
  credentials_ = std::move(credentials);
  flags_.store(
      flags & ~(open_create | open_exclusive | open_no_controlling_tty | open_truncate | open_close_on_exec),
      std::memory_order_relaxed);
  if (!(flags & open_path)) {
    OpenFlags mode = flags & open_access_mask;
    if (mode == open_read_only || mode == open_read_write) access_ |= access_read;
    if (mode == open_write_only || mode == open_read_write) access_ |= access_write;
  }
  file_counter.add(1);
}

void File::set_flags(OpenFlags flags) {
  OpenFlags old = flags_.load(std::memory_order_relaxed), fresh;
  do {
    fresh = (old & ~open_changeable) | (flags & open_changeable);
  } while (!flags_.compare_exchange_weak(old, fresh));
  // seq_cst, as in offer_resident(): one of the two sees the other.
  if (fresh & open_direct) resident_.store(nullptr);
  if ((old ^ fresh) & open_async) async_changed(fresh & open_async);
}

void File::last_reference_dropped() {
  if (!inode_) {  // never attached: nobody else has seen it
    delete this;
    return;
  }
  if (!has_trait(path_only)) {
    notify_release_observers();
    if (AsyncOwner* owner = async_owner_.exchange(nullptr, std::memory_order_acq_rel)) {
      async_changed(false);
      owner->release_reference();
    }
    if (inode_->locks()) {
      remove_locks(*inode_, this, LockKind::flock);
      remove_locks(*inode_, this, LockKind::open_file);
    }
    release();
    tell(*this, can_write() ? notify_close_write : notify_close_no_write);
    if (access_ & holds_inode_write) inode_->release_write_access();
    if (access_ & holds_inode_deny) inode_->allow_write_access();
    if (access_ & holds_mount_write) path_.mount().release_write();
  }
  path_ = Path();
  credentials_ = nullptr;
  file_counter.add(-1);
  core::rcu_retire(rcu_, [](core::RcuHead& head) { delete base::container_of(&head, &File::rcu_); });
}

Result<void> File::flush_descriptor(const void* lock_owner) {
  if (has_trait(path_only)) return {};
  if (inode_->locks()) remove_locks(*inode_, lock_owner, LockKind::posix);
  return flush();
}

// ---- Reading and writing ----

Result<std::size_t> File::read(core::IoBuffer& buffer, IoFlags io_flags) {
  if (!can_read()) return error(Errno::ebadf);
  TRY(ask_to_read(*this));
  if (!has_trait(has_position)) {
    auto count = read_at(buffer, 0, io_flags);
    if (count && *count) tell(*this, notify_access);
    return count;
  }
  core::MutexGuard guard{position_lock_};
  std::uint64_t at = position_.load(std::memory_order_relaxed);
  std::size_t count = TRY(read_at(buffer, at, io_flags));
  if (count) {
    position_.store(at + count, std::memory_order_relaxed);
    tell(*this, notify_access);
  }
  return count;
}

Result<std::size_t> File::write(core::IoBuffer& buffer, IoFlags io_flags) {
  if (!can_write()) return error(Errno::ebadf);
  if (!has_trait(has_position)) {
    auto count = write_at(buffer, 0, io_flags);
    if (count && *count) tell(*this, notify_modify);
    return count;
  }
  core::MutexGuard guard{position_lock_};
  bool appends = ((flags() & open_append) || (io_flags & io_append)) && !(io_flags & io_no_append);
  std::uint64_t at = position_.load(std::memory_order_relaxed), after = 0;
  std::size_t count = appends ? TRY(append(buffer, io_flags, after)) : TRY(write_at(buffer, at, io_flags));
  if (count) {
    position_.store(appends ? after : at + count, std::memory_order_relaxed);
    tell(*this, notify_modify);
  }
  return count;
}

Result<std::size_t> File::positioned_read(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags) {
  if (!can_read()) return error(Errno::ebadf);
  if (!has_any_position()) return error(Errno::espipe);
  TRY(ask_to_read(*this));
  std::size_t count = TRY(read_at(buffer, offset, io_flags));
  if (count) tell(*this, notify_access);
  return count;
}

void File::offer_resident(core::MemoryObject& pages) {
  // relaxed: who sees an older value stores the same once more.
  if (!can_read() || resident_.load(std::memory_order_relaxed) == &pages) return;
  resident_.store(&pages);
  if (flags_.load() & open_direct) resident_.store(nullptr);  // see set_flags()
}

std::size_t File::read_resident(base::UserAddress to, std::size_t size, std::uint64_t offset) {
  // acquire: the object is complete.
  core::MemoryObject* pages = resident_.load(std::memory_order_acquire);
  if (!pages) return 0;
  if (!inode_->access_time_is_fresh() || !path_.mount().has(mount_relative_access_time)) return 0;
  if (is_anything_watched()) return 0;
  return pages->read_resident(to, size, offset);
}

Result<std::size_t> File::read_pages(std::uint64_t offset, std::size_t length, core::PageSink& sink) {
  if (!can_read()) return error(Errno::ebadf);
  TRY(ask_to_read(*this));
  std::size_t count = TRY(splice_read(offset, length, sink));
  if (count) {
    if (!(flags() & open_no_access_time)) inode_->touch_accessed(path_.mount());
    tell(*this, notify_access);
  }
  return count;
}

Result<std::size_t> File::positioned_write(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags) {
  if (!can_write()) return error(Errno::ebadf);
  if (!has_any_position()) return error(Errno::espipe);
  // As on Linux, O_APPEND wins over the offset of pwrite.
  bool appends = ((flags() & open_append) || (io_flags & io_append)) && !(io_flags & io_no_append);
  std::uint64_t after = 0;
  std::size_t count =
      appends ? TRY(append(buffer, io_flags, after)) : TRY(write_at(buffer, offset, io_flags));
  if (count) tell(*this, notify_modify);
  return count;
}

Result<std::int64_t> File::seek(std::int64_t offset, Whence whence) {
  if (has_trait(path_only)) return error(Errno::ebadf);
  if (has_trait(always_seek_zero)) {
    position_.store(0, std::memory_order_relaxed);
    return 0;
  }
  if (!has_trait(has_position) && !has_trait(seeks_itself)) return error(Errno::espipe);
  core::MutexGuard guard{position_lock_};
  auto at = static_cast<std::int64_t>(position_.load(std::memory_order_relaxed));
  if (whence == Whence::current) {
    if (offset == 0) return at;
    if (__builtin_add_overflow(at, offset, &offset)) return error(Errno::einval);
    whence = Whence::set;
  }
  std::uint64_t result = TRY(do_seek(offset, whence));
  position_.store(result, std::memory_order_relaxed);
  return static_cast<std::int64_t>(result);
}

Result<std::uint64_t> File::do_seek(std::int64_t offset, Whence whence) {
  auto size = static_cast<std::int64_t>(inode_->size());
  switch (whence) {
    case Whence::set:
      break;
    case Whence::end:
      if (__builtin_add_overflow(size, offset, &offset)) return error(Errno::eoverflow);
      break;
    case Whence::data:
      if (offset < 0 || offset >= size) return error(Errno::enxio);
      break;
    case Whence::hole:
      if (offset < 0 || offset >= size) return error(Errno::enxio);
      offset = size;
      break;
    default:
      return error(Errno::einval);
  }
  if (offset < 0) return error(Errno::einval);
  if (static_cast<std::uint64_t>(offset) > inode_->file_system().maximum_size()) return error(Errno::einval);
  return static_cast<std::uint64_t>(offset);
}

Result<void> File::list_directory(DirectorySink& sink) {
  if (has_trait(path_only)) return error(Errno::ebadf);
  if (!has_trait(directory_file)) return error(Errno::enotdir);
  TRY(ask_to_read(*this));
  core::MutexGuard guard{position_lock_};
  {
    core::ReadGuard directory_guard{inode_->lock()};
    if (inode_->has(Inode::dead_directory)) return error(Errno::enoent);
    TRY(iterate(sink));
  }
  inode_->touch_accessed(path_.mount());
  tell(*this, notify_access | notify_is_directory);
  return {};
}

// ---- What an object does not override ----

Result<std::size_t> File::read_at(core::IoBuffer&, std::uint64_t, IoFlags) {
  return error(has_trait(directory_file) ? Errno::eisdir : Errno::einval);
}
Result<std::size_t> File::write_at(core::IoBuffer&, std::uint64_t, IoFlags) { return error(Errno::einval); }
Result<std::size_t> File::append(core::IoBuffer& buffer, IoFlags io_flags, std::uint64_t& offset_after) {
  std::uint64_t at = position();
  std::size_t count = TRY(write_at(buffer, at, io_flags));
  offset_after = at + count;
  return count;
}
Result<long> File::ioctl(unsigned, std::uintptr_t) { return error(Errno::enotty); }
PollEvents File::poll(PollWaiter*) { return poll_readable | poll_writable; }
Result<void> File::map(core::MapRequest&) { return error(Errno::enodev); }
Result<void> File::iterate(DirectorySink&) { return error(Errno::enotdir); }
Result<void> File::sync(std::uint64_t, std::uint64_t, bool) { return error(Errno::einval); }
Result<void> File::allocate(int, std::uint64_t, std::uint64_t) { return error(Errno::enodev); }
Result<void> File::truncate(std::uint64_t) { return error(Errno::einval); }
Result<void> File::check_flags(OpenFlags flags) {
  // Direct transfers need an object that knows how.
  return flags & open_direct && !inode_->memory_object() ? Result<void>(error(Errno::einval))
                                                         : Result<void>();
}
Result<std::size_t> File::splice_read(std::uint64_t, std::size_t, core::PageSink&) {
  return error(Errno::einval);
}
Result<std::size_t> File::splice_write(std::uint64_t, std::size_t, core::PageSource&) {
  return error(Errno::einval);
}

// ---- Observers ----

void File::set_async_owner(RefPtr<AsyncOwner> owner) {
  AsyncOwner* old;
  {
    core::SpinGuard<core::PreemptOff> guard{observer_lock_};
    old = async_owner_.exchange(owner.leak(), std::memory_order_acq_rel);
  }
  if (old) old->release_reference();
}
RefPtr<AsyncOwner> File::async_owner() const {
  if (!async_owner_.load(std::memory_order_acquire)) return nullptr;
  auto* self = const_cast<File*>(this);
  core::SpinGuard<core::PreemptOff> guard{self->observer_lock_};
  return RefPtr<AsyncOwner>(async_owner_.load(std::memory_order_relaxed));
}
void File::signal_async(PollEvents events) {
  if (!(flags() & open_async)) return;
  if (auto owner = async_owner()) owner->ready(*this, events);
}

// ---- Mappings ----

void File::put_path(base::TextSink& sink) {
  auto memory = base::try_make_unique<PathMemory>();
  if (!memory) return;
  if (auto text = path_text(path_, nullptr, (*memory)->bytes)) put_escaped(sink, *text, "\n");
}

core::MappingIdentity File::identity() {
  DeviceNumber device = inode_->file_system().device();
  return {device.major, device.minor, inode_->number()};
}

}  // namespace vfs
