// Receives the entries of a directory listing (getdents).
#pragma once

#include <string_view>

#include "vfs/types.h"

namespace vfs {

enum class SinkState { more, full };

class DirectorySink {
 public:
  // One entry; `next_position` is where a listing continues after it. `full`: it was not taken, stop here.
  virtual SinkState entry(std::string_view name, std::uint64_t inode_number, std::uint8_t type,
                          std::uint64_t next_position) = 0;

 protected:
  ~DirectorySink() = default;
};

}  // namespace vfs
