#include "syscalls/async_io/process_async_io.h"

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

void ProcessAsyncIo::thread_ends(Task&) {}

void ProcessAsyncIo::program_ends(Task&) {
  base::Vector<RefPtr<AioContext>> contexts;
  {
    core::MutexGuard guard{lock_};
    std::swap(contexts, contexts_);
  }
  for (RefPtr<AioContext>& context : contexts)
    if (context) context->shut_down();
  contexts.clear();
  delete this;
}

}  // namespace linux_abi
