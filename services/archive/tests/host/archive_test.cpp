#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "archive/cpio.h"
#include "archive/initramfs.h"

namespace archive {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Keeps everything as text: "path" -> "d 755 0:0", "f 644 0:0 contents" and so on.
class Recorder final : public EntrySink {
 public:
  base::Result<void> directory(const Entry& entry) override { return note(entry, "dir"); }
  base::Result<void> begin_file(const Entry& entry) override {
    open_ = std::string(entry.name);
    contents_.clear();
    return {};
  }
  base::Result<void> data(std::span<const std::uint8_t> bytes) override {
    contents_.append(bytes.begin(), bytes.end());
    return {};
  }
  base::Result<void> end_file(const Entry& entry) override {
    EXPECT_EQ(open_, entry.name);
    EXPECT_EQ(contents_.size(), entry.size);
    return note(entry, "file " + contents_);
  }
  base::Result<void> symlink(const Entry& entry, std::string_view target) override {
    return note(entry, "-> " + std::string(target));
  }
  base::Result<void> node(const Entry& entry) override {
    return note(entry,
                "node " + std::to_string(entry.device_major) + ":" + std::to_string(entry.device_minor));
  }
  base::Result<void> hard_link(const Entry& entry, std::string_view existing) override {
    links[std::string(entry.name)] = existing;
    return {};
  }

  std::map<std::string, std::string> entries, links;
  std::map<std::string, std::uint32_t> modes;

 private:
  base::Result<void> note(const Entry& entry, const std::string& what) {
    entries[std::string(entry.name)] = what;
    modes[std::string(entry.name)] = entry.mode & 07777;
    return {};
  }
  std::string open_, contents_;
};

// One entry by hand.
struct Raw {
  std::string name;
  std::uint32_t mode = 0100644;
  std::string contents;
  std::uint32_t inode = 1, links = 1, sum = 0;
  std::string magic = "070701";
  std::uint32_t size_override = 0xffffffff, name_size_override = 0xffffffff;
};
void append(Bytes& to, const Raw& raw) {
  char header[128];
  auto size =
      raw.size_override == 0xffffffff ? static_cast<unsigned>(raw.contents.size()) : raw.size_override;
  auto name_size = raw.name_size_override == 0xffffffff ? static_cast<unsigned>(raw.name.size() + 1)
                                                        : raw.name_size_override;
  std::snprintf(header, sizeof header, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                raw.magic.c_str(), raw.inode, raw.mode, 0, 0, raw.links, 0, size, 8, 1, 5, 6, name_size,
                raw.sum);
  auto put = [&](std::string_view text) { to.insert(to.end(), text.begin(), text.end()); };
  auto pad = [&] {
    while (to.size() % 4) to.push_back(0);
  };
  put(header);
  put(raw.name);
  to.push_back(0);
  pad();
  put(raw.contents);
  pad();
}
Bytes archive_of(std::initializer_list<Raw> list) {
  Bytes bytes;
  for (const Raw& raw : list) append(bytes, raw);
  append(bytes, {.name = "TRAILER!!!", .mode = 0});
  return bytes;
}
struct Unpacked {
  base::Result<void> result;
  Recorder recorder;
  std::string problem;
};
void unpack(Unpacked& unpacked, const Bytes& image) {
  char memory[200];
  base::TextBuffer problem{memory};
  Bytes exact(image);
  exact.shrink_to_fit();
  unpacked.result = unpack_initramfs(exact, unpacked.recorder, problem);
  unpacked.problem = problem.view();
}

std::string shell(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, size);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}
Bytes bytes_of(const std::string& text) { return Bytes(text.begin(), text.end()); }

TEST(Cpio, ReadsEveryKindOfEntry) {
  Unpacked unpacked;
  unpack(unpacked, archive_of({{.name = "dir", .mode = 040755},
                               {.name = "dir/file", .contents = "hello"},
                               {.name = "empty"},
                               {.name = "link", .mode = 0120777, .contents = "dir/file"},
                               {.name = "console", .mode = 020600},
                               {.name = "fifo", .mode = 010644}}));
  ASSERT_TRUE(unpacked.result);
  std::map<std::string, std::string> expected = {{"dir", "dir"},          {"dir/file", "file hello"},
                                                 {"empty", "file "},      {"link", "-> dir/file"},
                                                 {"console", "node 5:6"}, {"fifo", "node 5:6"}};
  EXPECT_EQ(unpacked.recorder.entries, expected);
  EXPECT_EQ(unpacked.recorder.modes["dir"], 0755u);
}

TEST(Cpio, LinksCarryTheirDataWithTheLast) {
  Unpacked unpacked;
  unpack(unpacked, archive_of({{.name = "a", .inode = 7, .links = 3},
                               {.name = "b", .inode = 7, .links = 3},
                               {.name = "other", .contents = "x", .inode = 8, .links = 2},
                               {.name = "c", .contents = "data", .inode = 7, .links = 3}}));
  ASSERT_TRUE(unpacked.result);
  std::map<std::string, std::string> links = {{"b", "a"}, {"c", "a"}};
  EXPECT_EQ(unpacked.recorder.links, links);
  EXPECT_EQ(unpacked.recorder.entries["c"], "file data");
  EXPECT_EQ(unpacked.recorder.entries["other"], "file x");
}

TEST(Cpio, ChecksSumsOfTheCrcFormat) {
  Unpacked good, bad;
  unpack(good, archive_of({{.name = "a", .contents = "ab", .sum = 'a' + 'b', .magic = "070702"}}));
  EXPECT_TRUE(good.result);
  unpack(bad, archive_of({{.name = "a", .contents = "ab", .sum = 5, .magic = "070702"}}));
  EXPECT_EQ(bad.result.error(), base::Errno::ebadmsg);
}

TEST(Cpio, RejectsWhatIsNoArchive) {
  for (const Raw& raw :
       {Raw{.name = "a", .magic = "070707"}, Raw{.name = "a", .magic = "0707zz"},
        Raw{.name = "a", .size_override = 0xfffffff0}, Raw{.name = "abc", .name_size_override = 2}}) {
    Unpacked unpacked;
    Bytes bytes;
    append(bytes, raw);
    unpack(unpacked, bytes);
    EXPECT_EQ(unpacked.result.error(), base::Errno::einval) << raw.name;
    EXPECT_NE(unpacked.problem, "");
  }
}

TEST(Cpio, SkipsOverlongNamesAndDataOfDirectories) {
  Unpacked unpacked;
  unpack(unpacked, archive_of({{.name = std::string(5000, 'n'), .contents = "x"},
                               {.name = "dir", .mode = 040755, .contents = "what"},
                               {.name = "after", .contents = "y"}}));
  ASSERT_TRUE(unpacked.result);
  EXPECT_EQ(unpacked.recorder.entries.size(), 1u);
  EXPECT_EQ(unpacked.recorder.entries["after"], "file y");
}

TEST(Initramfs, PiecesOfAnySizeGiveTheSame) {
  Bytes image = archive_of({{.name = "dir", .mode = 040755},
                            {.name = "f", .contents = std::string(1000, 'q')},
                            {.name = "l", .mode = 0120777, .contents = "target"}});
  for (std::size_t piece : {1u, 3u, 110u, 113u}) {
    Recorder recorder;
    CpioReader reader{recorder};
    for (std::size_t at = 0; at < image.size(); at += piece) {
      std::size_t size = std::min(piece, image.size() - at);
      ASSERT_EQ(reader.put(std::span(image).subspan(at, size)).value(), size);
    }
    EXPECT_TRUE(reader.at_end_of_archive());
    EXPECT_EQ(recorder.entries.size(), 3u);
    EXPECT_EQ(recorder.entries["l"], "-> target");
  }
}

TEST(Initramfs, MembersOfSeveralKindsFollowEachOther) {
  std::string base = testing::TempDir() + "archive_test." + std::to_string(getpid());
  Bytes image;
  int number = 0;
  for (const char* packer :
       {"cat", "gzip", "zstd -q -c", "lz4 -q -c", "cat", "lz4 -q -c -l", "zstd -q -c -19"}) {
    Bytes one = archive_of({{.name = "file" + std::to_string(number), .contents = packer},
                            {.name = "same", .contents = packer}});
    std::ofstream(base, std::ios::binary)
        .write(reinterpret_cast<const char*>(one.data()), static_cast<long>(one.size()));
    Bytes packed = bytes_of(shell(std::string(packer) + " < " + base));
    image.insert(image.end(), packed.begin(), packed.end());
    if (number % 2 == 0) image.insert(image.end(), 512 - image.size() % 512, 0);
    while (image.size() % 4) image.push_back(0);
    ++number;
  }
  std::remove(base.c_str());
  Unpacked unpacked;
  unpack(unpacked, image);
  ASSERT_TRUE(unpacked.result) << unpacked.problem;
  EXPECT_EQ(unpacked.recorder.entries.size(), 8u);
  EXPECT_EQ(unpacked.recorder.entries["same"], "file zstd -q -c -19");
  image.push_back('?');
  Unpacked junk;
  unpack(junk, image);
  EXPECT_EQ(junk.result.error(), base::Errno::einval);
}

TEST(Initramfs, ReadsWhatCpioWrites) {
  std::string folder = shell("mktemp -d");
  folder.pop_back();
  shell(
      "cd " + folder +
      " && mkdir -p a/b && echo text > a/b/file && ln -s ../x a/sym && ln a/b/file a/hard && mkfifo pipe && "
      "head -c 300000 /dev/urandom > big && : > empty");
  std::string big = shell("cat " + folder + "/big");
  for (const char* how : {"-H newc", "-H crc"}) {
    Unpacked unpacked;
    unpack(unpacked, bytes_of(shell("cd " + folder + " && find . | LC_ALL=C sort | cpio -o --quiet " +
                                    std::string(how) + " | gzip")));
    ASSERT_TRUE(unpacked.result) << unpacked.problem;
    auto& entries = unpacked.recorder.entries;
    EXPECT_EQ(entries["a/sym"], "-> ../x");
    EXPECT_EQ(entries["big"], "file " + big);
    EXPECT_EQ(entries["empty"], "file ");
    EXPECT_EQ(entries["a/b"], "dir");
    EXPECT_TRUE(entries.contains("pipe"));
    EXPECT_EQ(unpacked.recorder.links.size(), 1u);
    EXPECT_TRUE(entries["a/hard"] == "file text\n" || entries["a/b/file"] == "file text\n");
  }
  shell("rm -rf " + folder);
}

TEST(Initramfs, DamageNeverGoesOutside) {
  std::mt19937 random(3);
  const Bytes whole = archive_of({{.name = "dir", .mode = 040755},
                                  {.name = "f", .contents = std::string(100, 'q'), .inode = 3, .links = 2},
                                  {.name = "g", .inode = 3, .links = 2},
                                  {.name = "l", .mode = 0120777, .contents = "target"}});
  for (int i = 0; i < 20000; ++i) {
    Bytes damaged(whole.begin(), whole.begin() + static_cast<long>(random() % (whole.size() + 1)));
    for (unsigned n = random() % 4; n && !damaged.empty(); --n)
      damaged[random() % damaged.size()] = "0123456789abcdefF\0x"[random() % 19];
    class Ignore final : public EntrySink {
      base::Result<void> directory(const Entry&) override { return {}; }
      base::Result<void> begin_file(const Entry&) override { return {}; }
      base::Result<void> data(std::span<const std::uint8_t>) override { return {}; }
      base::Result<void> end_file(const Entry&) override { return {}; }
      base::Result<void> symlink(const Entry&, std::string_view) override { return {}; }
      base::Result<void> node(const Entry&) override { return {}; }
      base::Result<void> hard_link(const Entry&, std::string_view) override { return {}; }
    } ignore;
    char memory[200];
    base::TextBuffer problem{memory};
    damaged.shrink_to_fit();
    (void)unpack_initramfs(damaged, ignore, problem);
  }
}

}  // namespace
}  // namespace archive
