// proc(5): what programs read about themselves and the machine.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <dirent.h>
#include <algorithm>
#include <sstream>

#include "support/conformance.h"
#include "support/helper.h"

namespace {
using namespace conformance;

std::string link_of(const std::string& name) {
  char buffer[4096];
  const ssize_t length = readlink(name.c_str(), buffer, sizeof buffer);
  return length < 0 ? std::string("error ") + errno_name(errno) : std::string(buffer, (size_t)length);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The value after "Name:" in a status-like file.
std::string field(const std::string& text, const std::string& name) {
  for (const std::string& line : lines_of(text)) {
    if (line.compare(0, name.size() + 1, name + ":") == 0) {
      const size_t start = line.find_first_not_of(" \t", name.size() + 1);
      return start == std::string::npos ? "" : line.substr(start);
    }
  }
  return "(missing)";
}

TEST(Proc, SelfIsTheReader) {
  EXPECT_EQ(link_of("/proc/self"), std::to_string(getpid()));
  EXPECT_CHILD_OK([] { EXPECT_EQ(link_of("/proc/self"), std::to_string(getpid())); });
  EXPECT_EQ(link_of("/proc/thread-self"),
            std::to_string(getpid()) + "/task/" + std::to_string(sys(SYS_gettid)));
}

TEST(Proc, ExeCwdRoot) {
  struct stat mine, linked;
  ASSERT_OK(stat("/proc/self/exe", &linked));
  ASSERT_OK(stat(own_program().c_str(), &mine));
  EXPECT_EQ(mine.st_ino, linked.st_ino);
  EXPECT_CHILD_OK([] {
    ASSERT_OK(chdir("/proc"));
    EXPECT_EQ(link_of("/proc/self/cwd"), "/proc");
    EXPECT_EQ(link_of("/proc/self/root"), "/");
  });
}

TEST(Proc, CommandLineAndEnvironment) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  const pid_t child = fork_child([&] {
    dup2(ends[1], 1);
    execute_helper("print_proc_lines", {"one", "", "two words"}, {"KEY=value"});
  });
  EXPECT_EXITED(wait_for(child), 0);
  char buffer[4096] = {};
  const ssize_t length = read(ends[0], buffer, sizeof buffer);
  ASSERT_GT(length, 0);
  const std::string expected =
      own_program() + std::string("\0--helper\0print_proc_lines\0one\0\0two words\0", 42);
  EXPECT_EQ(std::string(buffer, (size_t)length), expected + "|" + std::string("KEY=value\0", 10));
}

HELPER(print_proc_lines) {
  const std::string text = slurp("/proc/self/cmdline") + "|" + slurp("/proc/self/environ");
  return write(1, text.data(), text.size()) == (ssize_t)text.size() ? 0 : 1;
}

TEST(Proc, StatFields) {
  const std::string text = slurp("/proc/self/stat");
  EXPECT_EQ(text.back(), '\n');
  const size_t name_end = text.rfind(')');
  ASSERT_NE(name_end, std::string::npos);
  std::istringstream stream(text.substr(name_end + 2));
  char state;
  int parent, group, session;
  stream >> state >> parent >> group >> session;
  EXPECT_EQ(state, 'R');
  EXPECT_EQ(parent, getppid());
  EXPECT_EQ(group, getpgrp());
  EXPECT_EQ(session, getsid(0));
  EXPECT_EQ(std::count(text.begin() + (long)name_end, text.end(), ' '), 50) << "52 fields";
}

TEST(Proc, StatusFields) {
  const std::string text = slurp("/proc/self/status");
  EXPECT_EQ(field(text, "Pid"), std::to_string(getpid()));
  EXPECT_EQ(field(text, "Tgid"), std::to_string(getpid()));
  EXPECT_EQ(field(text, "PPid"), std::to_string(getppid()));
  EXPECT_EQ(field(text, "State"), "R (running)");
  EXPECT_EQ(field(text, "Uid"), "0\t0\t0\t0");
  EXPECT_EQ(field(text, "Threads"), "1");
  EXPECT_GT(atol(field(text, "VmRSS").c_str()), 100);
  EXPECT_GE(atol(field(text, "VmSize").c_str()), atol(field(text, "VmRSS").c_str()));
  EXPECT_EQ(field(text, "NoNewPrivs"), "0");
  EXPECT_NE(field(text, "Cpus_allowed"), "(missing)");
}

TEST(Proc, StatusShowsSignals) {
  EXPECT_CHILD_OK([] {
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, [](int) {});
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, nullptr);
    kill(getpid(), SIGHUP);
    const std::string text = slurp("/proc/self/status");
    EXPECT_EQ(field(text, "SigBlk"), "0000000000000001");
    EXPECT_EQ(field(text, "ShdPnd"), "0000000000000001");
    EXPECT_EQ(field(text, "SigIgn"), "0000000000000200");
    EXPECT_EQ(field(text, "SigCgt"), "0000000000000800");
  });
}

TEST(Proc, StateLettersOfChildren) {
  const pid_t child = fork_child([] { pause(); });
  EXPECT_TRUE(wait_for_state(child, 'S'));
  kill(child, SIGSTOP);
  EXPECT_TRUE(wait_for_state(child, 'T'));
  kill(child, SIGKILL);
  EXPECT_TRUE(wait_for_state(child, 'Z'));
  wait_for(child);
  EXPECT_ERRNO(access(("/proc/" + std::to_string(child)).c_str(), F_OK), ENOENT);
}

TEST(Proc, FdDirectoryListsOpenFiles) {
  const ScopedFd fd = open("/dev/null", O_RDONLY | O_APPEND);
  const ScopedFd high = fcntl(fd, F_DUPFD, 77);
  EXPECT_EQ(link_of("/proc/self/fd/77"), "/dev/null");
  EXPECT_OK(access("/proc/self/fdinfo/77", R_OK));
  const std::string information = slurp("/proc/self/fdinfo/77");
  EXPECT_EQ(field(information, "pos"), "0");
  EXPECT_EQ(strtol(field(information, "flags").c_str(), nullptr, 8) & O_APPEND, O_APPEND);
  EXPECT_ERRNO(access("/proc/self/fd/78", F_OK), ENOENT);
  struct stat status;
  ASSERT_OK(lstat("/proc/self/fd/77", &status));
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0500u) << "the mode shows how it is open";
}

class ProcFiles : public TempDirTest {};

TEST_F(ProcFiles, DeletedFilesAreMarked) {
  write_file("a", "alive");
  const ScopedFd fd = open(path("a"), O_RDONLY);
  const std::string name = "/proc/self/fd/" + std::to_string(fd.get());
  char real[4096];
  ASSERT_NE(realpath(path("a"), real), nullptr);
  EXPECT_EQ(link_of(name), real);
  unlink(path("a"));
  EXPECT_EQ(link_of(name), std::string(real) + " (deleted)");
  EXPECT_EQ(slurp(name.c_str()), "alive") << "opening it works all the same";
}

TEST(Proc, MapsShowMappings) {
  const Mapping memory(3 * page_size());
  mprotect(memory.data() + page_size(), page_size(), PROT_READ);
  char expected[128];
  snprintf(expected, sizeof expected, "%08lx-%08lx r--p 00000000 00:00 0",
           (unsigned long)memory.data() + page_size(), (unsigned long)memory.data() + 2 * page_size());
  const std::string text = slurp("/proc/self/maps");
  EXPECT_NE(text.find(expected), std::string::npos) << text;
  EXPECT_NE(text.find("[stack]"), std::string::npos);
  EXPECT_NE(text.find("r-xp"), std::string::npos);
  EXPECT_NE(text.find(own_program()), std::string::npos);
}

TEST_F(ProcFiles, MapsShowFilesAndOffsets) {
  write_file("mapped", std::string(3 * page_size(), 'x'));
  const ScopedFd fd = open(path("mapped"), O_RDWR);
  const Mapping memory(page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page_size());
  struct stat status;
  ASSERT_OK(fstat(fd, &status));
  for (const std::string& line : lines_of(slurp("/proc/self/maps"))) {
    if (line.find("/mapped") == std::string::npos) continue;
    unsigned long start, end, offset, inode;
    char flags[8];
    ASSERT_EQ(sscanf(line.c_str(), "%lx-%lx %4s %lx %*s %lu", &start, &end, flags, &offset, &inode), 5);
    EXPECT_EQ(start, (unsigned long)memory.data());
    EXPECT_EQ(end - start, page_size());
    EXPECT_STREQ(flags, "rw-s");
    EXPECT_EQ(offset, page_size());
    EXPECT_EQ(inode, status.st_ino);
    return;
  }
  ADD_FAILURE() << "not in the list";
}

TEST(Proc, MemReadsAndWritesMemory) {
  const Mapping memory(page_size());
  strcpy(memory.data(), "before");
  mprotect(memory.data(), page_size(), PROT_READ);
  const ScopedFd fd = open("/proc/self/mem", O_RDWR);
  ASSERT_OK(fd.get());
  char buffer[8] = {};
  EXPECT_EQ(pread(fd, buffer, 6, (off_t)memory.data()), 6);
  EXPECT_STREQ(buffer, "before");
  EXPECT_EQ(pwrite(fd, "after!", 6, (off_t)memory.data()), 6) << "even through read-only protection";
  EXPECT_STREQ(memory.data(), "after!");
  EXPECT_ERRNO(pread(fd, buffer, 6, 8), EIO);
}

TEST(Proc, StatmMatchesStatus) {
  unsigned long size, resident, shared;
  ASSERT_EQ(sscanf(slurp("/proc/self/statm").c_str(), "%lu %lu %lu", &size, &resident, &shared), 3);
  EXPECT_GE(size, resident);
  EXPECT_GE(resident, shared);
  EXPECT_GT(resident, 10u);
}

TEST(Proc, CommCanBeWritten) {
  EXPECT_CHILD_OK([] {
    const ScopedFd fd = open("/proc/self/comm", O_RDWR);
    ASSERT_EQ(write(fd, "renamed", 7), 7);
    char name[16];
    prctl(PR_GET_NAME, name);
    EXPECT_STREQ(name, "renamed");
  });
}

TEST(Proc, LimitsTable) {
  const std::string text = slurp("/proc/self/limits");
  EXPECT_EQ(lines_of(text).size(), 17u);
  EXPECT_NE(text.find("Max open files"), std::string::npos);
}

TEST(Proc, MountsNameProcAndRoot) {
  for (const char* name : {"/proc/mounts", "/proc/self/mounts"}) {
    const std::string text = slurp(name);
    EXPECT_NE(text.find(" /proc proc "), std::string::npos);
    EXPECT_NE(text.find(" / "), std::string::npos);
    EXPECT_NE(text.find(" /sys sysfs "), std::string::npos);
  }
  for (const std::string& line : lines_of(slurp("/proc/self/mountinfo"))) {
    EXPECT_NE(line.find(" - "), std::string::npos) << line;
  }
}

TEST(Proc, MachineFiles) {
  const std::string memory = slurp("/proc/meminfo");
  for (const char* name :
       {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"}) {
    EXPECT_NE(field(memory, name).find(" kB"), std::string::npos) << name;
  }
  EXPECT_GT(atol(field(memory, "MemTotal").c_str()), atol(field(memory, "MemFree").c_str()));
  double up, idle;
  ASSERT_EQ(sscanf(slurp("/proc/uptime").c_str(), "%lf %lf", &up, &idle), 2);
  EXPECT_GT(up, 0);
  float one, five, fifteen;
  int running, total, last;
  ASSERT_EQ(sscanf(slurp("/proc/loadavg").c_str(), "%f %f %f %d/%d %d", &one, &five, &fifteen, &running,
                   &total, &last),
            6);
  EXPECT_GE(running, 1);
  EXPECT_EQ(slurp("/proc/version").substr(0, 14), "Linux version ");
  const std::string stat_text = slurp("/proc/stat");
  EXPECT_EQ(stat_text.substr(0, 5), "cpu  ");
  for (const char* name : {"\ncpu0 ", "\nintr ", "\nctxt ", "\nbtime ", "\nprocesses "}) {
    EXPECT_NE(stat_text.find(name), std::string::npos) << name;
  }
  EXPECT_NE(slurp("/proc/filesystems").find("nodev\tproc\n"), std::string::npos);
  EXPECT_FALSE(slurp("/proc/cpuinfo").empty());
  EXPECT_FALSE(slurp("/proc/cmdline").empty());
}

TEST(Proc, KernelSettings) {
  EXPECT_GE(atol(slurp("/proc/sys/kernel/pid_max").c_str()), 32768);
  EXPECT_EQ(slurp("/proc/sys/kernel/ostype"), "Linux\n");
  EXPECT_FALSE(slurp("/proc/sys/kernel/osrelease").empty());
  EXPECT_FALSE(slurp("/proc/sys/kernel/hostname").empty());
  EXPECT_EQ(slurp("/proc/sys/kernel/random/boot_id").size(), 37u);
  EXPECT_NE(slurp("/proc/sys/kernel/random/uuid"), slurp("/proc/sys/kernel/random/uuid"));
  EXPECT_GE(atol(slurp("/proc/sys/fs/file-max").c_str()), 1000);
  EXPECT_EQ(slurp("/proc/sys/fs/pipe-max-size"), "1048576\n");
}

TEST(Proc, ListsProcesses) {
  const pid_t child = fork_child([] { pause(); });
  DIR* stream = opendir("/proc");
  ASSERT_NE(stream, nullptr);
  bool self = false, other = false, init = false;
  while (const dirent* entry = readdir(stream)) {
    self |= std::to_string(getpid()) == entry->d_name;
    other |= std::to_string(child) == entry->d_name;
    init |= strcmp(entry->d_name, "1") == 0;
  }
  closedir(stream);
  EXPECT_TRUE(self && other && init);
  kill(child, SIGKILL);
  wait_for(child);
}

TEST(Proc, CannotBeChanged) {
  EXPECT_ERRNO(mkdir("/proc/new", 0755), ENOENT);
  EXPECT_ERRNO(open("/proc/new", O_CREAT | O_WRONLY, 0600), ENOENT);
  EXPECT_ERRNO(unlink("/proc/meminfo"), EPERM);
  EXPECT_ERRNO(open("/proc/999999999", O_RDONLY), ENOENT);
}

TEST(Proc, OtherUsersDetailsAreProtected) {
  const std::string mine = "/proc/" + std::to_string(getpid());
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    char buffer[64];
    EXPECT_ERRNO(readlink((mine + "/cwd").c_str(), buffer, sizeof buffer), EACCES);
    EXPECT_ERRNO(open((mine + "/environ").c_str(), O_RDONLY), EACCES);
    EXPECT_ERRNO(open((mine + "/mem").c_str(), O_RDONLY), EACCES);
    EXPECT_OK(open((mine + "/stat").c_str(), O_RDONLY));
    EXPECT_OK(open((mine + "/cmdline").c_str(), O_RDONLY));
  });
}

TEST(Proc, SeekingAndPiecewiseReading) {
  const std::string whole = slurp("/proc/filesystems");
  const ScopedFd fd = open("/proc/filesystems", O_RDONLY);
  std::string pieces;
  char byte;
  while (read(fd, &byte, 1) == 1) pieces += byte;
  EXPECT_EQ(pieces, whole);
  ASSERT_OK(lseek(fd, 3, SEEK_SET));
  char buffer[8] = {};
  ASSERT_EQ(read(fd, buffer, 4), 4);
  EXPECT_EQ(std::string(buffer, 4), whole.substr(3, 4));
}

TEST(Proc, IoCountsReadsAndWrites) {
  auto figure = [](const char* name) { return atol(field(slurp("/proc/self/io"), name).c_str()); };
  const long bytes = figure("rchar"), calls = figure("syscr"), written = figure("wchar");
  const int zero = open("/dev/zero", O_RDWR);
  char buffer[5000];
  ASSERT_EQ(read(zero, buffer, sizeof buffer), 5000);
  ASSERT_EQ(write(zero, buffer, 300), 300);
  close(zero);
  EXPECT_GE(figure("rchar") - bytes, 5000);
  EXPECT_GE(figure("syscr") - calls, 1);
  EXPECT_GE(figure("wchar") - written, 300);
}

TEST(Proc, StatmTellsOwnCodeFromAllPages) {
  long total, resident, shared, text;
  ASSERT_EQ(sscanf(slurp("/proc/self/statm").c_str(), "%ld %ld %ld %ld", &total, &resident, &shared, &text),
            4);
  EXPECT_GT(text, 0);
  EXPECT_EQ(text * 4, atol(field(slurp("/proc/self/status"), "VmExe").c_str()) / (getpagesize() / 4096));
}

}  // namespace
