// What is in an archive, and who wants to know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace archive {

// The file-type bits of Entry::mode, as in stat(2).
namespace mode {
inline constexpr std::uint32_t type_mask = 0170000, socket = 0140000, symlink = 0120000, regular = 0100000,
                               block_device = 0060000, directory = 0040000, character_device = 0020000,
                               fifo = 0010000;
}

struct Entry {
  // As the archive spells it: relative or absolute, may contain "." and "..", never a zero byte. Whoever
  // makes files of it resolves it below the root it means.
  std::string_view name;
  std::uint32_t mode = 0;  // type and permissions
  std::uint32_t user = 0, group = 0;
  std::uint32_t links = 1;
  std::uint32_t modified_seconds = 0;
  std::uint32_t device_major = 0, device_minor = 0;  // of a device node
  std::uint64_t size = 0;

  std::uint32_t type() const { return mode & mode::type_mask; }
};

// Receives the entries in their order. An error ends the run and becomes its result; to go on after a problem
// with one entry, a sink returns success. Texts and bytes are valid during the call only.
class EntrySink {
 public:
  virtual base::Result<void> directory(const Entry& entry) = 0;
  // Creates the file, or empties it if it exists; then come data() as often as needed, size bytes in all, and
  // end_file().
  virtual base::Result<void> begin_file(const Entry& entry) = 0;
  virtual base::Result<void> data(std::span<const std::uint8_t> bytes) = 0;
  virtual base::Result<void> end_file(const Entry& entry) = 0;
  virtual base::Result<void> symlink(const Entry& entry, std::string_view target) = 0;
  // Devices, FIFOs, sockets.
  virtual base::Result<void> node(const Entry& entry) = 0;
  // Another name for the entry that came first with the name `existing`. If this one has data, begin_file()
  // follows.
  virtual base::Result<void> hard_link(const Entry& entry, std::string_view existing) = 0;

 protected:
  ~EntrySink() = default;
};

}  // namespace archive
