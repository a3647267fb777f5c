#include <arch/cpu.h>
#include <arch/time.h>

#include <cstring>
#include <new>

#include "core/log/log.h"
#include "core/memory/address_space.h"
#include "core/memory/kernel_map.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/memory/user_copy.h"
#include "core/sync/thread_base.h"
#include "core/test/test.h"

namespace core {
namespace {

using test::expect;
using test::expect_equal;
using test::expect_error;
using test::expect_ok;

KERNEL_TEST(memory, pages_of_every_order) {
  std::uint64_t before = memory_statistics().free_pages;
  for (unsigned order = 0; order <= 10; ++order) {
    auto page = allocate_pages(order, AllocationFlags::zero);
    if (!expect_ok(page)) return;
    auto* bytes = data_of<unsigned char>(**page);
    std::size_t size = page_size << order;
    expect(bytes[0] == 0 && bytes[size - 1] == 0, "not zeroed");
    expect((physical_of(**page).value() & (size - 1)) == 0, "not aligned to its size");
    std::memset(bytes, 0x5a, size);
    free_pages(**page, order);
  }
  expect_equal(memory_statistics().free_pages, before);
  expect_error(allocate_pages(max_page_order + 1), Errno::enomem);
}

KERNEL_TEST(memory, objects_do_not_overlap) {
  constexpr unsigned count = 300;
  static unsigned char* objects[count];
  for (std::size_t size : {1, 8, 24, 100, 700, 3000, 8192, 20000, 100000}) {
    for (unsigned i = 0; i < count; ++i) {
      objects[i] = static_cast<unsigned char*>(kernel_allocate(size));
      if (!expect(objects[i], "no memory")) return;
      expect(kernel_allocation_size(objects[i]) >= size, "too small");
      std::memset(objects[i], static_cast<int>(i), size);
    }
    for (unsigned i = 0; i < count; ++i) {
      expect(objects[i][0] == static_cast<unsigned char>(i) &&
                 objects[i][size - 1] == static_cast<unsigned char>(i),
             "overwritten");
      kernel_free(objects[i]);
    }
  }
}

KERNEL_TEST(memory, virtual_mappings_come_and_go) {
  std::uint64_t before = kernel_map_statistics().used_bytes;
  for (unsigned round = 0; round < 200; ++round) {
    auto memory = allocate_virtual(256 * 1024, AllocationFlags::zero);
    if (!expect_ok(memory)) return;
    auto* bytes = static_cast<unsigned char*>(*memory);
    expect(bytes[0] == 0 && bytes[256 * 1024 - 1] == 0, "not zeroed");
    std::memset(bytes, 0xff, 256 * 1024);
    free_virtual(bytes);
  }
  // What waits for a flush is bounded.
  expect(kernel_map_statistics().used_bytes < before + (32u << 20), "freed ranges pile up");
}

// Runs a test in an address space of its own, as a program's thread would be.
class UserSpace {
 public:
  UserSpace() : space_(AddressSpace::create()) {
    if (space_) enter(**space_);
  }
  ~UserSpace() { ThreadBase::current().address_space = nullptr; }
  static void enter(AddressSpace& space) {
    arch::InterruptsOff off;
    ThreadBase::current().address_space = &space;
    switch_address_space(&space);
  }
  bool ok() const { return space_.has_value(); }
  AddressSpace& operator*() { return **space_; }
  AddressSpace* operator->() { return space_->get(); }

 private:
  Result<base::RefPtr<AddressSpace>> space_;
};

template <typename T>
bool store(UserAddress at, T value) {
  return copy_to_user(at, std::as_bytes(std::span(&value, 1))).has_value();
}
template <typename T>
T load(UserAddress at) {
  T value{};
  (void)copy_from_user(std::as_writable_bytes(std::span(&value, 1)), at).has_value();
  return value;
}

constexpr Protection read_write = Protection::read | Protection::write;

KERNEL_TEST(memory, purge_gives_back_what_waits_for_a_flush) {
  constexpr std::size_t pages = 64;
  (void)purge_kernel_map();
  auto memory = allocate_virtual(pages * page_size);
  if (!expect_ok(memory)) return;
  std::uint64_t before = memory_statistics().free_pages;
  free_virtual(*memory);
  std::uint64_t purged = purge_kernel_map();
  expect(purged >= pages, "the pages were not given back");
  expect(memory_statistics().free_pages >= before + pages, "they are not free");
}

KERNEL_TEST(memory, user_copies_fault_in) {
  UserSpace space;
  if (!expect(space.ok())) return;
  auto at = space->map({.length = 64 * page_size, .protection = read_write});
  if (!expect_ok(at)) return;
  expect_equal(load<int>(*at), 0);
  expect_equal(space->usage().anonymous, 0u);  // the zero page
  expect(store(*at + 5000, 42));
  expect_equal(load<int>(*at + 5000), 42);
  expect_equal(space->usage().anonymous, 1u);
  expect(store(*at, std::uint64_t{7}), "write after the zero page was mapped");
  expect_equal(load<std::uint64_t>(*at), 7u);

  expect_ok(space->unmap(*at, page_size));
  expect(!store(*at, 1), "write to an unmapped page");
  std::byte bytes[64] = {};
  expect_equal(copy_to_user_partial(*at + (page_size - 16), bytes), 0u);
  expect_equal(copy_to_user_partial(*at + (64 * page_size - 16), bytes), 16u);
  expect_ok(space->protect(*at + page_size, page_size, Protection::read));
  expect(!store(*at + 5000, 1), "write to a read-only page");
  expect_equal(load<int>(*at + 5000), 42);
  // Every size by itself: the copy has a path for each kind of remainder.
  for (std::size_t size = 1; size <= 200; ++size) {
    static unsigned char from[200], to[200];
    for (std::size_t i = 0; i < size; ++i) from[i] = static_cast<unsigned char>(size + i), to[i] = 0;
    UserAddress place = *at + (3 * page_size - size / 2);
    expect_ok(copy_to_user(place, std::as_bytes(std::span(from, size))));
    expect_ok(copy_from_user(std::as_writable_bytes(std::span(to, size)), place));
    expect(std::memcmp(from, to, size) == 0, "bytes changed on the way");
    expect_ok(clear_user(place, size));
    expect_ok(copy_from_user(std::as_writable_bytes(std::span(to, size)), place));
    for (std::size_t i = 0; i < size; ++i) expect(to[i] == 0, "not cleared");
  }
  char text[8];
  expect_error(read_user_string(text, UserAddress(~std::uintptr_t{0} - 100)), Errno::efault);
  expect_equal(copy_to_user_partial(UserAddress(0xffff800000000000), bytes), 0u);
}

KERNEL_TEST(memory, fork_copies_on_write) {
  UserSpace parent;
  if (!expect(parent.ok())) return;
  auto at = parent->map({.length = 16 * page_size, .protection = read_write});
  auto shared = parent->map({.length = page_size,
                             .protection = read_write,
                             .flags = MapFlags::shared,
                             .object = std::move(*create_shared_memory(page_size))});
  if (!expect_ok(at) || !expect_ok(shared)) return;
  for (int i = 0; i < 16; ++i) store(*at + static_cast<std::size_t>(i) * page_size, i);
  store(*shared, 1);
  {
    auto child = parent->fork();
    if (!expect_ok(child)) return;
    expect_equal((*child)->usage().anonymous, 16u);
    store(*at, 100);  // ours only
    UserSpace::enter(**child);
    expect_equal(load<int>(*at), 0);
    expect_equal(load<int>(*at + 3 * page_size), 3);
    store(*at + 3 * page_size, 33);
    store(*shared, 2);
    UserSpace::enter(*parent);
    expect_equal(load<int>(*at), 100);
    expect_equal(load<int>(*at + 3 * page_size), 3);
    expect_equal(load<int>(*shared), 2);
  }
  // The child is gone: the pages are ours alone again and need no copy.
  std::uint64_t free_before = memory_statistics().free_pages;
  store(*at + 5 * page_size, 55);
  expect_equal(memory_statistics().free_pages, free_before);
}

KERNEL_TEST(memory, unmap_of_a_loaded_space_flushes) {
  UserSpace space;
  if (!expect(space.ok())) return;
  for (int round = 0; round < 50; ++round) {
    auto at = space->map({.address = UserAddress(0x10000000),
                          .length = 8 * page_size,
                          .protection = read_write,
                          .flags = MapFlags::fixed});
    if (!expect_ok(at)) return;
    for (std::size_t i = 0; i < 8; ++i) {
      expect_equal(load<int>(*at + i * page_size), 0);
      store(*at + i * page_size, round + 1);
    }
    expect_ok(space->unmap(*at, 8 * page_size));
  }
  expect_equal(space->usage().anonymous, 0u);
}

// Under -icount shift=0 a nanosecond is an instruction: the parts of a fault, each by itself.
template <typename Function>
void measure(const char* what, std::size_t count, Function&& function) {
  std::uint64_t start = arch::nanoseconds();
  for (std::size_t i = 0; i < count; ++i) function(i);
  log(LogLevel::info, "memory: {:>6} ns {}", (arch::nanoseconds() - start) / count, what);
}

KERNEL_TEST(memory, fault_cost) {
  UserSpace space;
  constexpr std::size_t pages = 512;
  if (!expect(space.ok())) return;
  auto at = space->map({.length = pages * page_size, .protection = read_write});
  if (!expect_ok(at)) return;
  auto drop = [&] { expect_ok(space->advise(*at, pages * page_size, Advice::dont_need)); };
  measure("copy that faults, first time", pages, [&](std::size_t i) { store(*at + i * page_size, 'x'); });
  expect_equal(space->usage().anonymous, pages);
  measure("page dropped", 1, [&](std::size_t) { drop(); });
  measure("copy that faults", pages, [&](std::size_t i) { store(*at + i * page_size, 'x'); });
  expect_equal(space->usage().anonymous, pages);
  measure("copy that does not fault", pages, [&](std::size_t i) { store(*at + i * page_size, 'x'); });
  drop();
  measure("handle_fault, write", pages, [&](std::size_t i) {
    (void)space->handle_fault(*at + i * page_size, FaultAccess::write, AddressSpace::FaultOrigin::user);
  });
  drop();
  measure("handle_fault, read", pages, [&](std::size_t i) {
    (void)space->handle_fault(*at + i * page_size, FaultAccess::read, AddressSpace::FaultOrigin::user);
  });
  measure("page allocated and freed", pages, [&](std::size_t) { (void)allocate_page().has_value(); });
  static unsigned char bytes[page_size];
  measure("page cleared", 64, [&](std::size_t) { std::memset(bytes, 0, page_size); });
  measure("object of 100 bytes allocated and freed", pages,
          [&](std::size_t) { kernel_free(kernel_allocate(100)); });
  measure("mmap and munmap of a page", 64, [&](std::size_t) {
    auto place = space->map({.length = page_size, .protection = Protection::read});
    if (place) (void)space->unmap(*place, page_size).has_value();
  });
  for (std::size_t i = 0; i < 64; ++i) store(*at + i * page_size, 'x');
  measure("fork of 64 pages and end", 8, [&](std::size_t) { (void)space->fork().has_value(); });
}

}  // namespace
}  // namespace core
