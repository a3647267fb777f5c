// Core files: who asks for them, and what they say.
#pragma once

#include <elf.h>
#include <sys/procfs.h>
#include <sys/resource.h>

#include <string>
#include <vector>

#include "support/conformance.h"

namespace conformance {

// A file of /proc/sys with another content for the length of a case.
class Setting {
 public:
  Setting(const char* file, const std::string& content) : file_(file), old_(slurp(file)) { store(content); }
  ~Setting() { store(old_); }
  bool store(const std::string& content) {
    const int fd = open(file_, O_WRONLY);
    if (fd < 0) return false;
    const bool done = write(fd, content.data(), content.size()) == (ssize_t)content.size();
    close(fd);
    return done;
  }

 private:
  const char* file_;
  std::string old_;
};
inline constexpr const char* pattern_file = "/proc/sys/kernel/core_pattern";
inline constexpr const char* suid_file = "/proc/sys/fs/suid_dumpable";

inline void allow_core(rlim_t size = RLIM_INFINITY) {
  const rlimit limit = {size, RLIM_INFINITY};
  EXPECT_OK(setrlimit(RLIMIT_CORE, &limit));
}

class CoreDump : public UnrestrictedTempDirTest {
 protected:
  void SetUp() override {
    UnrestrictedTempDirTest::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (slurp(pattern_file).empty()) GTEST_SKIP() << "no core dumps here";
    const int fd = open(pattern_file, O_WRONLY);
    if (fd < 0) GTEST_SKIP() << "/proc/sys may not be written here";
    close(fd);
    chmod(path(), 0777);
  }
  std::string in_directory(const std::string& name) const { return directory() + "/" + name; }
  // Where dumps go during a case.
  Setting dump_to(const std::string& name) const { return Setting(pattern_file, in_directory(name)); }
};

// What a core file says.
struct Core {
  std::string bytes;
  std::vector<Elf64_Phdr> segments;
  struct Note {
    std::string owner;
    unsigned type;
    std::string content;
  };
  std::vector<Note> notes;

  explicit Core(const char* file) : bytes(slurp(file)) {
    if (bytes.size() < sizeof(Elf64_Ehdr)) return;
    const auto* header = (const Elf64_Ehdr*)bytes.data();
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_CORE) return;
    for (unsigned i = 0; i < header->e_phnum; ++i)
      segments.push_back(((const Elf64_Phdr*)(bytes.data() + header->e_phoff))[i]);
    for (const Elf64_Phdr& segment : segments)
      if (segment.p_type == PT_NOTE) read_notes(bytes.substr(segment.p_offset, segment.p_filesz));
  }
  void read_notes(const std::string& text) {
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= text.size();) {
      const auto* header = (const Elf64_Nhdr*)(text.data() + at);
      at += sizeof(*header);
      Note note{std::string(text.c_str() + at), header->n_type, ""};
      at += (header->n_namesz + 3) & ~3u;
      note.content = text.substr(at, header->n_descsz);
      at += (header->n_descsz + 3) & ~3u;
      notes.push_back(note);
    }
  }
  size_t count(unsigned type) const {
    size_t result = 0;
    for (const Note& note : notes) result += note.type == type;
    return result;
  }
  const Note* find(unsigned type) const {
    for (const Note& note : notes)
      if (note.type == type) return &note;
    return nullptr;
  }
  const Elf64_Phdr* segment_of(const void* address) const {
    for (const Elf64_Phdr& segment : segments)
      if (segment.p_type == PT_LOAD && (uintptr_t)address - segment.p_vaddr < segment.p_memsz)
        return &segment;
    return nullptr;
  }
  // Empty when it was not dumped.
  std::string memory(const void* address, size_t size) const {
    const Elf64_Phdr* segment = segment_of(address);
    if (!segment) return "";
    const size_t offset = (uintptr_t)address - segment->p_vaddr;
    if (offset + size > segment->p_filesz) return "";
    return bytes.substr(segment->p_offset + offset, size);
  }
};

}  // namespace conformance
