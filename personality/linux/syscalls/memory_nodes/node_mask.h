// Sets of nodes as programs pass them: words of bits, with a count that is one too high.
#pragma once

#include "linux_abi/prelude.h"

namespace linux_abi {

struct NodeMask {
  bool first_node = false, others = false;
  bool is_empty() const { return !first_node && !others; }
};

// EINVAL: nodes beyond what there could be, or too long a mask.
Result<NodeMask> read_nodes(UserAddress from, std::uint64_t count);
Result<void> write_nodes(UserAddress to, std::uint64_t count, bool first_node);

}  // namespace linux_abi
