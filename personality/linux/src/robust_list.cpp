// The robust mutexes of a thread that ends while it holds them: their words are marked, one waiter each is
// woken (get_robust_list(2), set_robust_list(2)).
#include "core/memory/user_pointer.h"
#include "linux_abi/abi/process.h"
#include "linux_abi/abi/types.h"
#include "linux_abi/futex.h"

namespace linux_abi {

namespace {

constexpr unsigned entries_max = 2048;

// One futex word. PI words (bit 0 of the list pointer) are handed on by the kernel's own state.
Result<void> mark_dead(Task& task, std::uintptr_t address, bool is_pi, bool is_pending) {
  if (address % sizeof(std::uint32_t)) return error(Errno::einval);
  auto id = static_cast<std::uint32_t>(task.id());
  std::uint32_t word = TRY(core::load_user_word(UserAddress(address)));
  // Died between taking the waiters' word and waking: wake somebody instead.
  if (is_pending && !is_pi && !(word & futex_tid_mask)) {
    futex_wake_address(task, address, 1);
    return {};
  }
  while ((word & futex_tid_mask) == id) {
    std::uint32_t dead = (word & futex_waiters) | futex_owner_died;
    std::uint32_t found = TRY(core::compare_exchange_user_word(UserAddress(address), word, dead));
    if (found == word) {
      if (!is_pi && (word & futex_waiters)) futex_wake_address(task, address, 1);
      break;
    }
    word = found;
  }
  return {};
}

Result<void> walk(Task& task) {
  core::UserIn<RobustListHead> head_pointer(task.robust_list);
  RobustListHead head = TRY(head_pointer.read());
  std::uintptr_t entry = head.first, pending = head.pending & ~std::uint64_t{1};
  bool entry_is_pi = entry & 1, pending_is_pi = head.pending & 1;
  entry &= ~std::uintptr_t{1};
  for (unsigned count = 0; entry != task.robust_list && count < entries_max; ++count) {
    // Read first: once the word is marked another thread may free the memory.
    auto next = core::UserIn<std::uint64_t>(entry).read();
    if (entry != pending)
      TRY(mark_dead(task, entry + static_cast<std::uint64_t>(head.futex_offset), entry_is_pi, false));
    if (!next) break;
    entry = *next & ~std::uint64_t{1};
    entry_is_pi = *next & 1;
  }
  if (pending)
    TRY(mark_dead(task, pending + static_cast<std::uint64_t>(head.futex_offset), pending_is_pi, true));
  return {};
}

}  // namespace

void release_robust_futexes(Task& task) {
  if (task.robust_list) {
    (void)!walk(task);  // a broken list ends the walk
    task.robust_list = 0;
  }
  release_pi_locks(task);
}

}  // namespace linux_abi
