#include "core/device/pci_host.h"

#include <array>

namespace core {

namespace {
constinit std::array<PciHostDescription, maximum_pci_hosts> hosts;
constinit unsigned host_count = 0;
}  // namespace

base::Result<void> announce_pci_host(const PciHostDescription& host) {
  if (host_count == hosts.size()) return base::error(base::Errno::enospc);
  hosts[host_count++] = host;
  return {};
}

std::span<const PciHostDescription> pci_hosts() { return std::span(hosts).first(host_count); }

}  // namespace core
