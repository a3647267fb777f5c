#include "virtio/split_ring.h"

#include <arch/cpu.h>

#include <atomic>
#include <bit>

namespace virtio {

using base::Errno;
using base::Result;

namespace {

constexpr std::uint16_t flag_next = 1, flag_write = 2, flag_indirect = 4;
constexpr std::uint16_t no_interrupt = 1, no_notify = 1;

std::uint16_t load(std::uint16_t* word) {
  // acquire: what the device wrote before it moved its index is read after.
  return std::atomic_ref(*word).load(std::memory_order_acquire);
}
void store(std::uint16_t* word, std::uint16_t value) {
  // release: what the device finds through this word was written before.
  std::atomic_ref(*word).store(value, std::memory_order_release);
}
// Each side writes its own word and then reads the other's: neither may overtake.
void order_write_before_read() { arch::full_memory_barrier(); }

}  // namespace

std::size_t SplitRing::device_offset(unsigned size) {
  std::size_t end = driver_offset(size) + 2 * (std::size_t{size} + 3);
  return (end + 3) & ~std::size_t{3};
}

std::size_t SplitRing::memory_needed(unsigned size) {
  std::size_t end = device_offset(size) + 2 * 3 + sizeof(UsedElement) * size;
  return (end + 15) & ~std::size_t{15};
}

QueueAddresses SplitRing::addresses() const {
  return {.descriptors = device_address_,
          .driver = device_address_ + driver_offset(size_),
          .device = device_address_ + device_offset(size_)};
}

Result<void> SplitRing::set_up(std::span<std::byte> memory, std::uint64_t device_address, unsigned size,
                               Options options) {
  size_ = size;
  event_index_ = options.event_index;
  ring_ = memory;
  device_address_ = device_address;
  TRY(slots_.try_resize(size));
  for (unsigned i = 0; i < size; ++i) slots_[i].next = static_cast<std::uint16_t>(i + 1);
  free_count_ = size;
  return {};
}

Result<SplitRing> SplitRing::create(unsigned size, Options options) {
  if (size == 0 || size > largest_size || !std::has_single_bit(size)) return base::error(Errno::einval);
  SplitRing ring;
  ring.memory_ = TRY(core::DmaMemory::allocate(memory_needed(size)));
  TRY(ring.set_up(ring.memory_.bytes(), ring.memory_.device_address(), size, options));
  if (options.indirect_length) {
    ring.indirect_length_ = options.indirect_length;
    ring.indirect_ = TRY(core::DmaMemory::allocate(sizeof(Descriptor) * options.indirect_length * size));
  }
  return ring;
}

Result<SplitRing> SplitRing::create_in(std::span<std::byte> memory, std::uint64_t device_address,
                                       unsigned size, Options options) {
  if (size == 0 || size > largest_size || !std::has_single_bit(size) || memory.size() < memory_needed(size) ||
      device_address % 16 != 0)
    return base::error(Errno::einval);
  SplitRing ring;
  TRY(ring.set_up(memory, device_address, size, options));
  return ring;
}

Result<void> SplitRing::add(std::span<const Segment> readable, std::span<const Segment> writable,
                            void* token) {
  std::size_t count = readable.size() + writable.size();
  if (count == 0 || !token) return base::error(Errno::einval);
  if (broken_) return base::error(Errno::eio);
  bool indirect = count > 1 && count <= indirect_length_;
  if (!indirect && count > size_) return base::error(Errno::einval);
  std::size_t needed = indirect ? 1 : count;
  if (needed > free_count_) return base::error(Errno::enospc);

  unsigned head = free_head_;
  Slot& slot = slots_[head];
  if (indirect)
    fill_indirect(head, readable, writable);
  else
    fill_chain(readable, writable);
  slot.token = token;
  slot.count = static_cast<std::uint16_t>(needed);
  std::uint64_t bytes = 0;
  for (const Segment& segment : writable) bytes += segment.length;
  slot.writable_bytes = static_cast<std::uint32_t>(bytes < ~0u ? bytes : ~0u);
  free_count_ -= static_cast<unsigned>(needed);
  ++in_flight_;
  *driver_word(2 + (added_ & (size_ - 1))) = static_cast<std::uint16_t>(head);
  ++added_;
  return {};
}

// Takes descriptors from the free list, in its order.
void SplitRing::fill_chain(std::span<const Segment> readable, std::span<const Segment> writable) {
  std::size_t count = readable.size() + writable.size();
  for (std::size_t i = 0; i < count; ++i) {
    bool is_readable = i < readable.size();
    const Segment& segment = is_readable ? readable[i] : writable[i - readable.size()];
    unsigned number = free_head_;
    free_head_ = slots_[number].next;
    std::uint16_t flags = is_readable ? 0 : flag_write;
    if (i + 1 < count) flags |= flag_next;
    descriptors()[number] = {segment.address, segment.length, flags, slots_[number].next};
  }
}

void SplitRing::fill_indirect(unsigned head, std::span<const Segment> readable,
                              std::span<const Segment> writable) {
  std::size_t count = readable.size() + writable.size(), first = std::size_t{head} * indirect_length_;
  auto* table = static_cast<Descriptor*>(static_cast<void*>(indirect_.bytes().data())) + first;
  for (std::size_t i = 0; i < count; ++i) {
    bool is_readable = i < readable.size();
    const Segment& segment = is_readable ? readable[i] : writable[i - readable.size()];
    std::uint16_t flags = is_readable ? 0 : flag_write;
    if (i + 1 < count) flags |= flag_next;
    table[i] = {segment.address, segment.length, flags, static_cast<std::uint16_t>(i + 1)};
  }
  free_head_ = slots_[head].next;
  descriptors()[head] = {indirect_.device_address(first * sizeof(Descriptor)),
                         static_cast<std::uint32_t>(count * sizeof(Descriptor)), flag_indirect, 0};
}

bool SplitRing::publish() {
  if (added_ == published_) return false;
  std::uint16_t before = published_;
  published_ = added_;
  store(driver_word(1), published_);
  order_write_before_read();
  if (event_index_) {
    // Did we step over the index that the device waits for?
    std::uint16_t event = load(device_word(2 + 4 * std::size_t{size_}));
    return static_cast<std::uint16_t>(published_ - event - 1) <
           static_cast<std::uint16_t>(published_ - before);
  }
  return !(load(device_word(0)) & no_notify);
}

std::optional<SplitRing::Used> SplitRing::take() {
  if (broken_) return std::nullopt;
  std::uint16_t index = load(device_word(1));
  std::uint16_t waiting = static_cast<std::uint16_t>(index - taken_);
  if (waiting == 0) return std::nullopt;
  if (waiting > in_flight_) {
    broken_ = true;
    return std::nullopt;
  }
  UsedElement* elements = at<UsedElement>(device_offset(size_) + 4);
  // Each word once: the device may change it while we look.
  UsedElement& shared = elements[taken_ & (size_ - 1)];
  std::uint32_t id = std::atomic_ref(shared.id).load(std::memory_order_relaxed);
  std::uint32_t length = std::atomic_ref(shared.length).load(std::memory_order_relaxed);
  if (id >= size_ || !slots_[id].token) {
    broken_ = true;
    return std::nullopt;
  }
  ++taken_;
  Slot& slot = slots_[id];
  Used used{slot.token, length < slot.writable_bytes ? length : slot.writable_bytes};
  free_chain(id);
  return used;
}

// The numbers of the chain are in our own memory: what the device made of its descriptors does not matter.
void SplitRing::free_chain(unsigned head) {
  Slot& first = slots_[head];
  unsigned last = head;
  for (unsigned i = 1; i < first.count; ++i) last = slots_[last].next;
  free_count_ += first.count;
  slots_[last].next = free_head_;
  free_head_ = static_cast<std::uint16_t>(head);
  first.token = nullptr;
  first.count = 0;
  --in_flight_;
}

void SplitRing::disable_interrupts() {
  if (event_index_)
    // An index that is not reached soon: half the space of numbers behind.
    store(driver_word(2 + std::size_t{size_}), static_cast<std::uint16_t>(taken_ - 0x8000));
  else
    store(driver_word(0), no_interrupt);
}

bool SplitRing::enable_interrupts() {
  if (event_index_)
    store(driver_word(2 + std::size_t{size_}), taken_);
  else
    store(driver_word(0), 0);
  order_write_before_read();
  return broken_ || load(device_word(1)) == taken_;
}

void* SplitRing::take_back() {
  for (unsigned i = 0; i < size_; ++i) {
    if (!slots_[i].token) continue;
    void* token = slots_[i].token;
    free_chain(i);
    return token;
  }
  return nullptr;
}

}  // namespace virtio
