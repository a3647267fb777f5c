// Damaged ELF files: each is refused with ENOEXEC, or the new program dies, and nothing else happens.
#include <elf.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstddef>

#include "support/conformance.h"
#include "support/helper.h"

namespace {
using namespace conformance;

class Elf : public UnrestrictedTempDirTest {
 protected:
  void SetUp() override {
    UnrestrictedTempDirTest::SetUp();
    image_ = slurp(own_program().c_str());
    ASSERT_GT(image_.size(), sizeof(Elf64_Ehdr));
  }

  Elf64_Ehdr& header() { return *reinterpret_cast<Elf64_Ehdr*>(image_.data()); }
  Elf64_Phdr& segment(int index) {
    return reinterpret_cast<Elf64_Phdr*>(image_.data() + header().e_phoff)[index];
  }
  Elf64_Phdr& first_load() {
    int index = 0;
    while (segment(index).p_type != PT_LOAD) index++;
    return segment(index);
  }
  std::string& image() { return image_; }

  // execve of the image: the errno, or 0 with the wait status if it started.
  int run(int* status = nullptr) {
    write_file("program", image_, 0755);
    const int result = run_child([&] {
      const rlimit core = {0, 0};
      setrlimit(RLIMIT_CORE, &core);
      char* const line[] = {const_cast<char*>("x"), const_cast<char*>("--helper"),
                            const_cast<char*>("exit_with"), const_cast<char*>("0"), nullptr};
      char* const none[] = {nullptr};
      execve(path("program"), line, none);
      _exit(errno);
    });
    if (status) *status = result;
    return WIFEXITED(result) ? WEXITSTATUS(result) : 0;
  }

 private:
  std::string image_;
};

TEST_F(Elf, UnchangedCopyRuns) {
  int status;
  EXPECT_EQ(run(&status), 0);
  EXPECT_EXITED(status, 0);
}

TEST_F(Elf, WrongMagic) {
  header().e_ident[3] = 'G';
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, OtherMachine) {
  header().e_machine = EM_SPARCV9;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, NotAProgram) {
  header().e_type = ET_REL;
  EXPECT_EQ(run(), ENOEXEC);
  header().e_type = ET_CORE;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, TruncatedToEveryPartOfTheHeader) {
  for (const size_t length : {63, 40, 17, 16, 4, 1}) {
    image().resize(length);
    EXPECT_EQ(run(), ENOEXEC) << length;
  }
}

TEST_F(Elf, NoProgramHeaders) {
  header().e_phnum = 0;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, TooManyProgramHeaders) {
  header().e_phnum = 0xfff0;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, WrongProgramHeaderSize) {
  header().e_phentsize = sizeof(Elf64_Phdr) - 1;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, ProgramHeadersOutsideTheFile) {
  header().e_phoff = image().size() + 4096;
  EXPECT_NE(run(), 0);
  header().e_phoff = ~0ull - 100;
  EXPECT_NE(run(), 0);
}

TEST_F(Elf, NothingToLoadKillsOrFails) {
  for (int i = 0; i < header().e_phnum; i++) {
    if (segment(i).p_type == PT_LOAD) segment(i).p_type = PT_NULL;
  }
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status));
}

TEST_F(Elf, FileSizeAboveMemorySize) {
  first_load().p_memsz = first_load().p_filesz - 1;
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status)) << status;
}

TEST_F(Elf, AbsurdMemorySize) {
  first_load().p_memsz = ~0ull;
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status)) << status;
}

TEST_F(Elf, SegmentInTheKernel) {
  first_load().p_vaddr = 0xffff800000000000ull;
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status)) << status;
}

TEST_F(Elf, SegmentWithMisalignedOffset) {
  first_load().p_offset += 1;
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status)) << status;
}

TEST_F(Elf, EntryPointNowhere) {
  header().e_entry = 0x10;
  int status;
  run(&status);
  EXPECT_KILLED(status, SIGSEGV);
}

TEST_F(Elf, EntryPointInTheKernel) {
  header().e_entry = 0xffff800000000000ull;
  int status;
  const int code = run(&status);
  EXPECT_TRUE(code != 0 || WIFSIGNALED(status)) << status;
}

// The header that is turned into a PT_INTERP: a note or the like that the program starts without.
#define USE_AS_INTERPRETER(name, text)                                            \
  int name = 0;                                                                   \
  while (segment(name).p_type == PT_LOAD) name++;                                 \
  segment(name).p_type = PT_INTERP;                                               \
  segment(name).p_offset = image().size();                                        \
  segment(name).p_filesz = segment(name).p_memsz = std::string_view(text).size(); \
  image() += text

TEST_F(Elf, InterpreterMissingIsENOENT) {
  USE_AS_INTERPRETER(index, std::string_view("/nonexistent/ld.so\0", 19));
  EXPECT_EQ(run(), ENOENT);
}

TEST_F(Elf, InterpreterWithoutTerminatorIsENOEXEC) {
  USE_AS_INTERPRETER(index, std::string_view("/nonexistent/ld.so", 18));
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, InterpreterNameTooLongOrEmptyIsENOEXEC) {
  USE_AS_INTERPRETER(index, std::string(4097, 'x'));
  EXPECT_EQ(run(), ENOEXEC);
  segment(index).p_filesz = 1;
  EXPECT_EQ(run(), ENOEXEC);
}

TEST_F(Elf, InterpreterThatIsNoProgramIsRefused) {
  write_file("interpreter", std::string(4096, 'x'), 0755);
  const std::string name = path("interpreter").text + std::string(1, '\0');
  USE_AS_INTERPRETER(index, name);
  EXPECT_EQ(run(), ELIBBAD);
}

TEST_F(Elf, InterpreterTooShortIsEIO) {
  write_file("interpreter", "x", 0755);
  const std::string name = path("interpreter").text + std::string(1, '\0');
  USE_AS_INTERPRETER(index, name);
  EXPECT_EQ(run(), EIO);
}

TEST_F(Elf, InterpreterWithoutExecuteBitIsEACCES) {
  write_file("interpreter", std::string(4096, 'x'), 0644);
  const std::string name = path("interpreter").text + std::string(1, '\0');
  USE_AS_INTERPRETER(index, name);
  EXPECT_EQ(run(), EACCES);
}

TEST_F(Elf, RandomDamageNeverHarmsAnybodyElse) {
  const std::string original = image();
  uint32_t state = 99;
  for (int round = 0; round < 12; round++) {
    image() = original;
    for (int i = 0; i < 8; i++) {
      state = state * 1664525 + 1013904223;
      const size_t limit = sizeof(Elf64_Ehdr) + header().e_phnum * sizeof(Elf64_Phdr);
      image()[4 + (state >> 8) % (std::min<size_t>(limit, 512) - 4)] ^= static_cast<char>(1 << (state >> 29));
    }
    write_file("program", image(), 0755);
    const pid_t child = fork_child([&] {
      const rlimit core = {0, 0}, time = {1, 1};
      setrlimit(RLIMIT_CORE, &core);
      setrlimit(RLIMIT_CPU, &time);
      char* const none[] = {nullptr};
      char* const line[] = {const_cast<char*>("x"), const_cast<char*>("--helper"),
                            const_cast<char*>("exit_with"), const_cast<char*>("0"), nullptr};
      execve(path("program"), line, none);
      _exit(1);
    });
    EXPECT_NE(wait_for(child), -1);
  }
}

}  // namespace
