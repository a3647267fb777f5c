// Runs every fuzzer for a short time, from seeds. NOS_FUZZ_SECONDS in the environment sets the time for each
// (default 10).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

int run(const std::string& command) { return std::system(command.c_str()); }

void fuzz(const std::string& target) {
  const char* seconds = std::getenv("NOS_FUZZ_SECONDS");
  // A path that the compiler was given could be relative to another folder: a compiler cache rewrites them.
  std::string binaries = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  std::string corpus = binaries + "/corpus", found = binaries + "/found/" + target;
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
TEST(Fuzz, Ext4) { fuzz("ext4"); }
TEST(Fuzz, NineP) { fuzz("nine_p"); }
TEST(Fuzz, Vfat) { fuzz("vfat"); }
TEST(Fuzz, Iso9660) { fuzz("iso9660"); }
TEST(Fuzz, Squashfs) { fuzz("squashfs"); }
TEST(Fuzz, Partitions) { fuzz("partitions"); }

}  // namespace
