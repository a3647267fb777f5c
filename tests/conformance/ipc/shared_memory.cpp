// shmget(2), shmat(2), shmdt(2), shmctl(2)
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

class SharedMemory : public testing::Test {
 protected:
  int make(size_t size, int flags = 0600) {
    const int id = shmget(IPC_PRIVATE, size, IPC_CREAT | flags);
    if (id >= 0) ids_.push_back(id);
    return id;
  }
  static shmid_ds state(int id) {
    shmid_ds result = {};
    EXPECT_OK(shmctl(id, IPC_STAT, &result));
    return result;
  }
  void TearDown() override {
    for (const int id : ids_) shmctl(id, IPC_RMID, nullptr);
  }
  std::vector<int> ids_;
};

TEST_F(SharedMemory, IsSharedAcrossFork) {
  const int id = make(10000);
  ASSERT_OK(id);
  auto* memory = static_cast<char*>(shmat(id, nullptr, 0));
  ASSERT_NE(memory, (void*)-1);
  EXPECT_EQ(memory[9999], 0);
  EXPECT_CHILD_OK([&] {
    memory[9999] = 'x';
    auto* again = static_cast<char*>(shmat(id, nullptr, 0));
    EXPECT_NE(again, memory);
    EXPECT_EQ(again[9999], 'x');
    again[0] = 'y';
  });
  EXPECT_EQ(memory[9999], 'x');
  EXPECT_EQ(memory[0], 'y');
  EXPECT_OK(shmdt(memory));
  EXPECT_ERRNO(shmdt(memory), EINVAL);
}

TEST_F(SharedMemory, StatCountsAttachments) {
  const int id = make(4096, 0640);
  ASSERT_OK(id);
  shmid_ds now = state(id);
  EXPECT_EQ(now.shm_segsz, 4096u);
  EXPECT_EQ(now.shm_nattch, 0u);
  EXPECT_EQ(now.shm_cpid, getpid());
  EXPECT_EQ(now.shm_lpid, 0);
  EXPECT_EQ(now.shm_perm.mode, 0640u);
  EXPECT_EQ(now.shm_perm.uid, geteuid());
  EXPECT_NE(now.shm_ctime, 0);
  EXPECT_EQ(now.shm_atime, 0);
  void* first = shmat(id, nullptr, 0);
  void* second = shmat(id, nullptr, SHM_RDONLY);
  now = state(id);
  EXPECT_EQ(now.shm_nattch, 2u);
  EXPECT_EQ(now.shm_lpid, getpid());
  EXPECT_NE(now.shm_atime, 0);
  const pid_t child = fork_child([] { pause(); });
  for (int i = 0; i < 100 && state(id).shm_nattch != 4; i++) sleep_milliseconds(10);
  EXPECT_EQ(state(id).shm_nattch, 4u) << "a fork attaches what the parent has";
  kill(child, SIGKILL);
  wait_for(child);
  for (int i = 0; i < 100 && state(id).shm_nattch != 2; i++) sleep_milliseconds(10);
  EXPECT_EQ(state(id).shm_nattch, 2u) << "and exit detaches";
  shmdt(first);
  EXPECT_NE(state(id).shm_dtime, 0);
  munmap(second, 4096);
  EXPECT_EQ(state(id).shm_nattch, 0u) << "munmap detaches too";
}

TEST_F(SharedMemory, KeysFindSegments) {
  const key_t key = 0x4e4f5300 + (getpid() & 0xff);
  const int id = shmget(key, 8192, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_OK(id);
  ids_.push_back(id);
  EXPECT_EQ(shmget(key, 8192, 0), id);
  EXPECT_EQ(shmget(key, 100, IPC_CREAT | 0600), id) << "smaller is fine";
  EXPECT_ERRNO(shmget(key, 8193, 0), EINVAL);
  EXPECT_ERRNO(shmget(key, 8192, IPC_CREAT | IPC_EXCL), EEXIST);
  EXPECT_EQ(state(id).shm_perm.__key, key);
  ASSERT_OK(shmctl(id, IPC_RMID, nullptr));
  EXPECT_ERRNO(shmget(key, 8192, 0), ENOENT);
}

TEST_F(SharedMemory, RemovedSegmentLivesUntilDetached) {
  const int id = make(4096);
  auto* memory = static_cast<char*>(shmat(id, nullptr, 0));
  ASSERT_NE(memory, (void*)-1);
  memory[0] = 'z';
  ASSERT_OK(shmctl(id, IPC_RMID, nullptr));
  EXPECT_EQ(memory[0], 'z');
  shmid_ds now = state(id);
  EXPECT_TRUE(now.shm_perm.mode & SHM_DEST);
  EXPECT_EQ(now.shm_perm.__key, IPC_PRIVATE);
  ASSERT_OK(shmdt(memory));
  EXPECT_ERRNO(shmctl(id, IPC_STAT, &now), EINVAL);
  EXPECT_EQ(shmat(id, nullptr, 0), (void*)-1);
}

TEST_F(SharedMemory, AddressesAndProtection) {
  const int id = make(8192);
  const Mapping place(1 << 20, PROT_NONE);
  char* wanted = place.data();
  EXPECT_EQ(shmat(id, wanted + 1, 0), (void*)-1);
  EXPECT_EQ(errno, EINVAL) << "not aligned";
  EXPECT_EQ(shmat(id, wanted, 0), (void*)-1);
  EXPECT_EQ(errno, EINVAL) << "occupied";
  EXPECT_EQ(shmat(id, nullptr, SHM_REMAP), (void*)-1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(shmat(id, wanted + 1, SHM_RND | SHM_REMAP), wanted);
  wanted[8191] = 1;
  EXPECT_OK(shmdt(wanted));
  auto* read_only = static_cast<char*>(shmat(id, nullptr, SHM_RDONLY));
  ASSERT_NE(read_only, (void*)-1);
  EXPECT_EQ(read_only[8191], 1);
  EXPECT_ERRNO(mprotect(read_only, 8192, PROT_READ | PROT_WRITE), EACCES);
  EXPECT_OK(shmdt(read_only));
}

TEST_F(SharedMemory, DetachTakesAllPieces) {
  const int id = make(4 * 4096);
  auto* memory = static_cast<char*>(shmat(id, nullptr, 0));
  ASSERT_NE(memory, (void*)-1);
  ASSERT_OK(mprotect(memory + 4096, 4096, PROT_READ));
  ASSERT_OK(munmap(memory + 3 * 4096, 4096));
  ASSERT_OK(shmdt(memory));
  EXPECT_EQ(state(id).shm_nattch, 0u);
  unsigned char resident[4];
  EXPECT_ERRNO(mincore(memory, 4 * 4096, resident), ENOMEM);
}

TEST_F(SharedMemory, PermissionsAreChecked) {
  const int id = make(4096, 0600);
  const int open_id = make(4096, 0604);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    EXPECT_EQ(shmat(id, nullptr, 0), (void*)-1);
    EXPECT_EQ(errno, EACCES);
    shmid_ds now;
    EXPECT_ERRNO(shmctl(id, IPC_STAT, &now), EACCES);
    EXPECT_ERRNO(shmctl(id, IPC_RMID, nullptr), EPERM);
    EXPECT_EQ(shmat(open_id, nullptr, 0), (void*)-1);
    EXPECT_NE(shmat(open_id, nullptr, SHM_RDONLY), (void*)-1);
  });
}

TEST_F(SharedMemory, SetChangesOwnerAndMode) {
  const int id = make(4096, 0600);
  shmid_ds now = state(id);
  now.shm_perm.mode = 0666;
  now.shm_perm.uid = 65534;
  ASSERT_OK(shmctl(id, IPC_SET, &now));
  now = state(id);
  EXPECT_EQ(now.shm_perm.mode, 0666u);
  EXPECT_EQ(now.shm_perm.uid, 65534u);
  EXPECT_EQ(now.shm_perm.cuid, geteuid());
}

TEST_F(SharedMemory, Errors) {
  EXPECT_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
  EXPECT_ERRNO(shmget(0x7ab1e5, 4096, 0), ENOENT);
  EXPECT_ERRNO(shmctl(-1, IPC_RMID, nullptr), EINVAL);
  shmid_ds now;
  EXPECT_ERRNO(shmctl(0x7fffffff, IPC_STAT, &now), EINVAL);
  const int id = make(4096);
  EXPECT_ERRNO(shmctl(id, 99, nullptr), EINVAL);
  EXPECT_ERRNO(sys(SYS_shmctl, id, IPC_STAT, low_address()), EFAULT);
  EXPECT_ERRNO(shmdt((void*)0x1000), EINVAL);
}

TEST_F(SharedMemory, InfoNamesLimits) {
  const int id = make(4096);
  ASSERT_OK(id);
  struct shminfo limits = {};
  EXPECT_OK(shmctl(0, IPC_INFO, (shmid_ds*)&limits));
  EXPECT_EQ(limits.shmmni, 4096u);
  EXPECT_EQ(limits.shmmin, 1u);
  EXPECT_GT(limits.shmmax, 1ul << 30);
  struct shm_info use = {};
  const int highest = shmctl(0, SHM_INFO, (shmid_ds*)&use);
  EXPECT_OK(highest);
  EXPECT_GE(use.used_ids, 1);
  EXPECT_GE(use.shm_tot, 1u);
  bool found = false;
  for (int index = 0; index <= highest; index++) {
    shmid_ds now;
    found |= shmctl(index, SHM_STAT, &now) == id;
  }
  EXPECT_TRUE(found);
}

TEST_F(SharedMemory, AppearsInMaps) {
  const int id = make(4096);
  void* memory = shmat(id, nullptr, 0);
  ASSERT_NE(memory, (void*)-1);
  EXPECT_NE(slurp("/proc/self/maps").find("/SYSV00000000"), std::string::npos);
  shmdt(memory);
}

}  // namespace
