// An address space against a model that knows every page of every process, under random operations.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "core/memory/oom.h"
#include "core/memory/slab.h"
#include "core/memory/swap.h"
#include "kernel_only/reclaim.h"
#include "machine.h"

namespace core {
namespace {

constexpr std::uintptr_t page = 4096, window = 0x10000000, window_pages = 96;
constexpr std::uint64_t file_pages = 40;

// A file with a page cache; counts what the address space tells it.
class TestFile final : public MemoryObject {
 public:
  explicit TestFile(bool tracks) : tracks_(tracks), pages_(file_pages), content(file_pages) {
    for (std::size_t i = 0; i < file_pages; ++i) content[i] = static_cast<unsigned char>(0x80 + i);
  }
  Result<PageRef> page_for(std::uint64_t index, FaultAccess) override {
    if (index >= size) return error(Errno::enxio);
    if (!pages_[index]) {
      pages_[index] = TRY(allocate_page(AllocationFlags::zero));
      *pages_[index].data<unsigned char>() = content[index];
    }
    return pages_[index].clone();
  }
  void map_around(std::uint64_t first, std::uint64_t last,
                  base::FunctionRef<bool(std::uint64_t, Page&)> offer) override {
    for (std::uint64_t i = first; i <= last && i < size; ++i)
      if (pages_[i] && !offer(i, *pages_[i])) return;
  }
  bool tracks_writes() const override { return tracks_; }
  Result<void> make_writable(Page&, std::uint64_t) override {
    ++made_writable;
    return {};
  }
  void truncate(std::uint64_t new_size) {
    size = new_size;
    unmap_range(new_size, ~std::uint64_t{0}, PrivateCopies::remove);
    for (std::size_t i = new_size; i < file_pages; ++i) {
      if (pages_[i]) {
        EXPECT_EQ(pages_[i]->reference_count(), 1u);
        EXPECT_EQ(pages_[i]->map_count.load(), 0);
      }
      pages_[i] = PageRef();
      content[i] = 0;
    }
  }
  bool tracks_;
  std::uint64_t size = file_pages;
  std::vector<PageRef> pages_;
  std::vector<unsigned char> content;  // byte 0 of each page, as the model knows it
  int made_writable = 0;
};

// A swap device. Its slots know nothing of who refers to them.
class TestStorage final : public SwapStorage {
 public:
  Result<void> read_pages(std::uint64_t first, std::span<Page* const> list) override {
    if (reads_fail) return error(Errno::eio);
    for (Page* to : list) {
      auto found = slots.find(first++);
      if (found == slots.end()) return error(Errno::eio);  // never written
      std::copy(found->second.begin(), found->second.end(), data_of<std::byte>(*to));
    }
    return {};
  }
  Result<void> write_pages(std::uint64_t first, std::span<Page* const> list) override {
    if (writes_fail) return error(Errno::eio);
    for (Page* from : list)
      slots[first++].assign(data_of<std::byte>(*from), data_of<std::byte>(*from) + page_size);
    return {};
  }
  bool reads_fail = false, writes_fail = false;
  std::map<std::uint64_t, std::vector<std::byte>> slots;
};

struct ModelObject {
  base::RefPtr<MemoryObject> object;
  TestFile* file = nullptr;
  std::vector<unsigned char> content;
  unsigned char get(std::uint64_t i) const { return file ? file->content[i] : content[i]; }
  void set(std::uint64_t i, unsigned char v) {
    (file ? file->content : const_cast<ModelObject*>(this)->content)[i] = v;
  }
  std::uint64_t size() const { return file ? file->size : content.size(); }
};

struct ModelPage {
  Protection protection = Protection::none;
  bool shared = false;
  ModelObject* object = nullptr;
  std::uint64_t index = 0;
  bool own = false;  // has a private value
  unsigned char value = 0;
};
using ModelSpace = std::map<std::uintptr_t, ModelPage>;

struct Process {
  base::RefPtr<AddressSpace> space;
  ModelSpace model;
};

class AddressSpaceTest : public testing::Test {
 protected:
  AddressSpaceTest() : machine(Machine::instance()) {
    shrink_slab_caches();
    free_before = memory_statistics().free_pages;
    committed_before = committed_pages();
  }
  Process make_process() {
    Process process;
    process.space =
        std::move(*AddressSpace::create({.lowest = 0x10000, .highest = 0, .map_base = 0x20000000}));
    return process;
  }
  unsigned pick(std::size_t n) { return static_cast<unsigned>(random() % n); }
  Protection pick_protection() {
    constexpr Protection choices[] = {
        Protection::none, Protection::read, Protection::read | Protection::write,
        Protection::read | Protection::write, Protection::read | Protection::execute};
    return choices[pick(5)];
  }

  void map(Process& process) {
    std::uintptr_t at = window + pick(window_pages) * page, pages = 1 + pick(10);
    ModelObject* object = nullptr;
    std::uint64_t index = 0;
    bool shared = pick(3) == 0;
    if (pick(2) || shared) {
      object = objects[pick(objects.size())].get();
      index = pick(30);
      if (object->file == nullptr) shared = true;
    }
    MapRequest request{.address = UserAddress(at),
                       .length = pages * page,
                       .protection = pick_protection(),
                       .flags = MapFlags::fixed,
                       .offset = index * page};
    if (pick(4) == 0) request.flags = MapFlags::none;
    if (shared) request.flags |= MapFlags::shared;
    if (object) request.object = object->object;
    if (pick(6) == 0) request.flags |= MapFlags::populate;
    auto result = process.space->map(request);
    ASSERT_TRUE(result.has_value());
    if (has(request.flags, MapFlags::fixed)) {
      ASSERT_EQ(result->value(), at);
    } else
      for (std::uintptr_t i = 0; i < pages; ++i)
        ASSERT_FALSE(process.model.contains(result->value() + i * page));
    for (std::uintptr_t i = 0; i < pages; ++i)
      process.model[result->value() + i * page] = {request.protection, shared, object, index + i, false, 0};
    // Populating writes to private memory, and stops where the file ends.
    bool writes =
        has(request.flags, MapFlags::populate) && !shared && includes(request.protection, Protection::write);
    for (std::uintptr_t i = 0; writes && i < pages && !(object && index + i >= object->size()); ++i) {
      ModelPage& model = process.model[result->value() + i * page];
      model.own = true;
      model.value = object ? object->get(index + i) : 0;
    }
  }
  void unmap(Process& process) {
    std::uintptr_t at = window + pick(window_pages) * page, pages = 1 + pick(12);
    ASSERT_TRUE(process.space->unmap(UserAddress(at), pages * page).has_value());
    for (std::uintptr_t i = 0; i < pages; ++i) process.model.erase(at + i * page);
  }
  void protect(Process& process) {
    std::uintptr_t at = window + pick(window_pages) * page, pages = 1 + pick(12);
    Protection protection = pick_protection();
    bool done = process.space->protect(UserAddress(at), pages * page, protection).has_value();
    for (std::uintptr_t i = 0; i < pages; ++i) {
      auto found = process.model.find(at + i * page);
      if (found == process.model.end()) {
        EXPECT_FALSE(done);
        return;
      }
      found->second.protection = protection;
    }
    EXPECT_TRUE(done);
  }
  void dont_need(Process& process) {
    std::uintptr_t at = window + pick(window_pages) * page, pages = 1 + pick(12);
    (void)process.space->advise(UserAddress(at), pages * page, Advice::dont_need).has_value();
    for (std::uintptr_t i = 0; i < pages; ++i)
      if (auto found = process.model.find(at + i * page); found != process.model.end())
        found->second.own = false;
  }
  void remap(Process& process) {
    struct Range {
      std::uintptr_t start, end;
    };
    std::vector<Range> ranges;
    process.space->for_each_area(UserAddress(0), [&](const Area& area) {
      ranges.push_back({area.start(), area.end()});
      return Iteration::proceed;
    });
    if (ranges.empty()) return;
    Range range = ranges[pick(ranges.size())];
    std::uintptr_t count = (range.end - range.start) / page;
    std::uintptr_t first = pick(count), old_pages = 1 + pick(count - first), new_pages = 1 + pick(14);
    std::uintptr_t old_start = range.start + first * page, target = window + pick(window_pages) * page;
    RemapFlags flags;
    flags.may_move = pick(4) != 0;
    if (flags.may_move) flags.fixed = pick(2);
    if (flags.may_move && pick(4) == 0) {
      flags.dont_unmap = true;
      new_pages = old_pages;
    }
    auto result = process.space->remap(UserAddress(old_start), old_pages * page, new_pages * page, flags,
                                       UserAddress(target));
    bool overlaps = old_start < target + new_pages * page && target < old_start + old_pages * page;
    if (flags.fixed && overlaps) {
      EXPECT_EQ(result.error(), Errno::einval);
      return;
    }
    if (!result) {
      EXPECT_EQ(result.error(), Errno::enomem);
      EXPECT_FALSE(flags.may_move);
      return;
    }
    std::uintptr_t to = result->value();
    if (flags.fixed) {
      ASSERT_EQ(to, target);
      for (std::uintptr_t i = 0; i < new_pages; ++i) process.model.erase(target + i * page);
    }
    std::vector<ModelPage> moved;
    for (std::uintptr_t i = 0; i < old_pages; ++i) {
      moved.push_back(process.model.at(old_start + i * page));
      if (flags.dont_unmap)
        process.model[old_start + i * page].own = false;
      else
        process.model.erase(old_start + i * page);
    }
    for (std::uintptr_t i = 0; i < new_pages; ++i) {
      ASSERT_FALSE(process.model.contains(to + i * page));
      ModelPage model = moved[std::min<std::size_t>(i, moved.size() - 1)];
      if (i >= moved.size()) {
        model.index += i - (moved.size() - 1);
        model.own = false;
      }
      process.model[to + i * page] = model;
    }
  }

  FaultOutcome expected(const Process& process, std::uintptr_t at, FaultAccess access) {
    auto found = process.model.find(at & ~(page - 1));
    if (found == process.model.end()) return FaultOutcome::no_mapping;
    const ModelPage& model = found->second;
    bool allowed = access == FaultAccess::read    ? model.protection != Protection::none
                   : access == FaultAccess::write ? includes(model.protection, Protection::write)
                                                  : includes(model.protection, Protection::execute);
    if (!allowed) return FaultOutcome::no_access;
    if (model.object && !model.own && model.index >= model.object->size()) return FaultOutcome::bus_error;
    return FaultOutcome::resolved;
  }
  void touch(Process& process) {
    std::uintptr_t at = window + pick(window_pages) * page;
    if (!process.model.empty() && pick(8))
      at = std::next(process.model.begin(), pick(process.model.size()))->first;
    FaultAccess access = pick(2) ? FaultAccess::write : pick(4) ? FaultAccess::read : FaultAccess::execute;
    machine.run(process.space.get());
    FaultOutcome outcome;
    std::byte* byte = machine.access(at, access, outcome);
    ASSERT_EQ(outcome, expected(process, at, access)) << std::hex << at;
    if (!byte) return;
    ModelPage& model = process.model[at];
    unsigned char wanted = model.own ? model.value : model.object ? model.object->get(model.index) : 0;
    ASSERT_EQ(static_cast<unsigned char>(*byte), wanted) << std::hex << at;
    if (access != FaultAccess::write) return;
    auto value = static_cast<unsigned char>(1 + pick(120));
    *byte = static_cast<std::byte>(value);
    if (model.object && model.shared) {
      model.object->set(model.index, value);
    } else {
      model.own = true;
      model.value = value;
    }
  }
  void truncate() {
    for (auto& object : objects) {
      if (!object->file || pick(4)) continue;
      std::uint64_t size = pick(2) ? file_pages : 10 + pick(30);
      object->file->truncate(size);
      // Private copies past the end went as well.
      for (Process& process : processes)
        for (auto& [at, model] : process.model)
          if (model.object == object.get() && model.index >= size) model.own = false;
    }
  }
  void compare(Process& process) {
    std::uint64_t pages = 0;
    std::uintptr_t previous_end = 0;
    process.space->for_each_area(UserAddress(0), [&](const Area& area) {
      EXPECT_GE(area.start(), previous_end);
      previous_end = area.end();
      for (std::uintptr_t at = area.start(); at < area.end(); at += page, ++pages) {
        auto found = process.model.find(at);
        if (found == process.model.end()) {
          ADD_FAILURE() << "page not in the model: " << std::hex << at;
          return Iteration::stop;
        }
        EXPECT_EQ(area.protection(), found->second.protection) << std::hex << at;
        EXPECT_EQ(area.is_shared(), found->second.shared);
        EXPECT_EQ(area.object(), found->second.object ? found->second.object->object.get() : nullptr);
        if (area.object()) EXPECT_EQ(area.index_of(at), found->second.index);
      }
      return Iteration::proceed;
    });
    EXPECT_EQ(pages, process.model.size());
    AddressSpaceUsage usage = process.space->usage();
    EXPECT_EQ(usage.total, process.model.size());
    std::uint64_t own = 0;
    for (auto& [at, model] : process.model) own += model.own;
    EXPECT_EQ(usage.anonymous + usage.swapped, own);
  }

  // Something leaves for the swap device: what a program names, or what reclaim finds.
  void send_away(Process& process) {
    if (pick(2)) {
      std::uintptr_t at = window + pick(window_pages) * page, pages = 1 + pick(24);
      (void)process.space->advise(UserAddress(at), pages * page, pick(3) ? Advice::page_out : Advice::cold);
    } else {
      (void)reclaim_pages(1 + pick(40));
    }
  }
  void run_rounds(int rounds, unsigned swap_devices);

  Machine& machine;
  // --gtest_shuffle --gtest_random_seed=N tries another course of events.
  std::mt19937 random{42u + static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())};
  std::uint64_t free_before, committed_before;
  long tables_before = memory_counter(MemoryCounter::page_tables);
  std::vector<std::unique_ptr<ModelObject>> objects;
  std::vector<Process> processes;
};

void AddressSpaceTest::run_rounds(int rounds, unsigned swap_devices) {
  TestStorage storage[2];
  unsigned devices[2] = {};
  auto add_swap = [&](unsigned i) {
    auto added = add_swap_device(storage[i], {.slots = i ? 1000u : 40u, .priority = i ? 1 : 2});
    ASSERT_TRUE(added.has_value());
    devices[i] = *added;
  };
  for (unsigned i = 0; i < swap_devices; ++i) add_swap(i);
  for (int i = 0; i < 2; ++i) {
    auto object = std::make_unique<ModelObject>();
    object->object = std::move(*base::try_make_ref<TestFile>(i == 0));
    object->file = static_cast<TestFile*>(object->object.get());
    objects.push_back(std::move(object));
  }
  auto shared = std::make_unique<ModelObject>();
  shared->object = std::move(*create_shared_memory(file_pages * page));
  shared->content.resize(file_pages);
  objects.push_back(std::move(shared));
  processes.push_back(make_process());

  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    Process& process = processes[pick(processes.size())];
    machine.run(process.space.get());
    switch (pick(swap_devices ? 28 : 24)) {
      case 0:
      case 1:
      case 2:
        map(process);
        break;
      case 3:
      case 4:
        unmap(process);
        break;
      case 5:
      case 6:
        protect(process);
        break;
      case 7:
        dont_need(process);
        break;
      case 8:
      case 9:
        remap(process);
        break;
      case 10:
        if (processes.size() < 4) {
          Process child;
          child.space = std::move(*process.space->fork());
          child.model = process.model;
          processes.push_back(std::move(child));
        } else {
          machine.run(processes[1].space.get());
          processes.erase(processes.begin());
        }
        break;
      case 11:
        truncate();
        break;
      case 24:
      case 25:
      case 26:
      case 27:
        send_away(process);
        break;
      default:
        touch(process);
        break;
    }
    if (swap_devices && round % 1000 == 999) {
      unsigned i = pick(swap_devices);
      ASSERT_TRUE(remove_swap_device(devices[i]).has_value());
      storage[i].slots.clear();
      add_swap(i);
    }
    if (machine.running()) {
      ASSERT_EQ(machine.stale_translation(), 0u) << "missing flush in round " << round;
    }
    if (round % 32 == 0)
      for (Process& each : processes) compare(each);
  }
  for (Process& each : processes) compare(each);
  EXPECT_GT(objects[0]->file->made_writable, 0);
  EXPECT_EQ(objects[1]->file->made_writable, 0);

  machine.run(nullptr);
  processes.clear();
  for (auto& object : objects) EXPECT_FALSE(object->object->is_mapped());
  objects.clear();
  if (swap_devices) {
    auto swap = swap_statistics();
    EXPECT_GT(swap.pages_in, 100u);
    EXPECT_GT(swap.pages_out, 100u);
    EXPECT_EQ(swap.free_pages, swap.total_pages) << "slots that nobody refers to";
    EXPECT_EQ(swap.cached_pages, 0u);
  }
  for (unsigned i = 0; i < swap_devices; ++i) ASSERT_TRUE(remove_swap_device(devices[i]).has_value());
  shrink_slab_caches();
  EXPECT_EQ(committed_pages(), committed_before);
  // Caches may keep a slab each; pages of processes and tables are all back.
  EXPECT_NEAR(static_cast<double>(memory_statistics().free_pages), static_cast<double>(free_before), 24);
  EXPECT_EQ(memory_counter(MemoryCounter::page_tables), tables_before);
}

TEST_F(AddressSpaceTest, AgreesWithTheModel) { run_rounds(12000, 0); }

// Two devices, so that one of them is full most of the time.
TEST_F(AddressSpaceTest, AgreesWithTheModelUnderSwap) { run_rounds(24000, 2); }

TEST_F(AddressSpaceTest, ErrorsOfTheSwapDeviceStayWithWhoNeedsThePage) {
  TestStorage storage;
  unsigned device = *add_swap_device(storage, {.slots = 64, .priority = 0});
  Process process = make_process();
  constexpr std::size_t size = 8 * page;
  auto where = process.space->map({.length = size, .protection = Protection::read | Protection::write});
  ASSERT_TRUE(where.has_value());
  machine.run(process.space.get());
  FaultOutcome outcome;
  for (unsigned i = 0; i < 8; ++i)
    *machine.access(where->value() + i * page, FaultAccess::write, outcome) = static_cast<std::byte>(i + 1);
  // What cannot be written stays, and is right.
  storage.writes_fail = true;
  ASSERT_TRUE(process.space->advise(*where, size, Advice::page_out).has_value());
  EXPECT_EQ(process.space->usage().swapped, 8u);
  EXPECT_EQ(swap_statistics().cached_pages, 8u);
  EXPECT_EQ(*machine.access(where->value(), FaultAccess::write, outcome), std::byte{1});
  EXPECT_EQ(*machine.access(where->value() + page, FaultAccess::read, outcome), std::byte{2});
  storage.writes_fail = false;
  ASSERT_TRUE(process.space->advise(*where, size, Advice::page_out).has_value());
  (void)reclaim_pages(64);
  // What cannot be read is a bus error, each time, until it can.
  storage.reads_fail = true;
  EXPECT_EQ(machine.access(where->value(), FaultAccess::read, outcome), nullptr);
  EXPECT_EQ(outcome, FaultOutcome::bus_error);
  EXPECT_EQ(remove_swap_device(device).error(), Errno::eio);
  storage.reads_fail = false;
  for (unsigned i = 0; i < 8; ++i) {
    std::byte* byte = machine.access(where->value() + i * page, FaultAccess::read, outcome);
    ASSERT_TRUE(byte);
    EXPECT_EQ(*byte, static_cast<std::byte>(i + 1));
  }
  machine.run(nullptr);
  process.space = nullptr;
  ASSERT_TRUE(remove_swap_device(device).has_value());
}

TEST_F(AddressSpaceTest, StackGrowsAndKeepsItsGap) {
  Process process = make_process();
  AddressSpace& space = *process.space;
  std::uintptr_t top = 0x30000000;
  MapRequest request{.address = UserAddress(top - 4 * page),
                     .length = 4 * page,
                     .protection = Protection::read | Protection::write,
                     .flags = MapFlags::fixed | MapFlags::grows_down | MapFlags::stack};
  ASSERT_TRUE(space.map(request).has_value());
  space.set_limits({.stack = 1 << 20});
  machine.run(&space);
  FaultOutcome outcome;
  EXPECT_NE(machine.access(top - 20 * page, FaultAccess::write, outcome), nullptr);
  EXPECT_EQ(machine.access(top - 300 * page, FaultAccess::write, outcome), nullptr);
  EXPECT_EQ(outcome, FaultOutcome::no_mapping);
  // A neighbour within the guard gap stops it.
  MapRequest below{.address = UserAddress(top - 280 * page),
                   .length = page,
                   .protection = Protection::read,
                   .flags = MapFlags::fixed};
  ASSERT_TRUE(space.map(below).has_value());
  EXPECT_EQ(machine.access(top - 25 * page, FaultAccess::write, outcome), nullptr);
  EXPECT_NE(machine.access(top - 22 * page, FaultAccess::write, outcome), nullptr);
  EXPECT_EQ(space.usage().stack, 22u);
  machine.run(nullptr);
}

TEST_F(AddressSpaceTest, BreakMovesAndErrorsAreLinuxOnes) {
  Process process = make_process();
  AddressSpace& space = *process.space;
  space.initialize_break(UserAddress(0x400123));
  EXPECT_EQ(space.set_break(UserAddress(0)).value(), 0x400123u);
  EXPECT_EQ(space.set_break(UserAddress(0x410000)).value(), 0x410000u);
  EXPECT_EQ(space.set_break(UserAddress(0x404000)).value(), 0x404000u);
  EXPECT_EQ(space.usage().total, 3u);
  EXPECT_EQ(space.set_break(UserAddress(0x500000)).value(), 0x500000u);
  EXPECT_EQ(space.area_count(), 1u);

  auto map_error = [&](MapRequest request) { return space.map(request).error(); };
  EXPECT_EQ(map_error({.length = 0}), Errno::einval);
  EXPECT_EQ(map_error({.length = ~std::size_t{0}}), Errno::enomem);
  EXPECT_EQ(map_error({.address = UserAddress(0x12345), .length = page, .flags = MapFlags::fixed}),
            Errno::einval);
  EXPECT_EQ(map_error({.address = UserAddress(0x1000), .length = page, .flags = MapFlags::fixed}),
            Errno::eperm);
  EXPECT_EQ(map_error({.address = UserAddress(0x4ff000),
                       .length = 2 * page,
                       .flags = MapFlags::fixed | MapFlags::no_replace}),
            Errno::eexist);
  EXPECT_EQ(space.unmap(UserAddress(0x1001), page).error(), Errno::einval);
  EXPECT_EQ(space.unmap(UserAddress(0x1000), 0).error(), Errno::einval);
  EXPECT_EQ(space.protect(UserAddress(0x700000), page, Protection::read).error(), Errno::enomem);
  EXPECT_EQ(space.remap(UserAddress(0x700000), page, page, {}, {}).error(), Errno::efault);
  EXPECT_EQ(space.advise(UserAddress(0x700000), page, Advice::dont_need).error(), Errno::enomem);
  space.set_limits({.address_space = 2 << 20, .locked = 2 * page, .may_lock_without_limit = false});
  EXPECT_EQ(map_error({.length = 2 << 20, .protection = Protection::read}), Errno::enomem);
  EXPECT_EQ(space.lock_range(UserAddress(0x401000), 3 * page, AddressSpace::LockMode::populate).error(),
            Errno::enomem);
  EXPECT_TRUE(
      space.lock_range(UserAddress(0x401000), 2 * page, AddressSpace::LockMode::populate).has_value());
  EXPECT_EQ(space.usage().locked, 2u);
  EXPECT_EQ(space.usage().anonymous, 2u);
  EXPECT_EQ(map_error({.length = page, .protection = Protection::read, .flags = MapFlags::locked}),
            Errno::eagain);
  EXPECT_TRUE(space.unlock_range(UserAddress(0x401000), 16 * page).has_value());
  EXPECT_EQ(space.usage().locked, 0u);
  EXPECT_EQ(space.area_count(), 1u);
}

TEST_F(AddressSpaceTest, RemoteAccessMakesPrivateCopies) {
  Process process = make_process();
  AddressSpace& space = *process.space;
  auto file = std::move(*base::try_make_ref<TestFile>(true));
  auto at = space.map({.length = 4 * page, .protection = Protection::read, .object = file});
  std::byte bytes[2] = {std::byte{1}, std::byte{2}};
  EXPECT_EQ(space.write_remote(*at + (page - 1), bytes, AddressSpace::RemoteAccess::obey_protection), 0u);
  EXPECT_EQ(space.write_remote(*at + (page - 1), bytes, AddressSpace::RemoteAccess::force), 2u);
  std::byte back[2] = {};
  EXPECT_EQ(space.read_remote(*at + (page - 1), back, AddressSpace::RemoteAccess::obey_protection), 2u);
  EXPECT_EQ(back[0], std::byte{1});
  EXPECT_EQ(back[1], std::byte{2});
  EXPECT_EQ(*file->pages_[1].data<unsigned char>(), 0x81);  // the file itself is untouched
  EXPECT_EQ(space.read_remote(*at + 4 * page - 1, back, AddressSpace::RemoteAccess::obey_protection), 1u);
}

}  // namespace
}  // namespace core
