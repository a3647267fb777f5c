#include <cstring>

#include "device_tree/tree.h"

namespace device_tree {
namespace {

// More cells than an address or a size can have are nonsense.
constexpr std::uint32_t most_number_cells = 2, most_address_cells = 4;

std::uint32_t address_cells(const Node& bus) { return bus.cell("#address-cells").value_or(2); }
std::uint32_t size_cells(const Node& bus) { return bus.cell("#size-cells").value_or(1); }

}  // namespace

// ---- Property ----

std::optional<std::uint32_t> Property::cell(std::size_t index) const {
  if (index >= cell_count()) return std::nullopt;
  std::uint32_t value;
  std::memcpy(&value, bytes_.data() + index * 4, sizeof(value));
  return __builtin_bswap32(value);
}

std::optional<std::uint64_t> Property::number(std::size_t index, std::size_t cells) const {
  if (cells > most_number_cells || index > cell_count() || cells > cell_count() - index) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < cells; ++i) value = value << 32 | *cell(index + i);
  return value;
}

std::string_view Property::text() const {
  // SAFETY: bytes seen as characters.
  std::string_view all(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  return all.substr(0, all.find('\0'));
}

bool Property::has_string(std::string_view wanted) const {
  // SAFETY: bytes seen as characters.
  std::string_view all(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  while (!all.empty()) {
    std::size_t end = all.find('\0');
    if (all.substr(0, end) == wanted) return true;
    if (end == std::string_view::npos) break;
    all.remove_prefix(end + 1);
  }
  return false;
}

// ---- Node ----

std::string_view Node::name() const { return tree_->string_at(tree_->structure_, offset_ + 4); }

std::optional<Property> Node::property(std::string_view wanted) const {
  using Token = Tree::Token;
  for (std::size_t at = tree_->after(offset_);; at = tree_->after(at)) {
    Token token = tree_->token(at);
    if (token == Token::nop) continue;
    if (token != Token::property) return std::nullopt;
    Property property = tree_->property_at(at);
    if (property.name() == wanted) return property;
  }
}

std::optional<std::uint32_t> Node::cell(std::string_view wanted) const {
  auto found = property(wanted);
  return found ? found->cell(0) : std::nullopt;
}

std::string_view Node::text(std::string_view wanted) const {
  auto found = property(wanted);
  return found ? found->text() : std::string_view();
}

std::optional<Node> Node::first_child() const {
  using Token = Tree::Token;
  for (std::size_t at = tree_->after(offset_);; at = tree_->after(at)) {
    Token token = tree_->token(at);
    if (token == Token::begin_node) return Node(*tree_, at);
    if (token == Token::end_node) return std::nullopt;
  }
}

std::optional<Node> Node::next_sibling() const {
  using Token = Tree::Token;
  std::size_t depth = 0;
  for (std::size_t at = offset_;; at = tree_->after(at)) {
    switch (tree_->token(at)) {
      case Token::begin_node:
        if (at != offset_ && depth == 0) return Node(*tree_, at);
        ++depth;
        break;
      case Token::end_node:
        if (depth == 0) return std::nullopt;  // the parent's
        --depth;
        break;
      case Token::end:
        return std::nullopt;
      default:
        break;
    }
  }
}

std::optional<Node> Node::parent() const {
  using Token = Tree::Token;
  std::size_t path[Tree::deepest_nesting];
  std::size_t depth = 0;
  for (std::size_t at = tree_->root_; tree_->token(at) != Token::end; at = tree_->after(at)) {
    if (at == offset_) return depth ? std::optional<Node>(Node(*tree_, path[depth - 1])) : std::nullopt;
    if (tree_->token(at) == Token::begin_node)
      path[depth++] = at;
    else if (tree_->token(at) == Token::end_node)
      --depth;
  }
  return std::nullopt;
}

std::optional<Node> Node::child(std::string_view wanted) const {
  bool with_unit = wanted.find('@') != std::string_view::npos;
  for (auto node = first_child(); node; node = node->next_sibling()) {
    std::string_view name = node->name();
    if (!with_unit) name = name.substr(0, name.find('@'));
    if (name == wanted) return node;
  }
  return std::nullopt;
}

bool Node::is_compatible(std::string_view with) const {
  auto found = property("compatible");
  return found && found->has_string(with);
}

bool Node::is_available() const {
  auto status = property("status");
  return !status || status->text() == "okay" || status->text() == "ok";
}

// ---- Addresses ----

// `address` on the bus that this node is, as the bus above sees it.
std::optional<std::uint64_t> Node::translate(std::uint64_t address) const {
  auto above = parent();
  if (!above) return address;
  auto ranges = property("ranges");
  if (!ranges) return std::nullopt;
  if (ranges->cell_count() == 0) return address;  // one to one
  std::size_t child_cells = address_cells(*this), parent_cells = address_cells(*above),
              length_cells = size_cells(*this);
  // Three-cell child addresses (PCI) carry the space in the first.
  if (child_cells == 0 || child_cells > most_number_cells || parent_cells > most_number_cells ||
      length_cells > most_number_cells)
    return std::nullopt;
  std::size_t entry = child_cells + parent_cells + length_cells;
  for (std::size_t at = 0; at + entry <= ranges->cell_count(); at += entry) {
    auto from = ranges->number(at, child_cells), to = ranges->number(at + child_cells, parent_cells),
         size = ranges->number(at + child_cells + parent_cells, length_cells);
    if (from && to && size && address >= *from && address - *from < *size) return *to + (address - *from);
  }
  return std::nullopt;
}

std::optional<Range> Node::registers(std::size_t index) const {
  auto bus = parent();
  auto reg = property("reg");
  if (!bus || !reg) return std::nullopt;
  std::size_t address_size = address_cells(*bus), length_size = size_cells(*bus);
  if (address_size == 0 || address_size > most_number_cells || length_size > most_number_cells)
    return std::nullopt;
  if (index >= reg->cell_count() / (address_size + length_size)) return std::nullopt;
  std::size_t at = index * (address_size + length_size);
  auto address = reg->number(at, address_size), size = reg->number(at + address_size, length_size);
  for (; bus && address; bus = bus->parent()) address = bus->translate(*address);
  if (!address || !size || *address + *size < *address) return std::nullopt;
  return Range{*address, *size};
}

// ---- Interrupts ----

std::optional<InterruptSpecifier> Node::interrupt(std::size_t index) const {
  auto take = [](const Node& controller, const Property& from,
                 std::size_t at) -> std::optional<InterruptSpecifier> {
    auto count = controller.cell("#interrupt-cells");
    if (!count || *count == 0 || *count > most_address_cells || at > from.cell_count() ||
        *count > from.cell_count() - at)
      return std::nullopt;
    InterruptSpecifier result{.controller = controller, .cell_count = *count};
    for (std::size_t i = 0; i < *count; ++i) result.cells[i] = *from.cell(at + i);
    return result;
  };
  // Each entry names its controller.
  if (auto extended = property("interrupts-extended")) {
    for (std::size_t at = 0, i = 0; at < extended->cell_count(); ++i) {
      auto controller = tree_->find_phandle(*extended->cell(at));
      auto found = controller ? take(*controller, *extended, at + 1) : std::nullopt;
      if (!found || i == index) return found;
      at += 1 + found->cell_count;
    }
    return std::nullopt;
  }
  auto interrupts = property("interrupts");
  if (!interrupts) return std::nullopt;
  // The controller is the one that the node or the nearest of its parents names, or a parent that is one.
  for (std::optional<Node> node = *this; node; node = node->parent()) {
    auto named = node->cell("interrupt-parent");
    auto controller = named                                                ? tree_->find_phandle(*named)
                      : !(*node == *this) && node->has("#interrupt-cells") ? node
                                                                           : std::nullopt;
    if (named && !controller) return std::nullopt;
    if (!controller) continue;
    auto count = controller->cell("#interrupt-cells");
    if (!count || *count == 0 || index > interrupts->cell_count()) return std::nullopt;
    return take(*controller, *interrupts, index * *count);
  }
  return std::nullopt;
}

}  // namespace device_tree
