#include "device_tree/tree.h"

#include <algorithm>
#include <cstring>

namespace device_tree {
namespace {

constexpr std::uint32_t magic = 0xd00dfeed;
constexpr std::size_t header_size = 40, token_size = 4, property_header_size = 12, reservation_size = 16;
constexpr std::uint32_t oldest_version = 16, newest_compatible = 17;

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return __builtin_bswap32(value);
}

constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// SAFETY: bytes seen as characters.
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The block [offset, offset + size) of the blob; empty optional: it is not inside.
std::optional<std::span<const std::byte>> block(std::span<const std::byte> blob, std::size_t offset,
                                                std::size_t size) {
  if (offset > blob.size() || size > blob.size() - offset) return std::nullopt;
  return blob.subspan(offset, size);
}

}  // namespace

// ---- Opening ----

std::size_t Tree::size_of(std::span<const std::byte, 8> start) {
  return big_endian(start, 0) == magic ? big_endian(start, 4) : 0;
}

base::Result<Tree> Tree::open(std::span<const std::byte> blob) {
  constexpr auto invalid = base::Errno::einval;
  if (blob.size() < header_size || big_endian(blob, 0) != magic) return base::error(invalid);
  std::size_t size = big_endian(blob, 4);
  if (size < header_size || size > blob.size() || size > largest_blob) return base::error(invalid);
  blob = blob.first(size);
  std::uint32_t version = big_endian(blob, 20), compatible = big_endian(blob, 24);
  if (version < oldest_version || compatible > newest_compatible) return base::error(invalid);
  std::size_t structure_at = big_endian(blob, 8), strings_at = big_endian(blob, 12);
  std::size_t reservations_at = big_endian(blob, 16), strings_size = big_endian(blob, 32);
  if (structure_at % 4 || structure_at > size || reservations_at % 8 || reservations_at > size)
    return base::error(invalid);
  // Version 16 does not say how large the structure block is.
  std::size_t structure_size = version >= 17 ? big_endian(blob, 36) : (size - structure_at) & ~std::size_t{3};
  auto structure = block(blob, structure_at, structure_size), strings = block(blob, strings_at, strings_size);
  if (!structure || !strings || structure_size % 4) return base::error(invalid);
  Tree tree;
  tree.structure_ = *structure;
  tree.strings_ = *strings;
  tree.reservations_ = blob.subspan(reservations_at);
  TRY(tree.check());
  return tree;
}

std::uint32_t Tree::word(std::size_t offset) const { return big_endian(structure_, offset); }

// For a structure not yet known to be sound.
std::optional<std::size_t> Tree::checked_after(std::size_t offset) const {
  std::size_t left = structure_.size() - offset;
  if (left < token_size) return std::nullopt;
  switch (token(offset)) {
    case Token::begin_node: {
      std::string_view rest = text_of(structure_.subspan(offset + token_size));
      std::size_t length = rest.find('\0');
      if (length == std::string_view::npos) return std::nullopt;
      std::size_t size = token_size + padded(length + 1);
      if (size > left) return std::nullopt;
      return offset + size;
    }
    case Token::property: {
      if (left < property_header_size) return std::nullopt;
      std::size_t size = word(offset + 4), name = word(offset + 8);
      if (size > left - property_header_size || name >= strings_.size()) return std::nullopt;
      if (text_of(strings_.subspan(name)).find('\0') == std::string_view::npos) return std::nullopt;
      if (padded(size) > left - property_header_size) return std::nullopt;
      return offset + property_header_size + padded(size);
    }
    case Token::end_node:
    case Token::nop:
      return offset + token_size;
    default:
      return std::nullopt;
  }
}

// One root, everything nested, properties before children, an end.
base::Result<void> Tree::check() {
  constexpr auto invalid = base::Errno::einval;
  std::size_t depth = 0;
  bool had_root = false, children_seen = false;
  for (std::size_t offset = 0;;) {
    if (structure_.size() - offset < token_size) return base::error(invalid);
    Token here = token(offset);
    if (here == Token::end) break;
    auto next = checked_after(offset);
    if (!next) return base::error(invalid);
    switch (here) {
      case Token::begin_node:
        if (depth == 0) {
          if (had_root) return base::error(invalid);
          had_root = true;
          root_ = offset;
        }
        if (++depth > deepest_nesting) return base::error(invalid);
        children_seen = false;
        break;
      case Token::end_node:
        if (depth-- == 0) return base::error(invalid);
        children_seen = true;
        break;
      case Token::property:
        if (depth == 0 || children_seen) return base::error(invalid);
        break;
      default:
        break;
    }
    offset = *next;
  }
  if (depth != 0 || !had_root) return base::error(invalid);
  return {};
}

// ---- Walking a sound tree ----

std::size_t Tree::after(std::size_t offset) const { return *checked_after(offset); }

std::string_view Tree::string_at(std::span<const std::byte> from, std::size_t offset) const {
  std::string_view rest = text_of(from.subspan(offset));
  return rest.substr(0, rest.find('\0'));
}

Property Tree::property_at(std::size_t offset) const {
  Property property;
  property.name_ = string_at(strings_, word(offset + 8));
  property.bytes_ = structure_.subspan(offset + property_header_size, word(offset + 4));
  return property;
}

std::optional<std::size_t> Tree::next_node(std::size_t offset) const {
  while (token(offset) != Token::end) {
    if (token(offset) == Token::begin_node) return offset;
    offset = after(offset);
  }
  return std::nullopt;
}

std::optional<Range> Tree::reservation(std::size_t index) const {
  if (index >= reservations_.size() / reservation_size) return std::nullopt;
  // Ends with an entry of zeros, which must be looked for: the block has no size.
  for (std::size_t i = 0; i <= index; ++i) {
    std::size_t at = i * reservation_size;
    Range range{std::uint64_t{big_endian(reservations_, at)} << 32 | big_endian(reservations_, at + 4),
                std::uint64_t{big_endian(reservations_, at + 8)} << 32 | big_endian(reservations_, at + 12)};
    if (!range.address && !range.size) return std::nullopt;
    if (i == index) return range;
  }
  return std::nullopt;
}

std::optional<Node> Tree::find(std::string_view path) const {
  path = path.substr(0, path.find(':'));
  Node node = root();
  if (!path.starts_with('/')) {
    std::string_view first = path.substr(0, path.find('/'));
    auto aliases = node.child("aliases");
    auto target = aliases ? aliases->property(first) : std::nullopt;
    // An alias is a full path, or the tree could send us in circles.
    if (!target || !target->text().starts_with('/')) return std::nullopt;
    auto found = find(target->text());
    if (!found) return std::nullopt;
    node = *found;
    path.remove_prefix(first.size());
  }
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    std::string_view part = path.substr(0, path.find('/'));
    auto child = node.child(part);
    if (!child) return std::nullopt;
    node = *child;
    path.remove_prefix(part.size());
  }
  return node;
}

std::optional<Node> Tree::find_phandle(std::uint32_t phandle) const {
  for (Node node : nodes())
    if (node.cell("phandle") == phandle || node.cell("linux,phandle") == phandle) return node;
  return std::nullopt;
}

std::optional<Node> Tree::find_compatible(std::string_view with) const {
  for (Node node : nodes())
    if (node.is_compatible(with) && node.is_available()) return node;
  return std::nullopt;
}

}  // namespace device_tree
