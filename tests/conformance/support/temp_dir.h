// A fixture with a fresh directory of its own, removed with everything in it afterwards.
//
//   class Rename : public conformance::TempDirTest {};
//   TEST_F(Rename, ReplacesTheTarget) { write_file("a", "1"); ... open(path("a"), O_RDONLY) ... }
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace conformance {

// A path that turns into a C string where one is wanted.
struct Path {
  std::string text;
  operator const char*() const { return text.c_str(); }
  Path operator/(std::string_view more) const { return Path{text + "/" + std::string(more)}; }
};

// Creates an empty directory below $TMPDIR or /tmp, or, where those are mounted with one of the forbidden
// flags (ST_NOSUID ...), below another directory.
std::string make_temp_directory(unsigned long forbidden_mount_flags = 0);
void remove_tree(const std::string& directory);

class TempDirTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  const std::string& directory() const { return directory_; }
  Path path(std::string_view name) const { return Path{directory_ + "/" + std::string(name)}; }
  Path path() const { return Path{directory_}; }

  // Creates or replaces a file; the test fails if that does not work.
  void write_file(std::string_view name, std::string_view content, unsigned mode = 0644) const;
  // The whole content of a file.
  std::string read_file(std::string_view name) const;
  bool exists(std::string_view name) const;

 private:
  // What the directory's mount must not have.
  virtual unsigned long forbidden_mount_flags() const { return 0; }

  std::string directory_;
  int owner_process_ = 0;
};

// The same where set-user-id programs, devices and execution work, even if /tmp forbids them.
class UnrestrictedTempDirTest : public TempDirTest {
  unsigned long forbidden_mount_flags() const override;
};

// The content of any file, including those of /proc whose size says 0.
std::string slurp(const char* file);

}  // namespace conformance
