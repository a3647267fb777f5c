// The init steps of the file systems.
#include <boot/boot_info.h>

#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "core/memory/address.h"
#include "core/memory/memory_init.h"
#include "core/memory/page_allocator.h"
#include "devtmpfs/devtmpfs.h"
#include "rootfs/rootfs.h"
#include "tmpfs/tmpfs.h"
#include "vfs/operations.h"

namespace rootfs {

namespace {

using base::Result;

Result<void> start_root() {
  TRY(tmpfs::initialize());
  TRY(vfs::initialize(TRY(tmpfs::create(tmpfs::rootfs_type, ""))));
  TRY(devtmpfs::initialize());
  TRY(devtmpfs::register_memory_devices());
  // What Linux's built-in initramfs has, so that the first program finds a console.
  auto context = TRY(vfs::create_root_context());
  vfs::Caller kernel{*context, vfs::Credentials::kernel()};
  TRY(vfs::make_directory(kernel, nullptr, "/dev", 0755));
  TRY(vfs::make_node(kernel, nullptr, "/dev/console", vfs::mode_character | 0600, {5, 1}));
  TRY(vfs::make_directory(kernel, nullptr, "/root", 0700));
  return {};
}

Result<void> unpack_initrd() {
  const boot::PhysicalRange& range = boot::boot_info().initrd;
  if (!range.size) return {};
  std::span<const std::uint8_t> image(core::to_virtual<const std::uint8_t>(core::PhysicalAddress(range.start)), range.size);
  auto context = TRY(vfs::create_root_context());
  context->exchange_umask(0);
  vfs::Caller kernel{*context, vfs::Credentials::kernel()};
  char memory[160];
  base::TextBuffer problem{memory};
  if (auto result = unpack(kernel, image, problem); !result)
    core::log(core::LogLevel::error, "Initramfs unpacking failed: {}", problem.view());
  if (core::command_line().has("retain_initrd")) return {};
  std::uint64_t start = (range.start + core::page_size - 1) & ~(core::page_size - 1);
  std::uint64_t end = (range.start + range.size) & ~(core::page_size - 1);
  if (start < end) {
    core::donate_memory(core::PhysicalAddress(start), end - start);
    core::log(core::LogLevel::info, "Freeing initrd memory: {}K", (end - start) / 1024);
  }
  return {};
}

INIT_STEP root_step{"vfs.root", {"threads"}, start_root, {"vfs"}};
INIT_STEP initramfs_step{"rootfs.initramfs", {"vfs"}, unpack_initrd, {"root"}};

}  // namespace

}  // namespace rootfs
