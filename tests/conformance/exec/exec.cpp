// execve(2), execveat(2).
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#include "support/conformance.h"
#include "support/helper.h"

extern char** environ;

namespace {
using namespace conformance;

class Exec : public UnrestrictedTempDirTest {
 protected:
  // Runs a helper and returns what it wrote to standard output.
  std::string output_of(const std::function<void()>& execute, int* status = nullptr) const {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    const pid_t child = fork_child([&] {
      dup2(ends[1], 1);
      close(ends[0]);
      close(ends[1]);
      execute();
      _exit(child_failed);
    });
    close(ends[1]);
    std::string output;
    char buffer[512];
    ssize_t count;
    while ((count = read(ends[0], buffer, sizeof buffer)) > 0) output.append(buffer, (size_t)count);
    close(ends[0]);
    const int result = wait_for(child);
    if (status) *status = result;
    if (!status) EXPECT_EXITED(result, 0);
    return output;
  }
};

HELPER(exit_with) { return atoi(arguments[0]); }

HELPER(print_arguments) {
  for (int i = 0; i < count; i++) printf("[%s]", arguments[i]);
  for (char** variable = environ; *variable; variable++) printf("{%s}", *variable);
  return 0;
}

HELPER(print_identity) {
  printf("%d %d %d", getpid(), getppid(), getpgrp());
  return 0;
}

TEST_F(Exec, ReplacesTheProgramAndKeepsTheProcess) {
  pid_t inside = 0;
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    dup2(ends[1], 1);
    execute_helper("print_identity");
  });
  EXPECT_EXITED(wait_for(child), 0);
  char text[64] = {};
  ASSERT_GT(read(ends[0], text, sizeof text - 1), 0);
  int parent = 0, group = 0;
  ASSERT_EQ(sscanf(text, "%d %d %d", &inside, &parent, &group), 3);
  EXPECT_EQ(inside, child);
  EXPECT_EQ(parent, getpid());
  EXPECT_EQ(group, getpgrp());
}

TEST_F(Exec, ExitStatus) {
  EXPECT_EXITED(run_child([] { execute_helper("exit_with", {"42"}); }), 42);
}

TEST_F(Exec, PassesArgumentsAndEnvironmentExactly) {
  const std::string output = output_of(
      [] { execute_helper("print_arguments", {"", "two words", "\xff\n"}, {"A=1", "strange", "B="}); });
  EXPECT_EQ(output, "[][two words][\xff\n]{A=1}{strange}{B=}");
}

TEST_F(Exec, ArgumentOfAlmost128KiBPassesAndMoreIsE2BIG) {
  const std::string longest(128 * 1024 - 1, 'x');
  EXPECT_EQ(output_of([&] { execute_helper("print_arguments", {longest}); }).size(), longest.size() + 2);
  EXPECT_CHILD_OK([&] {
    execute_helper("print_arguments", {longest + "x"});
    EXPECT_EQ(errno, E2BIG);
  });
}

TEST_F(Exec, ManyArgumentsBeyondAQuarterOfTheStackAreE2BIG) {
  EXPECT_CHILD_OK([] {
    const rlimit limit = {1 << 20, 1 << 20};
    ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
    execute_helper("print_arguments", std::vector<std::string>(40, std::string(10000, 'x')));
    EXPECT_EQ(errno, E2BIG);
  });
}

TEST_F(Exec, ManySmallArguments) {
  const std::vector<std::string> arguments(2000, "argument");
  EXPECT_EQ(output_of([&] { execute_helper("print_arguments", arguments); }).size(), 2000u * 10);
}

TEST_F(Exec, FileErrors) {
  write_file("plain", "x", 0644);
  write_file("empty", "", 0755);
  write_file("garbage", "\x01\x02garbage", 0755);
  char* const none[] = {nullptr};
  EXPECT_ERRNO(execve(path("none"), none, none), ENOENT);
  EXPECT_ERRNO(execve(path("plain"), none, none), EACCES) << "no execute bit, not even for root";
  EXPECT_ERRNO(execve(path(), none, none), EACCES) << "a directory";
  EXPECT_ERRNO(execve(path("plain/x"), none, none), ENOTDIR);
  EXPECT_ERRNO(execve(path("empty"), none, none), ENOEXEC);
  EXPECT_ERRNO(execve(path("garbage"), none, none), ENOEXEC);
  EXPECT_ERRNO(execve("", none, none), ENOENT);
  EXPECT_ERRNO(execve("/dev/null", none, none), EACCES);
}

TEST_F(Exec, BadPointersAreEFAULT) {
  char* const none[] = {nullptr};
  const char* program = own_program().c_str();
  EXPECT_ERRNO(sys(SYS_execve, low_address(), none, none), EFAULT);
  EXPECT_ERRNO(sys(SYS_execve, program, low_address(), none), EFAULT);
  EXPECT_ERRNO(sys(SYS_execve, program, none, low_address()), EFAULT);
  char* const wild[] = {static_cast<char*>(kernel_address()), nullptr};
  EXPECT_ERRNO(sys(SYS_execve, program, wild, none), EFAULT);
}

TEST_F(Exec, BusyFileIsETXTBSY) {
  write_file("program", slurp(own_program().c_str()), 0755);
  const ScopedFd writer = open(path("program"), O_WRONLY);
  char* const none[] = {nullptr};
  EXPECT_ERRNO(execve(path("program"), none, none), ETXTBSY);
}

TEST_F(Exec, RunningFileCannotBeWritten) {
  EXPECT_ERRNO(open(own_program().c_str(), O_WRONLY), ETXTBSY);
  EXPECT_ERRNO(truncate(own_program().c_str(), 0), ETXTBSY);
}

HELPER(check_descriptors) {
  const bool kept = fcntl(atoi(arguments[0]), F_GETFD) == 0;
  const bool closed = fcntl(atoi(arguments[1]), F_GETFD) == -1 && errno == EBADF;
  return kept && closed ? 0 : 1;
}

TEST_F(Exec, CloseOnExec) {
  EXPECT_EXITED(run_child([] {
                  const int kept = fcntl(0, F_DUPFD, 50), closed = fcntl(0, F_DUPFD_CLOEXEC, 60);
                  execute_helper("check_descriptors", {std::to_string(kept), std::to_string(closed)});
                }),
                0);
}

HELPER(check_signals) {
  struct sigaction handled, ignored;
  sigset_t mask, pending;
  stack_t stack;
  sigaction(SIGUSR1, nullptr, &handled);
  sigaction(SIGUSR2, nullptr, &ignored);
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  sigpending(&pending);
  sigaltstack(nullptr, &stack);
  if (handled.sa_handler != SIG_DFL) return 1;
  if (ignored.sa_handler != SIG_IGN) return 2;
  if (!sigismember(&mask, SIGHUP) || sigismember(&mask, SIGINT)) return 3;
  if (!sigismember(&pending, SIGHUP)) return 4;
  if (!(stack.ss_flags & SS_DISABLE)) return 5;
  return 0;
}

TEST_F(Exec, SignalsAreInheritedAsTheManualSays) {
  EXPECT_EXITED(run_child([] {
                  signal(SIGUSR1, [](int) {});
                  signal(SIGUSR2, SIG_IGN);
                  sigset_t mask;
                  sigemptyset(&mask);
                  sigaddset(&mask, SIGHUP);
                  sigprocmask(SIG_SETMASK, &mask, nullptr);
                  raise(SIGHUP);
                  static char memory[65536];
                  const stack_t stack = {memory, 0, sizeof memory};
                  sigaltstack(&stack, nullptr);
                  execute_helper("check_signals");
                }),
                0);
}

TEST_F(Exec, ScriptRunsItsInterpreter) {
  write_file("script", "#!" + own_program() + " --helper\nignored\n", 0755);
  // The interpreter sees: its name, the one optional argument, the script's path, the other arguments.
  char* const line[] = {const_cast<char*>("renamed"), const_cast<char*>("7"), nullptr};
  char* const none[] = {nullptr};
  // "--helper <path of the script> 7": there is no helper of that name.
  EXPECT_EXITED(run_child([&] {
                  const ScopedFd null = open("/dev/null", O_WRONLY);
                  dup2(null, 2);
                  execve(path("script"), line, none);
                }),
                98);
}

TEST_F(Exec, ScriptArgumentIsOneAndTrimmed) {
  ASSERT_OK(symlink(own_program().c_str(), path("program")));
  // A script whose interpreter is a script: two levels are allowed, and the path is inserted twice.
  write_file("print_arguments", "#! " + path("program").text + "  --helper \t\n", 0755);
  EXPECT_EXITED(run_child([&] {
                  ASSERT_OK(chdir(path()));
                  char* const line[] = {const_cast<char*>("x"), const_cast<char*>("one two"), nullptr};
                  char* const none[] = {nullptr};
                  int ends[2];
                  ASSERT_OK(pipe(ends));
                  const pid_t child = fork_child([&] {
                    dup2(ends[1], 1);
                    execve("print_arguments", line, none);
                  });
                  EXPECT_EXITED(wait_for(child), 0);
                  char text[64] = {};
                  EXPECT_GT(read(ends[0], text, sizeof text - 1), 0);
                  EXPECT_STREQ(text, "[one two]");
                }),
                0);
}

TEST_F(Exec, ScriptErrors) {
  char* const none[] = {nullptr};
  write_file("missing", "#!/nonexistent/interpreter\n", 0755);
  EXPECT_ERRNO(execve(path("missing"), none, none), ENOENT);
  write_file("blank", "#!   \n", 0755);
  EXPECT_ERRNO(execve(path("blank"), none, none), ENOEXEC);
  write_file("folder", "#!/tmp\n", 0755);
  EXPECT_ERRNO(execve(path("folder"), none, none), EACCES);
  write_file("long", "#!/" + std::string(300, 'x') + "\n", 0755);
  EXPECT_ERRNO(execve(path("long"), none, none), ENOEXEC) << "the line is cut off inside the name";
}

TEST_F(Exec, ScriptsCallingEachOtherAreELOOP) {
  char* const none[] = {nullptr};
  write_file("self", "#!" + path("self").text + "\n", 0755);
  EXPECT_ERRNO(execve(path("self"), none, none), ELOOP);
}

TEST_F(Exec, ByDescriptor) {
  const ScopedFd fd = open(own_program().c_str(), O_PATH | O_CLOEXEC);
  EXPECT_EXITED(run_child([&] {
                  char* const line[] = {const_cast<char*>("x"), const_cast<char*>("--helper"),
                                        const_cast<char*>("exit_with"), const_cast<char*>("8"), nullptr};
                  char* const none[] = {nullptr};
                  sys(SYS_execveat, fd.get(), "", line, none, AT_EMPTY_PATH);
                }),
                8);
  char* const none[] = {nullptr};
  EXPECT_ERRNO(sys(SYS_execveat, fd.get(), "", none, none, 0), ENOENT);
  EXPECT_ERRNO(sys(SYS_execveat, fd.get(), "", none, none, AT_EMPTY_PATH | 0x8000), EINVAL);
  EXPECT_ERRNO(sys(SYS_execveat, -1, "x", none, none, 0), EBADF);
  ASSERT_OK(symlink(own_program().c_str(), path("link")));
  EXPECT_ERRNO(sys(SYS_execveat, AT_FDCWD, path("link"), none, none, AT_SYMLINK_NOFOLLOW), ELOOP);
}

HELPER(check_auxiliary_vector) {
  if (getauxval(AT_PAGESZ) != page_size()) return 1;
  if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid()) return 2;
  if (getauxval(AT_GID) != getgid() || getauxval(AT_EGID) != getegid()) return 3;
  if (getauxval(AT_SECURE) != 0) return 4;
  if (getauxval(AT_CLKTCK) != 100) return 5;
  if (!getauxval(AT_RANDOM)) return 6;
  if (!getauxval(AT_PHDR) || getauxval(AT_PHENT) != 56 || getauxval(AT_PHNUM) < 2) return 7;
  if (!getauxval(AT_ENTRY)) return 8;
  const char* name = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (!name || strcmp(name, arguments[0]) != 0) return 9;
  // Not every architecture names its processors.
  const char* platform = reinterpret_cast<const char*>(getauxval(AT_PLATFORM));
  if (platform && !*platform) return 10;
  return 0;
}

TEST_F(Exec, AuxiliaryVector) {
  EXPECT_EXITED(run_child([] { execute_helper("check_auxiliary_vector", {own_program()}); }), 0);
}

HELPER(print_random) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM));
  for (int i = 0; i < 16; i++) printf("%02x", bytes[i]);
  return 0;
}

TEST_F(Exec, RandomBytesDiffer) {
  const std::string first = output_of([] { execute_helper("print_random"); });
  const std::string second = output_of([] { execute_helper("print_random"); });
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first, second);
}

HELPER(print_addresses) {
  int local;
  printf("%p %p %p", static_cast<void*>(&local), sbrk(0),
         mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  return 0;
}

TEST_F(Exec, AddressesAreRandomised) {
  const std::string first = output_of([] { execute_helper("print_addresses"); });
  bool different = false;
  for (int i = 0; i < 4 && !different; i++) {
    different = output_of([] { execute_helper("print_addresses"); }) != first;
  }
  EXPECT_TRUE(different) << first;
}

TEST_F(Exec, EmptyArgumentListBecomesOneEmptyString) {
  // Since 5.18 a program never starts with argc == 0; ours then prints all cases it would run.
  const std::string output = output_of([] {
    char* const none[] = {nullptr};
    char* environment[] = {const_cast<char*>("GTEST_FILTER=Nothing.AtAll"), nullptr};
    execve(own_program().c_str(), none, environment);
  });
  EXPECT_NE(output.find("0 tests"), std::string::npos) << output;
}

TEST_F(Exec, SetUserIdProgram) {
  write_file("program", slurp(own_program().c_str()), 0755);
  ASSERT_OK(chown(path("program"), 777, 778));
  ASSERT_OK(chmod(path("program"), 06755));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const std::string output = output_of([&] {
      char* const line[] = {const_cast<char*>("x"), const_cast<char*>("--helper"),
                            const_cast<char*>("print_users"), nullptr};
      char* const none[] = {nullptr};
      execve(path("program"), line, none);
    });
    EXPECT_EQ(output, "12345 777 777 12346 778 778 1");
  });
}

HELPER(print_users) {
  uid_t real, effective, saved;
  gid_t real_group, effective_group, saved_group;
  getresuid(&real, &effective, &saved);
  getresgid(&real_group, &effective_group, &saved_group);
  printf("%u %u %u %u %u %u %lu", real, effective, saved, real_group, effective_group, saved_group,
         getauxval(AT_SECURE));
  return 0;
}

TEST_F(Exec, OtherThreadsEndAndTheCallerBecomesTheLeader) {
  const pid_t child = fork_child([] {
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          execute_helper("exit_with", {"33"});
          return nullptr;
        },
        nullptr);
    for (;;) pause();
  });
  EXPECT_EXITED(wait_for(child), 33);
}

}  // namespace
