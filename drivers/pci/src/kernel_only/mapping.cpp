#include "core/memory/kernel_map.h"
#include "pci/device.h"

namespace pci {

using base::Errno;
using base::Result;

Mapping::~Mapping() {
  if (memory_) core::unmap_kernel(memory_);
}

Result<Mapping> Device::map(unsigned i, std::uint64_t offset, std::uint64_t size) {
  if (i >= resource_count) return base::error(Errno::einval);
  const Resource& resource = resources_[i];
  if (resource.kind != Resource::Kind::memory || resource.address == 0) return base::error(Errno::enxio);
  if (offset > resource.size || size > resource.size - offset) return base::error(Errno::einval);
  if (size == 0) size = resource.size - offset;
  if (size == 0) return base::error(Errno::einval);
  void* memory = TRY(core::map_device_memory(core::PhysicalAddress(resource.address + offset), size,
                                             arch::CacheType::uncached));
  return Mapping(memory, size);
}

}  // namespace pci
