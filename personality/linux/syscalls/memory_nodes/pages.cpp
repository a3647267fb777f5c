// migrate_pages(2), move_pages(2), and sets of nodes.
#include "core/memory/address_space.h"
#include "linux_abi/access_control.h"
#include "syscalls/memory_nodes/node_mask.h"
#include "syscalls/memory_nodes/rows.h"

namespace linux_abi {

namespace {

constexpr std::uint64_t nodes_max = 1024, bits_per_word = 64;
constexpr int move_own = 2, move_all = 4;

Result<RefPtr<core::AddressSpace>> memory_of(Context& context, int pid) {
  auto target = TRY(task_by_id(context, pid));
  TRY(may_inspect(context.task, target->process()));
  auto space = target->process().address_space();
  if (!space) return error(Errno::einval);
  return space;
}

// The node of a page, or a negative error number.
int node_of(core::AddressSpace& space, std::uint64_t address) {
  int node = -static_cast<int>(Errno::efault);
  std::uint64_t page = address & ~(core::page_size - 1);
  space.for_each_area(UserAddress(page), [&](const core::Area& area) {
    if (!area.contains(page)) return core::Iteration::stop;
    core::PageState state;
    space.page_states(UserAddress(page), std::span(&state, 1));
    if (!state.present)
      node = -static_cast<int>(Errno::enoent);
    else if (!state.zero_page)
      node = 0;
    return core::Iteration::stop;
  });
  return node;
}

}  // namespace

Result<NodeMask> read_nodes(UserAddress from, std::uint64_t count) {
  NodeMask mask;
  --count;
  if (count == 0 || from.is_null()) return mask;
  if (count > core::page_size * 8) return error(Errno::einval);
  UserArray<std::uint64_t> words(from);
  for (std::uint64_t at = 0; at < count; at += bits_per_word) {
    std::uint64_t word = 0;
    TRY(words.read(std::span(&word, 1), at / bits_per_word));
    if (count - at < bits_per_word) word &= (std::uint64_t{1} << (count - at)) - 1;
    if (at >= nodes_max && word) return error(Errno::einval);
    if (at == 0) mask.first_node = word & 1;
    if (at == 0 ? word & ~std::uint64_t{1} : word) mask.others = true;
  }
  return mask;
}

Result<void> write_nodes(UserAddress to, std::uint64_t count, bool first_node) {
  std::uint64_t size = (count - 1 + bits_per_word - 1) / bits_per_word * sizeof(std::uint64_t);
  if (size > sizeof(std::uint64_t)) {
    if (size > core::page_size) return error(Errno::einval);
    TRY(core::clear_user(to + sizeof(std::uint64_t), size - sizeof(std::uint64_t)));
  }
  if (size) TRY(UserOut<std::uint64_t>(to).write(first_node));
  return {};
}

Result<long> sys_migrate_pages(Context& context, int pid, std::uint64_t node_count, UserAddress old_nodes,
                               UserAddress new_nodes) {
  TRY(read_nodes(old_nodes, node_count));
  NodeMask to = TRY(read_nodes(new_nodes, node_count));
  auto target = TRY(task_by_id(context, pid));
  TRY(may_inspect(context.task, target->process()));
  if (to.others && !context.task.can(vfs::Capability::sys_nice)) return error(Errno::eperm);
  if (!to.first_node) return error(Errno::einval);
  if (!target->process().address_space()) return error(Errno::einval);
  return 0;  // everything is there already
}

Result<long> sys_move_pages(Context& context, int pid, std::uint64_t count, UserArray<std::uint64_t> pages,
                            UserArray<int> nodes, UserArray<int> status, int flags) {
  if (flags & ~(move_own | move_all)) return error(Errno::einval);
  if ((flags & move_all) && !context.task.can(vfs::Capability::sys_nice)) return error(Errno::eperm);
  auto space = TRY(memory_of(context, pid));
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t address = 0;
    TRY(pages.read(std::span(&address, 1), i));
    if (!nodes.address().is_null()) {
      int node = 0;
      TRY(nodes.read(std::span(&node, 1), i));
      if (node != 0) return error(Errno::enodev);
    }
    int state = node_of(*space, address);
    TRY(status.write(std::span<const int>(&state, 1), i));
    if (context.task.thread().interrupted(core::WaitMode::killable)) return error(Errno::eintr);
  }
  return 0;
}

}  // namespace linux_abi
