// mremap(2), madvise(2), mincore(2), mlock(2), stack growth and guard gaps.
#include <sys/resource.h>

#include "support/conformance.h"
#include "support/fault.h"

namespace {
using namespace conformance;

constexpr int dont_unmap = 4;

TEST(Remap, ShrinkUnmapsTheTail) {
  const Mapping memory(4 * page_size());
  memory[0] = 1;
  EXPECT_EQ(mremap(memory.data(), 4 * page_size(), page_size(), 0), memory.data());
  EXPECT_EQ(memory[0], 1);
  EXPECT_EQ(provoke([&] { peek(memory.data() + page_size()); }).code, SEGV_MAPERR);
}

TEST(Remap, GrowsInPlaceWhenThereIsRoom) {
  const Mapping memory(4 * page_size());
  memory[0] = 1;
  ASSERT_OK(munmap(memory.data() + page_size(), 3 * page_size()));
  EXPECT_EQ(mremap(memory.data(), page_size(), 3 * page_size(), 0), memory.data());
  EXPECT_EQ(memory[0], 1);
  EXPECT_EQ(memory[2 * page_size()], 0);
}

TEST(Remap, WithoutRoomItMovesOrFails) {
  const Mapping memory(4 * page_size());
  memset(memory.data(), 7, memory.size());
  ASSERT_OK(mprotect(memory.data() + page_size(), page_size(), PROT_READ));
  EXPECT_ERRNO(mremap(memory.data(), page_size(), 2 * page_size(), 0), ENOMEM);
  char* moved = static_cast<char*>(mremap(memory.data(), page_size(), 8 * page_size(), MREMAP_MAYMOVE));
  ASSERT_NE(moved, MAP_FAILED);
  ASSERT_NE(moved, memory.data());
  EXPECT_EQ(moved[0], 7);
  EXPECT_EQ(moved[page_size()], 0);
  EXPECT_EQ(provoke([&] { peek(memory.data()); }).code, SEGV_MAPERR);
  munmap(moved, 8 * page_size());
}

TEST(Remap, FixedTargetReplaces) {
  const Mapping source(page_size()), target(3 * page_size());
  source[0] = 's';
  memset(target.data(), 't', target.size());
  char* place = target.data() + page_size();
  EXPECT_EQ(mremap(source.data(), page_size(), page_size(), MREMAP_MAYMOVE | MREMAP_FIXED, place), place);
  EXPECT_EQ(place[0], 's');
  EXPECT_EQ(target[0], 't');
  EXPECT_EQ(target[2 * page_size()], 't');
}

TEST(Remap, DontUnmapLeavesAnEmptyMapping) {
  const Mapping memory(page_size());
  memory[0] = 'x';
  // The C library would pass garbage as the address hint.
  char* moved = reinterpret_cast<char*>(
      sys(SYS_mremap, memory.data(), page_size(), page_size(), MREMAP_MAYMOVE | dont_unmap, 0));
  ASSERT_NE(moved, MAP_FAILED);
  EXPECT_EQ(moved[0], 'x');
  EXPECT_EQ(memory[0], 0);
  munmap(moved, page_size());
}

TEST(Remap, OldSizeZeroDuplicatesSharedMappings) {
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  char* twin = static_cast<char*>(mremap(memory.data(), 0, page_size(), MREMAP_MAYMOVE));
  ASSERT_NE(twin, MAP_FAILED);
  memory[3] = 'x';
  EXPECT_EQ(twin[3], 'x');
  munmap(twin, page_size());
}

TEST(Remap, Errors) {
  const Mapping memory(2 * page_size());
  EXPECT_ERRNO(mremap(memory.data() + 1, page_size(), page_size(), MREMAP_MAYMOVE), EINVAL);
  EXPECT_ERRNO(mremap(memory.data(), page_size(), 0, MREMAP_MAYMOVE), EINVAL);
  EXPECT_ERRNO(mremap(memory.data(), page_size(), page_size(), 0x80), EINVAL);
  EXPECT_ERRNO(mremap(memory.data(), page_size(), page_size(), MREMAP_FIXED, memory.data()), EINVAL);
  EXPECT_ERRNO(mremap(memory.data(), 2 * page_size(), 2 * page_size(), MREMAP_MAYMOVE | MREMAP_FIXED,
                      memory.data() + page_size()),
               EINVAL)
      << "overlap";
  ASSERT_OK(munmap(memory.data(), page_size()));
  EXPECT_ERRNO(mremap(memory.data(), page_size(), 2 * page_size(), MREMAP_MAYMOVE), EFAULT);
}

TEST(Advise, DontNeedDropsAnonymousContent) {
  const Mapping memory(4 * page_size());
  memset(memory.data(), 1, memory.size());
  ASSERT_OK(madvise(memory.data() + page_size(), 2 * page_size(), MADV_DONTNEED));
  EXPECT_EQ(memory[0], 1);
  EXPECT_EQ(memory[page_size()], 0);
  EXPECT_EQ(memory[3 * page_size() - 1], 0);
  EXPECT_EQ(memory[3 * page_size()], 1);
}

class AdviseFile : public TempDirTest {};

TEST_F(AdviseFile, DontNeedOnPrivateFileMappingShowsTheFileAgain) {
  write_file("a", std::string(page_size(), 'f'));
  const ScopedFd fd = open(path("a"), O_RDONLY);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  memory[0] = 'x';
  ASSERT_OK(madvise(memory.data(), page_size(), MADV_DONTNEED));
  EXPECT_EQ(memory[0], 'f');
}

TEST_F(AdviseFile, RemovePunchesAHole) {
  write_file("a", std::string(3 * page_size(), 'f'));
  const ScopedFd fd = open(path("a"), O_RDWR);
  const Mapping memory(3 * page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  if (madvise(memory.data() + page_size(), page_size(), MADV_REMOVE) != 0 && errno == EOPNOTSUPP) {
    GTEST_SKIP() << "no holes";
  }
  EXPECT_EQ(memory[page_size()], 0);
  EXPECT_EQ(read_file("a")[page_size()], 0);
  EXPECT_EQ(read_file("a")[2 * page_size()], 'f');
}

TEST(Advise, DontForkLeavesItOutOfTheChild) {
  const Mapping memory(page_size());
  memory[0] = 1;
  ASSERT_OK(madvise(memory.data(), page_size(), MADV_DONTFORK));
  EXPECT_CHILD_OK([&] { EXPECT_EQ(provoke([&] { peek(memory.data()); }).code, SEGV_MAPERR); });
  EXPECT_EQ(memory[0], 1);
}

TEST(Advise, WipeOnForkIsZeroInTheChild) {
  const Mapping memory(page_size());
  memory[0] = 1;
  ASSERT_OK(madvise(memory.data(), page_size(), MADV_WIPEONFORK));
  EXPECT_CHILD_OK([&] { EXPECT_EQ(memory[0], 0); });
  EXPECT_EQ(memory[0], 1);
}

TEST(Advise, FreeKeepsWhatIsWrittenAfterwards) {
  const Mapping memory(page_size());
  memory[0] = 1;
  ASSERT_OK(madvise(memory.data(), page_size(), MADV_FREE));
  memory[0] = 2;
  EXPECT_EQ(memory[0], 2);
}

TEST(Advise, PopulateFaultsPagesIn) {
  const Mapping memory(4 * page_size());
  ASSERT_OK(madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE));
  unsigned char present[4] = {};
  ASSERT_OK(mincore(memory.data(), memory.size(), present));
  for (const unsigned char page : present) EXPECT_EQ(page & 1, 1);
}

TEST(Advise, Errors) {
  const Mapping memory(2 * page_size());
  EXPECT_ERRNO(madvise(memory.data() + 1, page_size(), MADV_DONTNEED), EINVAL);
  EXPECT_ERRNO(madvise(memory.data(), page_size(), 9999), EINVAL);
  EXPECT_OK(madvise(memory.data(), 0, MADV_DONTNEED));
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_ERRNO(madvise(memory.data(), 2 * page_size(), MADV_DONTNEED), ENOMEM);
}

TEST(Mincore, TellsTouchedPages) {
  const Mapping memory(3 * page_size());
  memory[page_size()] = 1;
  unsigned char present[3] = {};
  ASSERT_OK(mincore(memory.data(), memory.size(), present));
  EXPECT_EQ(present[0] & 1, 0);
  EXPECT_EQ(present[1] & 1, 1);
  EXPECT_ERRNO(mincore(memory.data() + 1, page_size(), present), EINVAL);
  EXPECT_ERRNO(sys(SYS_mincore, memory.data(), page_size(), low_address()), EFAULT);
  ASSERT_OK(munmap(memory.data() + 2 * page_size(), page_size()));
  EXPECT_ERRNO(mincore(memory.data(), 3 * page_size(), present), ENOMEM);
}

TEST(Lock, MlockPopulatesAndCounts) {
  const Mapping memory(4 * page_size());
  ASSERT_OK(mlock(memory.data(), memory.size()));
  unsigned char present[4] = {};
  ASSERT_OK(mincore(memory.data(), memory.size(), present));
  for (const unsigned char page : present) EXPECT_EQ(page & 1, 1);
  EXPECT_OK(munlock(memory.data(), memory.size()));
  ASSERT_OK(munmap(memory.data() + page_size(), page_size()));
  EXPECT_ERRNO(mlock(memory.data(), memory.size()), ENOMEM);
}

TEST(Lock, LimitIsENOMEMOrEPERM) {
  const Mapping memory(64 * page_size());
  EXPECT_CHILD_OK([&] {
    const rlimit limit = {16 * page_size(), 16 * page_size()};
    ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
    drop_privileges();
    EXPECT_ERRNO(mlock(memory.data(), memory.size()), ENOMEM);
    EXPECT_OK(mlock(memory.data(), 8 * page_size()));
    EXPECT_ERRNO(mlockall(0x80), EINVAL);
  });
  EXPECT_CHILD_OK([&] {
    const rlimit limit = {0, 0};
    ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
    drop_privileges();
    EXPECT_ERRNO(mlock(memory.data(), page_size()), EPERM);
  });
}

TEST(Stack, GrowsOnDemand) {
  EXPECT_CHILD_OK([] {
    volatile char* here = static_cast<volatile char*>(__builtin_alloca(2 << 20));
    here[0] = 1;
    EXPECT_EQ(here[0], 1);
  });
}

__attribute__((noinline)) int recurse(int depth) {
  volatile char block[4096];
  block[depth % 4096] = 1;
  return depth <= 0 ? 0 : recurse(depth - 1) + block[depth % 4096];
}

TEST(Stack, LimitEndsInSIGSEGV) {
  const int status = run_child([] {
    const rlimit core = {0, 0};
    setrlimit(RLIMIT_CORE, &core);
    const rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &limit);
    _exit(recurse(1 << 20) == 12345);
  });
  EXPECT_KILLED(status, SIGSEGV);
}

TEST(Stack, OverflowIsCaughtOnTheAlternateStack) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &limit);
    const Mapping alternate(16 * page_size());
    const stack_t stack = {alternate.data(), 0, alternate.size()};
    ASSERT_OK(sigaltstack(&stack, nullptr));
    struct sigaction action = {};
    action.sa_handler = [](int) { _exit(0); };
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    _exit(recurse(1 << 20) == 12345 ? 2 : 1);
  });
}

TEST(Stack, GrowsDownMappingKeepsAGap) {
  // A neighbour below stops the growth 256 pages above it.
  const size_t page = page_size();
  const Mapping area(1024 * page, PROT_NONE);
  ASSERT_TRUE(area.valid());
  char* top = area.data() + 1000 * page;
  munmap(area.data() + page, 1023 * page);
  ASSERT_EQ(
      mmap(top, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0),
      top);
  EXPECT_EQ(provoke([&] { poke(top - 16); }).signal, 0) << "grows by a page";
  ASSERT_OK(mprotect(area.data(), page, PROT_READ));
  EXPECT_EQ(provoke([&] { poke(area.data() + 10 * page); }).signal, SIGSEGV) << "inside the gap";
  munmap(area.data(), 1024 * page);
}

TEST(Remote, ProcessVmReadvCopiesBetweenProcesses) {
  const Mapping memory(page_size());
  strcpy(memory.data(), "remote");
  Rendezvous ready, done;
  const pid_t child = fork_child([&] {
    strcpy(memory.data(), "child");
    ready.notify();
    done.wait();
    EXPECT_STREQ(memory.data(), "WRITE");
  });
  ASSERT_TRUE(ready.wait());
  char buffer[8] = {};
  struct {
    void* base;
    size_t length;
  } local = {buffer, 6}, remote = {memory.data(), 6};
  EXPECT_EQ(sys(SYS_process_vm_readv, child, &local, 1, &remote, 1, 0), 6);
  EXPECT_STREQ(buffer, "child");
  strcpy(buffer, "WRITE");
  EXPECT_EQ(sys(SYS_process_vm_writev, child, &local, 1, &remote, 1, 0), 6);
  done.notify();
  EXPECT_EXITED(wait_for(child), 0);
  remote.base = low_address();
  EXPECT_ERRNO(sys(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 1), EINVAL);
}

}  // namespace
