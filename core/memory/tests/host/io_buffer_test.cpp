#include "core/memory/io_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "core/memory/user_pointer.h"
#include "host_user_copy.h"

namespace core {
namespace {

std::span<const std::byte> bytes(const char* text) {
  return std::as_bytes(std::span(text, std::strlen(text)));
}
std::uintptr_t address(void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

TEST(IoBuffer, KnowsItsAlignment) {
  alignas(512) static std::byte memory[4096];
  EXPECT_TRUE(IoBuffer::kernel(std::span(memory)).is_aligned(512));
  EXPECT_FALSE(IoBuffer::kernel(std::span(memory).subspan(8)).is_aligned(512));
  EXPECT_FALSE(IoBuffer::kernel(std::span(memory).first(1000)).is_aligned(512));
  UserSegment segments[] = {{0x10000, 1024}, {0x20001, 0}, {0x30200, 512}, {0x40100, 512}};
  auto buffer = IoBuffer::user(std::span<const UserSegment>(segments));
  EXPECT_FALSE(buffer.is_aligned(512));
  buffer.truncate(1536);
  EXPECT_TRUE(buffer.is_aligned(512));
  buffer.truncate(1500);
  EXPECT_FALSE(buffer.is_aligned(512));
}

TEST(IoBuffer, WalksOverSegments) {
  char a[4] = "...", b[4] = "...", c[8] = ".......";
  UserSegment segments[] = {{address(a), 3}, {address(b), 0}, {address(b), 3}, {address(c), 7}};
  auto buffer = IoBuffer::user(segments);
  EXPECT_EQ(buffer.remaining(), 13u);
  EXPECT_EQ(buffer.copy_out(bytes("hello")), 5u);
  EXPECT_EQ(std::string(a), "hel");
  EXPECT_EQ(std::string(b), "lo.");
  buffer.revert(4);
  EXPECT_EQ(buffer.transferred(), 1u);
  EXPECT_EQ(buffer.copy_out(bytes("ELLO world and more")), 12u);
  EXPECT_FALSE(buffer.faulted());
  EXPECT_EQ(std::string(a) + b + c, "hELLO world a");
  EXPECT_TRUE(buffer.empty());

  auto in = IoBuffer::user(segments);
  in.skip(2);
  char text[12] = {};
  EXPECT_EQ(in.copy_in(std::as_writable_bytes(std::span(text, 11))), 11u);
  EXPECT_EQ(std::string(text), "LLO world a");
}

TEST(IoBuffer, FaultGivesShortCounts) {
  char memory[16] = {};
  host_user_fault_start = address(memory) + 6;
  host_user_fault_end = address(memory) + 16;
  auto buffer = IoBuffer::user(UserAddress(address(memory)), 16);
  EXPECT_EQ(buffer.copy_out(bytes("0123456789")), 6u);
  EXPECT_TRUE(buffer.faulted());
  EXPECT_EQ(std::string(memory), "012345");
  EXPECT_EQ(buffer.zero(4), 0u);
  host_user_fault_start = host_user_fault_end = 0;
}

TEST(IoBuffer, KernelMemoryAndLimits) {
  std::byte memory[8] = {};
  auto buffer = IoBuffer::kernel(std::span(memory));
  std::size_t cut = buffer.truncate(5);
  EXPECT_EQ(cut, 3u);
  EXPECT_EQ(buffer.copy_out(bytes("abcdefgh")), 5u);
  buffer.extend(cut);
  EXPECT_EQ(buffer.remaining(), 3u);
  EXPECT_TRUE(buffer.put('x'));
  EXPECT_EQ(std::memcmp(memory, "abcdex\0\0", 8), 0);
}

TEST(UserPointer, ReadsAndWritesTypes) {
  int value = 5;
  UserInOut<int> pointer(address(&value));
  EXPECT_EQ(*pointer.read(), 5);
  EXPECT_TRUE(pointer.write(7).has_value());
  EXPECT_EQ(value, 7);
  std::string text(300, 'x');
  UserString string(address(text.data()));
  EXPECT_EQ(string.read(1000)->view(), text);
  EXPECT_EQ(string.read(300).error(), base::Errno::enametoolong);
  EXPECT_EQ(string.read(301)->view(), text);
}

}  // namespace
}  // namespace core
