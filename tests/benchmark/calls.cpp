// Calls that do next to nothing: what entering and leaving the kernel costs, and the shortest ways through a
// descriptor.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

void measure_devices() {
  int zero = open("/dev/zero", O_RDWR);
  int null = open("/dev/null", O_RDWR);
  require(zero >= 0 && null >= 0, "open /dev/zero and /dev/null");
  static char page[page_size];
  measure("read-zero", "read one byte of /dev/zero", 2000, [zero](int count) {
    char byte;
    while (count-- > 0) require(read(zero, &byte, 1) == 1, "read");
  });
  measure("read-zero-page", "read 4 KiB of /dev/zero", 1000, [zero](int count) {
    while (count-- > 0) require(read(zero, page, sizeof page) == sizeof page, "read");
  });
  measure("read-null", "read of /dev/null", 2000, [null](int count) {
    char byte;
    while (count-- > 0) require(read(null, &byte, 1) == 0, "read");
  });
  measure("write-null", "write one byte to /dev/null", 2000, [null](int count) {
    char byte = 0;
    while (count-- > 0) require(write(null, &byte, 1) == 1, "write");
  });
  close(zero);
  close(null);
}

void measure_descriptors() {
  int file = open("file", O_RDWR | O_CREAT, 0644);
  require(file >= 0, "create a file");
  measure("fstat", "fstat", 2000, [file](int count) {
    struct stat status;
    while (count-- > 0) require(fstat(file, &status) == 0, "fstat");
  });
  measure("dup-close", "dup + close", 2000, [file](int count) {
    while (count-- > 0) {
      int copy = dup(file);
      require(copy >= 0, "dup");
      close(copy);
    }
  });
  close(file);
  unlink("file");
  measure("pipe-create", "pipe + close both ends", 500, [](int count) {
    while (count-- > 0) {
      int ends[2];
      require(pipe(ends) == 0, "pipe");
      close(ends[0]);
      close(ends[1]);
    }
  });
}

}  // namespace

void measure_calls() {
  measure("getppid", "getppid", 2000, [](int count) {
    while (count-- > 0) syscall(SYS_getppid);
  });
  measure("clock-gettime", "clock_gettime (vDSO)", 2000, [](int count) {
    struct timespec now;
    while (count-- > 0) require(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
  });
  measure("sched-yield", "sched_yield, alone", 1000, [](int count) {
    while (count-- > 0) sched_yield();
  });
  measure("sigprocmask", "sigprocmask", 1000, [](int count) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    while (count-- > 0) require(sigprocmask(SIG_BLOCK, &set, nullptr) == 0, "sigprocmask");
  });
  measure_devices();
  measure_descriptors();
}

}  // namespace benchmark
