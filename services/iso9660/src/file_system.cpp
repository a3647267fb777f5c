// Mounting: volume descriptors, options; and the way back.
#include "file_system.h"

#include "core/log/log.h"
#include "core/memory/slab.h"
#include "inode.h"
#include "iso9660/iso9660.h"

namespace iso9660 {

using core::LogLevel;

struct IsoFileSystem::Table {
  byte_cache::InodeTable<IsoInode> inodes;
};

byte_cache::InodeTable<IsoInode>& IsoFileSystem::inodes() { return table_->inodes; }

IsoFileSystem::IsoFileSystem(RefPtr<block::Volume> volume)
    : FileSystem(iso9660_type, magic_number, volume->name()),
      volume_(std::move(volume)),
      bytes_(*volume_, 512) {
  set_device(volume_->device());
}

IsoFileSystem::~IsoFileSystem() {
  set_root(nullptr);  // where no mount came about: its inode needs us
  finish();
  delete table_;
}

std::unexpected<Errno> IsoFileSystem::corrupted(const char* what, std::uint64_t where) {
  if (complaints_.fetch_add(1) < 20)
    core::log(LogLevel::error, "iso9660 ({}): damaged: {} ({:#x})", volume_->name(), what, where);
  return error(Errno::eio);
}

Result<void> IsoFileSystem::read(std::uint64_t offset, std::span<std::byte> out) {
  auto done = bytes_.read(offset, out);
  if (!done && done.error() == Errno::euclean) return corrupted("a place beyond the end of the disc", offset);
  return done;
}

Result<void> IsoFileSystem::read_record(std::uint64_t place, Record& out) {
  std::byte length;
  TRY(read(place, {&length, 1}));
  out.length = static_cast<std::uint8_t>(length);
  // Records do not cross the ends of sectors.
  std::size_t room = sector_bytes - place % sector_bytes;
  if (out.length > room) return corrupted("length of a directory record at", place);
  return read(place, std::span(out.bytes).first(out.length));
}

// ---- Options ----

Result<void> IsoFileSystem::parse_option(const vfs::MountOption& option) {
  auto number = [&](unsigned base) -> Result<std::uint32_t> {
    std::uint64_t value = 0;
    if (option.value.empty()) return error(Errno::einval);
    for (char c : option.value) {
      if (c < '0' || static_cast<unsigned>(c - '0') >= base) return error(Errno::einval);
      value = value * base + static_cast<unsigned>(c - '0');
      if (value > 0xffffffff) return error(Errno::einval);
    }
    return static_cast<std::uint32_t>(value);
  };
  Options& out = options_;
  if (option.name == "norock") {
    out.use_rock_ridge = false;
  } else if (option.name == "nojoliet") {
    out.use_joliet = false;
  } else if (option.name == "map") {
    if (option.value != "normal" && option.value != "n" && option.value != "off" && option.value != "o")
      return error(Errno::einval);
    out.map_names = option.value.starts_with('n');
  } else if (option.name == "uid") {
    out.uid = TRY(number(10));
    out.has_uid = true;
  } else if (option.name == "gid") {
    out.gid = TRY(number(10));
    out.has_gid = true;
  } else if (option.name == "mode") {
    out.file_mode = TRY(number(8)) & 0777;
    out.has_file_mode = true;
  } else if (option.name == "dmode") {
    out.directory_mode = TRY(number(8)) & 0777;
    out.has_directory_mode = true;
  } else if (option.name == "sbsector") {
    out.first_block = TRY(number(10));
  } else if (option.name == "session") {
    if (TRY(number(10)) != 0) return error(Errno::einval);
  } else if (option.name == "unhide") {
    out.show_hidden = true;
  } else if (option.name == "showassoc") {
    out.show_associated = true;
  } else if (option.name == "iocharset") {
    if (option.value != "utf8") return error(Errno::einval);
  } else if (option.name != "utf8" && option.name != "cruft" && option.name != "block" &&
             option.name != "check" && option.name != "nocompress" && option.name != "hide" &&
             option.name != "overriderockperm") {
    return error(Errno::einval);
  }
  return {};
}

Result<void> IsoFileSystem::parse_options(std::string_view text) {
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(text);
    if (option.name.empty()) return {};
    if (auto parsed = parse_option(option); !parsed) {
      core::log(LogLevel::error, "iso9660 ({}): the mount option \"{}\" with value \"{}\" is not supported",
                volume_->name(), option.name, option.value);
      return parsed;
    }
  }
}

void IsoFileSystem::put_options(base::TextSink& out) const {
  if (!options_.use_rock_ridge) out.put(",norock");
  if (is_joliet_) out.put(",utf8");
  if (!options_.use_joliet) out.put(",nojoliet");
  if (options_.has_uid) base::format(out, ",uid={}", options_.uid);
  if (options_.has_gid) base::format(out, ",gid={}", options_.gid);
  if (options_.has_directory_mode) base::format(out, ",dmode={:o}", options_.directory_mode);
  if (options_.has_file_mode) base::format(out, ",fmode={:o}", options_.file_mode);
}

// ---- Volume descriptors ----

Result<void> IsoFileSystem::find_descriptors() {
  constexpr std::uint32_t first = 16, last = 100;
  base::Vector<std::byte> sector;
  TRY(sector.try_resize(sector_bytes));
  std::span<std::byte> bytes = sector.span();
  auto refuse = [&](const char* why, std::uint64_t value) -> Result<void> {
    core::log(LogLevel::error, "iso9660 ({}): {} ({:#x})", volume_->name(), why, value);
    return error(Errno::einval);
  };
  bool has_primary = false;
  for (std::uint32_t at = first; at < last; ++at) {
    std::uint64_t place = (std::uint64_t{options_.first_block} + at) * sector_bytes;
    if (place + sector_bytes > volume_->bytes()) break;
    TRY(bytes_.read(place, bytes));
    if (std::memcmp(bytes.data() + 1, "CD001", 5) != 0) break;
    std::uint8_t kind = number8(bytes, 0);
    if (kind == 255) break;
    std::uint16_t block = number16(bytes, 128);
    std::uint64_t root = std::uint64_t{number32(bytes, 156 + 2) + number8(bytes, 156 + 1)} * block;
    if (kind == 1 && !has_primary) {
      has_primary = true;
      if (block != 512 && block != 1024 && block != 2048) return refuse("size of blocks", block);
      block_bytes_ = block;
      block_count_ = number32(bytes, 80);
      if (number16(bytes, 120) > 1)
        core::log(LogLevel::warning, "iso9660 ({}): one of several discs", volume_->name());
      root_ = root;
    } else if (kind == 2 && !joliet_root_) {
      char escape[3] = {static_cast<char>(bytes[88]), static_cast<char>(bytes[89]),
                        static_cast<char>(bytes[90])};
      std::string_view level{escape, 3};
      if (level == "%/@" || level == "%/C" || level == "%/E") joliet_root_ = root;
    }
  }
  if (!has_primary) return refuse("there is no volume descriptor of ISO 9660", options_.first_block);
  if (root_ == 0 || root_ % sector_bytes) return refuse("place of the root directory", root_);
  return {};
}

Result<void> IsoFileSystem::look_for_rock_ridge() {
  Record record;
  TRY(read_record(root_, record));
  if (!record.is_whole()) return corrupted("record of the root directory at", root_);
  auto area = record.system_use();
  // "SP" comes first; some discs have fifteen bytes of CD-ROM XA in front of it.
  constexpr std::size_t xa_bytes = 14;
  for (std::size_t skip : {std::size_t{0}, xa_bytes}) {
    if (area.size() < skip + 7 || number8(area, skip) != 'S' || number8(area, skip + 1) != 'P') continue;
    if (number8(area, skip + 4) != 0xbe || number8(area, skip + 5) != 0xef) continue;
    has_rock_ridge_ = options_.use_rock_ridge;
    rock_ridge_skip_ = number8(area, skip + 6);
    return {};
  }
  return {};
}

// ---- Start and end ----

Result<void> IsoFileSystem::start(std::string_view options) {
  table_ = new (std::nothrow) Table;
  if (!table_) return error(Errno::enomem);
  TRY(parse_options(options));
  TRY(volume_->claim(this));
  claimed_ = true;
  TRY(find_descriptors());
  TRY(look_for_rock_ridge());
  if (!has_rock_ridge_ && joliet_root_ && joliet_root_ % sector_bytes == 0 && options_.use_joliet) {
    is_joliet_ = true;
    root_ = joliet_root_;
  }
  set_read_only(true);
  auto root = TRY(get_inode(root_));
  if (!vfs::is_directory(root->mode())) return corrupted("the root is no directory, at", root_);
  TRY(create_root(std::move(root)));
  core::log(LogLevel::info, "iso9660 ({}): mounted{}", volume_->name(),
            has_rock_ridge_ ? " with Rock Ridge"
            : is_joliet_    ? " with Joliet"
                            : "");
  return {};
}

void IsoFileSystem::finish() {
  if (finished_) return;
  finished_ = true;
  if (claimed_) volume_->release(this);
}

void IsoFileSystem::unmounted() {
  vfs::finish_evictions();
  FileSystem::unmounted();
  vfs::finish_evictions();
  // With files still open (lazy unmount) the last of them finishes.
  if (inodes().close()) finish();
}

Result<void> IsoFileSystem::remount(std::string_view, bool read_only) {
  if (!read_only) return error(Errno::erofs);
  return {};
}

Result<void> IsoFileSystem::statistics(vfs::FileSystemStatistics& out) {
  out.magic = magic_number;
  out.block_size = out.fragment_size = block_bytes_;
  out.blocks = block_count_;
  return {};
}

Result<RefPtr<IsoInode>> IsoFileSystem::get_inode(std::uint64_t place) {
  return inodes().get(place, [&] { return IsoInode::load(*this, place); });
}

// ---- The type ----

namespace {
Result<RefPtr<vfs::FileSystem>> mount(const vfs::MountOptions& options) {
  auto volume = TRY(byte_cache::volume_of(options));
  auto file_system = TRY(base::try_make_ref<IsoFileSystem>(std::move(volume)));
  auto started = file_system->start(options.data);
  if (!started) {
    file_system->finish();  // now, not with the grace period: the volume is free for the next attempt
    return error(started.error());
  }
  return RefPtr<vfs::FileSystem>(std::move(file_system));
}
}  // namespace

constinit vfs::FileSystemType iso9660_type{"iso9660", vfs::FileSystemType::requires_device, mount};

Result<void> initialize() {
  vfs::register_file_system(iso9660_type);
  return {};
}

}  // namespace iso9660
