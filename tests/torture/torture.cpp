// torture --seconds S [--workers N] [--seed X] [--jobs a,b,c] [--list]
//
// Prints a line of progress every few seconds and `torture: ok` at the end. Everything else means failure:
// a check that failed in a worker, a worker that died, or one that made no progress for two minutes.
#include "torture.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace torture {

namespace {

constexpr int most_workers = 256;
constexpr long stuck_after_milliseconds = 120000;
constexpr long report_every_milliseconds = 5000;

// What a worker tells the parent, in shared memory.
struct WorkerState {
  std::atomic<uint64_t> rounds;
  std::atomic<int> job;
};

WorkerState* states;
std::string directory;
int worker_number = -1;
uint64_t worker_seed;
const char* job_name = "start";

std::vector<Job>& job_list() {
  static std::vector<Job> all;
  return all;
}

struct Options {
  long seconds = 10;
  int workers = 4;
  uint64_t seed = 1;
  std::string only;
};

bool selected(const Options& options, const Job& job) {
  if (options.only.empty()) return true;
  return ("," + options.only + ",").find("," + std::string(job.name) + ",") != std::string::npos;
}

[[noreturn]] void work(int number, const Options& options) {
  setpgid(0, 0);
  worker_number = number;
  worker_seed = options.seed * 1000003 + (uint64_t)number;
  directory = "/tmp/torture." + std::to_string(getpid());
  CHECK(mkdir(directory.c_str(), 0700) == 0);
  std::vector<size_t> mine;
  for (size_t i = 0; i < job_list().size(); i++) {
    if (selected(options, job_list()[i])) mine.push_back(i);
  }
  CHECK(!mine.empty());
  Random random(worker_seed);
  const long end = milliseconds() + options.seconds * 1000;
  while (milliseconds() < end) {
    const size_t choice = mine[random.below(mine.size())];
    job_name = job_list()[choice].name;
    states[number].job = (int)choice;
    Random job_random(random.next());
    job_list()[choice].run(job_random);
    states[number].rounds++;
  }
  CHECK(rmdir(directory.c_str()) == 0);
  _exit(0);
}

uint64_t all_rounds(int workers) {
  uint64_t sum = 0;
  for (int i = 0; i < workers; i++) sum += states[i].rounds;
  return sum;
}

// Watches the workers until all have ended; true if all ended well.
bool watch(std::vector<pid_t>& workers, const Options& options) {
  const int count = (int)workers.size();
  const long start = milliseconds();
  long next_report = start + report_every_milliseconds;
  std::vector<uint64_t> last_rounds(workers.size());
  std::vector<long> last_change(workers.size(), start);
  int alive = count;
  while (alive > 0) {
    rest(50);
    int status;
    pid_t done;
    while ((done = waitpid(-1, &status, WNOHANG)) > 0) {
      for (int i = 0; i < count; i++) {
        if (workers[i] != done) continue;
        workers[i] = 0;
        alive--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        printf("torture: FAILED: worker %d ended with status 0x%x in job %d\n", i, status,
               states[i].job.load());
        return false;
      }
    }
    const long now = milliseconds();
    for (int i = 0; i < count; i++) {
      if (states[i].rounds != last_rounds[i]) {
        last_rounds[i] = states[i].rounds;
        last_change[i] = now;
      } else if (workers[i] && now - last_change[i] > stuck_after_milliseconds) {
        printf("torture: FAILED: worker %d is stuck in job %s\n", i, job_list()[states[i].job].name);
        return false;
      }
    }
    if (now >= next_report) {
      printf("torture: %ld s, %llu rounds, %d workers\n", (now - start) / 1000,
             (unsigned long long)all_rounds(count), alive);
      fflush(stdout);
      next_report += report_every_milliseconds;
    }
  }
  printf("torture: %llu rounds with seed %llu\n", (unsigned long long)all_rounds(count),
         (unsigned long long)options.seed);
  return true;
}

int run(const Options& options) {
  states = static_cast<WorkerState*>(mmap(nullptr, sizeof(WorkerState) * most_workers, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  CHECK(states != MAP_FAILED);
  fflush(stdout);
  std::vector<pid_t> workers;
  for (int i = 0; i < options.workers; i++) {
    const pid_t worker = fork();
    CHECK(worker >= 0);
    if (worker == 0) work(i, options);
    setpgid(worker, worker);
    workers.push_back(worker);
  }
  const bool well = watch(workers, options);
  for (const pid_t worker : workers) {
    if (worker) kill(-worker, SIGKILL);
  }
  if (well) printf("torture: ok\n");
  return well ? 0 : 1;
}

}  // namespace

const std::vector<Job>& jobs() { return job_list(); }

Registration::Registration(const char* name, void (*run)(Random&)) { job_list().push_back({name, run}); }

void fail(const char* file, int line, const char* what, int code) {
  dprintf(STDOUT_FILENO,
          "torture: FAILED: worker %d, seed %llu, job %s, process %d: %s:%d: %s (errno %d, %s)\n",
          worker_number, (unsigned long long)worker_seed, job_name, getpid(), file, line, what, code,
          strerror(code));
  _exit(1);
}

pid_t try_fork() {
  const pid_t child = fork();
  CHECK(child >= 0 || errno == EAGAIN || errno == ENOMEM);
  return child;
}

int wait_for(pid_t child) {
  int status = -1;
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
  return status;
}

void expect_exit(pid_t child, int code) {
  const int status = wait_for(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

uint64_t checksum(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

std::string pattern(uint64_t seed, size_t size) {
  Random random(seed);
  std::string result(size, 0);
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = random.next();
    memcpy(result.data() + i, &word, size - i < 8 ? size - i : 8);
  }
  return result;
}

const std::string& work_directory() { return directory; }

const char* own_program() {
  static char buffer[PATH_MAX];
  if (!buffer[0]) CHECK(readlink("/proc/self/exe", buffer, sizeof buffer - 1) > 0);
  return buffer;
}

void write_all(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = write(fd, at, size);
    CHECK(count > 0 || errno == EINTR);
    if (count > 0) at += count, size -= (size_t)count;
  }
}

void read_all(int fd, void* data, size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = read(fd, at, size);
    CHECK(count > 0 || (count < 0 && errno == EINTR));
    if (count > 0) at += count, size -= (size_t)count;
  }
}

long milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rest(long duration) {
  timespec time = {duration / 1000, duration % 1000 * 1000000};
  while (nanosleep(&time, &time) < 0 && errno == EINTR) {
  }
}

}  // namespace torture

int main(int count, char** arguments) {
  using namespace torture;
  // What the exec job starts: prints the checksum of a pattern.
  if (count == 4 && strcmp(arguments[1], "--pattern") == 0) {
    const std::string text = pattern(strtoull(arguments[2], nullptr, 10), strtoul(arguments[3], nullptr, 10));
    const uint64_t sum = checksum(text.data(), text.size());
    return write(1, &sum, sizeof sum) == sizeof sum ? 0 : 1;
  }
  Options options;
  for (int i = 1; i < count; i++) {
    const std::string word = arguments[i];
    if (word == "--list") {
      for (const Job& job : jobs()) printf("%s\n", job.name);
      return 0;
    }
    if (i + 1 < count && word == "--seconds") {
      options.seconds = atol(arguments[++i]);
    } else if (i + 1 < count && word == "--workers") {
      options.workers = atoi(arguments[++i]);
    } else if (i + 1 < count && word == "--seed") {
      options.seed = strtoull(arguments[++i], nullptr, 10);
    } else if (i + 1 < count && word == "--jobs") {
      options.only = arguments[++i];
    } else {
      fprintf(stderr, "usage: torture [--seconds S] [--workers N] [--seed X] [--jobs a,b,c] [--list]\n");
      return 2;
    }
  }
  if (options.workers < 1 || options.workers > most_workers) return 2;
  return run(options);
}
