// sysfs: the devices and the parts of the kernel as a tree of small files, one value each.
//
//   TRY(sysfs::add_device({.subsystem = "tty", .name = "ttyS0", .kind = DeviceKind::character, .number = {4,
//   64}}));
//
// makes /sys/devices/virtual/tty/ttyS0 with dev, uevent and subsystem, /sys/class/tty/ttyS0 and
// /sys/dev/char/4:64. Other trees are built with root(): sysfs::root().directories("kernel/mm").
//
// Init step: "sysfs" (before "vfs"). add_device() may be called from any step that names it, and later.
#pragma once

#include <string_view>

#include "pseudo_fs/entry.h"
#include "vfs/device.h"

namespace sysfs {

using base::RefPtr;
using base::Result;

pseudo_fs::StaticDirectory& root();
// A file whose text is made at each read, along a path of directories that are made as needed.
Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                      pseudo_fs::StoreFunction store = nullptr);
Result<void> add_constant(std::string_view path, std::string_view text);
Result<void> add_link(std::string_view path, std::string_view target);

struct Device {
  std::string_view subsystem;  // directory in /sys/class
  std::string_view name;
  vfs::DeviceKind kind = vfs::DeviceKind::character;
  vfs::DeviceNumber number;
  std::string_view parent = "virtual";  // below /sys/devices
};
// The directory of the device, for attributes of its own.
Result<RefPtr<pseudo_fs::StaticDirectory>> add_device(const Device& device);
void remove_device(const Device& device);

}  // namespace sysfs
