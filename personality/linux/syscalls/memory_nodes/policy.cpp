// get_mempolicy(2), set_mempolicy(2), mbind(2), set_mempolicy_home_node(2)
#include "core/memory/address_space.h"
#include "linux_abi/task_extras.h"
#include "syscalls/memory_nodes/node_mask.h"
#include "syscalls/memory_nodes/rows.h"

namespace linux_abi {

namespace {

constexpr unsigned static_nodes = 0x8000, relative_nodes = 0x4000, balancing = 0x2000,
                   mode_flags = static_nodes | relative_nodes | balancing;
enum Mode : unsigned {
  mode_default,
  preferred,
  bind,
  interleave,
  local,
  preferred_many,
  weighted,
  mode_count
};
constexpr std::uint64_t of_node = 1, of_address = 2, allowed_nodes = 4;
constexpr unsigned bind_strict = 1, bind_move = 2, bind_move_all = 4;

struct Policy {
  unsigned mode = mode_default;  // with its flags
  bool node_given = false;
};

Result<Policy> policy_of(unsigned given, UserAddress nodes, std::uint64_t node_count) {
  unsigned flags = given & mode_flags, mode = given & ~mode_flags;
  if (mode >= mode_count) return error(Errno::einval);
  if ((flags & static_nodes) && (flags & relative_nodes)) return error(Errno::einval);
  if ((flags & balancing) && mode != bind && mode != preferred_many) return error(Errno::einval);
  NodeMask mask = TRY(read_nodes(nodes, node_count));
  switch (mode) {
    case mode_default:
      return mask.is_empty() ? Result<Policy>(Policy{}) : Result<Policy>(error(Errno::einval));
    case preferred:
      if (!mask.is_empty()) break;
      if (flags & (static_nodes | relative_nodes)) return error(Errno::einval);
      return Policy{local, false};
    case local:
      if (!mask.is_empty() || (flags & (static_nodes | relative_nodes))) return error(Errno::einval);
      return Policy{local, false};
    default:
      if (mask.is_empty()) return error(Errno::einval);
  }
  // Numbers relative to the nodes there are all mean the only one.
  if (!mask.first_node && !(flags & relative_nodes)) return error(Errno::einval);
  return Policy{mode | flags, true};
}

// Calls use(area) for each area of the range. EFAULT: gaps.
template <typename Use>
Result<void> for_each_mapped(core::AddressSpace& space, std::uintptr_t start, std::uintptr_t end, Use&& use) {
  std::uintptr_t at = start;
  space.for_each_area(UserAddress(start), [&](const core::Area& area) {
    if (area.start() > at) return core::Iteration::stop;
    at = area.end();
    use(area);
    return at >= end ? core::Iteration::stop : core::Iteration::proceed;
  });
  return at >= end ? Result<void>{} : Result<void>(error(Errno::efault));
}

// A policy as the word that stays with a range (Area::policy()).
constexpr std::uint32_t word_node_given = 1 << 16, word_home_node = 1 << 17;
std::uint32_t word_of(const Policy& policy) {
  return policy.mode | (policy.node_given ? word_node_given : 0);
}

// The end of a range of whole pages; EINVAL if it is none.
Result<std::uintptr_t> end_of(UserAddress start, std::uint64_t length) {
  std::uintptr_t rounded = (length + core::page_size - 1) & ~(core::page_size - 1);
  std::uintptr_t end = start.value() + rounded;
  if (end < start.value()) return error(Errno::einval);
  return end;
}

}  // namespace

Result<long> sys_get_mempolicy(Context& context, UserOut<int> mode, UserAddress nodes,
                               std::uint64_t node_count, UserAddress address, std::uint64_t flags) {
  if (!nodes.is_null() && node_count < 1) return error(Errno::einval);
  if (flags & ~(of_node | of_address | allowed_nodes)) return error(Errno::einval);
  const TaskExtras* extras = TaskExtras::find(context.task);
  int answer = extras ? extras->memory_policy : 0;
  bool node_given = extras && extras->memory_node_given;
  if (flags & allowed_nodes) {
    if (flags & (of_node | of_address)) return error(Errno::einval);
    answer = 0;
    node_given = true;
  } else if (flags & of_address) {
    core::AddressSpace& space = *context.task.thread().address_space;
    // A range without a policy has the default one, whatever that of the thread is.
    std::uint32_t word = 0;
    TRY(for_each_mapped(space, address.value(), address.value() + 1,
                        [&](const core::Area& area) { word = area.policy(); }));
    answer = static_cast<int>(word & 0xffff);
    node_given = word & word_node_given;
    if (flags & of_node) {
      TRY(space.pin_page(address, core::FaultAccess::read));  // it is there now, on the only node
      answer = 0;
    }
  } else {
    if (!address.is_null()) return error(Errno::einval);
    if (flags & of_node) {
      unsigned plain = static_cast<unsigned>(answer) & ~mode_flags;
      if (plain != interleave && plain != weighted) return error(Errno::einval);
      answer = 0;  // the node that comes next
    }
  }
  if (!mode.is_null()) TRY(mode.write(answer));
  if (!nodes.is_null()) TRY(write_nodes(nodes, node_count, node_given));
  return 0;
}

Result<long> sys_set_mempolicy(Context& context, int mode, UserAddress nodes, std::uint64_t node_count) {
  Policy policy = TRY(policy_of(static_cast<unsigned>(mode), nodes, node_count));
  if (policy.mode == mode_default && !TaskExtras::find(context.task)) return 0;
  TaskExtras& extras = *TRY(TaskExtras::of(context.task));
  extras.memory_policy = static_cast<std::uint16_t>(policy.mode);
  extras.memory_node_given = policy.node_given;
  return 0;
}

Result<long> sys_mbind(Context& context, UserAddress start, std::uint64_t length, std::uint64_t mode,
                       UserAddress nodes, std::uint64_t node_count, unsigned flags) {
  if (mode > 0xffff) return error(Errno::einval);
  if (flags & ~(bind_strict | bind_move | bind_move_all)) return error(Errno::einval);
  if ((flags & bind_move_all) && !context.task.can(vfs::Capability::sys_nice)) return error(Errno::eperm);
  if (start.value() & (core::page_size - 1)) return error(Errno::einval);
  std::uintptr_t end = TRY(end_of(start, length));
  if (end == start.value()) return 0;
  Policy policy = TRY(policy_of(static_cast<unsigned>(mode), nodes, node_count));
  // Whatever pages there are lie where every policy wants them: on the only node.
  TRY(context.task.thread().address_space->set_policy(start, end - start.value(), word_of(policy)));
  return 0;
}

Result<long> sys_set_mempolicy_home_node(Context& context, UserAddress start, std::uint64_t length,
                                         std::uint64_t node, std::uint64_t flags) {
  if (start.value() & (core::page_size - 1)) return error(Errno::einval);
  if (flags || node != 0) return error(Errno::einval);
  std::uintptr_t end = TRY(end_of(start, length));
  if (end == start.value()) return 0;
  core::AddressSpace& space = *context.task.thread().address_space;
  bool any = false;
  for (std::uintptr_t at = start.value(); at < end;) {
    std::uintptr_t from = 0, to = 0;
    std::uint32_t word = 0;
    space.for_each_area(UserAddress(at), [&](const core::Area& area) {
      from = area.start() > at ? area.start() : at;
      to = area.end() < end ? area.end() : end;
      word = area.policy();
      return word ? core::Iteration::stop : core::Iteration::proceed;
    });
    if (!word || from >= end) break;
    unsigned plain = word & 0xffff & ~mode_flags;
    if (plain != bind && plain != preferred_many) return error(Errno::eopnotsupp);
    TRY(space.set_policy(UserAddress(from), to - from, word | word_home_node));
    any = true;
    at = to;
  }
  return any ? Result<long>(0) : error(Errno::enoent);
}

}  // namespace linux_abi
