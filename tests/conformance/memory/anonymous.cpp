// mmap(2) of anonymous memory, munmap(2), mprotect(2), brk(2), over-commit.
#include <sys/resource.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

#define EXPECT_FAULT(fault_expression, wanted_signal, wanted_code, wanted_address) \
  do {                                                                             \
    const Fault seen = fault_expression;                                           \
    EXPECT_EQ(seen.signal, wanted_signal);                                         \
    EXPECT_EQ(seen.code, wanted_code);                                             \
    EXPECT_EQ(seen.address, (void*)(wanted_address));                              \
  } while (0)

TEST(Anonymous, IsZeroFilledAndPageAligned) {
  const Mapping memory(16 * page_size());
  ASSERT_TRUE(memory.valid());
  EXPECT_EQ((uintptr_t)memory.data() % page_size(), 0u);
  for (size_t i = 0; i < memory.size(); i++) ASSERT_EQ(memory[i], 0) << i;
}

TEST(Anonymous, RecycledPagesAreZeroAgain) {
  for (int round = 0; round < 20; round++) {
    const Mapping memory(64 * page_size());
    ASSERT_TRUE(memory.valid());
    for (size_t page = 0; page < 64; page++) ASSERT_EQ(memory[page * page_size() + 17], 0);
    memset(memory.data(), 0x5a, memory.size());
  }
}

TEST(Anonymous, LengthIsRoundedUp) {
  const Mapping memory(1);
  ASSERT_TRUE(memory.valid());
  memory[page_size() - 1] = 1;
}

TEST(Anonymous, BadArguments) {
  constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT_ERRNO(mmap(nullptr, 0, PROT_READ, anonymous, -1, 0), EINVAL);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL) << "neither shared nor private";
  EXPECT_ERRNO(mmap((void*)1, 4096, PROT_READ, anonymous | MAP_FIXED, -1, 0), EINVAL) << "not aligned";
  EXPECT_ERRNO(mmap(nullptr, SIZE_MAX, PROT_READ, anonymous, -1, 0), ENOMEM);
  EXPECT_ERRNO(mmap(nullptr, SIZE_MAX - 8192, PROT_READ, anonymous, -1, 0), ENOMEM);
  EXPECT_ERRNO(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  EXPECT_ERRNO(sys(SYS_mmap, 0, 4096, PROT_READ, anonymous, -1, 1), EINVAL) << "the offset is not aligned";
}

TEST(Anonymous, HintIsHonouredWhenFree) {
  char* place;
  {
    const Mapping memory(4 * page_size());
    place = memory.data();
  }
  void* again = mmap(place, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(again, place);
  void* elsewhere = mmap(place, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(elsewhere, MAP_FAILED);
  EXPECT_NE(elsewhere, place) << "a hint never replaces";
  munmap(place, page_size());
  munmap(elsewhere, page_size());
}

TEST(Anonymous, FixedReplaces) {
  const Mapping memory(3 * page_size());
  memset(memory.data(), 7, memory.size());
  char* middle = memory.data() + page_size();
  ASSERT_EQ(mmap(middle, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), middle);
  EXPECT_EQ(memory[page_size() - 1], 7);
  EXPECT_EQ(middle[0], 0);
  EXPECT_EQ(memory[2 * page_size()], 7);
}

TEST(Anonymous, FixedNoReplaceIsEEXIST) {
  const Mapping memory(2 * page_size());
  EXPECT_ERRNO(
      mmap(memory.data(), page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
      EEXIST);
}

TEST(Anonymous, FixedBelowTheMinimumAddressNeedsPrivilege) {
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(mmap(nullptr, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                 EPERM);
  });
}

TEST(Anonymous, UnmappedIsMapError) {
  char* place;
  {
    const Mapping memory(page_size());
    place = memory.data();
    place[0] = 1;
  }
  EXPECT_FAULT(provoke([&] { peek(place + 5); }), SIGSEGV, SEGV_MAPERR, place + 5);
}

TEST(Anonymous, NullPointerFaults) {
  EXPECT_FAULT(provoke([] { peek(low_address()); }), SIGSEGV, SEGV_MAPERR, low_address());
}

TEST(Anonymous, KernelAddressFaults) {
  const Fault fault = provoke([] { peek(kernel_address()); });
  EXPECT_EQ(fault.signal, SIGSEGV);
}

TEST(Anonymous, UnmapTheMiddle) {
  const Mapping memory(3 * page_size());
  memset(memory.data(), 3, memory.size());
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_EQ(memory[0], 3);
  EXPECT_EQ(memory[2 * page_size()], 3);
  EXPECT_EQ(provoke([&] { peek(memory.data() + page_size()); }).code, SEGV_MAPERR);
}

TEST(Anonymous, UnmapIgnoresHolesAndChecksAlignment) {
  const Mapping memory(3 * page_size());
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_OK(munmap(memory.data(), 3 * page_size()));
  EXPECT_OK(munmap(memory.data(), 3 * page_size())) << "nothing there";
  EXPECT_ERRNO(munmap(memory.data() + 1, page_size()), EINVAL);
  EXPECT_ERRNO(munmap(memory.data(), 0), EINVAL);
  EXPECT_ERRNO(munmap(kernel_address(), page_size()), EINVAL);
}

TEST(Protect, ReadOnlyFaultsOnWrite) {
  const Mapping memory(page_size());
  memory[3] = 9;
  ASSERT_OK(mprotect(memory.data(), page_size(), PROT_READ));
  EXPECT_EQ(memory[3], 9);
  EXPECT_FAULT(provoke([&] { poke(memory.data() + 3); }), SIGSEGV, SEGV_ACCERR, memory.data() + 3);
  ASSERT_OK(mprotect(memory.data(), page_size(), PROT_READ | PROT_WRITE));
  memory[3] = 10;
  EXPECT_EQ(memory[3], 10);
}

TEST(Protect, NoneFaultsOnReadAndKeepsContent) {
  const Mapping memory(page_size());
  memory[0] = 42;
  ASSERT_OK(mprotect(memory.data(), page_size(), PROT_NONE));
  EXPECT_FAULT(provoke([&] { peek(memory.data()); }), SIGSEGV, SEGV_ACCERR, memory.data());
  ASSERT_OK(mprotect(memory.data(), page_size(), PROT_READ));
  EXPECT_EQ(memory[0], 42);
}

TEST(Protect, PartOfAMapping) {
  const Mapping memory(5 * page_size());
  ASSERT_OK(mprotect(memory.data() + page_size(), 2 * page_size(), PROT_READ));
  EXPECT_EQ(provoke([&] { poke(memory.data()); }).signal, 0);
  EXPECT_EQ(provoke([&] { poke(memory.data() + page_size()); }).code, SEGV_ACCERR);
  EXPECT_EQ(provoke([&] { poke(memory.data() + 3 * page_size() - 1); }).code, SEGV_ACCERR);
  EXPECT_EQ(provoke([&] { poke(memory.data() + 3 * page_size()); }).signal, 0);
}

TEST(Protect, Errors) {
  const Mapping memory(3 * page_size());
  EXPECT_ERRNO(mprotect(memory.data() + 1, page_size(), PROT_READ), EINVAL);
  EXPECT_OK(mprotect(memory.data(), 0, PROT_READ)) << "nothing to do";
  EXPECT_ERRNO(mprotect(memory.data(), page_size(), 0x80), EINVAL);
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_ERRNO(mprotect(memory.data(), 3 * page_size(), PROT_READ), ENOMEM) << "a hole";
  EXPECT_EQ(provoke([&] { poke(memory.data()); }).code, SEGV_ACCERR) << "done up to the hole";
}

TEST(Protect, DataIsNotExecutable) {
  const Mapping memory(page_size());
  memset(memory.data(), 0, page_size());
  const Fault fault = provoke([&] { reinterpret_cast<void (*)()>(memory.data())(); });
  EXPECT_EQ(fault.signal, SIGSEGV);
  EXPECT_EQ(fault.code, SEGV_ACCERR);
  EXPECT_EQ(fault.address, memory.data());
}

TEST(Protect, ProgramTextIsReadOnly) {
  void* text = reinterpret_cast<void*>(&provoke);
  EXPECT_FAULT(provoke([&] { poke(text, peek(text)); }), SIGSEGV, SEGV_ACCERR, text);
}

TEST(Overcommit, ObviousExcessIsENOMEM) {
  if (slurp("/proc/sys/vm/overcommit_memory")[0] != '0') GTEST_SKIP() << "the rule is switched off";
  constexpr size_t much = 1ull << 45;
  EXPECT_ERRNO(mmap(nullptr, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

TEST(Overcommit, NoReserveAndInaccessibleDoNotCount) {
  if (slurp("/proc/sys/vm/overcommit_memory")[0] != '0') GTEST_SKIP() << "the rule is switched off";
  constexpr size_t much = 1ull << 40;
  const Mapping sparse(much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  ASSERT_TRUE(sparse.valid());
  sparse[much / 2] = 1;
  const Mapping none(much, PROT_NONE);
  EXPECT_TRUE(none.valid());
}

TEST(Overcommit, AddressSpaceLimitIsENOMEM) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {1 << 30, 1 << 30};
    ASSERT_OK(setrlimit(RLIMIT_AS, &limit));
    EXPECT_ERRNO(mmap(nullptr, 2ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    const Mapping small(1 << 20);
    EXPECT_TRUE(small.valid());
  });
}

TEST(Overcommit, DataLimitIsENOMEM) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {64 << 20, 64 << 20};
    ASSERT_OK(setrlimit(RLIMIT_DATA, &limit));
    EXPECT_ERRNO(mmap(nullptr, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 ENOMEM);
    const Mapping read_only(128 << 20, PROT_READ);
    EXPECT_TRUE(read_only.valid()) << "only private writable memory counts";
  });
}

TEST(Brk, GrowsShrinksAndZeroes) {
  EXPECT_CHILD_OK([] {
    const long start = sys(SYS_brk, 0);
    const long grown = start + (long)(4 * page_size());
    ASSERT_EQ(sys(SYS_brk, grown), grown);
    char* memory = reinterpret_cast<char*>(start);
    memset(memory, 1, 4 * page_size());
    ASSERT_EQ(sys(SYS_brk, start), start);
    ASSERT_EQ(sys(SYS_brk, grown), grown);
    const char* past_partial_page = memory + page_size();
    EXPECT_EQ(peek(past_partial_page), 0) << "given back pages come back empty";
    sys(SYS_brk, start);
    _exit(testing::Test::HasFailure() ? child_failed : 0);
  });
}

TEST(Brk, RefusalReturnsTheOldBreak) {
  const long current = sys(SYS_brk, 0);
  EXPECT_EQ(sys(SYS_brk, 1), current) << "below the start";
  EXPECT_EQ(sys(SYS_brk, -4096), current) << "in the kernel";
}

TEST(Fork, MemoryIsCopiedOnWrite) {
  const Mapping memory(8 * page_size());
  memset(memory.data(), 1, memory.size());
  Rendezvous changed;
  const pid_t child = fork_child([&] {
    for (size_t i = 0; i < memory.size(); i += page_size()) EXPECT_EQ(memory[i], 1);
    memset(memory.data(), 2, memory.size());
    changed.notify();
    sleep_milliseconds(20);
    for (size_t i = 0; i < memory.size(); i += page_size()) EXPECT_EQ(memory[i], 2);
  });
  ASSERT_TRUE(changed.wait());
  for (size_t i = 0; i < memory.size(); i += page_size()) EXPECT_EQ(memory[i], 1);
  memset(memory.data(), 3, memory.size());
  EXPECT_EXITED(wait_for(child), 0);
  for (size_t i = 0; i < memory.size(); i += page_size()) EXPECT_EQ(memory[i], 3);
}

TEST(Fork, SharedAnonymousMemoryStaysShared) {
  const Mapping memory(2 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  memory[0] = 1;
  EXPECT_CHILD_OK([&] {
    EXPECT_EQ(memory[0], 1);
    memory[0] = 2;
    memory[page_size()] = 3;
  });
  EXPECT_EQ(memory[0], 2);
  EXPECT_EQ(memory[page_size()], 3) << "also pages the parent had not touched";
}

TEST(Fork, GenerationsShareAndDivideCorrectly) {
  const Mapping memory(page_size());
  memory[0] = 1;
  EXPECT_CHILD_OK([&] {
    EXPECT_CHILD_OK([&] {
      memory[0] = 3;
      EXPECT_CHILD_OK([&] { EXPECT_EQ(memory[0], 3); });
    });
    EXPECT_EQ(memory[0], 1);
    memory[0] = 2;
    EXPECT_CHILD_OK([&] { EXPECT_EQ(memory[0], 2); });
  });
  EXPECT_EQ(memory[0], 1);
}

TEST(Fork, KernelWritesBreakSharingToo) {
  const Mapping memory(page_size());
  memory[0] = 'p';
  int ends[2];
  ASSERT_OK(pipe(ends));
  ASSERT_EQ(write(ends[1], "c", 1), 1);
  EXPECT_CHILD_OK([&] {
    EXPECT_EQ(read(ends[0], memory.data(), 1), 1);
    EXPECT_EQ(memory[0], 'c');
  });
  EXPECT_EQ(memory[0], 'p');
}

}  // namespace
