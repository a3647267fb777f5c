// The init steps of the file systems.
#include <algorithm>

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

// The memory of the image. It goes back to the allocator while the image is read, and whole pages of a plain
// archive become pages of the files, so that a large image does not need room twice.
class ImageMemory final : public ImageOwner {
 public:
  enum class Keep : bool { no, yes };
  ImageMemory(const boot::PhysicalRange& range, Keep keep)
      : start_(range.start), end_(range.start + range.size), given_(page_up(range.start)), keep_(keep) {}

  std::span<const std::uint8_t> bytes() const {
    return {core::to_virtual<const std::uint8_t>(core::PhysicalAddress(start_)), end_ - start_};
  }
  void read_up_to(const std::uint8_t* at) override {
    if (is_inside(at)) give_up_to(core::to_physical(at).value() & ~(step - 1));
  }
  core::PageRef take_page(const std::uint8_t* at) override {
    if (keep_ == Keep::yes || !is_inside(at)) return {};
    std::uintptr_t page = core::to_physical(at).value();
    if (page < given_ || end_ - page < core::page_size || !may_give(page)) return {};
    give_up_to(page);
    given_ = page + core::page_size;
    ++taken_;
    return core::adopt_boot_page(core::PhysicalAddress(page));
  }
  void give_rest() { give_up_to(end_ & ~std::uintptr_t{core::page_size - 1}); }
  std::size_t given_bytes() const { return given_ - page_up(start_); }
  std::size_t taken_bytes() const { return taken_ * core::page_size; }

 private:
  static constexpr std::uintptr_t step = std::uintptr_t{1} << 20;
  static std::uintptr_t page_up(std::uintptr_t address) {
    return (address + core::page_size - 1) & ~std::uintptr_t{core::page_size - 1};
  }
  bool is_inside(const std::uint8_t* at) const {
    return at >= bytes().data() && at < bytes().data() + bytes().size();
  }
  void give_up_to(std::uintptr_t end) {
    if (keep_ == Keep::yes || end <= given_) return;
    for (const boot::MemoryRange& range : boot::boot_info().memory_map()) {
      std::uintptr_t from = std::max(range.start, given_), to = std::min(range.end(), end);
      if (range.kind != boot::MemoryKind::initrd || from >= to) continue;
      core::donate_memory(core::PhysicalAddress(from), to - from);
    }
    given_ = end;
  }
  // The firmware may call a part of it its own.
  static bool may_give(std::uintptr_t page) {
    for (const boot::MemoryRange& range : boot::boot_info().memory_map())
      if (range.start <= page && page < range.end()) return range.kind == boot::MemoryKind::initrd;
    return false;
  }
  std::uintptr_t start_, end_;
  std::uintptr_t given_;  // everything before has left us
  std::size_t taken_ = 0;
  Keep keep_;
};

Result<void> unpack_initrd() {
  const boot::PhysicalRange& range = boot::boot_info().initrd;
  if (!range.size || core::command_line().has("noinitrd")) return {};
  bool keep = core::command_line().has("retain_initrd");
  ImageMemory image{range, keep ? ImageMemory::Keep::yes : ImageMemory::Keep::no};
  auto context = TRY(vfs::create_root_context());
  context->exchange_umask(0);
  vfs::Caller kernel{*context, vfs::Credentials::kernel()};
  char memory[160];
  base::TextBuffer problem{memory};
  std::uint64_t start = core::log_clock_now();
  auto result = unpack(kernel, image.bytes(), problem, image);
  if (!result) core::log(core::LogLevel::error, "Initramfs unpacking failed: {}", problem.view());
  image.give_rest();
  core::log(core::LogLevel::info, "initramfs: {} KiB unpacked in {} ms; {} KiB became files, {} KiB freed",
            range.size / 1024, (core::log_clock_now() - start) / 1'000'000, image.taken_bytes() / 1024,
            (image.given_bytes() - image.taken_bytes()) / 1024);
  return {};
}

INIT_STEP root_step{"vfs.root", {"threads"}, start_root, {"vfs"}};
INIT_STEP initramfs_step{"rootfs.initramfs", {"vfs"}, unpack_initrd, {"root"}};

}  // namespace

}  // namespace rootfs
