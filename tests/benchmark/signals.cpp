// Signals.
#include <signal.h>
#include <unistd.h>

#include "benchmark.h"

namespace benchmark {

namespace {

volatile sig_atomic_t signals_seen = 0;

}  // namespace

void measure_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { signals_seen = signals_seen + 1; };
  require(sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
  pid_t self = getpid();
  measure("signal-to-self", "signal to self", 500, [self](int count) {
    while (count-- > 0) kill(self, SIGUSR1);
  });
  require(signals_seen > 0, "signal");
}

}  // namespace benchmark
