// The table of call paths (core/memory/slab_traces.h).
#include "core/memory/slab_traces.h"

#include <atomic>

#include "core/init/symbols.h"
#include "slab_internal.h"

namespace core {
namespace {

constexpr std::uint32_t path_length = 13, table_size = 16384, most_steps = 64;
// A slot's number: 0 is nobody's, else the place in the table plus one.
using Number = std::uint32_t;

struct Path {
  std::atomic<std::uint64_t> key{0};  // of cache and addresses; 0: the place is free
  std::atomic<std::uint32_t> live{0};
  std::atomic<std::uint16_t> id{0};  // of the cache
  std::atomic<std::uint16_t> length{0};
  std::uintptr_t addresses[path_length] = {};  // valid from the release of `length`
};
static_assert(sizeof(Path) <= 128);

constinit Path table[slab_traces_build ? table_size : 1];
// By cache: all objects, and those whose path found no place.
constinit std::atomic<std::uint32_t> all[max_slab_caches]{};
constinit std::atomic<std::uint32_t> unplaced[max_slab_caches]{};
constexpr Number unplaced_base = table_size + 1;

std::uint64_t key_of(std::uint32_t id, std::span<const std::uintptr_t> addresses) {
  std::uint64_t key = id;
  for (std::uintptr_t address : addresses) key = (key ^ address) * 0x9e3779b97f4a7c15 + (key >> 29);
  return key | 1;
}

// Two paths with one key would be counted as one: 2^-63 for each pair.
Number number_of(std::uint32_t id, std::span<const std::uintptr_t> addresses) {
  std::uint64_t key = key_of(id, addresses);
  for (std::uint32_t step = 0; step < most_steps; ++step) {
    std::uint32_t place = static_cast<std::uint32_t>((key >> 32) + step) % table_size;
    Path& path = table[place];
    std::uint64_t found = path.key.load(std::memory_order_relaxed);
    if (!found && path.key.compare_exchange_strong(found, key, std::memory_order_relaxed)) {
      for (std::size_t i = 0; i < addresses.size(); ++i) path.addresses[i] = addresses[i];
      path.id.store(static_cast<std::uint16_t>(id), std::memory_order_relaxed);
      // release: whoever sees the length sees the addresses.
      path.length.store(static_cast<std::uint16_t>(addresses.size()), std::memory_order_release);
      return place + 1;
    }
    if (found == key) return place + 1;
  }
  return unplaced_base + id;
}

std::atomic<std::uint32_t>& live_of(Number number) {
  return number >= unplaced_base ? unplaced[number - unplaced_base] : table[number - 1].live;
}

// Where the number of the object's slot is. Poisoned in instrumented builds, as all that is not an object.
volatile Number* number_at(const SlabState& state, void* object) {
  Page& slab = *page_of_data(object).head();
  auto* start = data_of<std::byte>(slab);
  auto slot = static_cast<std::size_t>(static_cast<std::byte*>(object) - start) / state.slot_size;
  auto* numbers = static_cast<Number*>(static_cast<void*>(start + (page_size << state.order)));
  return numbers - state.slots_per_slab + slot;
}

__attribute__((no_sanitize("kernel-address"))) Number exchange(volatile Number* at, Number number) {
  Number before = *at;
  *at = number;
  return before;
}

}  // namespace

void slab_trace_clear(const SlabState& state, void* slot) { exchange(number_at(state, slot), 0); }

[[gnu::noinline]] void slab_trace_allocated(std::uint32_t id, void* object) {
  std::uintptr_t addresses[path_length];
  std::size_t count = capture_back_trace(addresses);
  Number number = number_of(id, {addresses, count});
  live_of(number).fetch_add(1, std::memory_order_relaxed);
  all[id].fetch_add(1, std::memory_order_relaxed);
  exchange(number_at(SlabInternals::state(id), object), number);
}

void slab_trace_freed(std::uint32_t id, void* object) {
  Number number = exchange(number_at(SlabInternals::state(id), object), 0);
  if (!number) return;
  live_of(number).fetch_sub(1, std::memory_order_relaxed);
  all[id].fetch_sub(1, std::memory_order_relaxed);
}

std::uint32_t slab_live_objects(std::uint32_t id) { return all[id].load(std::memory_order_relaxed); }

void for_each_slab_trace(std::uint32_t id, base::FunctionRef<void(const SlabTrace&)> visit) {
  for (Path& path : table) {
    // acquire: pairs with the release in number_of.
    std::size_t length = path.length.load(std::memory_order_acquire);
    std::uint32_t live = path.live.load(std::memory_order_relaxed);
    if (length && live && path.id.load(std::memory_order_relaxed) == id)
      visit({.live_objects = live, .addresses = {path.addresses, length}});
  }
  if (std::uint32_t live = unplaced[id].load(std::memory_order_relaxed))
    visit({.live_objects = live, .addresses = {}});
}

}  // namespace core
