// namespaces(7): the UTS kind, and the files of /proc/PID/ns. Also uname(2) under PER_LINUX32.
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string>

#include "support/conformance.h"

namespace {
using namespace conformance;

std::string host_name() {
  utsname names;
  return uname(&names) == 0 ? names.nodename : "";
}

std::string link_of(const char* path) {
  char text[64] = {};
  return readlink(path, text, sizeof text - 1) > 0 ? text : "";
}

class Namespaces : public testing::Test {
 protected:
  void SetUp() override {
    const pid_t child = fork_child([] { _exit(unshare(CLONE_NEWUTS) == 0 ? 0 : 1); });
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) GTEST_SKIP() << "namespaces may not be made here";
  }
};

TEST_F(Namespaces, NamesOfAnUnsharedOneAreItsOwn) {
  const std::string before = host_name();
  const pid_t child = fork_child([&] {
    ASSERT_OK(unshare(CLONE_NEWUTS));
    EXPECT_EQ(host_name(), before) << "it begins as a copy";
    ASSERT_OK(sethostname("inner", 5));
    EXPECT_EQ(host_name(), "inner");
    const pid_t grandchild = fork_child([] { EXPECT_EQ(host_name(), "inner") << "it is inherited"; });
    EXPECT_EXITED(wait_for(grandchild), 0);
  });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(host_name(), before);
}

TEST_F(Namespaces, LinksTellThemApartAndSetnsGoesBack) {
  const pid_t child = fork_child([] {
    const std::string outer = link_of("/proc/self/ns/uts"), name = host_name();
    EXPECT_EQ(outer.substr(0, 5), "uts:[");
    const ScopedFd fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    ASSERT_OK(fd.get());
    struct stat status;
    ASSERT_OK(fstat(fd, &status));
    EXPECT_EQ("uts:[" + std::to_string(status.st_ino) + "]", outer);
    ASSERT_OK(unshare(CLONE_NEWUTS));
    EXPECT_NE(link_of("/proc/self/ns/uts"), outer);
    ASSERT_OK(sethostname("inner", 5));
    EXPECT_ERRNO(setns(fd, CLONE_NEWNET), EINVAL) << "of another kind";
    ASSERT_OK(setns(fd, CLONE_NEWUTS));
    EXPECT_EQ(link_of("/proc/self/ns/uts"), outer);
    EXPECT_EQ(host_name(), name);
  });
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(Namespaces, SetnsErrors) {
  EXPECT_ERRNO(setns(-1, 0), EBADF);
  const ScopedFd file = open("/dev/null", O_RDONLY);
  EXPECT_ERRNO(setns(file, 0), EINVAL);
  const pid_t child = fork_child([] {
    const ScopedFd fd = open("/proc/self/ns/uts", O_RDONLY);
    ASSERT_OK(setuid(1000));
    EXPECT_ERRNO(setns(fd, 0), EPERM);
    EXPECT_ERRNO(unshare(CLONE_NEWUTS), EPERM);
  });
  EXPECT_EXITED(wait_for(child), 0);
}

TEST(Personality, Linux32HasAnotherMachineName) {
  const pid_t child = fork_child([] {
    utsname wide, narrow;
    ASSERT_OK(uname(&wide));
    ASSERT_OK(personality(PER_LINUX32));
    ASSERT_OK(uname(&narrow));
    EXPECT_STRNE(wide.machine, narrow.machine);
    ASSERT_OK(personality(PER_LINUX));
    ASSERT_OK(uname(&narrow));
    EXPECT_STREQ(wide.machine, narrow.machine);
  });
  EXPECT_EXITED(wait_for(child), 0);
}

}  // namespace
