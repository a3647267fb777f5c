// Core dumps (core(5)): when they are written, where, and what is in them.
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>

#include <map>

#include "process/core_file.h"

namespace {
using namespace conformance;

TEST_F(CoreDump, IsWrittenAndReported) {
  auto pattern = dump_to("core");
  char* const memory =
      (char*)mmap(nullptr, 0x3000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(memory + 0x2000, "what was here");
  const pid_t child = fork_child([] {
    allow_core();
    raise(SIGSEGV);
  });
  siginfo_t info = {};
  ASSERT_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  EXPECT_EQ(info.si_code, CLD_DUMPED);
  EXPECT_EQ(info.si_status, SIGSEGV);
  const int status = wait_for(child);
  EXPECT_KILLED(status, SIGSEGV);
  EXPECT_TRUE(WCOREDUMP(status));

  struct stat found;
  ASSERT_OK(stat(path("core"), &found));
  EXPECT_EQ(found.st_mode & 07777, 0600u);
  const Core core(path("core"));
  ASSERT_FALSE(core.segments.empty());
  EXPECT_EQ(core.memory(memory + 0x2000, 13), "what was here");
  EXPECT_EQ(core.memory(memory, 4), std::string(4, '\0')) << "a page nobody touched";
  munmap(memory, 0x3000);

  const auto* process = core.find(NT_PRPSINFO);
  ASSERT_NE(process, nullptr);
  ASSERT_EQ(process->content.size(), sizeof(elf_prpsinfo));
  EXPECT_EQ(((const elf_prpsinfo*)process->content.data())->pr_pid, child);
  EXPECT_EQ(((const elf_prpsinfo*)process->content.data())->pr_ppid, getpid());
  const auto* thread = core.find(NT_PRSTATUS);
  ASSERT_NE(thread, nullptr);
  ASSERT_EQ(thread->content.size(), sizeof(elf_prstatus));
  EXPECT_EQ(((const elf_prstatus*)thread->content.data())->pr_cursig, SIGSEGV);
  EXPECT_EQ(((const elf_prstatus*)thread->content.data())->pr_pid, child);
  const auto* signal = core.find(NT_SIGINFO);
  ASSERT_NE(signal, nullptr);
  EXPECT_EQ(((const siginfo_t*)signal->content.data())->si_signo, SIGSEGV);
  EXPECT_EQ(((const siginfo_t*)signal->content.data())->si_code, SI_TKILL);
  EXPECT_NE(core.find(NT_FPREGSET), nullptr);

  const auto* auxiliary = core.find(NT_AUXV);
  ASSERT_NE(auxiliary, nullptr);
  const auto* pair = (const Elf64_auxv_t*)auxiliary->content.data();
  bool has_entry = false;
  for (size_t i = 0; i < auxiliary->content.size() / sizeof(*pair); ++i)
    has_entry |= pair[i].a_type == AT_ENTRY && pair[i].a_un.a_val == getauxval(AT_ENTRY);
  EXPECT_TRUE(has_entry);
  const auto* files = core.find(NT_FILE);
  ASSERT_NE(files, nullptr);
  char own[4096] = {};
  ASSERT_OK(readlink("/proc/self/exe", own, sizeof own - 1));
  EXPECT_NE(files->content.find(own), std::string::npos);
  // The vDSO is always there: debuggers need it.
  if (const unsigned long vdso = getauxval(AT_SYSINFO_EHDR))
    EXPECT_EQ(core.memory((const void*)vdso, 4), "\177ELF");
}

TEST_F(CoreDump, EverySignalOfTheKindAndNoOther) {
  auto pattern = dump_to("core.%s");
  for (const int signal :
       {SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ}) {
    const int status = run_child([&] {
      allow_core();
      raise(signal);
    });
    EXPECT_KILLED(status, signal);
    EXPECT_TRUE(WCOREDUMP(status)) << signal;
    EXPECT_TRUE(exists("core." + std::to_string(signal)));
  }
  for (const int signal : {SIGTERM, SIGKILL, SIGUSR1, SIGPIPE}) {
    const int status = run_child([&] {
      allow_core();
      raise(signal);
    });
    EXPECT_FALSE(WCOREDUMP(status)) << signal;
    EXPECT_FALSE(exists("core." + std::to_string(signal)));
  }
}

TEST_F(CoreDump, LimitsOfSize) {
  auto pattern = dump_to("core");
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core(0);
    raise(SIGSEGV);
  })));
  EXPECT_FALSE(exists("core"));
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core(4095);
    raise(SIGSEGV);
  }))) << "less than a page";
  const int status = run_child([] {
    allow_core(16384);
    raise(SIGSEGV);
  });
  EXPECT_TRUE(WCOREDUMP(status)) << "cut off, but there";
  struct stat found;
  ASSERT_OK(stat(path("core"), &found));
  EXPECT_LE(found.st_blocks * 512, 16384 + 4096);
}

TEST_F(CoreDump, NotOfProcessesThatAreNotDumpable) {
  auto pattern = dump_to("core");
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core();
    EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
    raise(SIGSEGV);
  })));
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core();
    drop_privileges();
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
    raise(SIGSEGV);
  })));
  EXPECT_FALSE(exists("core"));
  EXPECT_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
  EXPECT_ERRNO(prctl(PR_SET_DUMPABLE, -1), EINVAL);
}

TEST_F(CoreDump, SuidDumpable) {
  Setting dumpable(suid_file, "2");
  auto pattern = dump_to("core.%d");
  const int status = run_child([] {
    allow_core();
    drop_privileges();
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 2);
    raise(SIGSEGV);
  });
  EXPECT_TRUE(WCOREDUMP(status));
  struct stat found;
  ASSERT_OK(stat(path("core.2"), &found));
  EXPECT_EQ(found.st_uid, 0u);
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core();
    drop_privileges();
    raise(SIGSEGV);
  }))) << "such a dump replaces nothing";
  pattern.store("relative");
  EXPECT_FALSE(WCOREDUMP(run_child([this] {
    allow_core();
    EXPECT_OK(chdir(path()));
    drop_privileges();
    raise(SIGSEGV);
  })));
  EXPECT_FALSE(dumpable.store("3"));
}

TEST_F(CoreDump, ReplacesWhatIsThere) {
  auto pattern = dump_to("core");
  write_file("core", "old", 0644);
  ASSERT_OK(link(path("core"), path("other")));
  EXPECT_TRUE(WCOREDUMP(run_child([] {
    allow_core();
    raise(SIGSEGV);
  })));
  EXPECT_EQ(read_file("other"), "old");
  EXPECT_FALSE(Core(path("core")).segments.empty());
  ASSERT_OK(unlink(path("core")));
  ASSERT_OK(mkdir(path("core"), 0755));
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core();
    raise(SIGSEGV);
  }))) << "a directory stays";
}

TEST_F(CoreDump, PatternIsFilledIn) {
  auto pattern = dump_to("c-%p-%i-%u-%g-%s-%e-%%-%c-%d-%q%");
  const pid_t child = fork_child([] {
    allow_core();
    prctl(PR_SET_NAME, "odd/name");
    raise(SIGABRT);
  });
  EXPECT_TRUE(WCOREDUMP(wait_for(child)));
  const std::string id = std::to_string(child);
  EXPECT_TRUE(exists("c-" + id + "-" + id + "-0-0-6-odd!name-%-18446744073709551615-1-"));
  pattern.store(in_directory("e%E"));
  EXPECT_TRUE(WCOREDUMP(run_child([] {
    allow_core();
    raise(SIGABRT);
  })));
  char own[4096] = {};
  ASSERT_OK(readlink("/proc/self/exe", own, sizeof own - 1));
  for (char& c : own)
    if (c == '/') c = '!';
  EXPECT_TRUE(exists(std::string("e") + own));
}

TEST_F(CoreDump, UsesPid) {
  Setting uses_pid("/proc/sys/kernel/core_uses_pid", "1");
  Setting pattern(pattern_file, "core");
  auto dump = [this] {
    return fork_child([this] {
      allow_core();
      EXPECT_OK(chdir(path()));
      raise(SIGSEGV);
    });
  };
  pid_t child = dump();
  EXPECT_TRUE(WCOREDUMP(wait_for(child)));
  EXPECT_TRUE(exists("core." + std::to_string(child)));
  pattern.store("c%p");
  child = dump();
  EXPECT_TRUE(WCOREDUMP(wait_for(child)));
  EXPECT_TRUE(exists("c" + std::to_string(child)));
}

void* wait_forever(void* ready) {
  static_cast<Rendezvous*>(ready)->notify();
  for (;;) pause();
}

TEST_F(CoreDump, HasAllThreads) {
  auto pattern = dump_to("core");
  const pid_t child = fork_child([] {
    allow_core();
    Rendezvous ready;
    pthread_t threads[3];
    for (pthread_t& thread : threads) {
      ASSERT_EQ(pthread_create(&thread, nullptr, wait_forever, &ready), 0);
      ready.wait();
    }
    raise(SIGABRT);
  });
  EXPECT_TRUE(WCOREDUMP(wait_for(child)));
  const Core core(path("core"));
  EXPECT_EQ(core.count(NT_PRSTATUS), 4u);
  EXPECT_EQ(core.count(NT_FPREGSET), 4u);
  EXPECT_EQ(core.count(NT_PRPSINFO), 1u);
  std::map<int, int> ids;
  for (const auto& note : core.notes)
    if (note.type == NT_PRSTATUS) ++ids[((const elf_prstatus*)note.content.data())->pr_pid];
  EXPECT_EQ(ids.size(), 4u) << "each with its own id";
  EXPECT_EQ(ids[child], 1);
}

TEST_F(CoreDump, FilterAndAdvice) {
  auto pattern = dump_to("core");
  char* const shared = (char*)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char* const own = (char*)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* const secret = (char*)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  write_file("data", std::string(4096, 'd'));
  const int fd = open(path("data"), O_RDWR);
  char* const file_private = (char*)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* const file_shared = (char*)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  strcpy(shared, "shared"), strcpy(own, "own"), strcpy(secret, "secret");
  ASSERT_OK(madvise(secret, 4096, MADV_DONTDUMP));
  auto dump = [&](const char* filter) {
    EXPECT_TRUE(WCOREDUMP(run_child([&] {
      allow_core();
      Setting set("/proc/self/coredump_filter", filter);
      raise(SIGSEGV);
    })));
    return Core(path("core"));
  };
  {
    const Core core = dump("0x33");
    EXPECT_EQ(core.memory(shared, 6), "shared");
    EXPECT_EQ(core.memory(own, 3), "own");
    EXPECT_EQ(core.memory(secret, 6), "");
    EXPECT_NE(core.segment_of(secret), nullptr) << "it is listed, without its bytes";
    EXPECT_EQ(core.memory(file_private, 4), "");
    EXPECT_EQ(core.memory(file_shared, 4), "");
  }
  {
    const Core core = dump("0xc");
    EXPECT_EQ(core.memory(shared, 6), "");
    EXPECT_EQ(core.memory(own, 3), "");
    EXPECT_EQ(core.memory(file_private, 4), "dddd");
    EXPECT_EQ(core.memory(file_shared, 4), "dddd");
  }
  ASSERT_OK(madvise(secret, 4096, MADV_DODUMP));
  file_private[0] = 'w';
  {
    const Core core = dump("1");
    EXPECT_EQ(core.memory(secret, 6), "secret");
    EXPECT_EQ(core.memory(file_private, 4), "wddd") << "a copy of its own";
    EXPECT_EQ(core.memory(file_shared, 4), "");
  }
}

TEST_F(CoreDump, FilterIsInherited) {
  EXPECT_CHILD_OK([] {
    EXPECT_EQ(slurp("/proc/self/coredump_filter"), "00000033\n");
    {
      const int fd = open("/proc/self/coredump_filter", O_WRONLY);
      ASSERT_OK(fd);
      EXPECT_EQ(write(fd, "0x7f", 4), 4);
      EXPECT_ERRNO(write(fd, "x", 1), EINVAL);
      close(fd);
    }
    EXPECT_EQ(slurp("/proc/self/coredump_filter"), "0000007f\n");
    EXPECT_CHILD_OK([] { EXPECT_EQ(slurp("/proc/self/coredump_filter"), "0000007f\n"); });
  });
}

TEST_F(CoreDump, GoesIntoAPipe) {
  if (access("/bin/sh", X_OK) != 0) GTEST_SKIP() << "no shell";
  Setting limit("/proc/sys/kernel/core_pipe_limit", "4");
  write_file(
      "take",
      "#!/bin/sh\ncat > " + in_directory("got") + "\necho \"$@\" > " + in_directory("arguments") + "\n",
      0755);
  Setting pattern(pattern_file, "|" + in_directory("take") + " %p two%e %s");
  const pid_t child = fork_child([] {
    allow_core(0);  // says nothing about pipes
    prctl(PR_SET_NAME, "a b");
    raise(SIGSEGV);
  });
  EXPECT_TRUE(WCOREDUMP(wait_for(child)));
  EXPECT_EQ(read_file("arguments"), std::to_string(child) + " twoa b 11\n");
  const Core core(path("got"));
  EXPECT_NE(core.find(NT_PRSTATUS), nullptr);
  EXPECT_EQ(core.memory(&core, 0), "");
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core(1);
    raise(SIGSEGV);
  }))) << "a helper's own";
  pattern.store("|/nowhere/at/all");
  EXPECT_FALSE(WCOREDUMP(run_child([] {
    allow_core();
    raise(SIGSEGV);
  })));
}

TEST_F(CoreDump, ReadOnlyFilesOfSettings) {
  Setting pattern(pattern_file, std::string(200, 'x'));
  EXPECT_EQ(slurp(pattern_file), std::string(127, 'x') + "\n") << "cut to what fits";
  EXPECT_CHILD_OK([] {
    drop_privileges();
    EXPECT_ERRNO(open(pattern_file, O_WRONLY), EACCES);
  });
}

}  // namespace
