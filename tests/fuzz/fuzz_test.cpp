// Runs every fuzzer for a short time, from seeds. NOS_FUZZ_SECONDS in the environment sets the time for each
// (default 10).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace {

int run(const std::string& command) { return std::system(command.c_str()); }

void fuzz(const std::string& target) {
  const char* seconds = std::getenv("NOS_FUZZ_SECONDS");
  std::string binaries = FUZZ_BINARY_FOLDER, corpus = binaries + "/corpus",
              found = binaries + "/found/" + target;
  static const int made = run(std::string(FUZZ_SOURCE_FOLDER "/make_corpus.py ") + corpus);
  ASSERT_EQ(made, 0);
  ASSERT_EQ(run("mkdir -p " + found), 0);
  std::string log = binaries + "/fuzz_" + target + ".log";
  int status =
      run(binaries + "/fuzz_" + target + " -max_total_time=" + (seconds ? seconds : "10") +
          " -timeout=20 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 -artifact_prefix=" + found +
          "/ " + found + " " + corpus + "/" + target + " > " + log + " 2>&1");
  if (status != 0) run("tail -n 40 " + log);
  EXPECT_EQ(status, 0) << "the whole output is in " << log;
}

TEST(Fuzz, Decompress) { fuzz("decompress"); }
TEST(Fuzz, Initramfs) { fuzz("initramfs"); }
TEST(Fuzz, Elf) { fuzz("elf"); }
TEST(Fuzz, CommandLine) { fuzz("command_line"); }

}  // namespace
