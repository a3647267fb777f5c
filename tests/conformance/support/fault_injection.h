// Allocations of the kernel that fail on purpose, for --fail-every.
#pragma once

namespace conformance {

// Every `interval`-th from now on, in processes that ask for it. False, and says so, where the kernel cannot.
bool start_failures(int interval);
// The calling process and its children ask for it; nothing happens without start_failures().
void make_it_fail();
// Prints how many there were.
void stop_failures();

}  // namespace conformance
