// The file descriptors of a process (shared by threads and by CLONE_FILES).
//
// A descriptor goes through three states:
//
//   free --reserve()--> reserved --publish()--> open --remove()--> free
//     ^                     |
//     +--- ~Reservation ----+      (a system call failed before it could commit)
//
// Only open descriptors are visible to other threads, so a system call that fails half-way never takes one
// back.
//
// Reading takes no lock: get() finds the file under RCU. Locking: lock_ protects states and growth; it is
// never held while a file is closed or user memory is touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/ref.h"
#include "base/result.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "vfs/file.h"

namespace linux_abi {

using base::RefPtr;
using base::Result;

class FileTable;
enum class CloseOnExec : bool { no, yes };

// A file for the length of a system call. When the table belongs to the calling thread alone nobody can close
// the descriptor meanwhile, so no reference is taken.
class [[nodiscard]] FileUse {
 public:
  FileUse(vfs::File* file, bool counted) : file_(file), counted_(counted) {}
  FileUse(FileUse&& other) noexcept
      : file_(std::exchange(other.file_, nullptr)), counted_(std::exchange(other.counted_, false)) {}
  FileUse& operator=(FileUse&&) = delete;
  ~FileUse() {
    if (counted_) file_->release_reference();
  }
  vfs::File* operator->() const { return file_; }
  vfs::File& operator*() const { return *file_; }
  RefPtr<vfs::File> share() const { return RefPtr<vfs::File>(file_); }

 private:
  vfs::File* file_;
  bool counted_;
};

// A descriptor number that nobody else gets; given back unless publish() is called.
class [[nodiscard]] ReservedDescriptor {
 public:
  ReservedDescriptor(FileTable& table, int number, CloseOnExec close_on_exec)
      : table_(&table), number_(number), close_on_exec_(close_on_exec) {}
  ReservedDescriptor(ReservedDescriptor&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)),
        number_(other.number_),
        close_on_exec_(other.close_on_exec_) {}
  ReservedDescriptor& operator=(ReservedDescriptor&&) = delete;
  ~ReservedDescriptor();
  int number() const { return number_; }
  void publish(RefPtr<vfs::File> file);

 private:
  FileTable* table_;
  int number_;
  CloseOnExec close_on_exec_;
};

class FileTable : public base::RefCounted<FileTable> {
 public:
  static Result<RefPtr<FileTable>> create();
  ~FileTable();

  // For a system call of the thread that owns the table; EBADF when not open. Descriptors opened with O_PATH
  // are EBADF here, as in most calls; get_any() gives them too.
  Result<FileUse> use(int number);
  Result<FileUse> use_any(int number);
  // As use_any() where that takes no reference, as nobody else has the table; null where it would, or fails.
  vfs::File* borrow(int number) const;
  // With a reference: for what outlives the call, and for other processes' tables.
  Result<RefPtr<vfs::File>> get(int number);

  // The lowest free number >= minimum and < limit (RLIMIT_NOFILE); EMFILE.
  Result<ReservedDescriptor> reserve(CloseOnExec close_on_exec, std::uint64_t limit, unsigned minimum = 0);
  // reserve and publish in one.
  Result<int> add(RefPtr<vfs::File> file, CloseOnExec close_on_exec, std::uint64_t limit,
                  unsigned minimum = 0);
  // Takes the descriptor out; the caller closes the file (close_file()).
  Result<RefPtr<vfs::File>> remove(int number);
  // dup2: puts `file` at `number`, and gives out what was there (or null). EBADF beyond the limit, EBUSY when
  // the number is reserved by a call in progress.
  Result<RefPtr<vfs::File>> replace(int number, RefPtr<vfs::File> file, CloseOnExec close_on_exec,
                                    std::uint64_t limit);

  Result<CloseOnExec> close_on_exec(int number);
  Result<void> set_close_on_exec(int number, CloseOnExec value);
  // close_range(): marks, or removes and closes, what is open in [first, last].
  void mark_close_on_exec(unsigned first, unsigned last);
  void close_range(unsigned first, unsigned last);
  void close_on_exec_all();
  // The lowest open number >= from, or -1.
  int next_open(int from);
  unsigned capacity();

  // A table of its own with the same files; those in [skip_first, skip_last] are left out.
  Result<RefPtr<FileTable>> try_clone(unsigned skip_first = ~0u, unsigned skip_last = 0);

 private:
  friend class ReservedDescriptor;
  struct Slots;
  FileTable() = default;
  friend class base::RefCounted<FileTable>;

  vfs::File* load(int number) const;
  Result<int> reserve_locked(std::uint64_t limit, unsigned minimum) REQUIRES(lock_);
  Result<void> grow_locked(unsigned wanted, std::uint64_t limit) REQUIRES(lock_);
  void publish(int number, RefPtr<vfs::File> file, CloseOnExec close_on_exec);
  void unreserve(int number);

  core::Mutex lock_;
  // Replaced as a whole when it grows; readers under RCU.
  std::atomic<Slots*> slots_{nullptr};
  unsigned lowest_free_ GUARDED_BY(lock_) = 0;
};

// What close(2) does beyond dropping the reference: record locks and File::flush. The result is close's.
class Task;
Result<void> close_file(FileTable& table, RefPtr<vfs::File> file);

}  // namespace linux_abi
