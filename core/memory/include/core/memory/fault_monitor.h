// Somebody who is asked about faults in a range before they are resolved, and resolves them: userfaultfd(2).
//
//   space.monitor(address, length, monitor, what)    faults of these kinds in the range go to monitor->wait()
//   space.place_copy(...), place_zero(...) …         what the monitor's owner answers with
//
// A thread that faults leaves every lock of the address space and calls wait(); when it comes back the fault
// is tried again. Because the answer may come before the thread sleeps, wait() first makes itself known to
// whoever answers and then asks AddressSpace::fault_is_monitored() whether there is still something to wait
// for.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "base/ref.h"
#include "core/memory/protection.h"

namespace core {

class AddressSpace;
using base::UserAddress;

// missing: no page is there. write_protected: there is one that the owner protected. minor: the object has
// the page, the page table has not.
enum class MonitoredFault : std::uint8_t { none, missing, write_protected, minor };

class FaultMonitor : public base::RefCounted<FaultMonitor> {
 public:
  virtual ~FaultMonitor() = default;
  // May sleep; no lock is held. `resolved`: to be tried again (which includes a signal that arrived during a
  // fault of user code); bus_error and interrupted end the access.
  enum class Origin : std::uint8_t { user, kernel };
  virtual FaultOutcome wait(AddressSpace& space, UserAddress address, FaultAccess access, MonitoredFault kind,
                            Origin origin) = 0;
};

}  // namespace core
