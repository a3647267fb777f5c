// Torture: worker processes that do random jobs and check every result.
//
// A job is a function that takes a random generator, works for some tens of milliseconds, and checks what
// it did with CHECK. The same seed gives the same sequence of jobs in each worker (though not the same
// interleaving). Jobs leave nothing behind: no processes, no files, no memory.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "support/random.h"

namespace torture {

using test_support::Random;

struct Job {
  const char* name;
  void (*run)(Random& random);
};

// Every job registers itself: `JOB(pipes) { ... random ... }`.
const std::vector<Job>& jobs();

class Registration {
 public:
  Registration(const char* name, void (*run)(Random&));
};

#define JOB(name)                                                          \
  static void job_##name(::torture::Random& random);                       \
  static const ::torture::Registration register_##name(#name, job_##name); \
  static void job_##name(::torture::Random& random)

// Reports and ends the process with status 1, which fails the whole run.
[[noreturn]] void fail(const char* file, int line, const char* what, int code);

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) ::torture::fail(__FILE__, __LINE__, #condition, errno); \
  } while (0)

// fork; -1 where the machine has no room for one more process at the moment, which is no failure.
pid_t try_fork();

// Waits for a child, which has to exit with this code.
void expect_exit(pid_t child, int code);
// waitpid repeated after EINTR.
int wait_for(pid_t child);

// A checksum of memory (FNV-1a).
uint64_t checksum(const void* data, size_t size);

// Bytes that depend only on the seed.
std::string pattern(uint64_t seed, size_t size);

// This worker's own directory; jobs remove what they create in it.
const std::string& work_directory();

// The program's own file, for exec.
const char* own_program();

// Complete transfers; CHECK on errors.
void write_all(int fd, const void* data, size_t size);
void read_all(int fd, void* data, size_t size);

long milliseconds();
void rest(long milliseconds);

}  // namespace torture
