// An open file description: what a descriptor refers to; shared by dup and fork.
//
// Objects that can be opened derive from File and override what they can do; the rest answers as Linux does
// for objects that cannot (EINVAL, ENOTTY, ESPIPE …). Callers use the functions without _at/do_ prefix: they
// check the access mode, handle the position, limits and time stamps, and call the virtual ones.
//
//   auto file = TRY(try_make_ref<MyFile>());                        // in the object's open function or
//   constructor call file->attach(path, flags, credentials);                        // vfs::open does it for
//   files that have a name file->attach(anonymous_path("[eventfd]"), open_read_write, credentials);   // and
//   this for those that have none
//
// Life: when the last reference goes, last_reference_dropped() releases locks, calls release() and frees the
// memory after an RCU grace period, so that a descriptor table may be read under RCU with try_acquire.
// Dropping a reference may sleep: never under a raw spin lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/address.h"
#include "core/memory/memory_object.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "vfs/attributes.h"
#include "vfs/directory.h"
#include "vfs/path.h"
#include "vfs/poll.h"

namespace core {
class IoBuffer;
class PageSink;
class PageSource;
struct MapRequest;
}  // namespace core

namespace vfs {

class File;

// Told when a file is released: epoll drops its items. file_released() runs before File::release(), with
// release_observer_mutex() held, and must take the observer off the file's list. Who removes or destroys an
// observer without owning a reference to the file holds that mutex too, so that the two never meet.
class FileReleaseObserver {
 public:
  virtual void file_released(File& file) = 0;
  base::ListHook hook;

 protected:
  ~FileReleaseObserver() = default;
};

// F_SETOWN and friends: who gets SIGIO. Created by the personality, which delivers the signal.
class AsyncOwner : public base::RefCounted<AsyncOwner> {
 public:
  virtual ~AsyncOwner() = default;
  virtual void ready(File& file, PollEvents events) = 0;
};

class File : public base::RefCounted<File>, public core::MappedFile {
 public:
  // What kind of object; fixed at construction.
  enum Trait : std::uint32_t {
    has_position = 1 << 0,  // read and write advance a position; without it they are streams (lseek: ESPIPE)
    directory_file = 1 << 1,
    path_only = 1 << 2,        // O_PATH: holds a place, allows nothing else
    no_wait_capable = 1 << 3,  // honours io_no_wait (RWF_NOWAIT)
    pipe_file = 1 << 4,        // quick questions of the personality
    socket_file = 1 << 5,
    terminal_file = 1 << 6,
    epoll_file = 1 << 7,
    always_seek_zero = 1 << 8,  // lseek succeeds and returns 0 without meaning (null-like devices)
    can_map = 1 << 9,
    seeks_itself = 1 << 10,  // a stream whose do_seek() means something (kmsg)
  };

  explicit File(std::uint32_t traits) : traits_(traits) {}
  virtual ~File();

  // Once, before the file is visible to others.
  void attach(Path path, OpenFlags flags, RefPtr<const Credentials> credentials);

  // ---- What it is ----
  const Path& path() const { return path_; }
  Inode& inode() const { return *inode_; }
  const Credentials& credentials() const { return *credentials_; }
  const RefPtr<const Credentials>& credentials_reference() const { return credentials_; }
  OpenFlags flags() const { return flags_.load(std::memory_order_relaxed); }
  // F_SETFL: `changeable` bits only, after check_flags().
  void set_flags(OpenFlags flags);
  bool is_non_blocking() const { return flags() & open_non_blocking; }
  bool has_trait(Trait trait) const { return traits_ & trait; }
  bool can_read() const { return access_ & access_read; }
  bool can_write() const { return access_ & access_write; }

  // ---- For callers: read, write, position ----
  Result<std::size_t> read(core::IoBuffer& buffer, IoFlags io_flags = io_none);
  Result<std::size_t> write(core::IoBuffer& buffer, IoFlags io_flags = io_none);
  Result<std::size_t> positioned_read(core::IoBuffer& buffer, std::uint64_t offset,
                                      IoFlags io_flags = io_none);
  Result<std::size_t> positioned_write(core::IoBuffer& buffer, std::uint64_t offset,
                                       IoFlags io_flags = io_none);
  // positioned_read() of a few bytes at user address `to`, where it takes nothing but a copy from one page in
  // memory: `size` if that was so, otherwise 0, and the other functions have to be asked.
  std::size_t read_resident(base::UserAddress to, std::size_t size, std::uint64_t offset);
  // Hands pages of the file to `sink` by reference. EINVAL, and nothing happened: it has none; read it.
  Result<std::size_t> read_pages(std::uint64_t offset, std::size_t length, core::PageSink& sink);
  Result<std::int64_t> seek(std::int64_t offset, Whence whence);
  Result<void> list_directory(DirectorySink& sink);
  // A hint (for fdinfo, splice).
  std::uint64_t position() const { return position_.load(std::memory_order_relaxed); }
  void set_position(std::uint64_t position) { position_.store(position, std::memory_order_relaxed); }
  core::Mutex& position_lock() RETURN_CAPABILITY(position_lock_) { return position_lock_; }
  // close(2) of one descriptor: drops the POSIX locks of `lock_owner` (a descriptor table), reports late
  // write errors.
  Result<void> flush_descriptor(const void* lock_owner);

  // ---- Overridden by objects ----
  // Streams ignore the offset. Return 0 at the end; a short count is fine.
  virtual Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags);
  virtual Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags);
  // Where O_APPEND writes begin; regular files override write_at and look at flags() & open_append ||
  // io_append under their inode lock, and report through `offset_after` where the write ended.
  virtual Result<std::size_t> append(core::IoBuffer& buffer, IoFlags io_flags, std::uint64_t& offset_after);
  // whence is not `current`, which seek() resolves; the default handles set and end by inode().size().
  virtual Result<std::uint64_t> do_seek(std::int64_t offset, Whence whence);
  virtual Result<long> ioctl(unsigned command, std::uintptr_t argument);
  virtual PollEvents poll(PollWaiter* waiter);  // the default is always readable and writable
  // Fills in the memory object (and offset, flags) that mmap maps; ENODEV by default.
  virtual Result<void> map(core::MapRequest& request);
  // From position() on; advances it with set_position(). Called with the position lock and the inode's lock
  // (shared).
  virtual Result<void> iterate(DirectorySink& sink);
  virtual Result<void> sync(std::uint64_t from, std::uint64_t to, bool data_only);
  virtual Result<void> allocate(int mode, std::uint64_t offset, std::uint64_t length);  // fallocate
  virtual Result<void> truncate(std::uint64_t size);
  virtual Result<void> check_flags(OpenFlags flags);  // may refuse a F_SETFL
  virtual void async_changed(bool enabled) {}         // O_ASYNC went on or off
  virtual Result<void> flush() { return {}; }         // at each close of a descriptor
  virtual void release() {}                           // the last reference is gone; may sleep
  // Extra lines of /proc/PID/fdinfo/N.
  virtual void put_fdinfo(base::TextSink& out) {}
  // Page-wise transfer without copying (splice, sendfile). EINVAL: the caller copies through read and write.
  virtual Result<std::size_t> splice_read(std::uint64_t offset, std::size_t length, core::PageSink& sink);
  virtual Result<std::size_t> splice_write(std::uint64_t offset, std::size_t length,
                                           core::PageSource& source);
  // memfd: F_ADD_SEALS, F_GET_SEALS.
  virtual Result<unsigned> seals() const { return error(Errno::einval); }
  virtual Result<void> add_seals(unsigned) { return error(Errno::einval); }
  // Objects that other modules recognise (dynamic_cast without RTTI): `static constexpr int kind_tag` address
  // of a type.
  virtual const void* kind() const { return nullptr; }
  template <typename T>
  T* as() {
    return kind() == &T::kind_tag ? static_cast<T*>(this) : nullptr;
  }

  // ---- Observers, asynchronous notification ----
  void add_observer(FileReleaseObserver& observer);
  void remove_observer(FileReleaseObserver& observer);
  void set_async_owner(RefPtr<AsyncOwner> owner);
  RefPtr<AsyncOwner> async_owner() const;
  // By objects when they become ready; only files with O_ASYNC signal.
  void signal_async(PollEvents events);

  void last_reference_dropped();

 protected:
  // For files whose read_at() gives what `pages` has, and touches the access time: read_resident() may take
  // it from there from now on, while the file has no O_DIRECT. `pages` lives as long as the inode.
  void offer_resident(core::MemoryObject& pages);

 public:
  // ---- As what a mapping belongs to ----
  void acquire_mapped_file() override { acquire_reference(); }
  void release_mapped_file() override { release_reference(); }
  void put_path(base::TextSink& sink) override;
  core::MappingIdentity identity() override;

 private:
  // First step of last_reference_dropped().
  void notify_release_observers();
  friend class OpenAccess;
  // Bits of access_ beyond access_read, access_write: what has to be given back at the end.
  static constexpr std::uint32_t holds_mount_write = 8, holds_inode_write = 16, holds_inode_deny = 32;
  bool has_any_position() const { return traits_ & (has_position | always_seek_zero); }
  const std::uint32_t traits_;
  std::uint32_t access_ = 0;
  std::atomic<OpenFlags> flags_{0};
  std::atomic<std::uint64_t> position_{0};
  Path path_;
  Inode* inode_ = nullptr;  // of path_, cached
  std::atomic<core::MemoryObject*> resident_{nullptr};
  RefPtr<const Credentials> credentials_;
  core::Mutex position_lock_{"file position"};
  core::SpinLock observer_lock_{"file observers"};
  base::IntrusiveList<FileReleaseObserver, &FileReleaseObserver::hook> observers_ GUARDED_BY(observer_lock_);
  std::atomic<AsyncOwner*> async_owner_{nullptr};
  core::RcuHead rcu_;
};

// Taken before any lock of a file or an observer.
core::Mutex& release_observer_mutex();

// Files that were opened on an inode in no directory: eventfd, epoll …: "anon_inode:[eventfd]" in
// /proc/PID/fd. `name` with its brackets. Paths of one name share a dentry.
Result<Path> anonymous_path(std::string_view name);
// A path for an inode of its own (pipe, socket, memfd), in the file system for such objects; consumes the
// reference.
Result<Path> path_of_anonymous_inode(RefPtr<Inode> inode);
// That file system, and inode numbers in it.
FileSystem& anonymous_file_system();
std::uint64_t next_anonymous_inode_number();

}  // namespace vfs
