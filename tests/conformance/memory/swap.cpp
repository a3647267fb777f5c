// swapon(2), swapoff(2) where they refuse; MADV_PAGEOUT and MADV_COLD, with swap and without.
#include <sys/swap.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class Swap : public TempDirTest {};

TEST_F(Swap, WhatIsNoSwapArea) {
  EXPECT_ERRNO(swapon(path("missing"), 0), ENOENT);
  EXPECT_ERRNO(swapon("/", 0), EISDIR);
  EXPECT_ERRNO(swapon("/dev/null", 0), EINVAL);
  write_file("zeroes", std::string(1 << 20, '\0'));
  EXPECT_ERRNO(swapon(path("zeroes"), 0), EINVAL);
  write_file("empty", "");
  EXPECT_ERRNO(swapon(path("empty"), 0), EINVAL);
  EXPECT_ERRNO(swapon(path("zeroes"), 0x80000), EINVAL) << "an unknown flag";
  EXPECT_ERRNO(swapoff(path("missing")), ENOENT);
  EXPECT_ERRNO(swapoff(path("zeroes")), EINVAL);
  EXPECT_ERRNO(swapon(nullptr, 0), EFAULT);
  EXPECT_ERRNO(swapoff(nullptr), EFAULT);
  // The file is what it was.
  const ScopedFd fd = open(path("zeroes"), O_RDWR | O_TRUNC);
  EXPECT_OK(fd);
}

TEST_F(Swap, NeedsPrivilege) {
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_ERRNO(swapon("/dev/null", 0), EPERM);
    EXPECT_ERRNO(swapon("/dev/null", 0x80000), EINVAL) << "flags come first";
    EXPECT_ERRNO(swapoff("/dev/null"), EPERM);
  });
}

TEST_F(Swap, AdviceKeepsTheContents) {
  constexpr std::size_t page = 4096, pages = 300;
  for (const int flags : {MAP_PRIVATE, MAP_SHARED}) {
    char* const memory =
        static_cast<char*>(mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    for (std::size_t i = 0; i < pages; ++i) memory[i * page] = static_cast<char>(i);
    EXPECT_OK(madvise(memory, pages * page, MADV_COLD));
    EXPECT_OK(madvise(memory, pages * page, MADV_PAGEOUT));
    EXPECT_CHILD_OK([&] {
      for (std::size_t i = 0; i < pages; ++i) EXPECT_EQ(memory[i * page], static_cast<char>(i)) << i;
      if (flags == MAP_PRIVATE) memory[0] = 77;
    });
    EXPECT_OK(madvise(memory, pages * page, MADV_WILLNEED));
    for (std::size_t i = 0; i < pages; ++i) ASSERT_EQ(memory[i * page], static_cast<char>(i)) << i;
    ASSERT_OK(mlock(memory, page));
    EXPECT_ERRNO(madvise(memory, page, MADV_PAGEOUT), EINVAL) << "locked memory";
    EXPECT_ERRNO(madvise(memory, page, MADV_COLD), EINVAL) << "locked memory";
    EXPECT_OK(munmap(memory, pages * page));
    EXPECT_ERRNO(madvise(memory, pages * page, MADV_PAGEOUT), ENOMEM);
  }
}

}  // namespace
