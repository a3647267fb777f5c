// Runs a compressor of the host on test data.
#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "decompress/decompress.h"

namespace decompress {

using Bytes = std::vector<std::uint8_t>;

inline Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}
inline void write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
}

// `command` reads standard input and writes standard output.
inline Bytes filter(const std::string& command, const Bytes& input) {
  std::string base = testing::TempDir() + "decompress_test." + std::to_string(getpid());
  write_file(base + ".in", input);
  // Not system(): it forks, which is slow in a program with the address sanitizer.
  std::string line = "(" + command + ") < " + base + ".in > " + base + ".out";
  const char* arguments[] = {"sh", "-c", line.c_str(), nullptr};
  pid_t child = 0;
  int status = -1;
  EXPECT_EQ(posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << command;
  Bytes output = read_file(base + ".out");
  std::remove((base + ".in").c_str());
  std::remove((base + ".out").c_str());
  return output;
}

struct Decoded {
  base::Result<std::size_t> result;
  Bytes bytes;
};
inline Decoded decode(Format format, std::span<const std::uint8_t> input, std::size_t output_max = 1u << 30) {
  Decoded decoded;
  // An exact copy on the heap, so that the address sanitizer sees every byte read outside.
  Bytes copy(input.begin(), input.end());
  copy.shrink_to_fit();
  decoded.result = decompress(format, copy, [&](std::span<const std::uint8_t> bytes) -> base::Result<void> {
    if (decoded.bytes.size() + bytes.size() > output_max) return base::error(base::Errno::efbig);
    decoded.bytes.insert(decoded.bytes.end(), bytes.begin(), bytes.end());
    return {};
  });
  return decoded;
}

// Data of several kinds: empty, tiny, random, constant, text-like with long and short repeats.
inline std::vector<Bytes> samples() {
  std::mt19937 random(42);
  std::vector<Bytes> all;
  all.push_back({});
  all.push_back({'x'});
  all.push_back(Bytes(300000, 0));
  Bytes noise(150000);
  for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
  all.push_back(noise);
  Bytes words;
  std::vector<std::string> vocabulary;
  for (int i = 0; i < 400; ++i) {
    std::string word;
    for (unsigned n = 1 + random() % 12; n; --n)
      word += static_cast<char>('a' + random() % (i < 40 ? 6 : 26));
    vocabulary.push_back(word + (i % 7 ? " " : "\n"));
  }
  while (words.size() < 1500000) {
    const std::string& word = vocabulary[std::min(random() % 400, random() % 400)];
    words.insert(words.end(), word.begin(), word.end());
    if (random() % 500 == 0 && words.size() > 1000) {
      std::size_t from = random() % (words.size() - 600), size = random() % 600;
      for (std::size_t i = 0; i < size; ++i) words.push_back(words[from + i]);
    }
  }
  all.push_back(words);
  Bytes mixed;
  for (int i = 0; i < 60; ++i) {
    std::size_t size = random() % 20000;
    switch (random() % 4) {
      case 0:
        mixed.insert(mixed.end(), size, static_cast<std::uint8_t>(random()));
        break;
      case 1:
        for (std::size_t n = 0; n < size; ++n) mixed.push_back(static_cast<std::uint8_t>(random()));
        break;
      case 2:
        for (std::size_t n = 0; n < size; ++n) mixed.push_back(static_cast<std::uint8_t>(n % (3 + size % 9)));
        break;
      default:
        for (std::size_t n = 0; n < size; ++n) mixed.push_back(words[(n + size * 31) % words.size()]);
        break;
    }
  }
  all.push_back(mixed);
  return all;
}

}  // namespace decompress
