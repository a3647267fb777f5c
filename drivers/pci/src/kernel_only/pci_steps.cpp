// When the bus does what.
#include "../bus.h"
#include "core/init/init_step.h"
#include "pci_files.h"

namespace pci {
namespace {

base::Result<void> find_devices() {
  for (const core::PciHostDescription& host : core::pci_hosts()) TRY(Bus::instance().scan(host));
  return {};
}
// Between what announces host bridges and the drivers of what is found.
INIT_STEP pci_step{"pci", {"buses"}, find_devices, {"drivers"}};
INIT_STEP pci_files_step{"pci.files", {"drivers", "sysfs", "procfs"}, add_bus_files, {"vfs"}};

}  // namespace
}  // namespace pci
