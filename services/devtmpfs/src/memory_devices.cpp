// Major 1: null, zero, full, random, urandom. kmsg has its own file.
#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/random/random.h"
#include "devtmpfs/devtmpfs.h"
#include "kmsg.h"
#include "vfs/device.h"
#include "vfs/file.h"

namespace devtmpfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using vfs::IoFlags;

namespace {

enum Minor : std::uint32_t {
  null_minor = 3,
  zero_minor = 5,
  full_minor = 7,
  random_minor = 8,
  urandom_minor = 9,
  kmsg_minor = 11
};

std::size_t swallow(core::IoBuffer& buffer) {
  std::size_t count = buffer.remaining();
  buffer.skip(count);
  return count;
}

class NullFile final : public vfs::File {
 public:
  NullFile() : File(always_seek_zero | no_wait_capable) {}
  Result<std::size_t> read_at(core::IoBuffer&, std::uint64_t, IoFlags) override { return 0; }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    return swallow(buffer);
  }
};

// zero and full: endless zeroes; full takes nothing.
class ZeroFile final : public vfs::File {
 public:
  enum class Writes { swallowed, refused };
  explicit ZeroFile(Writes writes) : File(always_seek_zero | no_wait_capable | can_map), writes_(writes) {}
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    std::size_t done = buffer.zero(buffer.remaining());
    if (!done && buffer.faulted()) return error(Errno::efault);
    return done;
  }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    if (writes_ == Writes::refused) return error(Errno::enospc);
    return swallow(buffer);
  }
  Result<void> map(core::MapRequest& request) override {
    if (writes_ == Writes::refused) return error(Errno::enodev);
    // Privately it is anonymous memory; shared it is memory of its own.
    if (core::has(request.flags, core::MapFlags::shared)) {
      request.object = TRY(core::create_shared_memory(request.offset + request.length));
      request.file = this;
    }
    return {};
  }

 private:
  Writes writes_;
};

class RandomFile final : public vfs::File {
 public:
  RandomFile() : File(always_seek_zero | no_wait_capable) {}
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    std::byte piece[256];
    std::size_t total = 0;
    while (!buffer.empty()) {
      std::size_t count = buffer.remaining() < sizeof(piece) ? buffer.remaining() : sizeof(piece);
      core::random_bytes({piece, count});
      std::size_t done = buffer.copy_out({piece, count});
      total += done;
      if (done < count) break;
    }
    if (!total && buffer.faulted()) return error(Errno::efault);
    return total;
  }
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    std::byte piece[64];
    std::size_t total = 0;
    while (!buffer.empty()) {
      std::size_t done = buffer.copy_in(piece);
      core::add_randomness({piece, done});
      total += done;
      if (!done) break;
    }
    if (!total && buffer.faulted()) return error(Errno::efault);
    return total;
  }
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override {
    constexpr unsigned get_entropy_count = 0x80045200;  // RNDGETENTCNT
    if (command != get_entropy_count) return error(Errno::enotty);
    int bits = 256;
    auto out = core::IoBuffer::user(core::UserAddress(argument), sizeof(bits));
    if (!out.put(bits)) return error(Errno::efault);
    return 0;
  }
};

class MemoryDevices final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber device, const vfs::OpenRequest& request) override {
    switch (device.minor) {
      case null_minor:
        return RefPtr<vfs::File>(TRY(base::try_make_ref<NullFile>()));
      case zero_minor:
        return RefPtr<vfs::File>(TRY(base::try_make_ref<ZeroFile>(ZeroFile::Writes::swallowed)));
      case full_minor:
        return RefPtr<vfs::File>(TRY(base::try_make_ref<ZeroFile>(ZeroFile::Writes::refused)));
      case random_minor:
      case urandom_minor:
        return RefPtr<vfs::File>(TRY(base::try_make_ref<RandomFile>()));
      case kmsg_minor:
        return open_kmsg(request);
      default:
        return error(Errno::enxio);
    }
  }
};
constinit MemoryDevices memory_devices;

}  // namespace

Result<void> register_memory_devices() {
  TRY(vfs::register_devices(vfs::DeviceKind::character, {1, 0}, 256, memory_devices, "mem"));
  struct Node {
    const char* name;
    Minor minor;
    vfs::Mode permissions;
  };
  static constexpr Node nodes[] = {{"null", null_minor, 0666},       {"zero", zero_minor, 0666},
                                   {"full", full_minor, 0666},       {"random", random_minor, 0666},
                                   {"urandom", urandom_minor, 0666}, {"kmsg", kmsg_minor, 0644}};
  for (const Node& node : nodes)
    TRY(vfs::create_device_node(node.name, vfs::mode_character | node.permissions, {1, node.minor}));
  return {};
}

}  // namespace devtmpfs
