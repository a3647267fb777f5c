#pragma once

namespace tmpfs {

// Objects of these file systems are found by handle.
void register_handles();

}  // namespace tmpfs
