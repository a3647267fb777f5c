// Device numbers, and what opening a node with such a number gives.
//
//   constinit DeviceClass null_class …                             see devtmpfs/ for the memory devices
//   TRY(register_devices(DeviceKind::character, {1, 3}, 1, operations, "mem"));
//   TRY(create_device_node("null", mode_character | 0666, {1, 3}));       // /dev/null, once devtmpfs stands
//
// The registry is read under RCU at each open.
#pragma once

#include <string_view>

#include "base/format.h"
#include "base/function_ref.h"
#include "vfs/inode.h"

namespace vfs {

enum class DeviceKind { character, block };

class DeviceOperations {
 public:
  virtual Result<RefPtr<File>> open(DeviceNumber device, const OpenRequest& request) = 0;
  // What stat() says of the device behind a node, beyond the node. May sleep.
  virtual void add_attributes(DeviceNumber device, Attributes& out) {}

 protected:
  ~DeviceOperations() = default;
};

// `count` minors from `first` on; EBUSY when one is taken. `name` appears in /proc/devices by major.
Result<void> register_devices(DeviceKind kind, DeviceNumber first, std::uint32_t count,
                              DeviceOperations& operations, std::string_view name);
void unregister_devices(DeviceKind kind, DeviceNumber first, std::uint32_t count);
// Opens what the registry has for a device node; ENXIO for an unknown number.
Result<RefPtr<File>> open_device(DeviceKind kind, DeviceNumber device, const OpenRequest& request);
void add_device_attributes(DeviceKind kind, DeviceNumber device, Attributes& out);
// "/proc/devices": (major, name), by rising major.
void for_each_device_major(DeviceKind kind, base::FunctionRef<void(std::uint32_t, std::string_view)> visit);

// devtmpfs nodes, by path below /dev ("pts/ptmx" makes the directory). Kept from early boot on: nodes made
// before devtmpfs is mounted appear in it. `mode` with type.
Result<void> create_device_node(std::string_view path, Mode mode, DeviceNumber device, UserId uid = 0,
                                GroupId gid = 0);
void remove_device_node(std::string_view path);
Result<void> create_device_symlink(std::string_view path, std::string_view target);
// Supplied by devtmpfs.
class DeviceNodeStore {
 public:
  virtual Result<void> create_node(std::string_view path, const NewInode& properties) = 0;
  virtual Result<void> create_symlink(std::string_view path, std::string_view target) = 0;
  virtual void remove(std::string_view path) = 0;

 protected:
  ~DeviceNodeStore() = default;
};
void set_device_node_store(DeviceNodeStore& store);

// What opens a FIFO's inode: supplied by the pipe module.
using FifoOpen = Result<RefPtr<File>> (*)(Inode& inode, const OpenRequest& request);
void set_fifo_open(FifoOpen function);

}  // namespace vfs
