// Access to user memory that faults: exact counts, and the way back into the kernel.
#include <arch/cpu.h>
#include <arch/page_table.h>
#include <arch/user_copy.h>

#include <cstring>

#include "core/memory/address_space.h"
#include "core/sched/thread.h"
#include "core/test/test.h"

using core::test::expect, core::test::expect_equal, core::test::expect_error, core::test::expect_ok;

namespace {

// Two pages of which only the first is mapped.
class HalfMapped {
 public:
  bool prepare() {
    auto space = core::AddressSpace::create();
    if (!expect_ok(space)) return false;
    auto place = (*space)->map(
        {.length = 2 * arch::page_size, .protection = core::Protection::read | core::Protection::write});
    if (!expect_ok(place)) return false;
    start = place->value();
    if (!expect_ok((*space)->unmap(*place + arch::page_size, arch::page_size))) return false;
    core::Thread::current().set_address_space(*space);
    return true;
  }
  ~HalfMapped() { core::Thread::current().set_address_space(nullptr); }
  std::uintptr_t end() const { return start + arch::page_size; }
  std::uintptr_t start = 0;
};

}  // namespace

KERNEL_TEST(user_copy, stops_exactly_at_the_fault) {
  HalfMapped memory;
  if (!memory.prepare()) return;
  static constinit char buffer[arch::page_size];
  for (std::size_t size : {1u, 3u, 7u, 8u, 13u, 31u, 63u, 64u, 65u, 100u, 1000u, 4000u}) {
    for (std::size_t missing : {0u, 1u, 2u, 5u, 8u, 9u, 60u, 999u}) {
      if (missing > size) continue;
      std::uintptr_t at = memory.end() - (size - missing);
      std::memset(buffer, 0x5a, sizeof(buffer));
      expect_equal(arch::copy_to_user_raw(at, buffer, size), missing);
      std::memset(buffer, 0, sizeof(buffer));
      expect_equal(arch::copy_from_user_raw(buffer, at, size), missing);
      for (std::size_t i = 0; i < size; ++i) expect_equal(buffer[i], i < size - missing ? 0x5a : 0);
      expect_equal(arch::clear_user_raw(at, size), missing);
    }
  }
}

// Wherever both sides begin, all that can be copied is, in its place, and nothing beside it.
KERNEL_TEST(user_copy, copies_between_any_two_alignments) {
  HalfMapped memory;
  if (!memory.prepare()) return;
  constexpr std::size_t room = 160;
  static constinit unsigned char from[room], back[room];
  for (std::size_t i = 0; i < room; ++i) from[i] = static_cast<unsigned char>(7 * i + 1);
  for (std::size_t kernel = 0; kernel < 9; ++kernel) {
    for (std::size_t user = 0; user < 9; ++user) {
      for (std::size_t size : {0u, 1u, 15u, 16u, 17u, 23u, 24u, 71u, 80u, 136u}) {
        for (std::size_t missing : {0u, 1u, 6u, 8u, 15u, 20u}) {
          if (missing > size) continue;
          // Aligned as `user` says, or as the end of the page has it.
          std::uintptr_t at = missing ? memory.end() - (size - missing) : memory.start + 64 + user;
          std::size_t whole = size - missing;
          expect_equal(arch::clear_user_raw(at - 8, whole + 8), 0u);
          expect_equal(arch::copy_to_user_raw(at, from + kernel, size), missing);
          std::memset(back, 0, sizeof(back));
          expect_equal(arch::copy_from_user_raw(back + kernel, at, size), missing);
          bool same = std::memcmp(back + kernel, from + kernel, whole) == 0;
          for (std::size_t i = 0; i < room; ++i)
            same = same && ((i >= kernel && i < kernel + whole) || back[i] == 0);
          expect(same, "the bytes that were copied");
          std::uint32_t before = ~0u;
          expect_equal(arch::copy_from_user_raw(&before, at - sizeof(before), sizeof(before)), 0u);
          expect_equal(before, 0u);
        }
      }
    }
  }
}

KERNEL_TEST(user_copy, strings_end_at_zero_limit_or_fault) {
  HalfMapped memory;
  if (!memory.prepare()) return;
  char text[64];
  constexpr char word[] = "twelve bytes";
  for (std::size_t shift = 0; shift < 9; ++shift) {
    std::uintptr_t at = memory.end() - sizeof(word) - shift;
    expect_equal(arch::copy_to_user_raw(at, word, sizeof(word)), 0u);
    expect_equal(arch::copy_string_from_user_raw(text, at, sizeof(text)), 12);
    expect_equal(arch::copy_string_from_user_raw(text, at, 5), 5);
  }
  // Without the zero the string runs into the hole.
  std::uintptr_t at = memory.end() - 12;
  expect_equal(arch::copy_to_user_raw(at, word, 12), 0u);
  expect_equal(arch::copy_string_from_user_raw(text, at, sizeof(text)), -1);
  expect_equal(arch::copy_string_from_user_raw(text, at, 12), 12);
}

KERNEL_TEST(user_copy, atomic_operations) {
  HalfMapped memory;
  if (!memory.prepare()) return;
  std::uintptr_t at = memory.start + 16;
  expect_ok(arch::user_store32(at, 5));
  auto value = arch::user_atomic32(at, arch::UserAtomic::add, 3);
  expect(value && *value == 5, "add");
  value = arch::user_atomic32(at, arch::UserAtomic::bit_or, 0x10);
  expect(value && *value == 8, "or");
  value = arch::user_atomic32(at, arch::UserAtomic::bit_and_not, 8);
  expect(value && *value == 0x18, "and not");
  value = arch::user_compare_exchange32(at, 0x10, 77);
  expect(value && *value == 0x10, "compare and exchange");
  value = arch::user_compare_exchange32(at, 0x10, 78);
  expect(value && *value == 77, "failed compare and exchange");
  value = arch::user_atomic32(at, arch::UserAtomic::exchange, 9);
  expect(value && *value == 77, "exchange");
  expect_error(arch::user_load32(memory.end()), base::Errno::efault);
  expect_error(arch::user_store32(memory.end(), 1), base::Errno::efault);
  expect_error(arch::user_compare_exchange32(memory.end(), 0, 1), base::Errno::efault);
}

// With preemption off the fault cannot be resolved, only reported.
KERNEL_TEST(user_copy, does_not_sleep_when_it_must_not) {
  HalfMapped memory;
  if (!memory.prepare()) return;
  char buffer[8] = {};
  {
    core::PreemptOff pinned;
    expect_equal(arch::copy_from_user_raw(buffer, memory.start, sizeof(buffer)), sizeof(buffer));
  }
  expect_equal(arch::copy_from_user_raw(buffer, memory.start, sizeof(buffer)), 0u);
  core::PreemptOff pinned;
  expect_equal(arch::copy_from_user_raw(buffer, memory.start, sizeof(buffer)), 0u);
}

// No program: every address is refused, the ones of the kernel's half by whoever calls.
KERNEL_TEST(user_copy, kernel_threads_have_no_user_memory) {
  char buffer[100] = {};
  expect_equal(arch::copy_from_user_raw(buffer, 0x10000, sizeof(buffer)), sizeof(buffer));
  expect_equal(arch::copy_to_user_raw(0x10000, buffer, sizeof(buffer)), sizeof(buffer));
}
