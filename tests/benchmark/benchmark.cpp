// The cost of the kernel's everyday operations, in ticks of the guest's counter. Runs as /init, on any
// kernel:
//
//   row NAME TICKS COUNT TITLE  one line per operation: the cheapest of several batches, per operation; and
//                               how many operations all batches did between two marks (ticks.h)
//   size NAME BYTES TITLE       kernel memory for one of a kind
//   done                        at the end; then the machine powers off
//
// Under QEMU's instruction counting a tick is an executed instruction and the figures are the same from run
// to run.
#include "benchmark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace benchmark {

namespace {

const char *row_prefix = "", *row_suffix = "";

[[noreturn]] void switch_off() {
  fflush(stdout);
  tcdrain(STDOUT_FILENO);  // or the last lines die with the machine
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

}  // namespace

void fail(const char* what) {
  printf("error %s: %s\n", what, strerror(errno));
  switch_off();
}

void print_row(const char* name, const char* title, uint64_t ticks_per_operation, int operations) {
  printf("row %s%s %llu %d %s%s\n", row_prefix, name, static_cast<unsigned long long>(ticks_per_operation),
         operations, title, row_suffix);
  fflush(stdout);
}

void distinguish_rows(const char* prefix, const char* suffix) {
  row_prefix = prefix;
  row_suffix = suffix;
}

void measure_costs() {
  measure_calls();
  measure_files();
  measure_transfers();
  measure_round_trips();
  measure_processes();
  measure_memory();
  measure_signals();
  measure_waiting();
  measure_rings();
}

}  // namespace benchmark

int main(int count, char** words) {
  // The program that the rows of exec start: this one, which then has nothing to do.
  if (count > 1 && strcmp(words[1], "exit") == 0) return 0;
  uint64_t first = ticks();
  mark();
  // The first program of a guest has whatever the kernel opened for it; the console is sure only after this.
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  int console = open("/dev/console", O_RDWR);
  if (console >= 0) {
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
    if (console > STDERR_FILENO) close(console);
  }
  benchmark::print_row("first-user-instruction", "first user instruction after", first, 1);
  // The same file system on every kernel, whatever its root is.
  mkdir("/benchmark", 0755);
  benchmark::require(mount("tmpfs", "/benchmark", "tmpfs", 0, nullptr) == 0, "mount tmpfs");
  benchmark::require(chdir("/benchmark") == 0, "chdir");
  // The kernel hands unknown words of its command line to its first program.
  auto measure = benchmark::measure_costs;
  for (int i = 1; i < count; i++) {
    if (strcmp(words[i], "scaling") == 0) measure = benchmark::measure_scaling;
    if (strcmp(words[i], "scaling-counted") == 0) measure = benchmark::measure_counted_scaling;
    if (strcmp(words[i], "sizes") == 0) measure = benchmark::measure_sizes;
    if (strcmp(words[i], "ext4") == 0) measure = benchmark::measure_ext4;
  }
  measure();
  printf("done\n");
  benchmark::switch_off();
}
