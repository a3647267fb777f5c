// Directories: slots, long names put together, listings, finding and making room.
#include <cstring>

#include "core/memory/slab.h"
#include "core/random/random.h"
#include "inode.h"
#include "vfs/directory.h"

namespace vfat {

using core::MutexGuard;

namespace {
template <typename T>
T slot_as(const std::byte (&slot)[entry_size]) {
  T value;
  std::memcpy(&value, slot, sizeof(value));
  return value;
}
bool is_free(std::byte first) { return first == std::byte{0} || first == std::byte{entry_deleted}; }
bool is_dots(const ShortEntry& entry) {
  return std::memcmp(entry.name, ".          ", 11) == 0 || std::memcmp(entry.name, "..         ", 11) == 0;
}
}  // namespace

Result<VfatInode::Place> VfatInode::place_in_directory(std::uint64_t offset) {
  if (is_root_ && !vfat().is_fat32()) {
    if (offset >= vfat().root_bytes()) return Place{};
    return Place{vfat().root_start() + offset, vfat().root_bytes() - offset};
  }
  std::uint32_t cluster_bytes = vfat().cluster_bytes();
  MutexGuard guard{chain_mutex_};
  Chain::Mapping mapping = TRY(chain_.map(static_cast<std::uint32_t>(offset / cluster_bytes)));
  if (mapping.count == 0) return Place{};
  std::uint64_t within = offset % cluster_bytes;
  return Place{vfat().place_of(mapping.cluster) + within, cluster_bytes - within};
}

// ---- Reading ----

Result<bool> DirectoryCursor::next_slot(std::byte (&slot)[entry_size], std::uint64_t& offset) {
  if (at_ == filled_) {
    VfatInode::Place place = TRY(directory_.place_in_directory(offset_));
    if (place.length == 0 || offset_ >= directory_bytes_max) return false;
    filled_ = place.length < sizeof(memory_) ? static_cast<std::size_t>(place.length) : sizeof(memory_);
    at_ = 0;
    place_ = place.offset;
    auto read = directory_.vfat().bytes().read(place.offset, std::span(memory_).first(filled_));
    if (!read) {
      filled_ = 0;
      return error(read.error());
    }
  }
  std::memcpy(slot, memory_ + at_, entry_size);
  offset = offset_;
  at_ += entry_size;
  offset_ += entry_size;
  place_ += entry_size;
  return true;
}

void DirectoryCursor::take_long(const LongEntry& piece, std::uint64_t offset) {
  unsigned order = piece.order & ~long_last;
  bool is_first = piece.order & long_last;
  if (order == 0 || order > long_entries_max ||
      (!is_first && (order != expected_ || piece.checksum != checksum_))) {
    expected_ = 0;
    pieces_ = 0;
    return;
  }
  if (is_first) {
    pieces_ = order;
    checksum_ = piece.checksum;
    first_ = offset;
  }
  std::uint16_t* into = units_ + (order - 1) * long_units;
  std::memcpy(into, piece.text_1, sizeof(piece.text_1));
  std::memcpy(into + 5, piece.text_2, sizeof(piece.text_2));
  std::memcpy(into + 11, piece.text_3, sizeof(piece.text_3));
  expected_ = order - 1;
}

Result<bool> DirectoryCursor::next(FoundEntry& found) {
  std::byte slot[entry_size];
  std::uint64_t offset;
  while (TRY(next_slot(slot, offset))) {
    auto entry = slot_as<ShortEntry>(slot);
    if (is_free(slot[0])) {
      pieces_ = 0;
      continue;
    }
    if ((entry.attributes & 0x3f) == attribute_long) {
      take_long(slot_as<LongEntry>(slot), offset);
      continue;
    }
    bool has_long = pieces_ && expected_ == 0 && checksum_ == short_checksum(entry.name);
    unsigned pieces = pieces_;
    pieces_ = 0;
    if (entry.attributes & attribute_label) continue;
    found.entry = entry;
    found.first = has_long ? first_ : offset;
    found.last = offset;
    found.place = place_ - entry_size;
    show_short(entry, directory_.vfat().options().short_names, found.short_name);
    if (!has_long) {
      found.name.copy(found.short_name);
      return true;
    }
    std::size_t length = 0;
    while (length < pieces * long_units && units_[length] != 0) ++length;
    if (length > long_name_max) length = long_name_max;
    narrow({units_, length}, found.name);
    if (length == 0) found.name.copy(found.short_name);
    return true;
  }
  return false;
}

Result<bool> VfatInode::find(std::string_view name, FoundEntry& found) {
  while (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return false;
  DirectoryCursor cursor(*this, 0);
  while (TRY(cursor.next(found))) {
    if (is_dots(found.entry)) continue;
    std::string_view shown = found.name.view();
    while (shown.ends_with('.')) shown.remove_suffix(1);
    if (same_name(shown, name) || same_name(found.short_name.view(), name)) return true;
  }
  return false;
}

Result<bool> VfatInode::has_short_name(const std::uint8_t* name) {
  DirectoryCursor cursor(*this, 0);
  std::byte slot[entry_size];
  std::uint64_t offset;
  while (TRY(cursor.next_slot(slot, offset))) {
    auto entry = slot_as<ShortEntry>(slot);
    if (is_free(slot[0]) || (entry.attributes & attribute_label)) continue;
    if (std::memcmp(entry.name, name, sizeof(entry.name)) == 0) return true;
  }
  return false;
}

Result<bool> VfatInode::is_empty_directory() {
  DirectoryCursor cursor(*this, 0);
  FoundEntry found;
  while (TRY(cursor.next(found)))
    if (!is_dots(found.entry)) return false;
  return true;
}

// Positions: 0 and 1 are the dots, then the offset of the entry behind, and two.
Result<void> VfatInode::list(vfs::DirectorySink& sink, std::uint64_t& position) {
  using vfs::SinkState;
  if (position == 0) {
    if (sink.entry(".", number(), 4, 1) == SinkState::full) return {};
    position = 1;
  }
  if (position == 1) {
    // The parent's number is known to the vfs only, which does not take it from here.
    if (sink.entry("..", is_root_ ? number() : 1, 4, 2) == SinkState::full) return {};
    position = 2;
  }
  DirectoryCursor cursor(*this, (position - 2) / entry_size * entry_size);
  FoundEntry found;
  while (TRY(cursor.next(found))) {
    std::uint64_t after = cursor.offset() + 2;
    if (!is_dots(found.entry)) {
      // Numbers are given when inodes are made: what stands here is only different for each.
      std::uint64_t shown = found.place / entry_size + 0x100000000;
      std::uint8_t type = found.entry.attributes & attribute_directory ? 4 : 8;
      if (sink.entry(found.name.view(), shown, type, after) == SinkState::full) return {};
    }
    position = after;
  }
  return {};
}

// ---- Changing ----

Result<void> VfatInode::put_slot(std::uint64_t offset, const void* slot) {
  Place place = TRY(place_in_directory(offset));
  if (place.length < entry_size) return vfat().corrupted("place in a directory", offset);
  return vfat().bytes().write(place.offset, {static_cast<const std::byte*>(slot), entry_size});
}

Result<void> VfatInode::grow_directory() {
  if (is_root_ && !vfat().is_fat32()) return error(Errno::enospc);
  MutexGuard guard{chain_mutex_};
  std::uint32_t clusters = TRY(chain_.length());
  if (std::uint64_t{clusters} * vfat().cluster_bytes() >= directory_bytes_max) return error(Errno::enospc);
  TRY(chain_.append());
  Chain::Mapping fresh = TRY(chain_.map(clusters));
  // What could not be cleared must not be read as names.
  if (auto cleared = vfat().bytes().fill_zero(vfat().place_of(fresh.cluster), vfat().cluster_bytes());
      !cleared) {
    TRY(chain_.truncate(clusters));
    return cleared;
  }
  note_size_of_directory(clusters + 1);
  return {};
}

// The offset of so many free slots in a row.
Result<std::uint64_t> VfatInode::find_room(unsigned slots) {
  DirectoryCursor cursor(*this, 0);
  std::byte slot[entry_size];
  std::uint64_t offset, first = 0, end = 0;
  unsigned free = 0;
  while (TRY(cursor.next_slot(slot, offset))) {
    end = offset + entry_size;
    if (!is_free(slot[0])) {
      free = 0;
      continue;
    }
    if (free++ == 0) first = offset;
    if (free == slots) return first;
  }
  if (free == 0) first = end;
  std::uint64_t needed = first + std::uint64_t{slots} * entry_size;
  if (needed > directory_bytes_max) return error(Errno::enospc);
  while (size() < needed) TRY(grow_directory());
  return first;
}

// A short name that no other entry has.
Result<void> VfatInode::find_form(ShortForm& form) {
  if (form.is_exact) {
    // The caller knows that no name like this exists; an alias of another may be the same.
    if (!TRY(has_short_name(form.name))) return {};
    form.needs_long = true;
  }
  for (std::uint32_t i = 1; i < 10; ++i) {
    ShortForm tried = form;
    put_tail(tried, i, false);
    if (!TRY(has_short_name(tried.name))) {
      form = tried;
      return {};
    }
  }
  for (unsigned tries = 0; tries < 1000; ++tries) {
    std::uint32_t number;
    core::random_bytes(std::as_writable_bytes(std::span(&number, 1)));
    ShortForm tried = form;
    put_tail(tried, number & 0xfffff, true);
    if (!TRY(has_short_name(tried.name))) {
      form = tried;
      return {};
    }
  }
  return error(Errno::eexist);
}

Result<std::uint64_t> VfatInode::add_entry(std::string_view name, ShortEntry& entry) {
  auto wide = TRY(base::try_make_unique<WideName>());
  TRY(widen(name, *wide));
  ShortForm form = shorten(*wide, vfat().options().short_names);
  TRY(find_form(form));
  std::memcpy(entry.name, form.name, sizeof(entry.name));
  entry.lower = form.lower;
  unsigned pieces = form.needs_long ? (wide->length + long_units - 1) / long_units : 0;
  std::uint64_t first = TRY(find_room(pieces + 1));
  std::uint8_t checksum = short_checksum(entry.name);
  for (unsigned i = 0; i < pieces; ++i) {
    unsigned order = pieces - i;
    std::uint16_t units[long_units];
    for (unsigned k = 0; k < long_units; ++k) {
      unsigned at = (order - 1) * long_units + k;
      units[k] = at < wide->length ? wide->units[at] : at == wide->length ? 0 : 0xffff;
    }
    LongEntry piece{};
    piece.order = static_cast<std::uint8_t>(order | (i == 0 ? long_last : 0));
    piece.attributes = attribute_long;
    piece.checksum = checksum;
    std::memcpy(piece.text_1, units, sizeof(piece.text_1));
    std::memcpy(piece.text_2, units + 5, sizeof(piece.text_2));
    std::memcpy(piece.text_3, units + 11, sizeof(piece.text_3));
    TRY(put_slot(first + i * entry_size, &piece));
  }
  std::uint64_t offset = first + pieces * entry_size;
  TRY(put_slot(offset, &entry));
  return TRY(place_in_directory(offset)).offset;
}

Result<void> VfatInode::remove_entry(const FoundEntry& found) {
  // From the short one back: what is left in the middle of it is a name without an object, not the reverse.
  for (std::uint64_t offset = found.last + entry_size; offset > found.first;) {
    offset -= entry_size;
    Place place = TRY(place_in_directory(offset));
    if (place.length == 0) return vfat().corrupted("place in a directory", offset);
    TRY(vfat().bytes().put(place.offset, entry_deleted));
  }
  return {};
}

}  // namespace vfat
