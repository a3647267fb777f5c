// The split ring against a device that is simulated here: an honest one on random work, and several that lie.
#include "virtio/split_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <vector>

namespace virtio {
namespace {

// The device's side, written from the specification alone: nothing of the ring's code is used.
class DeviceSide {
 public:
  struct Piece {
    std::uint64_t address;
    std::uint32_t length;
    bool writable;
  };
  struct Request {
    std::uint16_t head;
    std::vector<Piece> pieces;
  };

  DeviceSide(unsigned size, QueueAddresses at) : size_(size), at_(at) {}

  std::uint16_t available_index() const { return word(at_.driver + 2); }
  bool has_work() const { return available_index() != seen_; }
  Request next() {
    std::uint16_t head = word(at_.driver + 4 + 2 * (seen_ % size_));
    ++seen_;
    Request request{head, {}};
    collect(at_.descriptors, head, size_, request.pieces);
    return request;
  }
  void use(std::uint32_t id, std::uint32_t length) {
    std::uint64_t element = at_.device + 4 + 8 * (used_ % size_);
    std::memcpy(pointer(element), &id, 4);
    std::memcpy(pointer(element + 4), &length, 4);
    set_used(static_cast<std::uint16_t>(used_ + 1));
  }
  void set_used(std::uint16_t index) {
    used_ = index;
    std::memcpy(pointer(at_.device + 2), &index, 2);
  }
  void set_flags(std::uint16_t flags) { std::memcpy(pointer(at_.device), &flags, 2); }
  void set_available_event(std::uint16_t index) {
    std::memcpy(pointer(at_.device + 4 + 8 * size_), &index, 2);
  }
  std::uint16_t driver_flags() const { return word(at_.driver); }
  std::uint16_t used_event() const { return word(at_.driver + 4 + 2 * size_); }
  std::uint16_t used() const { return used_; }
  void scribble(std::mt19937& random) {
    auto* bytes = static_cast<unsigned char*>(pointer(at_.descriptors));
    for (unsigned i = 0; i < 16 * size_; ++i) bytes[i] = static_cast<unsigned char>(random());
  }

  static void* pointer(std::uint64_t address) { return reinterpret_cast<void*>(address); }

 private:
  static std::uint16_t word(std::uint64_t address) {
    std::uint16_t value;
    std::memcpy(&value, pointer(address), 2);
    return value;
  }
  void collect(std::uint64_t table, std::uint16_t number, unsigned count, std::vector<Piece>& pieces) {
    for (unsigned steps = 0; steps < count; ++steps) {
      struct {
        std::uint64_t address;
        std::uint32_t length;
        std::uint16_t flags, next;
      } descriptor;
      std::memcpy(&descriptor, pointer(table + 16 * number), 16);
      if (descriptor.flags & 4) {
        collect(descriptor.address, 0, descriptor.length / 16, pieces);
        return;
      }
      pieces.push_back({descriptor.address, descriptor.length, (descriptor.flags & 2) != 0});
      if (!(descriptor.flags & 1)) return;
      number = descriptor.next;
    }
    FAIL() << "a chain that does not end";
  }

  unsigned size_;
  QueueAddresses at_;
  std::uint16_t seen_ = 0, used_ = 0;
};

void* token(std::uintptr_t number) { return reinterpret_cast<void*>(number); }

TEST(SplitRing, RefusesSizesThatAreNone) {
  for (unsigned size : {0u, 3u, 100u, 2048u}) EXPECT_FALSE(SplitRing::create(size, {}).has_value()) << size;
}

TEST(SplitRing, CarriesRequestsInAnyOrder) {
  for (unsigned indirect : {0u, 4u}) {
    for (bool event_index : {false, true}) {
      std::mt19937 random(7);
      auto created = SplitRing::create(16, {.event_index = event_index, .indirect_length = indirect});
      ASSERT_TRUE(created.has_value());
      SplitRing ring = std::move(*created);
      DeviceSide device(16, ring.addresses());
      std::map<std::uintptr_t, std::vector<Segment>> offered;  // by token
      std::map<std::uintptr_t, std::uint32_t> writable_of;
      std::deque<DeviceSide::Request> taken;
      std::map<std::uint16_t, std::uint32_t> answered;
      std::uintptr_t next = 1;
      unsigned completed = 0;
      while (completed < 100'000) {
        switch (random() % 4) {
          case 0: {  // the driver offers
            std::vector<Segment> out(random() % 3), in(random() % 3);
            std::uint32_t writable = 0;
            for (Segment& segment : out) segment = {random(), static_cast<std::uint32_t>(random() % 5000)};
            for (Segment& segment : in) {
              segment = {random(), static_cast<std::uint32_t>(random() % 5000)};
              writable += segment.length;
            }
            unsigned before = ring.free_count();
            auto added = ring.add(out, in, token(next));
            std::size_t count = out.size() + in.size();
            if (count == 0) {
              EXPECT_EQ(added.error(), base::Errno::einval);
              break;
            }
            std::size_t needed = count > 1 && indirect ? 1 : count;
            ASSERT_EQ(added.has_value(), needed <= before);
            if (!added) {
              EXPECT_EQ(added.error(), base::Errno::enospc);
              break;
            }
            out.insert(out.end(), in.begin(), in.end());
            offered[next] = out;
            writable_of[next] = writable;
            ++next;
            break;
          }
          case 1:
            ring.publish();
            break;
          case 2:  // the device takes, and finds what was offered, in its order
            while (device.has_work()) taken.push_back(device.next());
            if (!taken.empty()) {
              auto place = taken.begin() + static_cast<long>(random() % taken.size());
              std::uint32_t length = static_cast<std::uint32_t>(random() % 20'000);
              answered[place->head] = length;
              device.use(place->head, length);
              taken.erase(place);
            }
            break;
          case 3:
            if (auto used = ring.take()) {
              auto number = reinterpret_cast<std::uintptr_t>(used->token);
              ASSERT_TRUE(offered.contains(number));
              EXPECT_LE(used->written, writable_of[number]);
              offered.erase(number);
              ++completed;
            }
        }
        ASSERT_FALSE(ring.is_broken());
        ASSERT_EQ(ring.in_flight(), offered.size());
      }
    }
  }
}

TEST(SplitRing, DeviceSeesWhatWasOffered) {
  for (unsigned indirect : {0u, 8u}) {
    auto ring = SplitRing::create(8, {.indirect_length = indirect});
    ASSERT_TRUE(ring.has_value());
    DeviceSide device(8, ring->addresses());
    Segment out[] = {{0x1000, 16}, {0x2000, 512}}, in[] = {{0x3000, 4096}, {0x5000, 1}};
    ASSERT_TRUE(ring->add(out, in, token(1)).has_value());
    EXPECT_FALSE(device.has_work());  // not before publish()
    EXPECT_TRUE(ring->publish());
    ASSERT_TRUE(device.has_work());
    auto request = device.next();
    ASSERT_EQ(request.pieces.size(), 4u);
    EXPECT_EQ(request.pieces[1].address, 0x2000u);
    EXPECT_FALSE(request.pieces[1].writable);
    EXPECT_EQ(request.pieces[2].length, 4096u);
    EXPECT_TRUE(request.pieces[2].writable);
    EXPECT_TRUE(request.pieces[3].writable);
    EXPECT_EQ(ring->free_count(), indirect ? 7u : 4u);
  }
}

// The driver notifies exactly when it steps over the index that the device waits for.
TEST(SplitRing, NotifiesByEventIndex) {
  auto ring = SplitRing::create(16, {.event_index = true});
  ASSERT_TRUE(ring.has_value());
  DeviceSide device(16, ring->addresses());
  Segment segment{0x1000, 1};
  std::mt19937 random(3);
  std::uint16_t published = 0;
  for (unsigned round = 0; round < 100'000; ++round) {
    std::uint16_t event = static_cast<std::uint16_t>(published + random() % 8 - 2);
    device.set_available_event(event);
    unsigned batch = 1 + random() % 5;
    for (unsigned i = 0; i < batch; ++i) ASSERT_TRUE(ring->add({&segment, 1}, {}, token(1)).has_value());
    bool stepped_over = false;
    for (unsigned i = 0; i < batch; ++i) stepped_over |= static_cast<std::uint16_t>(published + i) == event;
    ASSERT_EQ(ring->publish(), stepped_over) << round;
    published = static_cast<std::uint16_t>(published + batch);
    while (device.has_work()) device.use(device.next().head, 0);
    while (ring->take()) {
    }
  }
}

TEST(SplitRing, FlagsStopNotificationsAndInterrupts) {
  auto ring = SplitRing::create(4, {});
  ASSERT_TRUE(ring.has_value());
  DeviceSide device(4, ring->addresses());
  Segment segment{0x1000, 1};
  device.set_flags(1);
  ASSERT_TRUE(ring->add({&segment, 1}, {}, token(1)).has_value());
  EXPECT_FALSE(ring->publish());
  device.set_flags(0);
  ASSERT_TRUE(ring->add({&segment, 1}, {}, token(2)).has_value());
  EXPECT_TRUE(ring->publish());
  ring->disable_interrupts();
  EXPECT_EQ(device.driver_flags(), 1);
  EXPECT_TRUE(ring->enable_interrupts());
  EXPECT_EQ(device.driver_flags(), 0);
  device.use(device.next().head, 0);
  EXPECT_FALSE(ring->enable_interrupts());  // something came before they were on
}

TEST(SplitRing, InterruptsByEventIndex) {
  auto ring = SplitRing::create(4, {.event_index = true});
  ASSERT_TRUE(ring.has_value());
  DeviceSide device(4, ring->addresses());
  Segment segment{0x1000, 1};
  ASSERT_TRUE(ring->add({&segment, 1}, {}, token(1)).has_value());
  ring->publish();
  EXPECT_TRUE(ring->enable_interrupts());
  EXPECT_EQ(device.used_event(), 0);
  device.use(device.next().head, 0);
  EXPECT_FALSE(ring->enable_interrupts());
  EXPECT_TRUE(ring->take().has_value());
  EXPECT_TRUE(ring->enable_interrupts());
  EXPECT_EQ(device.used_event(), 1);
}

// ---- Devices that lie ----

struct Hostile : testing::Test {
  Hostile() : ring(std::move(*SplitRing::create(8, {}))), device(8, ring.addresses()) {
    for (std::uintptr_t i = 1; i <= 3; ++i) {
      Segment in{0x1000, 100};
      EXPECT_TRUE(ring.add({}, {&in, 1}, token(i)).has_value());
    }
    ring.publish();
    while (device.has_work()) heads.push_back(device.next().head);
  }
  void expect_broken() {
    EXPECT_FALSE(ring.take().has_value());
    EXPECT_TRUE(ring.is_broken());
    // For good.
    Segment in{0x1000, 1};
    EXPECT_EQ(ring.add({}, {&in, 1}, token(9)).error(), base::Errno::eio);
  }
  SplitRing ring;
  DeviceSide device;
  std::vector<std::uint16_t> heads;
};

TEST_F(Hostile, LengthBeyondTheBufferIsCut) {
  device.use(heads[0], 0xffffffff);
  auto used = ring.take();
  ASSERT_TRUE(used.has_value());
  EXPECT_EQ(used->written, 100u);
}

TEST_F(Hostile, NumberBeyondTheRing) {
  device.use(8, 1);
  expect_broken();
}

TEST_F(Hostile, NumberOfNothing) {
  device.use(7, 1);
  expect_broken();
}

TEST_F(Hostile, SameRequestTwice) {
  device.use(heads[1], 1);
  device.use(heads[1], 1);
  EXPECT_TRUE(ring.take().has_value());
  expect_broken();
}

TEST_F(Hostile, IndexRunsAhead) {
  device.set_used(4);  // of three requests
  expect_broken();
}

TEST_F(Hostile, IndexRunsBack) {
  device.use(heads[0], 1);
  EXPECT_TRUE(ring.take().has_value());
  device.set_used(0xfff0);
  expect_broken();
}

TEST_F(Hostile, DescriptorsOverwritten) {
  // Chains, so that a ring which believed the shared descriptors would follow them.
  Segment in[] = {{0x1000, 10}, {0x2000, 10}};
  ASSERT_TRUE(ring.add({}, in, token(4)).has_value());
  ring.publish();
  heads.push_back(device.next().head);
  std::mt19937 random(5);
  device.scribble(random);
  for (std::uint16_t head : heads) device.use(head, 1);
  for (std::uintptr_t i = 1; i <= 4; ++i) {
    auto used = ring.take();
    ASSERT_TRUE(used.has_value());
    EXPECT_EQ(used->token, token(i));
  }
  EXPECT_EQ(ring.free_count(), 8u);
  // And goes on with whole chains.
  for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(ring.add({}, in, token(10 + i)).has_value());
  EXPECT_EQ(ring.free_count(), 0u);
}

TEST_F(Hostile, NoiseEverywhere) {
  std::mt19937 random(11);
  for (unsigned round = 0; round < 2000; ++round) {
    auto fresh = SplitRing::create(8, {.event_index = (round & 1) != 0, .indirect_length = round & 2});
    ASSERT_TRUE(fresh.has_value());
    DeviceSide side(8, fresh->addresses());
    unsigned in_flight = 0;
    for (unsigned step = 0; step < 50; ++step) {
      Segment in[] = {{0x1000, 10}, {0x2000, 10}};
      if (fresh->add({}, std::span(in).first(1 + random() % 2), token(1 + step)).has_value()) ++in_flight;
      fresh->publish();
      if (random() % 4 == 0) side.scribble(random);
      if (random() % 2)
        side.use(static_cast<std::uint32_t>(random() % 10), static_cast<std::uint32_t>(random()));
      else if (random() % 8 == 0)
        side.set_used(static_cast<std::uint16_t>(random()));
      unsigned out = 0;
      while (auto used = fresh->take()) {
        ++out;
        EXPECT_LE(used->written, 20u);
        ASSERT_LE(out, in_flight);
      }
      in_flight -= out;
      ASSERT_EQ(fresh->in_flight(), in_flight);
    }
    while (fresh->take_back()) --in_flight;
    EXPECT_EQ(in_flight, 0u);
    EXPECT_EQ(fresh->free_count(), 8u);
  }
}

TEST(SplitRing, LiesInTheOwnersMemory) {
  std::size_t size = SplitRing::memory_needed(16);
  auto memory = core::DmaMemory::allocate(4096);
  ASSERT_TRUE(memory.has_value());
  EXPECT_FALSE(
      SplitRing::create_in(memory->bytes().first(size - 1), memory->device_address(), 16, {}).has_value());
  for (unsigned i = 0; i < 2; ++i) {
    auto ring = SplitRing::create_in(memory->bytes().subspan(i * size, size),
                                     memory->device_address(i * size), 16, {});
    ASSERT_TRUE(ring.has_value());
    DeviceSide device(16, ring->addresses());
    Segment segment{0x1000, 1};
    for (unsigned n = 0; n < 16; ++n) ASSERT_TRUE(ring->add({&segment, 1}, {}, token(1 + n)).has_value());
    ring->publish();
    while (device.has_work()) device.use(device.next().head, 0);
    unsigned count = 0;
    while (ring->take()) ++count;
    EXPECT_EQ(count, 16u);
  }
}

}  // namespace
}  // namespace virtio
