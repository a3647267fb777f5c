#include "decompress/decompress.h"

#include <gtest/gtest.h>

#include "tools.h"

namespace decompress {
namespace {

const std::vector<Bytes>& all_samples() {
  static const std::vector<Bytes> the_samples = samples();
  return the_samples;
}

void expect_round_trip(Format format, const std::string& command, std::size_t first_sample = 0) {
  for (std::size_t i = first_sample; i < all_samples().size(); ++i) {
    const Bytes& sample = all_samples()[i];
    Bytes packed = filter(command, sample);
    if (format != Format::zlib) EXPECT_EQ(detect(packed), format) << command;
    std::size_t size = packed.size();
    if (format != Format::lz4_legacy) packed.insert(packed.end(), {1, 2, 3, 4, 5});
    Decoded decoded = decode(format, packed);
    ASSERT_TRUE(decoded.result) << command << " sample " << i << " error "
                                << static_cast<int>(decoded.result.error());
    EXPECT_EQ(*decoded.result, size) << command << " sample " << i;
    ASSERT_TRUE(decoded.bytes == sample) << command << " sample " << i;
  }
}

TEST(Decompress, GzipAtEveryLevel) {
  for (int level = 1; level <= 9; ++level) expect_round_trip(Format::gzip, "gzip -" + std::to_string(level));
}
TEST(Decompress, ZstdAtEveryLevel) {
  for (int level = 1; level <= 19; ++level)
    expect_round_trip(Format::zstd,
                      "zstd -q -c -" + std::to_string(level) + (level % 2 ? " --check" : " --no-check"),
                      level == 1 || level == 19 ? 0 : 4);
  expect_round_trip(Format::zstd, "zstd -q -c --fast=5");
  expect_round_trip(Format::zstd, "zstd -q -c --ultra -22 --long=27", 4);
  expect_round_trip(Format::zstd, "zstd -q -c -3 --zstd=wlog=10");
}
TEST(Decompress, Lz4AtEveryLevel) {
  for (int level : {1, 3, 6, 9, 12}) {
    std::string options = "lz4 -q -c -" + std::to_string(level);
    expect_round_trip(Format::lz4, options);
    expect_round_trip(Format::lz4, options + " -B4 -BD -BX --no-frame-crc");
    expect_round_trip(Format::lz4_legacy, options + " -l");
  }
}
TEST(Decompress, XzAtEveryLevel) {
  for (int level = 0; level <= 9; ++level)
    expect_round_trip(Format::xz, "xz -c -T1 -" + std::to_string(level) + (level % 2 ? " --check=crc32" : ""),
                      level ? 4 : 0);
  expect_round_trip(Format::xz, "xz -c --check=none --lzma2=preset=3,lc=1,lp=3,pb=0,dict=64KiB");
  expect_round_trip(Format::xz, "xz -c -T2 --block-size=100000 --check=crc32", 4);
}
TEST(Decompress, Zlib) {
  expect_round_trip(
      Format::zlib,
      "python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'");
}

TEST(Decompress, SkippableFramesGiveNothing) {
  Bytes skippable = {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c', 'd'};
  for (Format format : {Format::zstd, Format::lz4}) {
    Decoded decoded = decode(format, skippable);
    EXPECT_EQ(decoded.result.value(), 11u);
    EXPECT_TRUE(decoded.bytes.empty());
  }
}

TEST(Decompress, SinkErrorsEndTheRun) {
  Bytes packed = filter("gzip", all_samples()[4]);
  Decoded decoded = decode(Format::gzip, packed, 100);
  EXPECT_EQ(decoded.result.error(), base::Errno::efbig);
}

struct Packed {
  Format format;
  std::string command;
};
const Packed small_formats[] = {{Format::gzip, "gzip -n"},
                                {Format::zstd, "zstd -q -c --check"},
                                {Format::lz4, "lz4 -q -c"},
                                {Format::zstd, "zstd -q -c -19 --check"},
                                {Format::xz, "xz -c"}};

TEST(Decompress, EveryTruncationIsAnError) {
  Bytes sample(all_samples()[4].begin(), all_samples()[4].begin() + 3000);
  for (const Packed& packed : small_formats) {
    Bytes whole = filter(packed.command, sample);
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(decode(packed.format, std::span(whole).first(size)).result)
          << packed.command << " " << size;
  }
}

// A checksum covers everything, so a damaged file is never taken for a good one (but damage may hide in
// unused header fields).
TEST(Decompress, DamageIsFound) {
  Bytes sample(all_samples()[4].begin(), all_samples()[4].begin() + 3000);
  std::mt19937 random(7);
  for (const Packed& packed : small_formats) {
    const Bytes whole = filter(packed.command, sample);
    for (int i = 0; i < 1500; ++i) {
      Bytes damaged = whole;
      for (unsigned n = 1 + random() % 3; n; --n)
        damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
      Decoded decoded = decode(packed.format, damaged, 1u << 18);
      if (decoded.result && *decoded.result == whole.size() && !decoded.bytes.empty())
        EXPECT_TRUE(decoded.bytes == sample) << packed.command;
    }
  }
}

}  // namespace
}  // namespace decompress
