// Mounting: the super block with its features, options, the journal; and the way back.
#include <cstring>

#include "base/parse.h"
#include "block/file_blocks.h"
#include "core/log/log.h"
#include "core/memory/page_allocator.h"
#include "core/memory/slab.h"
#include "core/time/clock.h"
#include "crc32c.h"
#include "ext4/ext4.h"
#include "inode.h"
#include "inode_table.h"
#include "vfs/lookup.h"
#include "vfs/operations.h"

namespace ext4 {

using core::LogLevel;

Ext4FileSystem::Ext4FileSystem(RefPtr<block::Volume> volume)
    : FileSystem(ext4_type, magic_number, volume->name()),
      volume_(std::move(volume)),
      buffers_(*volume_, 1024),
      journal_(buffers_, *this) {
  set_device(volume_->device());
}

Ext4FileSystem::~Ext4FileSystem() {
  set_root(nullptr);  // where no mount came about: its inode needs us
  finish();
  delete inodes_;
}

std::unexpected<Errno> Ext4FileSystem::corrupted(const char* what, std::uint64_t where) {
  core::log(LogLevel::error, "ext4 ({}): damaged: {} ({})", volume_->name(), what, where);
  if (!reported_.exchange(true) && writable_ && on_error_ != OnError::panic) {
    // For e2fsck; goes to the disk with the next commit.
    std::uint16_t state = super().state;
    state |= state_errors;
    std::memcpy(&writable_super()->state, &state, sizeof(state));
    if (on_error_ == OnError::read_only) set_read_only(true);
  }
  return error(Errno::euclean);
}

// ---- Checks ----

Result<void> Ext4FileSystem::check_super(const SuperBlock& s) {
  auto refuse = [&](const char* why, std::uint64_t value, Errno code) -> Result<void> {
    core::log(LogLevel::error, "ext4 ({}): {} ({:#x})", volume_->name(), why, value);
    return error(code);
  };
  if (s.magic != super_magic) return error(Errno::einval);  // something else: no noise
  if (s.revision > 1) return refuse("unknown revision", s.revision, Errno::einval);
  if (s.feature_incompatible & ~incompatible::known)
    return refuse("mounting is refused because of unsupported features",
                  s.feature_incompatible & ~incompatible::known, Errno::einval);
  if ((s.feature_read_only & read_only::metadata_checksum) && s.checksum_type != 1)
    return refuse("unknown kind of checksum", s.checksum_type, Errno::einval);
  if (s.feature_read_only & read_only::metadata_checksum) {
    std::uint32_t computed = crc32c(~0u, std::as_bytes(std::span(&s, 1)).first(1020));
    if (computed != s.checksum)
      return refuse("the checksum of the super block is wrong", s.checksum, Errno::euclean);
  }
  if (s.log_block_size > 2) return refuse("blocks larger than a page", s.log_block_size, Errno::einval);
  if (s.log_cluster_size != s.log_block_size) return refuse("clusters", s.log_cluster_size, Errno::einval);
  std::uint32_t block_size = 1024u << s.log_block_size;
  std::uint32_t inode_size = s.revision ? s.inode_size : small_inode_size;
  if (inode_size < small_inode_size || inode_size > block_size || !base::is_power_of_two(inode_size))
    return refuse("size of inodes", inode_size, Errno::euclean);
  std::uint32_t descriptor = s.feature_incompatible & incompatible::bits64 ? s.descriptor_size : 32;
  if (descriptor < 32 || descriptor > block_size || !base::is_power_of_two(descriptor) ||
      ((s.feature_incompatible & incompatible::bits64) && descriptor < 64))
    return refuse("size of group descriptors", descriptor, Errno::euclean);
  if (s.blocks_per_group == 0 || s.blocks_per_group > block_size * 8 || s.blocks_per_group % 8 ||
      s.clusters_per_group != s.blocks_per_group)
    return refuse("blocks per group", s.blocks_per_group, Errno::euclean);
  if (s.inodes_per_group == 0 || s.inodes_per_group > block_size * 8 || s.inodes_per_group % 8 ||
      s.inodes_per_group < block_size / inode_size || s.inodes_per_group % (block_size / inode_size))
    return refuse("inodes per group", s.inodes_per_group, Errno::euclean);
  if (s.first_data_block != (block_size == 1024 ? 1u : 0u))
    return refuse("first data block", s.first_data_block, Errno::euclean);
  std::uint64_t blocks = s.blocks_count_low;
  if (s.feature_incompatible & incompatible::bits64) blocks |= std::uint64_t{s.blocks_count_high} << 32;
  if (blocks <= s.first_data_block || blocks > volume_->bytes() / block_size)
    return refuse("the file system is larger than its device: blocks", blocks, Errno::euclean);
  std::uint64_t groups = (blocks - s.first_data_block + s.blocks_per_group - 1) / s.blocks_per_group;
  if (groups > 0xffffffffu / s.inodes_per_group || groups * s.inodes_per_group != s.inodes_count)
    return refuse("number of inodes", s.inodes_count, Errno::euclean);
  if (s.revision && (s.first_inode < 11 || s.first_inode > s.inodes_per_group))
    return refuse("first inode", s.first_inode, Errno::euclean);
  return {};
}

Result<void> Ext4FileSystem::read_super() {
  // Before the block size is known: the 4 KiB at the start.
  core::PageRef page = TRY(core::allocate_page());
  std::uint64_t bytes = volume_->bytes();
  if (bytes < 4096) return error(Errno::einval);
  block::Segment segment{page.get(), 0, 4096};
  TRY(volume_->read(0, {&segment, 1}));
  SuperBlock s;
  std::memcpy(&s, page.data() + super_offset, sizeof(s));
  TRY(check_super(s));
  block_shift_ = 10 + s.log_block_size;
  block_size_ = 1024u << s.log_block_size;
  blocks_per_group_ = s.blocks_per_group;
  inodes_per_group_ = s.inodes_per_group;
  inodes_count_ = s.inodes_count;
  first_data_block_ = s.first_data_block;
  inode_size_ = s.revision ? s.inode_size : small_inode_size;
  first_inode_ = s.revision ? s.first_inode : 11;
  feature_compatible_ = s.feature_compatible;
  feature_incompatible_ = s.feature_incompatible;
  feature_read_only_ = s.feature_read_only;
  bool bits64 = feature_incompatible_ & incompatible::bits64;
  descriptor_size_ = bits64 ? s.descriptor_size : 32;
  block_count_ = s.blocks_count_low | (bits64 ? std::uint64_t{s.blocks_count_high} << 32 : 0);
  reserved_for_root_ = s.reserved_blocks_low | (bits64 ? std::uint64_t{s.reserved_blocks_high} << 32 : 0);
  group_count_ = static_cast<std::uint32_t>((block_count_ - first_data_block_ + blocks_per_group_ - 1) /
                                            blocks_per_group_);
  has_checksums_ = feature_read_only_ & read_only::metadata_checksum;
  seed_ = feature_incompatible_ & incompatible::checksum_seed ? s.checksum_seed : crc32c_of(~0u, s.uuid);
  super_within_ = block_size_ == 1024 ? 0 : super_offset;
  return {};
}

// The descriptors, and that what they point to lies on the disk.
Result<void> Ext4FileSystem::check_groups() {
  std::uint32_t per_block = block_size_ / descriptor_size_;
  std::uint32_t blocks = (group_count_ + per_block - 1) / per_block;
  descriptors_.clear();
  TRY(descriptors_.try_reserve(blocks));
  for (std::uint32_t i = 0; i < blocks; ++i)
    descriptors_.push_back_reserved(TRY(buffers_.read(first_data_block_ + 1 + i)));
  std::uint64_t table_blocks = std::uint64_t{inodes_per_group_} * inode_size_ / block_size_;
  std::uint64_t free_blocks = 0, free_inodes = 0;
  for (std::uint32_t group = 0; group < group_count_; ++group) {
    if (has_checksums_ && descriptor(group)->checksum != descriptor_checksum(group))
      return corrupted("checksum of group descriptor", group);
    auto lies_inside = [&](std::uint64_t block, std::uint64_t count) {
      return block > first_data_block_ && block < block_count_ && count <= block_count_ - block;
    };
    if (!lies_inside(block_bitmap_of(group), 1) || !lies_inside(inode_bitmap_of(group), 1) ||
        !lies_inside(inode_table_of(group), table_blocks))
      return corrupted("group descriptor", group);
    if (free_blocks_of(group) > blocks_in(group) || free_inodes_of(group) > inodes_per_group_)
      return corrupted("free counts of group", group);
    free_blocks += free_blocks_of(group);
    free_inodes += free_inodes_of(group);
  }
  free_blocks_.store(free_blocks);
  free_inodes_.store(free_inodes);
  overhead_blocks_ = first_data_block_ + group_count_ * (table_blocks + 2) + blocks + 1;
  return {};
}

Result<void> Ext4FileSystem::parse_options(std::string_view text) {
  switch (super().errors) {
    case 2:
      on_error_ = OnError::read_only;
      break;
    case 3:
      on_error_ = OnError::panic;
      break;
    default:
      break;
  }
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(text);
    if (option.name.empty()) return {};
    if (option.name == "noload" || option.name == "norecovery") {
      skip_recovery_ = true;
    } else if (option.name == "errors") {
      if (option.value == "continue")
        on_error_ = OnError::go_on;
      else if (option.value == "remount-ro")
        on_error_ = OnError::read_only;
      else if (option.value == "panic")
        on_error_ = OnError::panic;
      else
        return error(Errno::einval);
    } else if (option.name == "commit") {
      auto seconds = base::parse_unsigned(option.value);
      if (!seconds || *seconds > 900) return error(Errno::einval);
      commit_interval_ns_ = (*seconds ? *seconds : 5) * core::ns_per_second;
    } else if (option.name == "data") {
      if (option.value != "ordered") return error(Errno::einval);
    } else if (option.name != "barrier" && option.name != "delalloc" && option.name != "user_xattr" &&
               option.name != "block_validity" && option.name != "auto_da_alloc" &&
               option.name != "nodiscard") {
      core::log(LogLevel::error, "ext4 ({}): unknown mount option \"{}\"", volume_->name(), option.name);
      return error(Errno::einval);
    }
  }
}

// ---- Start ----

Result<void> Ext4FileSystem::open_journal() {
  auto inode = TRY(get_inode(super().journal_inode));
  if (!vfs::is_regular(inode->mode()) || !(inode->disk_flags() & flag_extents))
    return corrupted("journal inode", super().journal_inode);
  base::Vector<LogExtent> extents;
  std::uint64_t blocks = inode->size() >> block_shift_;
  if (blocks > 0x7fffffff) return corrupted("size of the journal", blocks);
  core::ReadGuard guard{inode->map_lock()};
  for (std::uint32_t at = 0; at < blocks;) {
    Mapping mapping = TRY(inode->map(at));
    if (mapping.is_hole() || mapping.unwritten || mapping.count == 0)
      return corrupted("journal with holes", at);
    std::uint32_t count =
        mapping.count < blocks - at ? mapping.count : static_cast<std::uint32_t>(blocks - at);
    TRY(extents.try_push_back({at, count, mapping.physical}));
    at += count;
  }
  auto opened = journal_.open(std::move(extents), super().uuid, feature_incompatible_ & incompatible::bits64,
                              has_checksums_);
  if (!opened) core::log(LogLevel::error, "ext4 ({}): the journal cannot be used", volume_->name());
  return opened;
}

Result<void> Ext4FileSystem::start(std::string_view options, bool read_only) {
  inodes_ = new (std::nothrow) InodeTable;
  if (!inodes_) return error(Errno::enomem);
  TRY(volume_->claim(this));
  claimed_ = true;
  TRY(read_super());
  buffers_.set_block_size(block_size_);
  buffers_.set_block_count(block_count_);
  super_buffer_ = TRY(buffers_.read(block_size_ == 1024 ? 1 : 0));
  TRY(parse_options(options));
  TRY(check_groups());
  bool has_journal = feature_compatible_ & compatible::has_journal;
  if (has_journal && super().journal_inode != journal_inode_number)
    return corrupted("journal inode", super().journal_inode);
  std::uint32_t unknown = feature_read_only_ & ~read_only::known;
  if (!read_only && unknown) {
    core::log(LogLevel::error, "ext4 ({}): features {:#x} allow only reading", volume_->name(), unknown);
    return error(Errno::erofs);
  }
  if (!read_only && (!has_journal || !(feature_incompatible_ & incompatible::extents) ||
                     volume_->is_read_only() || !(feature_incompatible_ & incompatible::file_type))) {
    core::log(LogLevel::error,
              "ext4 ({}): only with a journal, extents and a writable device it is written to",
              volume_->name());
    return error(Errno::erofs);
  }
  bool recover = has_journal && (feature_incompatible_ & incompatible::recover) && !skip_recovery_;
  if (recover && volume_->is_read_only()) {
    core::log(LogLevel::error, "ext4 ({}): the journal must be recovered, and the device is read-only",
              volume_->name());
    return error(Errno::erofs);
  }
  if (has_journal && (recover || !read_only)) {
    TRY(open_journal());
    if (journal_.needs_recovery() && skip_recovery_ && !read_only) return error(Errno::erofs);
    if (journal_.needs_recovery()) {
      (void)TRY(journal_.recover());
      // Everything that was read may be older than what was replayed.
      drop_caches();
      TRY(read_super());
      super_buffer_ = TRY(buffers_.read(block_size_ == 1024 ? 1 : 0));
      TRY(check_groups());
    }
  }
  auto root = TRY(get_inode(root_inode));
  if (!vfs::is_directory(root->mode())) return corrupted("root directory", root_inode);
  set_read_only(read_only);
  if (!read_only) TRY(start_writing());
  TRY(create_root(std::move(root)));
  core::log(LogLevel::info, "ext4 ({}): mounted {}", volume_->name(),
            read_only ? "read-only" : "for writing");
  return {};
}

void Ext4FileSystem::drop_caches() {
  super_buffer_ = {};
  descriptors_.clear();
  buffers_.drop_unused();
}

Result<void> Ext4FileSystem::start_writing() {
  TRY(journal_.begin(commit_interval_ns_));
  SuperBlock* s = writable_super();
  s->feature_incompatible |= incompatible::recover;
  feature_incompatible_ |= incompatible::recover;
  s->mount_time = s->write_time = static_cast<std::uint32_t>(core::realtime_ns() / core::ns_per_second);
  ++s->mount_count;
  auto written = write_super(block::Durability::stable);
  if (!written) {
    (void)!journal_.close();
    return written;
  }
  writable_ = true;
  auto processed = process_orphans();
  if (!processed) {
    writable_ = false;
    (void)!journal_.close();
  }
  return processed;
}

Result<void> Ext4FileSystem::write_super(block::Durability durability) {
  SuperBlock* s = writable_super();
  if (has_checksums_) s->checksum = crc32c(~0u, std::as_bytes(std::span(s, 1)).first(1020));
  core::PageRef page = TRY(core::allocate_page());
  std::memcpy(page.data(), super_buffer_->bytes(), block_size_);
  return buffers_.write(super_buffer_->block(), page, durability);
}

// The log empty, and the super block says so.
Result<void> Ext4FileSystem::stop_writing() {
  if (!writable_) return {};
  TRY(sync());
  TRY(journal_.close());
  writable_ = false;
  SuperBlock* s = writable_super();
  bool orphans;
  {
    core::MutexGuard guard{orphan_mutex_};
    orphans = !orphans_.empty();
  }
  if (journal_.is_aborted()) return {};
  (void)orphans;  // those that are still open are in the list: the next mount deletes them
  s->feature_incompatible &= ~incompatible::recover;
  feature_incompatible_ &= ~incompatible::recover;
  s->write_time = static_cast<std::uint32_t>(core::realtime_ns() / core::ns_per_second);
  return write_super(block::Durability::stable);
}

void Ext4FileSystem::finish() {
  if (finished_) return;
  finished_ = true;
  if (auto stopped = stop_writing(); !stopped)
    core::log(LogLevel::error, "ext4 ({}): not cleanly unmounted, error {}", volume_->name(),
              stopped.error());
  (void)!journal_.close();
  drop_caches();
  if (claimed_) volume_->release(this);
}

void Ext4FileSystem::unmounted() {
  vfs::finish_evictions();
  if (auto synced = sync(); !synced)
    core::log(LogLevel::error, "ext4 ({}): not everything could be written, error {}", volume_->name(),
              synced.error());
  FileSystem::unmounted();
  gone_ = true;
  // With files still open (lazy unmount) the last of them finishes.
  bool empty;
  {
    core::MutexGuard guard{inodes_mutex_};
    empty = inodes_->tree.empty();
  }
  if (empty) finish();
}

// ---- vfs::FileSystem ----

Result<void> Ext4FileSystem::statistics(vfs::FileSystemStatistics& out) {
  std::uint64_t free = free_blocks_.load(), promised = promised_blocks_.load();
  free = free > promised ? free - promised : 0;
  out.magic = magic_number;
  out.block_size = out.fragment_size = block_size_;
  out.blocks = block_count_ - (overhead_blocks_ < block_count_ ? overhead_blocks_ : 0);
  out.blocks_free = free;
  std::uint64_t kept = reserved_for_root_ + blocks_for_trees;
  out.blocks_available = free > kept ? free - kept : 0;
  out.inodes = inodes_count_;
  out.inodes_free = free_inodes_.load();
  std::uint64_t halves[2];
  std::memcpy(halves, super().uuid, sizeof(halves));
  out.id = halves[0] ^ halves[1];
  return {};
}

Result<void> Ext4FileSystem::sync() {
  if (!writable_) return {};
  Result<void> result;
  for_each_inode([&](Ext4Inode& inode) {
    if (inode.cache() && inode.cache()->has_dirty_pages()) {
      auto written = inode.cache()->write_back(0, ~std::uint64_t{0});
      if (!written && result) result = written;
    }
    auto stored = inode.store_if_changed();
    if (!stored && result) result = stored;
  });
  auto committed = journal_.commit_running();
  if (!committed) return committed;
  TRY(volume_->flush());
  return result;
}

Result<void> Ext4FileSystem::remount(std::string_view data, bool read_only) {
  TRY(parse_options(data));
  if (read_only) {
    if (writable_) TRY(stop_writing());
  } else if (!writable_) {
    if (journal_.is_aborted() || skip_recovery_ || (feature_read_only_ & ~read_only::known) ||
        volume_->is_read_only() || !(feature_compatible_ & compatible::has_journal) ||
        !(feature_incompatible_ & incompatible::extents) ||
        !(feature_incompatible_ & incompatible::file_type))
      return error(Errno::erofs);
    TRY(open_journal());
    if (journal_.needs_recovery()) return error(Errno::erofs);
    TRY(start_writing());
  }
  set_read_only(read_only);
  return {};
}

void Ext4FileSystem::put_options(base::TextSink& out) const {
  if (on_error_ == OnError::read_only) out.put(",errors=remount-ro");
  if (on_error_ == OnError::panic) out.put(",errors=panic");
  if (commit_interval_ns_ != 5 * core::ns_per_second)
    base::format(out, ",commit={}", commit_interval_ns_ / core::ns_per_second);
}

std::uint64_t Ext4FileSystem::maximum_size() const {
  // Logical blocks have 32 bits, and the last one is never used.
  return (std::uint64_t{0xffffffff} << block_shift_) - 1;
}

// ---- CommitListener ----

Result<void> Ext4FileSystem::before_commit() {
  SuperBlock* s = writable_super();
  TRY(journal_.access_in_commit(*super_buffer_));
  std::uint64_t blocks = free_blocks_.load();
  s->free_blocks_low = static_cast<std::uint32_t>(blocks);
  if (feature_incompatible_ & incompatible::bits64)
    s->free_blocks_high = static_cast<std::uint32_t>(blocks >> 32);
  s->free_inodes = static_cast<std::uint32_t>(free_inodes_.load());
  if (has_checksums_) s->checksum = crc32c(~0u, std::as_bytes(std::span(s, 1)).first(1020));
  return {};
}

void Ext4FileSystem::journal_failed(Errno) { set_read_only(true); }

// ---- The type ----

bool probe(block::Volume& volume) {
  auto page = core::allocate_page();
  if (!page || volume.bytes() < 4096) return false;
  block::Segment segment{page->get(), 0, 4096};
  if (!volume.read(0, {&segment, 1})) return false;
  std::uint16_t magic;
  std::memcpy(&magic, page->data() + super_offset + offsetof(SuperBlock, magic), sizeof(magic));
  return magic == super_magic;
}

Result<RefPtr<vfs::FileSystem>> mount_volume(RefPtr<block::Volume> volume, std::string_view options,
                                             bool read_only) {
  auto file_system = TRY(base::try_make_ref<Ext4FileSystem>(std::move(volume)));
  auto started = file_system->start(options, read_only);
  if (!started) {
    file_system->finish();  // now, not with the grace period: the volume is free for the next attempt
    return error(started.error());
  }
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}

namespace {
Result<RefPtr<vfs::FileSystem>> mount(const vfs::MountOptions& options) {
  RefPtr<block::Volume> volume;
  if (options.caller) {
    vfs::Path path = TRY(vfs::resolve(*options.caller, nullptr, options.source, vfs::lookup_follow));
    if (!vfs::is_block(path.inode().mode())) return error(Errno::enotblk);
    if (path.mount().has(vfs::mount_no_devices)) return error(Errno::eacces);
    volume = TRY(block::find_volume(path.inode().device()));
  } else {
    volume = TRY(block::find_volume(options.source));
  }
  return mount_volume(std::move(volume), options.data, options.read_only);
}
}  // namespace

constinit vfs::FileSystemType ext4_type{"ext4", vfs::FileSystemType::requires_device, mount};

namespace {

class Ext4FileMapper final : public block::FileMapper {
 public:
  RefPtr<block::Volume> volume_of(vfs::Inode& inode) override {
    return RefPtr<block::Volume>(&static_cast<Ext4Inode&>(inode).ext4().volume());
  }
  Result<void> for_each_run(vfs::Inode& inode,
                            base::FunctionRef<Result<void>(const block::FileRun&)> visit) override {
    return static_cast<Ext4Inode&>(inode).for_each_run(visit);
  }
};
constinit Ext4FileMapper file_mapper;

}  // namespace

Result<void> initialize() {
  vfs::register_file_system(ext4_type);
  block::register_file_mapper(ext4_type, file_mapper);
  return {};
}

}  // namespace ext4
