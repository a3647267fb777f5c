// memcpy, memmove and memset, a word at a time. Where source and destination do not begin at the same place
// in a word, aligned words of the source are put together: misaligned accesses may trap to the firmware.
#include <cstddef>
#include <cstdint>

namespace {

using Word = std::uint64_t __attribute__((may_alias));
constexpr std::size_t word_size = sizeof(Word), mask = word_size - 1;

// SAFETY (this file): addresses are looked at as numbers; words are read only where at least one of their
// bytes is asked for.
std::uintptr_t number(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

void copy_bytes(unsigned char* to, const unsigned char* from, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
}

void copy_forwards(unsigned char* to, const unsigned char* from, std::size_t size) {
  if (size < 2 * word_size) return copy_bytes(to, from, size);
  std::size_t head = -number(to) & mask;
  copy_bytes(to, from, head);
  to += head;
  from += head;
  size -= head;
  auto* out = reinterpret_cast<Word*>(to);
  std::size_t words = size / word_size;
  if ((number(from) & mask) == 0) {
    const auto* in = reinterpret_cast<const Word*>(from);
    for (; words >= 8; words -= 8, in += 8, out += 8) {
      Word a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6], h = in[7];
      out[0] = a, out[1] = b, out[2] = c, out[3] = d, out[4] = e, out[5] = f, out[6] = g, out[7] = h;
    }
    for (; words; --words) *out++ = *in++;
  } else if (words) {
    unsigned low = static_cast<unsigned>(number(from) & mask) * 8, high = 64 - low;
    const auto* in = reinterpret_cast<const Word*>(number(from) & ~mask);
    Word left = *in++;
    for (; words; --words) {
      Word right = *in++;
      *out++ = left >> low | right << high;
      left = right;
    }
  }
  std::size_t done = size & ~mask;
  copy_bytes(to + done, from + done, size - done);
}

void copy_backwards(unsigned char* to, const unsigned char* from, std::size_t size) {
  bool by_words = ((number(to) ^ number(from)) & mask) == 0;
  while (size && (!by_words || ((number(to) + size) & mask))) {
    --size;
    to[size] = from[size];
  }
  for (; size >= word_size; size -= word_size)
    *reinterpret_cast<Word*>(to + size - word_size) = *reinterpret_cast<const Word*>(from + size - word_size);
  while (size--) to[size] = from[size];
}

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  copy_forwards(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), size);
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  // Forwards is right unless the destination begins inside the source.
  if (number(to) - number(from) >= size)
    copy_forwards(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), size);
  else
    copy_backwards(static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), size);
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  auto* at = static_cast<unsigned char*>(to);
  auto byte = static_cast<unsigned char>(value);
  if (size >= 2 * word_size) {
    for (; number(at) & mask; --size) *at++ = byte;
    Word word = byte * 0x0101010101010101;
    auto* out = reinterpret_cast<Word*>(at);
    std::size_t words = size / word_size;
    at += words * word_size;
    size &= mask;
    for (; words >= 8; words -= 8, out += 8)
      out[0] = word, out[1] = word, out[2] = word, out[3] = word, out[4] = word, out[5] = word, out[6] = word,
      out[7] = word;
    for (; words; --words) *out++ = word;
  }
  while (size--) *at++ = byte;
  return to;
}
}
