#include "linux_abi/file_table.h"

#include <memory>

#include "base/bits.h"
#include "vfs/types.h"

namespace linux_abi {

using base::Errno;
using base::error;

// One allocation: the header, `capacity` file pointers, and two bits for each descriptor.
struct FileTable::Slots {
  core::RcuHead rcu;
  unsigned capacity = 0;
  std::atomic<vfs::File*>* files = nullptr;
  std::uint64_t* used = nullptr;  // reserved or open
  std::uint64_t* close_on_exec = nullptr;

  static Result<Slots*> create(unsigned capacity) {
    std::size_t words = capacity / 64;
    std::size_t bytes =
        sizeof(Slots) + capacity * sizeof(std::atomic<vfs::File*>) + 2 * words * sizeof(std::uint64_t);
    void* memory = ::operator new(bytes, std::nothrow);
    if (!memory) return error(Errno::enomem);
    auto* slots = new (memory) Slots;
    slots->capacity = capacity;
    // SAFETY: the arrays follow the header inside the allocation, whose size was computed for them.
    slots->files = reinterpret_cast<std::atomic<vfs::File*>*>(slots + 1);
    std::uninitialized_value_construct_n(slots->files, capacity);
    slots->used = reinterpret_cast<std::uint64_t*>(slots->files + capacity);
    slots->close_on_exec = slots->used + words;
    for (std::size_t i = 0; i < 2 * words; ++i) slots->used[i] = 0;
    return slots;
  }
  static void destroy(Slots* slots) {
    slots->~Slots();
    ::operator delete(static_cast<void*>(slots));
  }
  void copy_from(const Slots& other) {
    for (unsigned i = 0; i < other.capacity; ++i)
      // relaxed: the table's lock is held; publication of the whole is a release store.
      files[i].store(other.files[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    for (unsigned i = 0; i < other.capacity / 64; ++i) {
      used[i] = other.used[i];
      close_on_exec[i] = other.close_on_exec[i];
    }
  }
  template <typename Function>
  void for_each_used(Function&& function) const {
    for (unsigned word = 0; word < capacity / 64; ++word)
      for (std::uint64_t left = used[word]; left; left &= left - 1)
        function(word * 64 + static_cast<unsigned>(__builtin_ctzll(left)));
  }
  // The lowest number >= `from` that is used; `capacity` if there is none.
  unsigned next_used(unsigned from) const {
    for (unsigned word = from / 64; word < capacity / 64; ++word) {
      std::uint64_t left = used[word];
      if (word == from / 64) left &= ~std::uint64_t{0} << (from % 64);
      if (left) return word * 64 + static_cast<unsigned>(__builtin_ctzll(left));
    }
    return capacity;
  }
  bool is_used(unsigned n) const { return used[n / 64] >> (n % 64) & 1; }
  void set_used(unsigned n, bool value) { set(used, n, value); }
  bool is_close_on_exec(unsigned n) const { return close_on_exec[n / 64] >> (n % 64) & 1; }
  void set_close_on_exec(unsigned n, bool value) { set(close_on_exec, n, value); }

 private:
  static void set(std::uint64_t* words, unsigned n, bool value) {
    std::uint64_t bit = std::uint64_t{1} << (n % 64);
    words[n / 64] = value ? words[n / 64] | bit : words[n / 64] & ~bit;
  }
};

namespace {
constexpr unsigned initial_capacity = 64;
// fs.nr_open
constexpr unsigned maximum_capacity = 1024 * 1024;
}  // namespace

ReservedDescriptor::~ReservedDescriptor() {
  if (table_) table_->unreserve(number_);
}

void ReservedDescriptor::publish(RefPtr<vfs::File> file) {
  std::exchange(table_, nullptr)->publish(number_, std::move(file), close_on_exec_);
}

Result<RefPtr<FileTable>> FileTable::create() {
  auto table = RefPtr<FileTable>::adopt(new (std::nothrow) FileTable);
  if (!table) return error(Errno::enomem);
  table->slots_.store(TRY(Slots::create(initial_capacity)), std::memory_order_release);
  return table;
}

FileTable::~FileTable() {
  Slots* slots = slots_.load(std::memory_order_relaxed);  // the last reference: nobody else looks
  if (!slots) return;
  close_range(0, ~0u);
  Slots::destroy(slots);
}

vfs::File* FileTable::load(int number) const {
  // acquire: a file found is complete.
  Slots* slots = slots_.load(std::memory_order_acquire);
  if (static_cast<unsigned>(number) >= slots->capacity) return nullptr;
  return slots->files[number].load(std::memory_order_acquire);
}

Result<RefPtr<vfs::File>> FileTable::get(int number) {
  core::RcuReadGuard guard;
  for (;;) {
    vfs::File* file = load(number);
    if (!file) return error(Errno::ebadf);
    auto reference = RefPtr<vfs::File>::try_acquire(file);
    // The object may have been closed and its memory used for another file since: only what is still there
    // counts.
    if (reference && load(number) == file) return reference;
  }
}

Result<FileUse> FileTable::use_any(int number) {
  if (reference_count() == 1) {
    vfs::File* file = load(number);
    if (!file) return error(Errno::ebadf);
    return FileUse(file, false);
  }
  return FileUse(TRY(get(number)).leak(), true);
}

vfs::File* FileTable::borrow(int number) const {
  if (reference_count() != 1) [[unlikely]]
    return nullptr;
  return load(number);
}

Result<FileUse> FileTable::use(int number) {
  FileUse use = TRY(use_any(number));
  if (use->flags() & vfs::open_path) [[unlikely]]
    return error(Errno::ebadf);
  return use;
}

Result<void> FileTable::grow_locked(unsigned wanted, std::uint64_t limit) {
  Slots* old = slots_.load(std::memory_order_relaxed);
  unsigned capacity = old->capacity;
  while (capacity <= wanted) capacity *= 2;
  if (capacity > maximum_capacity) return error(Errno::emfile);
  Slots* larger = TRY(Slots::create(capacity));
  larger->copy_from(*old);
  slots_.store(larger, std::memory_order_release);
  core::rcu_retire(old->rcu,
                   [](core::RcuHead& head) { Slots::destroy(base::container_of(&head, &Slots::rcu)); });
  return {};
}

Result<int> FileTable::reserve_locked(std::uint64_t limit, unsigned minimum) {
  if (limit > maximum_capacity) limit = maximum_capacity;
  if (minimum >= limit) return error(minimum == 0 ? Errno::emfile : Errno::einval);
  Slots* slots = slots_.load(std::memory_order_relaxed);
  unsigned from = minimum > lowest_free_ ? minimum : lowest_free_;
  unsigned number = slots->capacity;
  for (unsigned word = from / 64; word < slots->capacity / 64; ++word) {
    std::uint64_t free = ~slots->used[word];
    if (word == from / 64) free &= ~std::uint64_t{0} << (from % 64);
    if (!free) continue;
    number = word * 64 + static_cast<unsigned>(__builtin_ctzll(free));
    break;
  }
  if (number < from) number = from;
  if (number >= limit) return error(Errno::emfile);
  if (number >= slots->capacity) {
    TRY(grow_locked(number, limit));
    slots = slots_.load(std::memory_order_relaxed);
  }
  slots->set_used(number, true);
  if (minimum <= lowest_free_) lowest_free_ = number + 1;
  return static_cast<int>(number);
}

Result<ReservedDescriptor> FileTable::reserve(CloseOnExec close_on_exec, std::uint64_t limit,
                                              unsigned minimum) {
  core::MutexGuard guard{lock_};
  return ReservedDescriptor(*this, TRY(reserve_locked(limit, minimum)), close_on_exec);
}

Result<int> FileTable::add(RefPtr<vfs::File> file, CloseOnExec close_on_exec, std::uint64_t limit,
                           unsigned minimum) {
  core::MutexGuard guard{lock_};
  int number = TRY(reserve_locked(limit, minimum));
  Slots* slots = slots_.load(std::memory_order_relaxed);
  slots->set_close_on_exec(static_cast<unsigned>(number), close_on_exec == CloseOnExec::yes);
  // release: the file is complete before it can be found.
  slots->files[number].store(file.leak(), std::memory_order_release);
  return number;
}

void FileTable::publish(int number, RefPtr<vfs::File> file, CloseOnExec close_on_exec) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  slots->set_close_on_exec(static_cast<unsigned>(number), close_on_exec == CloseOnExec::yes);
  slots->files[number].store(file.leak(), std::memory_order_release);
}

void FileTable::unreserve(int number) {
  core::MutexGuard guard{lock_};
  auto n = static_cast<unsigned>(number);
  slots_.load(std::memory_order_relaxed)->set_used(n, false);
  if (n < lowest_free_) lowest_free_ = n;
}

Result<RefPtr<vfs::File>> FileTable::remove(int number) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  auto n = static_cast<unsigned>(number);
  if (n >= slots->capacity) return error(Errno::ebadf);
  // relaxed: only writers with the lock change it; readers that still find it take a reference or fail to.
  vfs::File* file = slots->files[n].exchange(nullptr, std::memory_order_relaxed);
  if (!file) return error(Errno::ebadf);
  slots->set_used(n, false);
  slots->set_close_on_exec(n, false);
  if (n < lowest_free_) lowest_free_ = n;
  return RefPtr<vfs::File>::adopt(file);
}

Result<RefPtr<vfs::File>> FileTable::replace(int number, RefPtr<vfs::File> file, CloseOnExec close_on_exec,
                                             std::uint64_t limit) {
  auto n = static_cast<unsigned>(number);
  if (number < 0 || n >= limit || n >= maximum_capacity) return error(Errno::ebadf);
  core::MutexGuard guard{lock_};
  if (n >= slots_.load(std::memory_order_relaxed)->capacity) TRY(grow_locked(n, limit));
  Slots* slots = slots_.load(std::memory_order_relaxed);
  vfs::File* old = slots->files[n].load(std::memory_order_relaxed);
  if (!old && slots->is_used(n)) return error(Errno::ebusy);
  slots->set_used(n, true);
  slots->set_close_on_exec(n, close_on_exec == CloseOnExec::yes);
  slots->files[n].store(file.leak(), std::memory_order_release);
  return RefPtr<vfs::File>::adopt(old);
}

Result<CloseOnExec> FileTable::close_on_exec(int number) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  auto n = static_cast<unsigned>(number);
  if (n >= slots->capacity || !slots->files[n].load(std::memory_order_relaxed)) return error(Errno::ebadf);
  return slots->is_close_on_exec(n) ? CloseOnExec::yes : CloseOnExec::no;
}

Result<void> FileTable::set_close_on_exec(int number, CloseOnExec value) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  auto n = static_cast<unsigned>(number);
  if (n >= slots->capacity || !slots->files[n].load(std::memory_order_relaxed)) return error(Errno::ebadf);
  slots->set_close_on_exec(n, value == CloseOnExec::yes);
  return {};
}

int FileTable::next_open(int from) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  // A number may also be reserved only.
  for (unsigned n = slots->next_used(from < 0 ? 0 : static_cast<unsigned>(from)); n < slots->capacity;
       n = slots->next_used(n + 1))
    if (slots->files[n].load(std::memory_order_relaxed)) return static_cast<int>(n);
  return -1;
}

unsigned FileTable::capacity() {
  core::MutexGuard guard{lock_};
  return slots_.load(std::memory_order_relaxed)->capacity;
}

void FileTable::mark_close_on_exec(unsigned first, unsigned last) {
  core::MutexGuard guard{lock_};
  Slots* slots = slots_.load(std::memory_order_relaxed);
  for (unsigned n = first; n < slots->capacity && n <= last; ++n)
    if (slots->files[n].load(std::memory_order_relaxed)) slots->set_close_on_exec(n, true);
}

void FileTable::close_range(unsigned first, unsigned last) {
  if (first > 0x7fffffff) return;
  for (int n = next_open(static_cast<int>(first)); n >= 0 && static_cast<unsigned>(n) <= last;
       n = next_open(n + 1))
    if (auto file = remove(n)) (void)close_file(*this, std::move(*file));
}

void FileTable::close_on_exec_all() {
  for (int n = next_open(0); n >= 0; n = next_open(n + 1)) {
    auto marked = close_on_exec(n);
    if (!marked || *marked == CloseOnExec::no) continue;
    if (auto file = remove(n)) (void)close_file(*this, std::move(*file));
  }
}

Result<RefPtr<FileTable>> FileTable::try_clone(unsigned skip_first, unsigned skip_last) {
  auto copy = RefPtr<FileTable>::adopt(new (std::nothrow) FileTable);
  if (!copy) return error(Errno::enomem);
  core::MutexGuard guard{lock_};
  Slots* from = slots_.load(std::memory_order_relaxed);
  unsigned highest = 0;
  from->for_each_used([&](unsigned n) {
    bool skipped = n >= skip_first && n <= skip_last;
    if (!skipped && from->files[n].load(std::memory_order_relaxed)) highest = n;
  });
  unsigned capacity = initial_capacity;
  while (capacity <= highest) capacity *= 2;
  Slots* to = TRY(Slots::create(capacity));
  from->for_each_used([&](unsigned n) {
    vfs::File* file = from->files[n].load(std::memory_order_relaxed);
    if (!file || (n >= skip_first && n <= skip_last)) return;
    file->acquire_reference();
    to->files[n].store(file, std::memory_order_relaxed);
    to->set_used(n, true);
    to->set_close_on_exec(n, from->is_close_on_exec(n));
  });
  copy->slots_.store(to, std::memory_order_release);
  return copy;
}

// The reference goes after the flush, so that release() runs last.
Result<void> close_file(FileTable& table, RefPtr<vfs::File> file) { return file->flush_descriptor(&table); }

}  // namespace linux_abi
