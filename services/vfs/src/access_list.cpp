// Lists of access rights: their form for programs, what they grant, and what becomes of them.
#include "vfs/access_list.h"

#include <cstring>

#include "vfs_internal.h"

namespace vfs {

using Tag = AccessEntry::Tag;

namespace {

constexpr std::uint32_t form_version = 2;
constexpr std::size_t header_size = 4, entry_size = 8;
constexpr std::uint32_t no_id_in_form = ~0u;

bool has_id(Tag tag) { return tag == Tag::user || tag == Tag::group; }

// Each of the four that must be or may be there once at most, in order; a mask where names are.
bool is_valid(const base::Vector<AccessEntry>& entries) {
  unsigned seen = 0, last = 0;
  bool names = false;
  for (const AccessEntry& entry : entries) {
    auto tag = static_cast<unsigned>(entry.tag);
    bool known = tag && !(tag & (tag - 1)) && tag <= static_cast<unsigned>(Tag::others);
    if (!known || (entry.granted & ~7) || tag < last) return false;
    if (has_id(entry.tag)) {
      if (entry.id == no_id_in_form) return false;
      names = true;
    } else if (seen & tag) {
      return false;
    }
    seen |= tag;
    last = tag;
  }
  constexpr auto needed = static_cast<unsigned>(Tag::owner) | static_cast<unsigned>(Tag::owning_group) |
                          static_cast<unsigned>(Tag::others);
  return (seen & needed) == needed && (!names || (seen & static_cast<unsigned>(Tag::mask)));
}

}  // namespace

Result<AccessList::Pointer> AccessList::parse(std::span<const char> text) {
  if (text.size() < header_size) return error(Errno::einval);
  std::uint32_t version;
  std::memcpy(&version, text.data(), header_size);
  if (version != form_version) return error(Errno::eopnotsupp);
  text = text.subspan(header_size);
  if (text.size() % entry_size != 0) return error(Errno::einval);
  if (text.empty()) return Pointer();
  Pointer list(new (std::nothrow) AccessList);
  if (!list) return error(Errno::enomem);
  TRY(list->entries.try_reserve(text.size() / entry_size));
  for (; !text.empty(); text = text.subspan(entry_size)) {
    AccessEntry entry;
    std::memcpy(&entry.tag, text.data(), 2);
    std::memcpy(&entry.granted, text.data() + 2, 2);
    std::memcpy(&entry.id, text.data() + 4, 4);
    TRY(list->entries.try_push_back(entry));
  }
  if (!is_valid(list->entries)) return error(Errno::einval);
  return list;
}

Result<base::Vector<char>> AccessList::text() const {
  base::Vector<char> out;
  TRY(out.try_resize(header_size + entries.size() * entry_size));
  char* to = out.data();
  std::memcpy(to, &form_version, header_size);
  to += header_size;
  for (const AccessEntry& entry : entries) {
    std::uint32_t id = has_id(entry.tag) ? entry.id : no_id_in_form;
    std::memcpy(to, &entry.tag, 2);
    std::memcpy(to + 2, &entry.granted, 2);
    std::memcpy(to + 4, &id, 4);
    to += entry_size;
  }
  return out;
}

Result<AccessList::Pointer> AccessList::copy() const {
  Pointer list(new (std::nothrow) AccessList);
  if (!list) return error(Errno::enomem);
  TRY(list->entries.try_append(entries.span()));
  return list;
}

AccessEntry* AccessList::find(Tag tag) {
  for (AccessEntry& entry : entries)
    if (entry.tag == tag) return &entry;
  return nullptr;
}

Mode AccessList::mode_bits() const {
  const AccessEntry* mask = find(Tag::mask);
  Mode group = (mask ? mask : find(Tag::owning_group))->granted;
  return static_cast<Mode>(find(Tag::owner)->granted << 6) | group << 3 | find(Tag::others)->granted;
}

void AccessList::set_mode_bits(Mode mode) {
  AccessEntry* mask = find(Tag::mask);
  find(Tag::owner)->granted = static_cast<std::uint16_t>(mode >> 6 & 7);
  (mask ? mask : find(Tag::owning_group))->granted = static_cast<std::uint16_t>(mode >> 3 & 7);
  find(Tag::others)->granted = static_cast<std::uint16_t>(mode & 7);
}

Mode AccessList::restrict_to(Mode mode) {
  Mode bits = mode_bits() & mode & 0777;
  set_mode_bits(bits);
  return (mode & ~static_cast<Mode>(0777)) | bits;
}

Result<void> permission_by_list(const Inode& inode, const AccessList& list, const Credentials& credentials,
                                Access access) {
  Mode mode = inode.mode();
  // Where the mask leaves nothing the bits say all there is to say, as they do for the owner.
  if (inode.uid() == credentials.fsuid || !(mode & 070))
    return generic_permission(inode, credentials, access);
  Access wanted = access & 7;
  const AccessEntry* mask = list.find(Tag::mask);
  Access limit = mask ? mask->granted : 7;
  bool is_member = false, is_granted = false;
  for (const AccessEntry& entry : list.entries) {
    bool matches = entry.tag == Tag::user           ? entry.id == credentials.fsuid
                   : entry.tag == Tag::owning_group ? credentials.in_group(inode.gid())
                   : entry.tag == Tag::group        ? credentials.in_group(entry.id)
                   : entry.tag == Tag::others       ? !is_member
                                                    : false;
    if (!matches) continue;
    is_member = true;
    Access granted = entry.tag == Tag::others ? entry.granted : entry.granted & limit;
    is_granted = !(wanted & ~granted);
    // A group that has not enough leaves the word to the next one.
    if (is_granted || entry.tag == Tag::user) break;
  }
  return is_granted ? Result<void>{} : permission_by_capability(inode, credentials, access);
}

}  // namespace vfs
