// /proc/iomem, /proc/config.gz, /proc/PID/sched.
#include "support/conformance.h"

namespace {
using namespace conformance;

TEST(ProcHardware, PhysicalMemory) {
  const std::string text = slurp("/proc/iomem");
  if (text.empty()) GTEST_SKIP() << "no iomem";
  unsigned long start = 1, end = 0;
  char name[64];
  ASSERT_EQ(sscanf(text.c_str(), "%lx-%lx : %63[^\n]", &start, &end, name), 3);
  EXPECT_LE(start, end);
  EXPECT_NE(text.find(" : System RAM\n"), std::string::npos);
  if (geteuid() != 0) return;
  EXPECT_CHILD_OK([] {
    drop_privileges();
    // Others see the names, without the places.
    EXPECT_NE(slurp("/proc/iomem").find("00000000-00000000 : System RAM\n"), std::string::npos);
  });
}

TEST(ProcHardware, ConfigurationIsGzip) {
  const std::string packed = slurp("/proc/config.gz");
  if (packed.empty()) GTEST_SKIP() << "no config.gz";
  ASSERT_GT(packed.size(), 20u);
  EXPECT_EQ(packed.substr(0, 3), "\x1f\x8b\x08");
}

TEST(ProcHardware, SchedulingOfAThread) {
  const std::string text = slurp("/proc/self/sched");
  if (text.empty()) GTEST_SKIP() << "no sched";
  EXPECT_NE(text.find("(" + std::to_string(getpid()) + ", #threads: 1)\n----"), std::string::npos) << text;
  for (const char* name : {"\nse.sum_exec_runtime  ", "\nnr_switches  ", "\nnr_voluntary_switches  ",
                           "\nnr_involuntary_switches  ", "\npolicy  ", "\nprio  "})
    EXPECT_NE(text.find(name), std::string::npos) << name;
}

}  // namespace
