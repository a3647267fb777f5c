// When memory runs out: over-commit accounting beforehand, a victim afterwards.
//
// Every private writable page a program could touch is charged to Committed_AS when it is mapped. What
// happens at the limit is Linux's vm.overcommit_memory: 0 refuse only what is obviously too much, 1 never
// refuse, 2 never above CommitLimit.
//
// An allocation of user memory that fails even after reclaim asks the registered callback for a victim. The
// callback marks one process killed and returns `killed` (the allocation then waits for its memory), or
// `none` (fails).
#pragma once

#include <cstdint>

#include "base/result.h"

namespace core {

enum class OvercommitMode : std::uint8_t { heuristic = 0, always = 1, never = 2 };
struct OvercommitSettings {
  OvercommitMode mode = OvercommitMode::heuristic;
  std::uint32_t ratio_percent = 50;  // of RAM, for mode never
  std::uint64_t limit_kib = 0;       // instead of the ratio, if not 0
  std::uint64_t admin_reserve_kib = 8192, user_reserve_kib = 131072;
};
OvercommitSettings overcommit_settings();
OvercommitMode overcommit_mode();
void set_overcommit_settings(const OvercommitSettings& settings);

// ENOMEM at the limit.
base::Result<void> charge_commit(std::uint64_t pages);
void uncharge_commit(std::uint64_t pages);
std::uint64_t committed_pages();
std::uint64_t commit_limit_pages();

enum class VictimResult : std::uint8_t { none, killed, current_is_dying };
using VictimCallback = VictimResult (*)();
void set_out_of_memory_callback(VictimCallback callback);
// Called by page allocation of user memory; true: memory may be back, try again.
bool handle_out_of_memory();

// Sysctl-like knobs of this module.
extern std::uint32_t max_areas_per_space;    // vm.max_map_count
extern std::uintptr_t lowest_map_address;    // vm.mmap_min_addr
extern std::uint32_t stack_guard_gap_pages;  // stack_guard_gap=

}  // namespace core
