// What core/init and base promise to the booted kernel.
#include <cstdint>
#include <cstring>

#include "core/init/command_line.h"
#include "core/init/symbols.h"
#include "core/test/test.h"

namespace core {

// Not in an anonymous namespace, not inlined: the test looks for its name.
[[gnu::noinline]] std::size_t symbol_test_function(std::span<std::uintptr_t> addresses) {
  std::size_t count = capture_back_trace(addresses);
  asm volatile("");  // keeps the call above from becoming a tail call
  return count;
}

namespace {

using test::expect, test::expect_equal;

KERNEL_TEST(symbols, names_functions_in_back_traces) {
  if (symbol_count() == 0) return test::skip("this kernel has no table of names");
  std::uintptr_t addresses[16];
  std::size_t count = symbol_test_function(addresses);
  if (!expect(count >= 3, "short back trace")) return;
  bool found = false, runner = false;
  for (std::uintptr_t address : std::span(addresses).first(count)) {
    char memory[200];
    base::TextBuffer text{memory};
    print_symbol(text, address);
    found |= text.view().starts_with("core::symbol_test_function+0x");
    runner |= text.view().find("core::test::run_tests") != std::string_view::npos;
  }
  expect(found, "core::symbol_test_function is not in its own trace");
  expect(runner, "core::test::run_tests is not in the trace");
}

KERNEL_TEST(symbols, table_is_sorted_and_complete) {
  if (symbol_count() == 0) return test::skip("this kernel has no table of names");
  std::uintptr_t before = 0;
  for (std::size_t i = 0; i < symbol_count(); ++i) {
    char by_index[256], by_address[256];
    base::TextBuffer first{by_index}, second{by_address};
    std::uintptr_t address = symbol_at(i, first);
    if (!expect(address > before || i == 0, "not sorted")) return;
    before = address;
    auto place = find_symbol(address, second);
    if (!expect(place && place->start == address && first.view() == second.view(),
                "not found by its address"))
      return;
  }
  char memory[40];
  base::TextBuffer text{memory};
  expect(!find_symbol(0x1000, text), "found something at a user address");
}

// All sizes and alignments around the steps the functions take.
KERNEL_TEST(memory_functions, agree_with_byte_loops) {
  static unsigned char from[600], to[600], expected[600];
  for (unsigned i = 0; i < sizeof(from); ++i) from[i] = static_cast<unsigned char>(i * 7 + i / 256);
  for (std::size_t size = 0; size < 140; ++size)
    for (std::size_t shift = 0; shift < 9; ++shift) {
      for (unsigned i = 0; i < sizeof(to); ++i) to[i] = expected[i] = 0xaa;
      std::memcpy(to + 16 + shift, from + 3, size);
      for (std::size_t i = 0; i < size; ++i) expected[16 + shift + i] = from[3 + i];
      if (!expect(std::memcmp(to, expected, sizeof(to)) == 0, "memcpy")) return;
      std::memmove(to + 20, to + 16 + shift, size);
      for (std::size_t i = 0; i < size; ++i) expected[i + 300] = expected[16 + shift + i];
      for (std::size_t i = 0; i < size; ++i) expected[20 + i] = expected[300 + i];
      for (std::size_t i = 300; i < sizeof(to); ++i) expected[i] = 0xaa;
      if (!expect(std::memcmp(to, expected, sizeof(to)) == 0, "memmove")) return;
      std::memset(to + shift, 0x5c, size);
      for (std::size_t i = 0; i < size; ++i) expected[shift + i] = 0x5c;
      if (!expect(std::memcmp(to, expected, sizeof(to)) == 0, "memset")) return;
    }
  unsigned char a[24] = {}, b[24] = {};
  for (unsigned i = 0; i < sizeof(a); ++i) {
    b[i] = 0x80;
    expect(std::memcmp(a, b, sizeof(a)) < 0 && std::memcmp(b, a, sizeof(a)) > 0,
           "memcmp compares unsigned bytes");
    expect_equal(std::memcmp(a, b, i), 0);
    b[i] = 0;
  }
  char text[32] = "twenty one characters";
  expect_equal(std::strlen(text), std::size_t{21});
}

KERNEL_TEST(command_line, asked_for_this_test) { expect(command_line().has("nos.test"), "nos.test"); }

}  // namespace
}  // namespace core
