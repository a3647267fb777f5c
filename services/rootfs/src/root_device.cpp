// root=: mounts the root file system from a disk, when there is no /init in the initramfs; as Linux does it.
//
//   root=/dev/vda1 | 254:1 | PARTUUID=… | PARTLABEL=…     the device
//   rootfstype=ext4[,…]   types to try; otherwise every type that wants a device
//   rootflags=…           options of the file system
//   ro (the default) | rw
//   rootdelay=SECONDS     waits first          rootwait        waits until the device is there
//
// A root that cannot be mounted is a panic that says which disks there are.
#include "block/volume.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/init/panic.h"
#include "core/log/log.h"
#include "core/sched/scheduler.h"
#include "core/time/clock.h"
#include "vfs/file_system.h"
#include "vfs/operations.h"
#include "vfs/root_mount.h"

namespace rootfs {

namespace {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

constexpr std::uint64_t poll_ns = 100 * core::ns_per_ms;

struct RootRequest {
  std::string_view device, types, options;
  bool read_only = true;
};

RootRequest read_request() {
  RootRequest request;
  auto& line = core::command_line();
  request.device = line.get("root").value_or("");
  request.types = line.get("rootfstype").value_or("");
  request.options = line.get("rootflags").value_or("");
  line.for_each_word([&](const core::CommandLineWord& word) {
    if (!word.value && word.name == "rw") request.read_only = false;
    if (!word.value && word.name == "ro") request.read_only = true;
    return true;
  });
  return request;
}

bool initramfs_has_init(const vfs::Caller& kernel) {
  vfs::Attributes attributes;
  auto name = core::command_line().get("rdinit").value_or("/init");
  return vfs::stat(kernel, nullptr, name, vfs::lookup_follow, attributes).has_value();
}

Result<RefPtr<block::Volume>> wait_for_device(std::string_view name) {
  auto& line = core::command_line();
  if (auto seconds = line.get_number("rootdelay"); seconds && *seconds <= 3600)
    core::sleep_for(*seconds * core::ns_per_second);
  bool told = false;
  for (;;) {
    auto volume = block::find_volume(name);
    if (volume || !line.has("rootwait")) return volume;
    if (!told) core::log(core::LogLevel::info, "Waiting for root device {}...", name);
    told = true;
    core::sleep_for(poll_ns);
  }
}

// The outcome of one type; what the others say counts only if this one did not know the disk.
Result<void> try_type(const vfs::FileSystemType& type, const RootRequest& request, std::string_view volume,
                      const vfs::Path& target) {
  vfs::MountOptions options{volume, request.options, request.read_only, nullptr};
  vfs::MountFlags flags = vfs::mount_relative_access_time;
  auto mounted = vfs::mount_root_device(type, options, target, flags, "/dev/root");
  if (!mounted && !request.read_only &&
      (mounted.error() == Errno::erofs || mounted.error() == Errno::eacces)) {
    options.read_only = true;
    mounted = vfs::mount_root_device(type, options, target, flags, "/dev/root");
  }
  return mounted;
}

bool is_listed(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    std::size_t end = list.find(',');
    if (list.substr(0, end) == name) return true;
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
  return false;
}

Result<void> mount_types(const RootRequest& request, std::string_view volume, const vfs::Path& target) {
  Result<void> outcome = error(Errno::enodev);
  const vfs::FileSystemType* used = nullptr;
  vfs::for_each_file_system([&](const vfs::FileSystemType& type) {
    if (used || !type.needs_device()) return;
    if (!request.types.empty() && !is_listed(request.types, type.name())) return;
    auto mounted = try_type(type, request, volume, target);
    if (mounted) used = &type;
    // EINVAL: not this type's.
    if (mounted || outcome.error() == Errno::enodev || outcome.error() == Errno::einval) outcome = mounted;
  });
  if (used)
    core::log(core::LogLevel::info, "VFS: Mounted root ({} filesystem){} on {}.", used->name(),
              request.read_only ? " readonly" : "", volume);
  return outcome;
}

void list_disks() {
  core::log(core::LogLevel::error, "These are the disks and partitions there are:");
  block::for_each_volume([](block::Volume& volume) {
    core::log(core::LogLevel::error, "  {:>3}:{:<3} {:>10} {} {}", volume.device().major,
              volume.device().minor, volume.sectors() / 2, volume.name(), volume.partition_uuid());
  });
}

// With /dev on it, as a kernel with CONFIG_DEVTMPFS_MOUNT leaves it.
void mount_devices() {
  auto context = vfs::create_root_context();
  const vfs::FileSystemType* type = vfs::find_file_system("devtmpfs");
  if (!context || !type) return;
  vfs::Caller kernel{**context, vfs::Credentials::kernel()};
  auto target = vfs::resolve(kernel, nullptr, "/dev", vfs::lookup_follow);
  auto mounted = target ? vfs::mount_kernel(*type, {"devtmpfs", ""}, *target, vfs::mount_relative_access_time)
                        : Result<void>(error(target.error()));
  if (mounted)
    core::log(core::LogLevel::info, "devtmpfs: mounted");
  else
    core::log(core::LogLevel::error, "devtmpfs: error mounting -{}", static_cast<int>(mounted.error()));
}

Result<void> mount_root() {
  RootRequest request = read_request();
  auto context = TRY(vfs::create_root_context());
  vfs::Caller kernel{*context, vfs::Credentials::kernel()};
  if (request.device.empty() || initramfs_has_init(kernel)) return {};
  auto volume = wait_for_device(request.device);
  if (!volume) {
    list_disks();
    core::panic("VFS: Unable to mount root fs: there is no device {} (error -{})", request.device,
                static_cast<int>(volume.error()));
  }
  auto target = TRY(vfs::resolve(kernel, nullptr, "/", vfs::lookup_follow));
  if (auto mounted = mount_types(request, (*volume)->name(), target); !mounted) {
    list_disks();
    core::panic("VFS: Unable to mount root fs on {} (error -{})", request.device,
                static_cast<int>(mounted.error()));
  }
  mount_devices();
  return {};
}
INIT_STEP root_device_step{"rootfs.device", {"rootfs.initramfs", "drivers"}, mount_root, {"root"}};

}  // namespace

}  // namespace rootfs
