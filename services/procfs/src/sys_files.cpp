// /proc/sys: settings with effect, and facts. What belongs to processes is added by the personality.
#include <arch/cpu.h>

#include <algorithm>
#include <bit>

#include "core/memory/kernel_map.h"
#include "core/memory/oom.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/random/random.h"
#include "core/sync/per_cpu.h"
#include "procfs/procfs.h"
#include "procfs_files.h"
#include "vfs/operations.h"

namespace procfs {

using base::Errno;
using base::error;
using base::format;

namespace {

// ---- Settings that are one atomic word ----

template <auto& variable>
Result<void> show_word(base::TextSink& out) {
  format(out, "{}\n", variable.load(std::memory_order_relaxed));
  return {};
}
template <auto& variable, std::int64_t smallest, std::int64_t largest>
Result<void> store_word(std::string_view text) {
  std::int64_t value = TRY(parse_number(text));
  if (value < smallest || value > largest) return error(Errno::einval);
  variable.store(static_cast<decltype(variable.load())>(value), std::memory_order_relaxed);
  return {};
}
template <auto& variable, std::int64_t smallest, std::int64_t largest>
Result<void> add_word(std::string_view path) {
  return add_text(path, 0644, show_word<variable>, store_word<variable, smallest, largest>);
}

auto& protected_symlinks = vfs::limits.protected_symlinks;
auto& protected_hardlinks = vfs::limits.protected_hardlinks;
auto& protected_fifos = vfs::limits.protected_fifos;
auto& protected_regular = vfs::limits.protected_regular;
auto& file_max = vfs::limits.file_max;
auto& nr_open = vfs::limits.nr_open;
auto& mount_max = vfs::limits.mount_max;

// ---- Random ----

void put_uuid(base::TextSink& out, const std::uint8_t (&random)[16]) {
  for (unsigned i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) format(out, "-");
    unsigned byte = random[i];
    if (i == 6) byte = (byte & 0x0f) | 0x40;  // version 4
    if (i == 8) byte = (byte & 0x3f) | 0x80;  // the variant of RFC 4122
    format(out, "{:02x}", byte);
  }
  format(out, "\n");
}
Result<void> show_uuid(base::TextSink& out) {
  std::uint8_t bytes[16];
  core::random_bytes(std::as_writable_bytes(std::span(bytes)));
  put_uuid(out, bytes);
  return {};
}
constinit std::uint8_t boot_id[16] = {};
Result<void> show_boot_id(base::TextSink& out) {
  put_uuid(out, boot_id);
  return {};
}

// ---- Memory ----

Result<void> show_overcommit(base::TextSink& out) {
  format(out, "{}\n", core::overcommit_settings().mode);
  return {};
}
Result<void> store_overcommit(std::string_view text) {
  std::int64_t value = TRY(parse_number(text));
  if (value < 0 || value > 2) return error(Errno::einval);
  auto settings = core::overcommit_settings();
  settings.mode = static_cast<core::OvercommitMode>(value);
  core::set_overcommit_settings(settings);
  return {};
}
Result<void> show_ratio(base::TextSink& out) {
  format(out, "{}\n", core::overcommit_settings().ratio_percent);
  return {};
}
Result<void> store_ratio(std::string_view text) {
  std::int64_t value = TRY(parse_number(text));
  if (value < 0) return error(Errno::einval);
  auto settings = core::overcommit_settings();
  settings.ratio_percent = static_cast<std::uint32_t>(value);
  settings.limit_kib = 0;
  core::set_overcommit_settings(settings);
  return {};
}
Result<void> store_drop_caches(std::string_view text) {
  std::int64_t value = TRY(parse_number(text));
  if (value < 1 || value > 4) return error(Errno::einval);
  if (value & 2) {
    // A directory becomes unused only with the last name in it, so each round takes a level of the tree.
    // Bounded, because others make names meanwhile.
    constexpr unsigned most_rounds = 32;
    for (unsigned round = 0; round < most_rounds; ++round)
      if (!vfs::shrink_dentry_cache(~std::size_t{0} / 4)) break;
    core::purge_kernel_map();
    core::shrink_slab_caches();
  }
  return {};
}

// ---- Files ----

Result<void> show_pipe_max_size(base::TextSink& out) {
  format(out, "{}\n", vfs::limits.pipe_max_size.load(std::memory_order_relaxed));
  return {};
}
// Rounded up to what a pipe can have.
Result<void> store_pipe_max_size(std::string_view text) {
  constexpr std::int64_t largest = std::int64_t{1} << 31;
  std::int64_t value = TRY(parse_number(text));
  if (value < 1 || value > largest) return error(Errno::einval);
  auto size = std::bit_ceil(std::max(static_cast<std::uint32_t>(value), std::uint32_t{core::page_size}));
  vfs::limits.pipe_max_size.store(size, std::memory_order_relaxed);
  return {};
}

Result<void> show_file_nr(base::TextSink& out) {
  format(out, "{}\t0\t{}\n", vfs::cache_statistics().files,
         vfs::limits.file_max.load(std::memory_order_relaxed));
  return {};
}
Result<void> show_inode_nr(base::TextSink& out) {
  format(out, "{}\t0\n", vfs::cache_statistics().inodes);
  return {};
}
Result<void> show_dentry_state(base::TextSink& out) {
  auto statistics = vfs::cache_statistics();
  format(out, "{}\t{}\t0\t0\t{}\t0\n", statistics.dentries, statistics.unused_dentries,
         statistics.negative_dentries);
  return {};
}

template <std::uint64_t value>
Result<void> show_constant(base::TextSink& out) {
  format(out, "{}\n", value);
  return {};
}

}  // namespace

Result<void> add_sys_files() {
  core::random_bytes(std::as_writable_bytes(std::span(boot_id)));
  TRY((add_word<protected_symlinks, 0, 1>("sys/fs/protected_symlinks")));
  TRY((add_word<protected_hardlinks, 0, 1>("sys/fs/protected_hardlinks")));
  TRY((add_word<protected_fifos, 0, 2>("sys/fs/protected_fifos")));
  TRY((add_word<protected_regular, 0, 2>("sys/fs/protected_regular")));
  TRY((add_word<file_max, 0, INT64_MAX>("sys/fs/file-max")));
  TRY((add_word<nr_open, 8, 0x3fffffc0>("sys/fs/nr_open")));
  TRY((add_word<mount_max, 1, INT32_MAX>("sys/fs/mount-max")));
  TRY(add_text("sys/fs/pipe-max-size", 0644, show_pipe_max_size, store_pipe_max_size));
  TRY(add_text("sys/fs/file-nr", 0444, show_file_nr));
  TRY(add_text("sys/fs/inode-nr", 0444, show_inode_nr));
  TRY(add_text("sys/fs/dentry-state", 0444, show_dentry_state));
  TRY(add_text("sys/kernel/random/uuid", 0444, show_uuid));
  TRY(add_text("sys/kernel/random/boot_id", 0444, show_boot_id));
  TRY(add_text("sys/kernel/random/poolsize", 0444, show_constant<256>));
  TRY(add_text("sys/kernel/random/entropy_avail", 0444, show_constant<256>));
  TRY(add_text("sys/vm/overcommit_memory", 0644, show_overcommit, store_overcommit));
  TRY(add_text("sys/vm/overcommit_ratio", 0644, show_ratio, store_ratio));
  TRY(add_text("sys/vm/drop_caches", 0200, nullptr, store_drop_caches));
  TRY(add_text("sys/vm/max_map_count", 0444, [](base::TextSink& out) -> Result<void> {
    format(out, "{}\n", core::max_areas_per_space);
    return {};
  }));
  TRY(add_text("sys/vm/mmap_min_addr", 0444, [](base::TextSink& out) -> Result<void> {
    format(out, "{}\n", core::lowest_map_address);
    return {};
  }));
  return {};
}

}  // namespace procfs
