#include "support/fault.h"

#include <setjmp.h>

namespace conformance {

namespace {

constexpr int caught_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};

sigjmp_buf after_fault;
Fault last_fault;

void catch_fault(int signal, siginfo_t* information, void*) {
  last_fault = {signal, information->si_code, information->si_addr};
  siglongjmp(after_fault, 1);
}

}  // namespace

Fault provoke(const std::function<void()>& body) {
  struct sigaction action = {}, old[std::size(caught_signals)];
  action.sa_sigaction = catch_fault;
  action.sa_flags = SA_SIGINFO;
  for (size_t i = 0; i < std::size(caught_signals); i++) sigaction(caught_signals[i], &action, &old[i]);
  last_fault = {};
  if (sigsetjmp(after_fault, 1) == 0) body();
  for (size_t i = 0; i < std::size(caught_signals); i++) sigaction(caught_signals[i], &old[i], nullptr);
  return last_fault;
}

}  // namespace conformance
