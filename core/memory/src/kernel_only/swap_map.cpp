#include "swap_map.h"

#include <arch/cpu.h>

#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"

namespace core {

constinit std::atomic<std::uint32_t> swappiness{60}, swap_read_ahead_order{3};

namespace {
constinit SwapDevice devices[SwapEntry::devices_max];
// Adding and removing devices.
[[clang::no_destroy]] constinit Mutex devices_mutex{"swap devices"};
}  // namespace

SwapDevice& swap_device(unsigned index) { return devices[index]; }

// ---- Slots ----

std::uint64_t SwapDevice::take_in_cluster(std::uint64_t from) {
  std::uint64_t end = (from | (cluster_slots - 1)) + 1;
  if (end > slots) end = slots;
  for (std::uint64_t slot = from; slot < end; ++slot) {
    std::uint64_t expected = 0;
    if (word(slot).load(std::memory_order_relaxed) ||
        !word(slot).compare_exchange_strong(expected, SlotWord::bad))
      continue;
    cluster_of(slot).used.fetch_add(1, std::memory_order_relaxed);
    used.fetch_add(1, std::memory_order_relaxed);
    return slot;
  }
  return 0;
}

std::uint64_t SwapDevice::take_slot() {
  if (used.load(std::memory_order_relaxed) >= usable) return 0;
  std::atomic<std::uint64_t>& mine = place[arch::cpu_index() % cpu_places];
  std::uint64_t at = mine.load(std::memory_order_relaxed);
  std::uint64_t slot = at ? take_in_cluster(at) : 0;
  // An empty cluster if there is one, any with room if not.
  for (unsigned most_used : {0u, cluster_slots - 1}) {
    std::uint64_t first = next_cluster.load(std::memory_order_relaxed);
    for (std::uint64_t i = 0; !slot && i < clusters_count; ++i) {
      std::uint64_t candidate = (first + i) % clusters_count;
      if (clusters[candidate].used.load(std::memory_order_relaxed) > most_used) continue;
      next_cluster.store(candidate + 1, std::memory_order_relaxed);
      std::uint64_t start = candidate << cluster_bits;
      if (!start) start = 1;
      // Here, and not when its last slot was freed: only the round of reclaim takes slots, so nothing can be
      // written there meanwhile.
      if (most_used == 0 && discard_freed) {
        std::uint64_t end = (candidate + 1) << cluster_bits;
        storage->discard_slots(start, (end < slots ? end : slots) - start);
      }
      slot = take_in_cluster(start);
    }
  }
  if (!slot) return 0;
  bool cluster_ends = ((slot + 1) & (cluster_slots - 1)) == 0 || slot + 1 >= slots;
  mine.store(cluster_ends ? 0 : slot + 1, std::memory_order_relaxed);
  return slot;
}

void SwapDevice::slot_freed(std::uint64_t slot) {
  cluster_of(slot).used.fetch_sub(1, std::memory_order_relaxed);
  used.fetch_sub(1, std::memory_order_relaxed);
}

void SwapDevice::page_cached(std::uint64_t slot) {
  cluster_of(slot).cached.fetch_add(1, std::memory_order_relaxed);
  cached.fetch_add(1, std::memory_order_relaxed);
}

void SwapDevice::page_uncached(std::uint64_t slot) {
  cluster_of(slot).cached.fetch_sub(1, std::memory_order_relaxed);
  cached.fetch_sub(1, std::memory_order_relaxed);
}

bool any_swap_free() {
  for (SwapDevice& device : devices)
    if (device.accepts.load() && device.used.load(std::memory_order_relaxed) < device.usable) return true;
  return false;
}

SwapEntry reserve_swap_slot() {
  std::uint32_t tried = 0;
  for (;;) {
    SwapDevice* best = nullptr;
    for (unsigned i = 0; i < SwapEntry::devices_max; ++i) {
      SwapDevice& device = devices[i];
      if (tried & 1u << i || !device.accepts.load()) continue;
      if (!best || device.priority > best->priority ||
          (device.priority == best->priority && device.turns.load() < best->turns.load()))
        best = &device;
    }
    if (!best) return {};
    tried |= 1u << (best - devices);
    std::uint64_t slot = best->take_slot();
    if (!slot) continue;
    // Turns go by clusters, so that neighbours stay together.
    if ((slot & (SwapDevice::cluster_slots - 1)) == 0) best->turns.fetch_add(1);
    return SwapEntry(static_cast<unsigned>(best - devices), slot);
  }
}

void cancel_swap_slot(SwapEntry entry) {
  word_of(entry).store(0);
  device_of(entry).slot_freed(entry.slot());
}

void use_swap_slot(SwapEntry entry, const Page& page) {
  device_of(entry).page_cached(entry.slot());
  word_of(entry).store(SlotWord::of_page(page) | SlotWord::one_reference | SlotWord::writeback);
}

// ---- References and the cache ----

bool duplicate_swap(SwapEntry entry) {
  std::atomic<std::uint64_t>& word = word_of(entry);
  std::uint64_t seen = word.load();
  do {
    if ((seen & SlotWord::count_mask) == SlotWord::count_mask) return false;
  } while (!word.compare_exchange_weak(seen, seen + SlotWord::one_reference));
  return true;
}

std::uint32_t swap_references(SwapEntry entry) {
  return static_cast<std::uint32_t>((word_of(entry).load(std::memory_order_relaxed) & SlotWord::count_mask) /
                                    SlotWord::one_reference);
}

SwapEntry cached_entry(const Page& page) {
  return page.has(in_swap_cache) ? SwapEntry::from_value(page.mapped.index) : SwapEntry{};
}

bool leave_swap_cache(SwapEntry entry, Page& page, std::uint64_t expected) {
  // The lock keeps the mark and the words in step with the slot.
  if (page.test_and_set(PageFlag::locked)) return false;
  bool done = word_of(entry).compare_exchange_strong(expected, 0);
  if (done) {
    page.mapped = {nullptr, 0};
    page.clear(in_swap_cache);
  }
  page.clear(PageFlag::locked);
  if (!done) return false;
  device_of(entry).page_uncached(entry.slot());
  device_of(entry).slot_freed(entry.slot());
  return true;
}

bool try_forget(SwapEntry entry, Page& page) {
  if (!leave_swap_cache(entry, page, SlotWord::of_page(page))) return false;
  release_page(page);
  return true;
}

void release_swap(SwapEntry entry) {
  SwapDevice& device = device_of(entry);
  // Once the count is zero, nothing but ourselves may keep the device.
  device.users.fetch_add(1);
  std::uint64_t left = device.word(entry.slot()).fetch_sub(SlotWord::one_reference) - SlotWord::one_reference;
  if (left == 0) {
    device.slot_freed(entry.slot());
  } else if (!SlotWord::has_references(left) && !(left & SlotWord::writeback)) {
    Page* page = SlotWord::page(left);
    // Mapped by somebody: it may stay in the cache until then. See swap_page_unmapped().
    if (page && page->try_acquire()) {
      if (SlotWord::is_of(device.word(entry.slot()).load(), *page) && page->map_count.load() == 0)
        (void)try_forget(entry, *page);
      release_page(*page);
    }
  }
  device.users.fetch_sub(1);
}

void swap_page_unmapped(Page& page) {
  // The count of entries in page tables went down before; release_swap() lowers the other one and then looks
  // at this. One of the two sees both at zero.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (page.map_count.load() != 0) return;
  SwapEntry entry = cached_entry(page);
  if (!entry.value()) return;
  if (DeviceUse use(entry.device()); use) (void)try_forget(entry, page);
}

bool leave_swap_cache(Page& page) {
  SwapEntry entry = cached_entry(page);
  if (!entry.value() || page.reference_count() != 2) return false;
  DeviceUse use(entry.device());
  return use && try_forget(entry, page);
}

bool is_in_swap_cache(SwapEntry entry) {
  DeviceUse use(entry.device());
  return use && (word_of(entry).load() & SlotWord::page_mask);
}

// ---- Devices ----

Result<unsigned> add_swap_device(SwapStorage& storage, const SwapDeviceSettings& settings) {
  MutexGuard guard{devices_mutex};
  unsigned index = 0;
  while (index < SwapEntry::devices_max && (devices[index].open.load() || devices[index].words)) ++index;
  if (index == SwapEntry::devices_max) return error(Errno::eperm);
  if (settings.slots < 2 || settings.slots >> 40) return error(Errno::einval);
  SwapDevice& device = devices[index];
  std::uint64_t clusters = (settings.slots + SwapDevice::cluster_slots - 1) >> SwapDevice::cluster_bits;
  void* words = kernel_allocate(settings.slots * sizeof(std::uint64_t), AllocationFlags::zero);
  void* cluster_memory = kernel_allocate(clusters * sizeof(SwapDevice::Cluster), AllocationFlags::zero);
  if (!words || !cluster_memory) {
    if (words) kernel_free(words);
    if (cluster_memory) kernel_free(cluster_memory);
    return error(Errno::enomem);
  }
  device.words = static_cast<std::atomic<std::uint64_t>*>(words);
  device.clusters = static_cast<SwapDevice::Cluster*>(cluster_memory);
  device.storage = &storage;
  device.slots = settings.slots;
  device.clusters_count = clusters;
  device.usable = settings.slots - 1;
  device.priority = settings.priority;
  device.discard_freed = settings.discard_freed;
  device.words[0].store(SlotWord::bad);
  for (std::uint32_t slot : settings.bad_slots)
    if (slot && slot < settings.slots && !device.words[slot].exchange(SlotWord::bad)) --device.usable;
  device.used.store(0);
  device.cached.store(0);
  device.turns.store(0);
  device.next_cluster.store(0);
  device.clean_hand = 0;
  for (auto& place : device.place) place.store(0);
  device.open.store(true);
  device.accepts.store(true);
  return index;
}

// Nothing is left in it, and it accepts nothing. The words go when nobody can be looking at them.
void close_swap_device(SwapDevice& device) {
  [[clang::no_destroy]] static constinit WaitQueue never_woken{"swap device"};
  MutexGuard guard{devices_mutex};
  device.open.store(false);
  // They are a few instructions long, or a read.
  while (device.users.load())
    (void)never_woken
        .wait(
            WaitMode::uninterruptible, [&] { return !device.users.load(); }, Deadline::after(1'000'000))
        .has_value();
  kernel_free(device.words);
  kernel_free(device.clusters);
  device.words = nullptr;
  device.clusters = nullptr;
  device.storage = nullptr;
}

SwapDeviceState swap_device_state(unsigned index) {
  SwapDevice& device = devices[index];
  return {.total_pages = device.usable, .used_pages = device.used.load(), .priority = device.priority};
}

}  // namespace core
