// setresuid(2), setgroups(2), capabilities(7), prctl(2).
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct Capabilities {
  uint64_t effective, permitted, inheritable;
};

Capabilities capabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  EXPECT_OK(sys(SYS_capget, &header, data));
  return {data[0].effective | (uint64_t)data[1].effective << 32,
          data[0].permitted | (uint64_t)data[1].permitted << 32,
          data[0].inheritable | (uint64_t)data[1].inheritable << 32};
}

long set_capabilities(Capabilities wanted) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {
      {(uint32_t)wanted.effective, (uint32_t)wanted.permitted, (uint32_t)wanted.inheritable},
      {(uint32_t)(wanted.effective >> 32), (uint32_t)(wanted.permitted >> 32),
       (uint32_t)(wanted.inheritable >> 32)}};
  return sys(SYS_capset, &header, data);
}

constexpr uint64_t bit(int capability) { return 1ull << capability; }

TEST(Credentials, RootMayBecomeAnyone) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setresgid(1, 2, 3));
    ASSERT_OK(setresuid(4, 5, 6));
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group;
    ASSERT_OK(getresuid(&real, &effective, &saved));
    ASSERT_OK(getresgid(&real_group, &effective_group, &saved_group));
    EXPECT_EQ(real, 4u);
    EXPECT_EQ(effective, 5u);
    EXPECT_EQ(saved, 6u);
    EXPECT_EQ(real_group, 1u);
    EXPECT_EQ(effective_group, 2u);
    EXPECT_EQ(saved_group, 3u);
    EXPECT_EQ(getuid(), 4u);
    EXPECT_EQ(geteuid(), 5u);
  });
}

TEST(Credentials, OthersMoveAmongTheirThreeIds) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setresuid(10, 20, 30));
    EXPECT_OK(setresuid(-1, 30, -1));
    EXPECT_OK(setresuid(-1, 10, -1));
    EXPECT_ERRNO(setresuid(-1, 40, -1), EPERM);
    EXPECT_ERRNO(setresuid(0, -1, -1), EPERM);
    EXPECT_ERRNO(setuid(0), EPERM);
    EXPECT_ERRNO(setresgid(77, 77, 77), EPERM);
    EXPECT_OK(setresuid(-1, -1, -1));
    EXPECT_EQ(geteuid(), 10u);
  });
}

TEST(Credentials, SetuidByRootSetsAllThree) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setuid(50));
    uid_t real, effective, saved;
    getresuid(&real, &effective, &saved);
    EXPECT_TRUE(real == 50 && effective == 50 && saved == 50);
  });
}

TEST(Credentials, SetreuidUpdatesTheSavedId) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(setreuid(10, 20));
    uid_t real, effective, saved;
    getresuid(&real, &effective, &saved);
    EXPECT_EQ(saved, 20u);
    EXPECT_OK(setreuid(20, 10)) << "swapping";
  });
}

TEST(Credentials, MinusOneIsInvalidForSetuid) {
  EXPECT_ERRNO(setuid((uid_t)-1), EINVAL);
  EXPECT_ERRNO(setgid((gid_t)-1), EINVAL);
}

TEST(Credentials, FileSystemIdFollowsAndCanDiffer) {
  EXPECT_CHILD_OK([] {
    EXPECT_EQ(setfsuid(99), 0);
    EXPECT_EQ(setfsuid((uid_t)-1), 99);
    ASSERT_OK(setresuid(-1, 20, 0));
    EXPECT_EQ(setfsuid((uid_t)-1), 20);
  });
}

TEST(Credentials, Groups) {
  EXPECT_CHILD_OK([] {
    const gid_t wanted[] = {30, 10, 20};
    ASSERT_OK(setgroups(3, wanted));
    gid_t seen[8];
    ASSERT_EQ(getgroups(8, seen), 3);
    EXPECT_TRUE(seen[0] == 10 && seen[1] == 20 && seen[2] == 30) << "sorted by the kernel";
    EXPECT_EQ(getgroups(0, nullptr), 3);
    EXPECT_ERRNO(getgroups(2, seen), EINVAL);
    EXPECT_ERRNO(sys(SYS_setgroups, 65537, wanted), EINVAL);
    EXPECT_ERRNO(sys(SYS_setgroups, 3, low_address()), EFAULT);
    drop_privileges();
    EXPECT_ERRNO(setgroups(3, wanted), EPERM);
  });
}

TEST(Credentials, BadPointers) {
  EXPECT_ERRNO(sys(SYS_getresuid, low_address(), 0, 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_getresgid, low_address(), 0, 0), EFAULT);
}

TEST(Capabilities, ChangingUserDropsThem) {
  EXPECT_CHILD_OK([] {
    EXPECT_NE(capabilities().effective, 0u);
    ASSERT_OK(setresuid(-1, other_user, -1));
    EXPECT_EQ(capabilities().effective, 0u) << "the effective ones go with the effective id";
    EXPECT_NE(capabilities().permitted, 0u);
    ASSERT_OK(setresuid(-1, 0, -1));
    EXPECT_NE(capabilities().effective, 0u) << "and come back";
    ASSERT_OK(setresuid(other_user, other_user, other_user));
    EXPECT_EQ(capabilities().permitted, 0u);
  });
}

TEST(Capabilities, KeepCapsKeepsThePermittedOnes) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
    ASSERT_OK(setresuid(other_user, other_user, other_user));
    EXPECT_NE(capabilities().permitted, 0u);
    EXPECT_EQ(capabilities().effective, 0u);
    Capabilities raised = capabilities();
    raised.effective = bit(CAP_KILL);
    ASSERT_OK(set_capabilities(raised));
    EXPECT_OK(kill(getppid(), 0));
  });
}

TEST(Capabilities, DroppedOnesDoNotComeBack) {
  EXPECT_CHILD_OK([] {
    Capabilities all = capabilities(), fewer = all;
    fewer.effective &= ~bit(CAP_CHOWN);
    fewer.permitted &= ~bit(CAP_CHOWN);
    ASSERT_OK(set_capabilities(fewer));
    EXPECT_ERRNO(set_capabilities(all), EPERM);
  });
}

class CapabilityFile : public TempDirTest {};

TEST_F(CapabilityFile, RootWithoutOverrideIsHeldToPermissions) {
  write_file("a", "x", 0);
  EXPECT_CHILD_OK([&] {
    Capabilities fewer = capabilities();
    fewer.effective &= ~(bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH));
    ASSERT_OK(set_capabilities(fewer));
    EXPECT_ERRNO(open(path("a"), O_RDONLY), EACCES);
    fewer.effective |= bit(CAP_DAC_READ_SEARCH);
    ASSERT_OK(set_capabilities(fewer));
    EXPECT_OK(open(path("a"), O_RDONLY));
    EXPECT_ERRNO(open(path("a"), O_WRONLY), EACCES);
    fewer.effective &= ~(bit(CAP_CHOWN) | bit(CAP_FOWNER));
    ASSERT_OK(set_capabilities(fewer));
    EXPECT_ERRNO(chown(path("a"), 5, 5), EPERM);
  });
}

TEST(Capabilities, BadVersionsAndTargets) {
  __user_cap_header_struct header = {0x1234, 0};
  __user_cap_data_struct data[2];
  EXPECT_ERRNO(sys(SYS_capget, &header, data), EINVAL);
  EXPECT_EQ(header.version, (uint32_t)_LINUX_CAPABILITY_VERSION_3) << "told the preferred one";
  header = {_LINUX_CAPABILITY_VERSION_3, 0x3fffffff};
  EXPECT_ERRNO(sys(SYS_capget, &header, data), ESRCH);
  header.pid = 1;
  EXPECT_ERRNO(sys(SYS_capset, &header, data), EPERM) << "only for oneself";
  EXPECT_ERRNO(sys(SYS_capget, low_address(), data), EFAULT);
}

TEST(Capabilities, BoundingSetOnlyShrinks) {
  EXPECT_CHILD_OK([] {
    EXPECT_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
    ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
    EXPECT_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
    EXPECT_ERRNO(prctl(PR_CAPBSET_READ, 999), EINVAL);
    drop_privileges();
    EXPECT_ERRNO(prctl(PR_CAPBSET_DROP, CAP_KILL), EPERM);
  });
}

TEST(Prctl, ThreadName) {
  EXPECT_CHILD_OK([] {
    ASSERT_OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
    char name[16];
    ASSERT_OK(prctl(PR_GET_NAME, name));
    EXPECT_STREQ(name, "a-name-that-is-") << "15 characters";
    EXPECT_EQ(slurp("/proc/self/comm"), "a-name-that-is-\n");
    EXPECT_ERRNO(prctl(PR_SET_NAME, low_address()), EFAULT);
  });
}

TEST(Prctl, DumpableAndNoNewPrivileges) {
  EXPECT_CHILD_OK([] {
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
    ASSERT_OK(prctl(PR_SET_DUMPABLE, 0));
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
    EXPECT_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
    EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    EXPECT_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    EXPECT_CHILD_OK([] { EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); });
  });
}

TEST(Prctl, ParentDeathSignalValues) {
  EXPECT_CHILD_OK([] {
    int signal = 77;
    ASSERT_OK(prctl(PR_GET_PDEATHSIG, &signal));
    EXPECT_EQ(signal, 0);
    ASSERT_OK(prctl(PR_SET_PDEATHSIG, 15));
    ASSERT_OK(prctl(PR_GET_PDEATHSIG, &signal));
    EXPECT_EQ(signal, 15);
    EXPECT_ERRNO(prctl(PR_SET_PDEATHSIG, 999), EINVAL);
    EXPECT_CHILD_OK([] {
      int inherited = 77;
      prctl(PR_GET_PDEATHSIG, &inherited);
      EXPECT_EQ(inherited, 0);
    });
  });
}

TEST(Prctl, UnknownIsEINVAL) { EXPECT_ERRNO(prctl(0x7fffffff, 0, 0, 0, 0), EINVAL); }

}  // namespace
