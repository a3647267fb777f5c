// Bringing memory up, in boot order. One CPU, interrupts off, no threads until initialize_memory() returned.
#pragma once

#include <boot/boot_info.h>

#include "core/memory/address.h"
#include "core/memory/page.h"

namespace core {

// Builds the page descriptors and gives all free RAM to the allocator: afterwards everything in this folder
// works, operator new included. arch start-up has mapped all RAM at direct_map_base and activated
// kernel_root(). `mem=` on the command line has been applied to the memory map.
void initialize_memory(const boot::BootInfo& info);

// RAM that was in use during start-up and is free now (initrd, boot data): whole pages inside the range join
// the allocator. Nobody may refer to it any more.
void donate_memory(PhysicalAddress start, std::uint64_t size);

// One page of such RAM as if it had been allocated, with its contents: for data that boot left in memory and
// that is wanted where it lies (files of a plain initramfs). It goes to the allocator when the last reference
// does.
PageRef adopt_boot_page(PhysicalAddress address);

}  // namespace core
