// Debug builds: what was freed stays recognisable and unused for a while.
#include <cstring>

#include "core/log/log.h"
#include "core/sync/per_cpu.h"
#include "core/sync/preempt.h"
#include "slab_internal.h"

namespace core {
namespace {

constexpr unsigned char freed_fill = 0x6b, red_zone_fill = 0xbb;
// The first word of a free slot is the link to the next one.
constexpr std::size_t link_size = 8;

std::size_t checked_size(const SlabState& state) {
  // Large objects are checked at their beginning: the price of a debug build should stay bearable.
  std::size_t size = state.cache->object_size();
  return size < 512 ? size : 512;
}

struct Quarantine {
  static constexpr std::uint32_t capacity = 64;
  struct Entry {
    void* object = nullptr;
    std::uint32_t id = 0;
  };
  Entry entries[capacity] = {};
  std::uint32_t next = 0;
};
PER_CPU constinit PerCpu<Quarantine> quarantines;

bool has_red_zone(const SlabState& state) {
  return state.slot_size >= state.cache->object_size() + red_zone_size && red_zone_size;
}

}  // namespace

void slab_mark_freed(const SlabState& state, void* object) {
  auto* bytes = static_cast<unsigned char*>(object);
  std::size_t size = state.cache->object_size();
  if (has_red_zone(state)) {
    // A slot that was never handed out has no red zone yet: recognised by the fill of fresh pages.
    for (std::size_t i = 0; i < red_zone_size; ++i) {
      unsigned char value = bytes[size + i];
      if (value == red_zone_fill) continue;
      bool handed_out = (page_of_data(object).head()->detail.load(std::memory_order_relaxed) >> 16) != 0;
      if (!handed_out) break;
      log(LogLevel::emergency, "slab {}: byte {:#x} written behind the object at {}", state.cache->name(),
          value, object);
      base::verify(false, "slab: written past the end of an object");
    }
    std::memset(bytes + size, red_zone_fill, red_zone_size);
  }
  std::memset(bytes, freed_fill, checked_size(state));
}

void slab_check_allocated(const SlabState& state, void* object) {
  auto* bytes = static_cast<unsigned char*>(object);
  for (std::size_t i = link_size; i < checked_size(state); ++i) {
    if (bytes[i] == freed_fill) [[likely]]
      continue;
    log(LogLevel::emergency, "slab {}: byte {:#x} at offset {} of the freed object at {}",
        state.cache->name(), bytes[i], i, object);
    base::verify(false, "slab: written after free");
  }
}

void* slab_quarantine(void* object, std::uint32_t& id) {
  PreemptOff pinned;
  Quarantine& quarantine = quarantines.local();
  Quarantine::Entry& entry = quarantine.entries[quarantine.next];
  quarantine.next = (quarantine.next + 1) % Quarantine::capacity;
  void* leaves = entry.object;
  std::uint32_t leaves_id = entry.id;
  entry = {object, id};
  id = leaves_id;
  return leaves;
}

}  // namespace core
