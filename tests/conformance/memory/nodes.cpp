// Memory policies and protection keys, on a machine with one memory node.
#include <linux/mempolicy.h>
#include <sys/mman.h>

#include <algorithm>

#include "support/conformance.h"

namespace {
using namespace conformance;

long get_policy(int* mode, unsigned long* nodes, unsigned long count, const void* address,
                unsigned long flags) {
  return sys(SYS_get_mempolicy, mode, nodes, count, address, flags);
}
long set_policy(int mode, const unsigned long* nodes, unsigned long count) {
  return sys(SYS_set_mempolicy, mode, nodes, count);
}

class MemoryNodes : public testing::Test {
 protected:
  void SetUp() override {
    int mode;
    if (get_policy(&mode, nullptr, 0, nullptr, 0) < 0 && errno == ENOSYS)
      GTEST_SKIP() << "this kernel knows no nodes";
    unsigned long nodes[16] = {};
    ASSERT_OK(get_policy(nullptr, nodes, 1024, nullptr, MPOL_F_MEMS_ALLOWED));
    if (nodes[0] != 1) GTEST_SKIP() << "more than one node";
  }
  static constexpr unsigned long first = 1, second = 2;
};

TEST_F(MemoryNodes, DefaultPolicy) {
  EXPECT_CHILD_OK([] {
    int mode = -1;
    unsigned long nodes[2] = {~0ul, ~0ul};
    EXPECT_OK(get_policy(&mode, nodes, 128, nullptr, 0));
    EXPECT_EQ(mode, MPOL_DEFAULT);
    EXPECT_EQ(nodes[0], 0u);
    EXPECT_EQ(nodes[1], 0u);
    EXPECT_ERRNO(get_policy(&mode, nullptr, 0, nullptr, MPOL_F_NODE), EINVAL);
    EXPECT_ERRNO(get_policy(&mode, nullptr, 0, &mode, 0), EINVAL);
    EXPECT_ERRNO(get_policy(&mode, nullptr, 0, nullptr, 16), EINVAL);
    EXPECT_ERRNO(get_policy((int*)8, nullptr, 0, nullptr, 0), EFAULT);
    EXPECT_ERRNO(get_policy(&mode, nullptr, 0, nullptr, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR), EINVAL);
  });
}

TEST_F(MemoryNodes, SetAndGetAcrossFork) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(set_policy(MPOL_BIND, &first, 64));
    EXPECT_CHILD_OK([] {
      int mode = -1;
      unsigned long nodes = 0;
      EXPECT_OK(get_policy(&mode, &nodes, 64, nullptr, 0));
      EXPECT_EQ(mode, MPOL_BIND);
      EXPECT_EQ(nodes, 1u);
    });
    ASSERT_OK(set_policy(MPOL_PREFERRED, nullptr, 0));
    int mode = -1;
    EXPECT_OK(get_policy(&mode, nullptr, 0, nullptr, 0));
    EXPECT_EQ(mode, MPOL_LOCAL);
    ASSERT_OK(set_policy(MPOL_INTERLEAVE | MPOL_F_STATIC_NODES, &first, 64));
    EXPECT_OK(get_policy(&mode, nullptr, 0, nullptr, 0));
    EXPECT_EQ(mode, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES);
    EXPECT_OK(get_policy(&mode, nullptr, 0, nullptr, MPOL_F_NODE));
    EXPECT_EQ(mode, 0);
    ASSERT_OK(set_policy(MPOL_DEFAULT, nullptr, 0));
    EXPECT_OK(get_policy(&mode, nullptr, 0, nullptr, 0));
    EXPECT_EQ(mode, MPOL_DEFAULT);
  });
}

TEST_F(MemoryNodes, SetErrors) {
  EXPECT_CHILD_OK([] {
    EXPECT_ERRNO(set_policy(99, nullptr, 0), EINVAL);
    EXPECT_ERRNO(set_policy(MPOL_DEFAULT, &first, 64), EINVAL);
    EXPECT_ERRNO(set_policy(MPOL_BIND, nullptr, 0), EINVAL);
    EXPECT_ERRNO(set_policy(MPOL_BIND, &second, 64), EINVAL) << "no such node";
    EXPECT_ERRNO(set_policy(MPOL_LOCAL, &first, 64), EINVAL);
    EXPECT_ERRNO(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &first, 64), EINVAL);
    EXPECT_ERRNO(set_policy(MPOL_BIND, (unsigned long*)8, 64), EFAULT);
    EXPECT_ERRNO(set_policy(MPOL_BIND, &first, 1 << 20), EINVAL);
  });
}

TEST_F(MemoryNodes, RangesAndAddresses) {
  void* memory = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  int mode = -1;
  EXPECT_OK(get_policy(&mode, nullptr, 0, memory, MPOL_F_ADDR | MPOL_F_NODE));
  EXPECT_EQ(mode, 0);
  EXPECT_OK(sys(SYS_mbind, memory, 8192, MPOL_PREFERRED, &first, 64, 0));
  EXPECT_OK(sys(SYS_mbind, memory, 0, MPOL_PREFERRED, &first, 64, 0));
  EXPECT_ERRNO(sys(SYS_mbind, (char*)memory + 1, 4096, MPOL_PREFERRED, &first, 64, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_mbind, memory, 4096, MPOL_PREFERRED, &first, 64, 0x100), EINVAL);
  EXPECT_ERRNO(sys(SYS_mbind, memory, 4096, MPOL_BIND, &second, 64, 0), EINVAL);
  munmap(memory, 8192);
  EXPECT_ERRNO(get_policy(&mode, nullptr, 0, memory, MPOL_F_ADDR), EFAULT);
  EXPECT_ERRNO(sys(SYS_mbind, memory, 8192, MPOL_PREFERRED, &first, 64, 0), EFAULT);
}

TEST_F(MemoryNodes, RangesKeepTheirPolicy) {
  char* memory = (char*)mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  memory[4096] = 1;
  ASSERT_OK(sys(SYS_mbind, memory + 4096, 4096, MPOL_BIND, &first, 64, 0));
  int mode = -1;
  unsigned long nodes[16] = {};
  EXPECT_OK(get_policy(&mode, nodes, 1024, memory + 4096, MPOL_F_ADDR));
  EXPECT_EQ(mode, MPOL_BIND);
  EXPECT_EQ(nodes[0], 1u);
  EXPECT_OK(get_policy(&mode, nodes, 1024, memory + 8192, MPOL_F_ADDR));
  EXPECT_EQ(mode, MPOL_DEFAULT);
  EXPECT_EQ(nodes[0], 0u);
  char line[64];
  snprintf(line, sizeof line, "%08lx bind:0 anon=1", (unsigned long)memory + 4096);
  EXPECT_NE(slurp("/proc/self/numa_maps").find(line), std::string::npos) << line;
  // Children inherit it, and it can be taken back.
  EXPECT_CHILD_OK([&] {
    int inherited = -1;
    EXPECT_OK(get_policy(&inherited, nullptr, 0, memory + 4096, MPOL_F_ADDR));
    EXPECT_EQ(inherited, MPOL_BIND);
  });
  ASSERT_OK(sys(SYS_mbind, memory, 3 * 4096, MPOL_DEFAULT, nullptr, 0, 0));
  EXPECT_OK(get_policy(&mode, nullptr, 0, memory + 4096, MPOL_F_ADDR));
  EXPECT_EQ(mode, MPOL_DEFAULT);
  EXPECT_ERRNO(sys(SYS_set_mempolicy_home_node, memory, 4096, 0, 0), ENOENT);
  ASSERT_OK(sys(SYS_mbind, memory, 4096, MPOL_INTERLEAVE, &first, 64, 0));
  EXPECT_ERRNO(sys(SYS_set_mempolicy_home_node, memory, 4096, 0, 0), EOPNOTSUPP);
  ASSERT_OK(sys(SYS_mbind, memory, 4096, MPOL_BIND, &first, 64, 0));
  EXPECT_OK(sys(SYS_set_mempolicy_home_node, memory, 4096, 0, 0));
  munmap(memory, 3 * 4096);
}

TEST_F(MemoryNodes, WhereThePagesAre) {
  char* memory = (char*)mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memory[0] = 1;
  void* pages[3] = {memory, memory + 4096, (void*)8};
  int status[3] = {7, 7, 7};
  EXPECT_OK(sys(SYS_move_pages, 0, 3, pages, nullptr, status, 0));
  EXPECT_EQ(status[0], 0);
  EXPECT_EQ(status[1], -ENOENT);
  EXPECT_EQ(status[2], -EFAULT);
  const int nodes[1] = {0}, wrong[1] = {5};
  EXPECT_OK(sys(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
  EXPECT_EQ(status[0], 0);
  EXPECT_ERRNO(sys(SYS_move_pages, 0, 1, pages, wrong, status, MPOL_MF_MOVE), ENODEV);
  EXPECT_ERRNO(sys(SYS_move_pages, 0, 1, pages, nodes, status, 0x100), EINVAL);
  EXPECT_ERRNO(sys(SYS_move_pages, 0x3ffffff, 1, pages, nullptr, status, 0), ESRCH);
  EXPECT_EQ(sys(SYS_migrate_pages, 0, 64, &first, &first), 0);
  EXPECT_ERRNO(sys(SYS_migrate_pages, 0x3ffffff, 64, &first, &first), ESRCH);
  munmap(memory, 8192);
}

TEST(ProtectionKeys, WithoutACpuThatHasThem) {
  const long key = sys(SYS_pkey_alloc, 0, 0);
  if (key >= 0) {
    sys(SYS_pkey_free, key);
    GTEST_SKIP() << "this CPU has them";
  }
  if (errno == ENOSYS) GTEST_SKIP() << "not even the call";
  EXPECT_TRUE(errno == ENOSPC || errno == EINVAL) << errno << ": it depends on what the kernel was built for";
  EXPECT_ERRNO(sys(SYS_pkey_alloc, 1, 0), EINVAL);
  EXPECT_ERRNO(sys(SYS_pkey_alloc, 0, 4), EINVAL);
  EXPECT_ERRNO(sys(SYS_pkey_free, 3), EINVAL);
  void* memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_OK(sys(SYS_pkey_mprotect, memory, 4096, PROT_READ | PROT_WRITE, -1));
  *(volatile char*)memory = 1;
  EXPECT_ERRNO(sys(SYS_pkey_mprotect, memory, 4096, PROT_READ, 3), EINVAL);
  munmap(memory, 4096);
}

TEST(SecurityModules, CapabilitiesAtLeast) {
  uint64_t ids[16] = {};
  uint32_t size = sizeof ids;
  const long count = sys(461 /* lsm_list_modules */, ids, &size, 0);
  if (count < 0 && errno == ENOSYS) GTEST_SKIP() << "an older kernel";
  ASSERT_GT(count, 0);
  EXPECT_TRUE(std::count(ids, ids + count, 100u));
  EXPECT_EQ(size, count * sizeof(uint64_t));
  size = 1;
  EXPECT_ERRNO(sys(461, ids, &size, 0), E2BIG);
  EXPECT_EQ(size, count * sizeof(uint64_t));
  EXPECT_ERRNO(sys(461, ids, &size, 1), EINVAL);
  EXPECT_ERRNO(sys(461, ids, nullptr, 0), EFAULT);
  EXPECT_ERRNO(sys(459 /* lsm_get_self_attr */, 0, nullptr, &size, 0), EINVAL);
  EXPECT_ERRNO(sys(459, 100, nullptr, nullptr, 0), EINVAL);
  EXPECT_ERRNO(sys(460 /* lsm_set_self_attr */, 100, ids, 8, 0), EINVAL);
}

TEST(CacheStatistics, PagesOfAFile) {
  const ScopedFd fd = memfd_create("pages", 0);
  ASSERT_OK(ftruncate(fd, 10 * 4096));
  ASSERT_EQ(pwrite(fd, "x", 1, 0), 1);
  ASSERT_EQ(pwrite(fd, "x", 1, 3 * 4096), 1);
  struct {
    uint64_t offset, length;
  } range = {0, 0};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } counts = {};
  const long result = sys(451, (int)fd, &range, &counts, 0);
  if (result < 0 && errno == ENOSYS) GTEST_SKIP() << "an older kernel";
  EXPECT_EQ(result, 0);
  EXPECT_EQ(counts.cached, 2u);
  EXPECT_EQ(counts.writeback + counts.evicted, 0u);
  range = {4096, 4096};
  EXPECT_OK(sys(451, (int)fd, &range, &counts, 0));
  EXPECT_EQ(counts.cached, 0u);
  EXPECT_ERRNO(sys(451, (int)fd, &range, &counts, 1), EINVAL);
  EXPECT_ERRNO(sys(451, (int)fd, nullptr, &counts, 0), EFAULT);
  EXPECT_ERRNO(sys(451, -1, &range, &counts, 0), EBADF);
}

}  // namespace
