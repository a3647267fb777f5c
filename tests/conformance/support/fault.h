// Catches the signal that an instruction raises.
//
//   const Fault fault = provoke([&] { *pointer = 1; });
//   EXPECT_EQ(fault.signal, SIGSEGV); EXPECT_EQ(fault.code, SEGV_ACCERR); EXPECT_EQ(fault.address, pointer);
#pragma once

#include <signal.h>

#include <functional>

namespace conformance {

struct Fault {
  int signal = 0;  // 0: nothing happened.
  int code = 0;
  void* address = nullptr;
};

// Runs the body; SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP end it. Not for several threads at a time.
Fault provoke(const std::function<void()>& body);

// Single accesses that the compiler cannot drop.
inline char peek(const void* address) { return *static_cast<const volatile char*>(address); }
inline void poke(void* address, char value = 1) { *static_cast<volatile char*>(address) = value; }

}  // namespace conformance
