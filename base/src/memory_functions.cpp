// The C functions that the compiler and libc++'s headers call: plain versions in eight-byte steps. An
// architecture that has a better one defines it strongly. Compiled with -fno-builtin, so that they do not
// become calls of themselves.
#ifndef NOS_HOST
#include <cstddef>
#include <cstdint>

namespace {

// Any address, any object: what these functions are for. (An aligned(1) typedef would not do: a reference to
// one is taken to be one to an aligned word.)
struct [[gnu::packed, gnu::may_alias]] Word {
  std::uint64_t value;
};
constexpr std::size_t word_size = sizeof(Word);
static_assert(alignof(Word) == 1);

// SAFETY: callers of the C functions promise `size` valid bytes at each pointer; only offsets below size are
// touched.
inline Word& word_at(void* base, std::size_t offset) {
  return *reinterpret_cast<Word*>(static_cast<unsigned char*>(base) + offset);
}
inline const Word& word_at(const void* base, std::size_t offset) {
  return *reinterpret_cast<const Word*>(static_cast<const unsigned char*>(base) + offset);
}
inline unsigned char& byte_at(void* base, std::size_t offset) {
  return static_cast<unsigned char*>(base)[offset];
}
inline unsigned char byte_at(const void* base, std::size_t offset) {
  return static_cast<const unsigned char*>(base)[offset];
}

}  // namespace

extern "C" {

[[gnu::weak]] void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) {
  if (size < word_size) {
    for (std::size_t i = 0; i < size; ++i) byte_at(to, i) = byte_at(from, i);
    return to;
  }
  std::size_t i = 0;
  for (; i + 4 * word_size <= size; i += 4 * word_size) {
    Word a = word_at(from, i), b = word_at(from, i + 8), c = word_at(from, i + 16), d = word_at(from, i + 24);
    word_at(to, i) = a;
    word_at(to, i + 8) = b;
    word_at(to, i + 16) = c;
    word_at(to, i + 24) = d;
  }
  for (; i + word_size <= size; i += word_size) word_at(to, i) = word_at(from, i);
  // The rest, with the last whole word of the range.
  word_at(to, size - word_size) = word_at(from, size - word_size);
  return to;
}

[[gnu::weak]] void* memmove(void* to, const void* from, std::size_t size) {
  // SAFETY: the addresses are only compared.
  auto distance = reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
  if (distance >= size) {  // also when `to` lies below: the subtraction wrapped round
    std::size_t i = 0;
    for (; i + word_size <= size; i += word_size) word_at(to, i) = word_at(from, i);
    for (; i < size; ++i) byte_at(to, i) = byte_at(from, i);
  } else {
    std::size_t i = size;
    for (; i >= word_size; i -= word_size) word_at(to, i - word_size) = word_at(from, i - word_size);
    for (; i > 0; --i) byte_at(to, i - 1) = byte_at(from, i - 1);
  }
  return to;
}

[[gnu::weak]] void* memset(void* to, int value, std::size_t size) {
  Word pattern{0x0101010101010101u * static_cast<unsigned char>(value)};
  if (size < word_size) {
    for (std::size_t i = 0; i < size; ++i) byte_at(to, i) = static_cast<unsigned char>(value);
    return to;
  }
  std::size_t i = 0;
  for (; i + 4 * word_size <= size; i += 4 * word_size) {
    word_at(to, i) = pattern;
    word_at(to, i + 8) = pattern;
    word_at(to, i + 16) = pattern;
    word_at(to, i + 24) = pattern;
  }
  for (; i + word_size <= size; i += word_size) word_at(to, i) = pattern;
  word_at(to, size - word_size) = pattern;
  return to;
}

[[gnu::weak]] int memcmp(const void* a, const void* b, std::size_t size) {
  std::size_t i = 0;
  while (i + word_size <= size && word_at(a, i).value == word_at(b, i).value) i += word_size;
  for (; i < size; ++i)
    if (byte_at(a, i) != byte_at(b, i)) return byte_at(a, i) < byte_at(b, i) ? -1 : 1;
  return 0;
}

[[gnu::weak]] void* memchr(const void* memory, int value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    if (byte_at(memory, i) == static_cast<unsigned char>(value))
      return const_cast<unsigned char*>(static_cast<const unsigned char*>(memory) + i);
  return nullptr;
}

[[gnu::weak]] std::size_t strlen(const char* text) {
  std::size_t size = 0;
  while (text[size]) ++size;
  return size;
}

[[gnu::weak]] int strcmp(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

[[gnu::weak]] int strncmp(const char* a, const char* b, std::size_t size) {
  for (; size; ++a, ++b, --size)
    if (*a != *b || !*a) return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
  return 0;
}
}
#endif
