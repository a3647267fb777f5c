// The incoming message-signalled interrupt controllers: each hart has a file of interrupt identities, which
// devices make pending by writing the identity's number to the file's page. One number space for all harts.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "device_tree/tree.h"

namespace imsic {

// ENXIO: the board has none for supervisor mode; ENOMEM. Afterwards devices' messages arrive, and
// core::set_message_interrupt_controller() has been called.
base::Result<void> start(const device_tree::Tree& tree);
// True for the node that start() has found.
bool is_node(const device_tree::Node& node);

// An identity for an interrupt with this number of core/interrupt. ENOSPC.
base::Result<std::uint32_t> allocate_identity(unsigned number);
// Its place among the harts that have files; none for a CPU without.
std::optional<std::uint32_t> file_of_cpu(unsigned cpu);

}  // namespace imsic
