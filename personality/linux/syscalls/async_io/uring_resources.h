// What programs register with a ring ahead of time (io_uring_register(2)): files, buffers in pinned memory,
// personalities; and the buffers a receive may choose from.
#pragma once

#include "base/vector.h"
#include "core/memory/page.h"
#include "linux_abi/task.h"
#include "vfs/file.h"

namespace linux_abi {

// Memory of a program that stays reachable for the kernel, whatever the program does with its addresses.
class UringFixedBuffer : public base::RefCounted<UringFixedBuffer> {
 public:
  static Result<RefPtr<UringFixedBuffer>> pin(core::AddressSpace& space, std::uint64_t address,
                                              std::uint64_t length);
  UringFixedBuffer() = default;
  ~UringFixedBuffer();
  // EFAULT outside of it.
  Result<std::span<std::byte>> range(std::uint64_t address, std::uint64_t length) const;

 private:
  std::uint64_t address_ = 0, length_ = 0;
  base::Vector<core::PageRef> pages_;
  void* memory_ = nullptr;
};

struct UringResources {
  base::Vector<RefPtr<vfs::File>> files;
  bool has_files = false;
  std::uint32_t allocate_from = 0, allocate_to = 0;
  base::Vector<RefPtr<UringFixedBuffer>> buffers;
  bool has_buffers = false;
  base::Vector<RefPtr<vfs::Credentials>> personalities;  // number: index + 1
  bool restricted = false;
  std::uint64_t allowed_opcodes = 0, allowed_registers = 0;
  std::uint8_t allowed_flags = 0, required_flags = 0;
};

// Buffers that BUFFER_SELECT takes from.
struct UringBufferGroup {
  struct Entry {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
    std::uint16_t id = 0;
  };
  std::uint16_t id = 0;
  base::Vector<Entry> entries;  // legacy (PROVIDE_BUFFERS)
  // A ring in the program's memory (PBUF_RING); 0: legacy.
  std::uint64_t ring_address = 0;
  std::uint32_t ring_entries = 0;
  std::uint16_t head = 0;
};

struct UringBuffers {
  base::Vector<std::unique_ptr<UringBufferGroup>> groups;
  UringBufferGroup* find(std::uint16_t id) {
    for (auto& group : groups)
      if (group->id == id) return group.get();
    return nullptr;
  }
};

}  // namespace linux_abi
