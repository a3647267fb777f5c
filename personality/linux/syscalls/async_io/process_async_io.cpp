#include "syscalls/async_io/process_async_io.h"

#include "syscalls/async_io/uring_file.h"

namespace linux_abi {

Result<ProcessAsyncIo*> ProcessAsyncIo::of(Process& process) {
  if (ProcessAsyncIo* found = find(process)) return found;
  auto fresh = TRY(base::try_make_unique<ProcessAsyncIo>());
  AsyncIo* expected = nullptr;
  if (process.async_io.compare_exchange_strong(expected, fresh.get())) return fresh.release();
  return static_cast<ProcessAsyncIo*>(expected);
}

Result<void> ProcessAsyncIo::add(RefPtr<AioContext> context) {
  core::MutexGuard guard{lock_};
  std::size_t id = 0;
  while (id < contexts_.size() && contexts_[id]) ++id;
  if (id == contexts_.size()) TRY(contexts_.try_push_back({}));
  context->set_id(static_cast<std::uint32_t>(id));
  contexts_[id] = std::move(context);
  return {};
}

Result<RefPtr<AioContext>> ProcessAsyncIo::find_context(UserAddress address) {
  // The ring says which one it is; the address has to agree.
  auto id = core::load_user_word(address);
  if (!id) return error(Errno::einval);
  core::MutexGuard guard{lock_};
  if (*id >= contexts_.size() || !contexts_[*id] || contexts_[*id]->address() != address)
    return error(Errno::einval);
  return contexts_[*id];
}

Result<RefPtr<AioContext>> ProcessAsyncIo::remove(UserAddress address) {
  auto found = TRY(find_context(address));
  core::MutexGuard guard{lock_};
  RefPtr<AioContext>& slot = contexts_[found->id()];
  if (slot != found) return error(Errno::einval);
  slot = {};
  return found;
}

// ---- io_uring ----

RefPtr<UringWorkers> ProcessAsyncIo::workers() {
  core::MutexGuard guard{lock_};
  return workers_;
}

Result<RefPtr<UringWorkers>> ProcessAsyncIo::ensure_workers(Task& task) {
  core::MutexGuard guard{lock_};
  if (!workers_) workers_ = TRY(UringWorkers::create(task));
  return workers_;
}

Result<RefPtr<vfs::File>> ProcessAsyncIo::registered_ring(Task& task, int index) {
  core::MutexGuard guard{lock_};
  if (index < 0 || static_cast<std::uint32_t>(index) >= most_registered_rings) return error(Errno::einval);
  for (RegisteredRing& ring : rings_)
    if (ring.task == &task && ring.index == static_cast<std::uint32_t>(index)) return ring.file;
  return error(Errno::ebadf);
}

namespace {
// struct io_uring_rsrc_update, as used here: offset is the number wanted (~0: any), data the descriptor.
struct RingUpdate {
  std::uint32_t offset = 0, reserved = 0;
  std::uint64_t data = 0;
};
}  // namespace

Result<long> ProcessAsyncIo::register_rings(Task& task, UserAddress list, std::uint32_t count) {
  if (!count || count > most_registered_rings) return error(Errno::einval);
  long done = 0;
  for (; done < static_cast<long>(count); ++done) {
    auto place = list + static_cast<std::size_t>(done) * sizeof(RingUpdate);
    auto update = UserIn<RingUpdate>(place).read();
    if (!update) return done ? Result<long>(done) : error(update.error());
    if (update->reserved) return done ? Result<long>(done) : error(Errno::einval);
    auto file = task.files->get(static_cast<int>(update->data));
    if (!file) return done ? Result<long>(done) : error(file.error());
    if (!(*file)->as<UringFile>()) return done ? Result<long>(done) : error(Errno::eopnotsupp);
    auto index = add_registered_ring(task, update->offset, std::move(*file));
    if (!index) return done ? Result<long>(done) : error(index.error());
    auto written = UserOut<std::uint32_t>(place).write(*index);
    if (!written) return done ? Result<long>(done) : error(written.error());
  }
  return done;
}

Result<std::uint32_t> ProcessAsyncIo::add_registered_ring(Task& task, std::uint32_t wanted,
                                                          RefPtr<vfs::File> file) {
  core::MutexGuard guard{lock_};
  auto is_taken = [&](std::uint32_t index) {
    lock_.assert_held();
    for (RegisteredRing& ring : rings_)
      if (ring.task == &task && ring.index == index) return true;
    return false;
  };
  std::uint32_t index = 0;
  if (wanted != ~0u) {
    if (wanted >= most_registered_rings) return error(Errno::einval);
    if (is_taken(wanted)) return error(Errno::ebusy);
    index = wanted;
  } else {
    while (index < most_registered_rings && is_taken(index)) ++index;
    if (index == most_registered_rings) return error(Errno::ebusy);
  }
  TRY(rings_.try_push_back({&task, index, std::move(file)}));
  return index;
}

Result<long> ProcessAsyncIo::unregister_rings(Task& task, UserAddress list, std::uint32_t count) {
  if (!count || count > most_registered_rings) return error(Errno::einval);
  for (long done = 0; done < static_cast<long>(count); ++done) {
    auto update = UserIn<RingUpdate>(list).read_at(static_cast<std::size_t>(done));
    if (!update) return done ? Result<long>(done) : error(update.error());
    if (update->reserved || update->data || update->offset >= most_registered_rings)
      return done ? Result<long>(done) : error(Errno::einval);
    RefPtr<vfs::File> file;  // dropped with the lock open
    core::MutexGuard guard{lock_};
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (rings_[i].task != &task || rings_[i].index != update->offset) continue;
      std::swap(file, rings_[i].file);
      rings_.erase(i);
      break;
    }
  }
  return count;
}

void ProcessAsyncIo::thread_ends(Task& task) {
  // Its registered rings first: to lose the last reference ends a ring.
  for (;;) {
    RefPtr<vfs::File> file;
    core::MutexGuard guard{lock_};
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if (rings_[i].task != &task) continue;
      std::swap(file, rings_[i].file);
      rings_.erase(i);
      break;
    }
    if (!file) break;
  }
  if (RefPtr<UringWorkers> workers = this->workers()) workers->cancel_of(&task);
}

void ProcessAsyncIo::program_ends(Task& task) {
  thread_ends(task);
  base::Vector<RefPtr<AioContext>> contexts;
  RefPtr<UringWorkers> workers;
  {
    core::MutexGuard guard{lock_};
    std::swap(contexts, contexts_);
    std::swap(workers, workers_);
  }
  if (workers) workers->stop();
  for (RefPtr<AioContext>& context : contexts)
    if (context) context->shut_down();
  contexts.clear();
  delete this;
}

}  // namespace linux_abi
