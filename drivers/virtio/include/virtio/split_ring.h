// The split ring (virtio 1.2, section 2.7): descriptors, the driver's list of offers, the device's list of
// what it has used. One per queue; packed rings are another format and not negotiated.
//
//   SplitRing ring = TRY(SplitRing::create(64, {.event_index = true, .indirect_length = 0}));
//   TRY(ring.add({out, 1}, {in, 1}, token));        // ENOSPC: the device has not used enough yet
//   if (ring.publish()) transport.notify(0);         // once for many adds
//   while (auto used = ring.take()) ... used->token, used->written
//   if (!ring.enable_interrupts()) look again        // something came before they were on
//
// Life of a descriptor:   free --add()--> published --device--> used --take()--> free
//
// The device is not trusted: it may write anything into its part at any time and may change descriptors. What
// is needed of a request is kept in memory that it cannot reach. A used entry whose number is no published
// request, or an index that runs ahead, breaks the ring: is_broken() stays true and nothing comes out any
// more. A length beyond what was offered is cut to it.
//
// Not locked: the owner serialises all calls. add() and publish() are callable with raw locks held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/vector.h"
#include "core/dma/dma_memory.h"
#include "virtio/transport.h"

namespace virtio {

// A piece of memory by the device's address.
struct Segment {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
};

class SplitRing {
 public:
  struct Options {
    bool event_index = false;
    // Requests of up to so many segments take one descriptor each, and a table of their own; 0: not
    // negotiated.
    unsigned indirect_length = 0;
  };
  static constexpr unsigned largest_size = 1024;

  SplitRing() = default;
  SplitRing(SplitRing&&) = default;
  SplitRing& operator=(SplitRing&&) = default;

  // `size` is a power of two. EINVAL, ENOMEM.
  static base::Result<SplitRing> create(unsigned size, Options options);
  // The same in memory of the owner's, for many small rings: memory_needed(size) zeroed bytes on a multiple
  // of 16 that outlive the ring. Without indirect tables.
  static base::Result<SplitRing> create_in(std::span<std::byte> memory, std::uint64_t device_address,
                                           unsigned size, Options options);
  static std::size_t memory_needed(unsigned size);
  unsigned size() const { return size_; }
  QueueAddresses addresses() const;

  // `readable` is read by the device, `writable` written; at least one segment in all. The token comes back
  // from take(); it must not be null.
  base::Result<void> add(std::span<const Segment> readable, std::span<const Segment> writable, void* token);
  // Makes what was added visible to the device. True: it wants to be notified.
  bool publish();
  // Requests of one segment that add() would take.
  unsigned free_count() const { return free_count_; }
  unsigned in_flight() const { return in_flight_; }

  struct Used {
    void* token;
    std::uint32_t written;  // bytes the device says it wrote, at most what was offered
  };
  std::optional<Used> take();
  // Tells the device that it need not interrupt; it may all the same.
  void disable_interrupts();
  // False: there is something to take already, and an interrupt for it may not come.
  bool enable_interrupts();
  bool is_broken() const { return broken_; }

  // Gives back the tokens of everything in flight; after the device has been reset.
  void* take_back();

 private:
  // As the device sees it; both little-endian, as are the CPUs.
  struct Descriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags;
    std::uint16_t next;
  };
  struct UsedElement {
    std::uint32_t id;
    std::uint32_t length;
  };
  static_assert(sizeof(Descriptor) == 16 && sizeof(UsedElement) == 8);

  // What we know of the request whose first descriptor has this number.
  struct Slot {
    void* token = nullptr;
    std::uint32_t writable_bytes = 0;
    std::uint16_t next = 0;   // of the chain, or of the free list
    std::uint16_t count = 0;  // of descriptors; 0: not the first of a request
  };

  Descriptor* descriptors() const { return at<Descriptor>(0); }
  template <typename T>
  T* at(std::size_t offset) const {
    return static_cast<T*>(static_cast<void*>(ring_.data() + offset));
  }
  static std::size_t driver_offset(unsigned size) { return std::size_t{16} * size; }
  static std::size_t device_offset(unsigned size);
  base::Result<void> set_up(std::span<std::byte> memory, std::uint64_t device_address, unsigned size,
                            Options options);
  // driver part: flags, index, entries, used_event; device part: flags, index, elements, available_event.
  std::uint16_t* driver_word(std::size_t word) const {
    return at<std::uint16_t>(driver_offset(size_) + 2 * word);
  }
  std::uint16_t* device_word(std::size_t word) const {
    return at<std::uint16_t>(device_offset(size_) + 2 * word);
  }
  void fill_chain(std::span<const Segment> readable, std::span<const Segment> writable);
  void fill_indirect(unsigned head, std::span<const Segment> readable, std::span<const Segment> writable);
  void free_chain(unsigned head);

  core::DmaMemory memory_, indirect_;  // empty: the owner's, none
  std::span<std::byte> ring_;
  std::uint64_t device_address_ = 0;
  base::Vector<Slot> slots_;
  unsigned size_ = 0;
  unsigned indirect_length_ = 0;
  bool event_index_ = false;
  bool broken_ = false;
  std::uint16_t free_head_ = 0;
  unsigned free_count_ = 0, in_flight_ = 0;
  std::uint16_t added_ = 0;      // our index, not yet visible
  std::uint16_t published_ = 0;  // as the device sees it
  std::uint16_t taken_ = 0;      // of the device's index
};

}  // namespace virtio
