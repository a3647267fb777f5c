// What programs see of the PCI bus: /sys/bus/pci, /sys/devices/pci0000:00, /proc/bus/pci.
#pragma once

#include "base/result.h"

namespace pci {

// After the drivers have started.
base::Result<void> add_bus_files();

}  // namespace pci
