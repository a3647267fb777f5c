// hostile [--seconds S] [--rounds N] [--seed X] [--first N] [--verbose] [--exhaust-memory]
//
// Prints progress and, when the machine lived, `hostile: ok`.
#include "hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

namespace hostile {
namespace {

constexpr long child_limit_milliseconds = 1500;
constexpr long report_every_milliseconds = 5000;
constexpr uid_t first_user = 61000;

long milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

[[noreturn]] void broken(const char* what) {
  printf("hostile: FAILED: the machine no longer works: %s (errno %d, %s)\n", what, errno, strerror(errno));
  exit(1);
}

void remove_tree(int parent, const char* name) {
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) {
    if (DIR* stream = fdopendir(fd)) {
      while (const dirent* entry = readdir(stream)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) != 0) remove_tree(fd, entry->d_name);
      }
      closedir(stream);
    } else {
      close(fd);
    }
  }
  unlinkat(parent, name, AT_REMOVEDIR);
}

void limit(int resource, rlim_t value) {
  const rlimit limits = {value, value};
  setrlimit(resource, &limits);
}

// No privileges, little of everything, in the child's own directory.
void confine(const std::string& directory, uid_t user) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, 2);
  limit(RLIMIT_NPROC, 24);
  limit(RLIMIT_NOFILE, 128);
  limit(RLIMIT_FSIZE, 4 << 20);
  limit(RLIMIT_AS, 256 << 20);
  limit(RLIMIT_MEMLOCK, 1 << 20);
  limit(RLIMIT_SIGPENDING, 500);
  if (chdir(directory.c_str()) != 0) _exit(0);
  if (getuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0)) {
    _exit(0);
  }
}

// Nothing of the surroundings is within reach through the standard descriptors.
void cut_off(const Options& options) {
  const int null = open("/dev/null", O_RDWR);
  dup2(null, 0);
  dup2(null, 1);
  if (!options.verbose) dup2(null, 2);
}

void attack(uint64_t round, const Options& options) {
  Random random(options.seed * 0x100000001b3u + round);
  switch (random.below(32)) {
    case 0:
      return exhaust_descriptors(random);
    case 1:
      return exhaust_processes(random);
    case 2:
      return exhaust_memory(random);
    case 3:
      return exhaust_signals(random);
  }
  cut_off(options);
  switch (random.below(8)) {
    case 0:
      return random_code(random);
    case 1:
      return damaged_program(random);
    default:
      return random_calls(random, options);
  }
}

void run_round(uint64_t round, const Options& options) {
  std::string directory = "/tmp/hostile.XXXXXX";
  if (!mkdtemp(directory.data())) broken("mkdtemp");
  const uid_t user = first_user + (uid_t)(round % 500);
  if (getuid() == 0 && chown(directory.c_str(), user, user) != 0) broken("chown");
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) {
    setpgid(0, 0);
    confine(directory, user);
    attack(round, options);
    _exit(0);
  }
  setpgid(child, child);
  const long end = milliseconds() + child_limit_milliseconds;
  int status = 0;
  for (;;) {
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child) break;
    if (done < 0 && errno != EINTR) broken("waitpid");
    if (milliseconds() > end) {
      kill(-child, SIGKILL);
      kill(child, SIGKILL);
      if (waitpid(child, &status, 0) != child) broken("waitpid after SIGKILL");
      break;
    }
    poll(nullptr, 0, 1);
  }
  kill(-child, SIGKILL);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == attack_failed) exit(1);  // It said why.
  remove_tree(AT_FDCWD, directory.c_str());
}

// What every program needs still works.
void check_machine() {
  int ends[2];
  if (pipe(ends) != 0) broken("pipe");
  const pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) {
    const char text[] = "alive";
    _exit(write(ends[1], text, sizeof text) == sizeof text ? 7 : 1);
  }
  char buffer[16] = {};
  if (read(ends[0], buffer, sizeof buffer) != 6 || strcmp(buffer, "alive") != 0) broken("the pipe");
  int status;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
    broken("the child");
  close(ends[0]);
  close(ends[1]);
  auto* memory = static_cast<volatile char*>(
      mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) broken("mmap");
  for (size_t i = 0; i < 1 << 20; i += 4096) {
    if (memory[i] != 0) broken("fresh memory is not zero");
    memory[i] = 1;
  }
  munmap(const_cast<char*>(memory), 1 << 20);
  const int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {
    if (write(fd, "x", 1) != 1) broken("writing a file");
    close(fd);
  }
}

// All of the machine's memory, without limits: the kernel has to end this child and nobody else.
void exhaust_the_machine() {
  const pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) {
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    if (fd >= 0 && write(fd, "1000", 4) != 4) _exit(3);
    for (;;) {
      char* memory = static_cast<char*>(
          mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      if (memory == MAP_FAILED) _exit(errno == ENOMEM ? 0 : 3);
      for (size_t at = 0; at < 1 << 20; at += 4096) memory[at] = 1;
    }
  }
  int status;
  if (waitpid(child, &status, 0) != child) broken("waitpid");
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  const bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!killed && !refused) broken("the memory hog ended in a strange way");
  printf("hostile: the memory hog was %s\n", killed ? "killed" : "refused");
  check_machine();
}

int run(const Options& options) {
  // Children that the attacks leave behind come to us and not to whatever init there is.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const long start = milliseconds();
  long next_report = start + report_every_milliseconds;
  uint64_t done = 0;
  for (; done < options.rounds && milliseconds() - start < options.seconds * 1000; done++) {
    run_round(options.first + done, options);
    if (done % 16 == 0) check_machine();
    if (milliseconds() >= next_report) {
      printf("hostile: %ld s, %llu rounds\n", (milliseconds() - start) / 1000, (unsigned long long)done);
      fflush(stdout);
      next_report += report_every_milliseconds;
    }
  }
  if (options.exhaust_memory) exhaust_the_machine();
  check_machine();
  printf("hostile: %llu rounds with seed %llu\nhostile: ok\n", (unsigned long long)done,
         (unsigned long long)options.seed);
  return 0;
}

}  // namespace
}  // namespace hostile

int main(int count, char** arguments) {
  hostile::Options options;
  for (int i = 1; i < count; i++) {
    const std::string word = arguments[i];
    const bool more = i + 1 < count;
    if (word == "--verbose") {
      options.verbose = true;
    } else if (word == "--exhaust-memory") {
      options.exhaust_memory = true;
    } else if (more && word == "--seconds") {
      options.seconds = atol(arguments[++i]);
    } else if (more && word == "--rounds") {
      options.rounds = strtoull(arguments[++i], nullptr, 10);
      options.seconds = 1 << 30;
    } else if (more && word == "--seed") {
      options.seed = strtoull(arguments[++i], nullptr, 10);
    } else if (more && word == "--first") {
      options.first = strtoull(arguments[++i], nullptr, 10);
    } else {
      fprintf(stderr,
              "usage: hostile [--seconds S] [--rounds N] [--seed X] [--first N] [--verbose] "
              "[--exhaust-memory]\n");
      return 2;
    }
  }
  return hostile::run(options);
}
