// landlock(7): rules on files.
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

constexpr long create_ruleset = 444, add_rule = 445, restrict_self = 446;
constexpr uint64_t execute = 1, may_write_file = 2, may_read_file = 4, read_dir = 8, remove_dir = 0x10,
                   remove_file = 0x20, make_dir = 0x80, make_reg = 0x100, make_sym = 0x1000, refer = 0x2000;

struct __attribute__((packed)) PathBeneath {
  uint64_t allowed;
  int parent;
};

class Landlock : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    const long version = sys(create_ruleset, nullptr, 0, 1);
    if (version < 0) GTEST_SKIP() << "no Landlock: " << strerror(errno);
    if (version < 2) GTEST_SKIP() << "an older Landlock";
    mkdir(path("in"), 0755);
    mkdir(path("in/sub"), 0755);
    mkdir(path("out"), 0755);
    write_file_in("in/file");
    write_file_in("out/file");
  }
  void write_file_in(const char* name) { TempDirTest::write_file(name, "content"); }
  static ScopedFd ruleset(uint64_t handled) {
    return ScopedFd((int)sys(create_ruleset, &handled, sizeof handled, 0));
  }
  static void allow(int set, const char* name, uint64_t access) {
    const ScopedFd place = open(name, O_PATH | O_CLOEXEC);
    const PathBeneath rule{access, place};
    EXPECT_OK(sys(add_rule, set, 1, &rule, 0));
  }
  static void enter(int set) {
    EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_OK(sys(restrict_self, set, 0));
  }
  static int opened(const char* name, int flags) {
    const ScopedFd fd = open(name, flags, 0600);
    return fd < 0 ? errno : 0;
  }
};

TEST_F(Landlock, ArgumentsAreChecked) {
  uint64_t handled = may_read_file;
  EXPECT_ERRNO(sys(create_ruleset, &handled, sizeof handled, 1), EINVAL);
  EXPECT_ERRNO(sys(create_ruleset, &handled, 4, 0), EINVAL);
  EXPECT_ERRNO(sys(create_ruleset, nullptr, sizeof handled, 0), EFAULT);
  EXPECT_ERRNO(sys(create_ruleset, &handled, 100000, 0), E2BIG);
  handled = 0;
  EXPECT_ERRNO(sys(create_ruleset, &handled, sizeof handled, 0), ENOMSG);
  handled = 1ull << 63;
  EXPECT_ERRNO(sys(create_ruleset, &handled, sizeof handled, 0), EINVAL);
  const ScopedFd set = ruleset(may_read_file | read_dir);
  ASSERT_OK(set.get());
  EXPECT_EQ(fcntl(set, F_GETFD), FD_CLOEXEC);
  const ScopedFd place = open(path("in"), O_PATH), file = open(path("in/file"), O_PATH);
  PathBeneath rule{may_read_file, place};
  EXPECT_ERRNO(sys(add_rule, set.get(), 1, &rule, 1), EINVAL);
  EXPECT_ERRNO(sys(add_rule, set.get(), 77, &rule, 0), EINVAL);
  EXPECT_ERRNO(sys(add_rule, -1, 1, &rule, 0), EBADF);
  EXPECT_ERRNO(sys(add_rule, open("/dev/null", O_RDONLY), 1, &rule, 0), EBADFD);
  rule = {0, place};
  EXPECT_ERRNO(sys(add_rule, set.get(), 1, &rule, 0), ENOMSG);
  rule = {may_write_file, place};
  EXPECT_ERRNO(sys(add_rule, set.get(), 1, &rule, 0), EINVAL);
  rule = {read_dir, file};
  EXPECT_ERRNO(sys(add_rule, set.get(), 1, &rule, 0), EINVAL);
  rule = {may_read_file, -1};
  EXPECT_ERRNO(sys(add_rule, set.get(), 1, &rule, 0), EBADF);
  EXPECT_ERRNO(sys(restrict_self, set.get(), 1u << 31), EINVAL);
  EXPECT_CHILD_OK([&] {
    if (geteuid() == 0) drop_privileges();
    EXPECT_ERRNO(sys(restrict_self, set.get(), 0), EPERM);
  });
}

TEST_F(Landlock, ReadingAndWriting) {
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(may_read_file | may_write_file | read_dir);
    allow(set, path("in"), may_read_file | read_dir);
    const ScopedFd before = open(path("out/file"), O_RDONLY);
    enter(set);
    EXPECT_EQ(opened(path("in/file"), O_RDONLY), 0);
    EXPECT_EQ(opened(path("in/sub"), O_RDONLY | O_DIRECTORY), 0);
    EXPECT_EQ(opened(path("in/file"), O_WRONLY), EACCES);
    EXPECT_EQ(opened(path("in/file"), O_RDWR), EACCES);
    EXPECT_EQ(opened(path("out/file"), O_RDONLY), EACCES);
    EXPECT_EQ(opened(path("out"), O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT_EQ(opened(path("out/file"), O_PATH), 0);
    // What is not handled is free, and what was open stays.
    EXPECT_OK(mkdir(path("out/new"), 0755));
    char byte;
    EXPECT_EQ(read(before, &byte, 1), 1);
    struct stat status;
    EXPECT_OK(stat(path("out/file"), &status));
    int pipes[2];
    EXPECT_OK(pipe(pipes));
    EXPECT_EQ(opened(("/proc/self/fd/" + std::to_string(pipes[1])).c_str(), O_WRONLY), 0);
  });
}

TEST_F(Landlock, LayersOnlyTakeAway) {
  EXPECT_CHILD_OK([&] {
    const ScopedFd first = ruleset(may_read_file);
    allow(first, path("in"), may_read_file);
    enter(first);
    const ScopedFd second = ruleset(may_read_file);
    allow(second, path("in/sub"), may_read_file);
    allow(second, path("out"), may_read_file);
    write_file_in("in/sub/file");
    enter(second);
    EXPECT_EQ(opened(path("in/sub/file"), O_RDONLY), 0);
    EXPECT_EQ(opened(path("in/file"), O_RDONLY), EACCES);
    EXPECT_EQ(opened(path("out/file"), O_RDONLY), EACCES);
    // Children are under the same rules.
    EXPECT_CHILD_OK([&] { EXPECT_EQ(opened(path("in/file"), O_RDONLY), EACCES); });
  });
}

TEST_F(Landlock, MakingAndRemoving) {
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(make_dir | make_reg | make_sym | remove_dir | remove_file);
    allow(set, path("in"), make_dir | make_reg | remove_file);
    enter(set);
    EXPECT_OK(mkdir(path("in/d"), 0755));
    EXPECT_ERRNO(mkdir(path("out/d"), 0755), EACCES);
    EXPECT_ERRNO(mkdir(path("out"), 0755), EEXIST);
    EXPECT_ERRNO(rmdir(path("in/d")), EACCES);
    EXPECT_EQ(opened(path("in/new"), O_CREAT | O_WRONLY), 0);
    EXPECT_EQ(opened(path("out/new"), O_CREAT | O_WRONLY), EACCES);
    EXPECT_EQ(opened(path("out/file"), O_CREAT | O_WRONLY), 0);
    EXPECT_ERRNO(symlink("x", path("in/link")), EACCES);
    EXPECT_OK(unlink(path("in/new")));
    EXPECT_ERRNO(unlink(path("out/file")), EACCES);
    EXPECT_OK(rename(path("in/file"), path("in/renamed")));
    EXPECT_ERRNO(rename(path("out/file"), path("out/renamed")), EACCES);
  });
}

TEST_F(Landlock, MovingElsewhereNeedsARight) {
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(make_reg);
    allow(set, path(), make_reg);
    enter(set);
    EXPECT_ERRNO(rename(path("in/file"), path("out/moved")), EXDEV);
    EXPECT_ERRNO(link(path("in/file"), path("out/linked")), EXDEV);
    EXPECT_OK(link(path("in/file"), path("in/linked")));
  });
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(make_reg | refer);
    allow(set, path(), make_reg | refer);
    enter(set);
    EXPECT_OK(rename(path("in/file"), path("out/moved")));
    EXPECT_OK(link(path("out/moved"), path("in/linked_again")));
  });
}

TEST_F(Landlock, ExecutingIsARightOfItsOwn) {
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(execute);
    allow(set, path("in"), execute);
    enter(set);
    const char* words[] = {"file", nullptr};
    chmod(path("out/file"), 0755);
    chmod(path("in/file"), 0755);
    EXPECT_ERRNO(execv(path("out/file"), (char**)words), EACCES);
    EXPECT_ERRNO(execv(path("in/file"), (char**)words), ENOEXEC);
  });
}

TEST_F(Landlock, MountsAndTracingAreOutOfReach) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t outside = fork_child([&] { pause(); });
  EXPECT_CHILD_OK([&] {
    const ScopedFd set = ruleset(make_sym);
    enter(set);
    EXPECT_ERRNO(mount("none", path("in"), "tmpfs", 0, nullptr), EPERM);
    EXPECT_ERRNO(umount("/proc"), EPERM);
    EXPECT_ERRNO(sys(SYS_ptrace, 16 /* PTRACE_ATTACH */, outside, 0, 0), EPERM);
    char text[64];
    const std::string link = "/proc/" + std::to_string(outside) + "/exe";
    EXPECT_ERRNO(readlink(link.c_str(), text, sizeof text), EACCES);
    // One's own children are under the same rules.
    const pid_t child = fork_child([&] { pause(); });
    EXPECT_OK(sys(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, child, 0, 0));
    kill(child, SIGKILL);
    wait_for(child);
  });
  kill(outside, SIGKILL);
  wait_for(outside);
}

}  // namespace
