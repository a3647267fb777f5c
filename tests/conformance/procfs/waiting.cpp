// /proc/PID/syscall, /proc/softirqs.
#include <sys/syscall.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(ProcWaiting, SyscallSaysWhereAProcessWaits) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    close(ends[1]);
    char byte;
    syscall(SYS_read, ends[0], &byte, 1);
  });
  ASSERT_TRUE(wait_for_state(child, 'S'));
  sleep_milliseconds(50);
  const std::string text = slurp(("/proc/" + std::to_string(child) + "/syscall").c_str());
  long call = -1;
  unsigned long words[8] = {};
  EXPECT_EQ(sscanf(text.c_str(), "%ld %lx %lx %lx %lx %lx %lx %lx %lx\n", &call, &words[0], &words[1],
                   &words[2], &words[3], &words[4], &words[5], &words[6], &words[7]),
            9)
      << text;
  EXPECT_EQ(call, SYS_read);
  EXPECT_EQ(words[0], (unsigned long)ends[0]);
  EXPECT_EQ(words[2], 1u);
  EXPECT_NE(words[6], 0u);
  close(ends[1]);
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(atol(slurp("/proc/self/syscall").c_str()), SYS_read) << "this very one";
}

TEST(ProcWaiting, SoftInterruptsAreListedByCpu) {
  const std::string text = slurp("/proc/softirqs");
  EXPECT_EQ(text.substr(0, 23), "                    CPU");
  for (const char* kind : {"HI:", "TIMER:", "NET_RX:", "BLOCK:", "RCU:"})
    EXPECT_NE(text.find(kind), std::string::npos) << kind;
}

}  // namespace
