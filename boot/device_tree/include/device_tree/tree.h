// The device tree: a firmware's description of the board, as a flattened blob (Devicetree Specification 0.4).
//
//   Tree tree = TRY(Tree::open(blob));
//   for (Node node : tree.nodes())                       // every node, parents before children
//     if (node.is_available() && node.is_compatible("arm,pl011")) {
//       auto registers = node.registers(0);              // translated to CPU addresses
//       auto line = node.interrupt(0);                   // controller and its cells
//     }
//
// open() walks the whole blob once and refuses whatever is damaged: afterwards every walk stays inside it and
// ends. Values inside properties are the firmware's word and may still be nonsense, so their readers return
// optionals. Nothing is copied or allocated; the blob must outlive the tree. Trees, nodes and properties are
// small values. Pure functions of the blob: any context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace device_tree {

class Tree;

// The value of a property. Numbers are big-endian cells of 32 bits.
class Property {
 public:
  std::string_view name() const { return name_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::size_t cell_count() const { return bytes_.size() / 4; }
  std::optional<std::uint32_t> cell(std::size_t index) const;
  // A number of one or two cells beginning at cell `index`.
  std::optional<std::uint64_t> number(std::size_t index, std::size_t cells) const;
  // The first string, without its zero byte.
  std::string_view text() const;
  // True if one of the zero-terminated strings is `wanted`.
  bool has_string(std::string_view wanted) const;

 private:
  friend class Node;
  friend class Tree;
  std::string_view name_;
  std::span<const std::byte> bytes_;
};

struct Range {
  std::uint64_t address = 0, size = 0;
};

struct InterruptSpecifier;

class Node {
 public:
  // "serial@9000000"; the root's name is empty.
  std::string_view name() const;
  std::optional<Property> property(std::string_view name) const;
  bool has(std::string_view name) const { return property(name).has_value(); }
  std::optional<std::uint32_t> cell(std::string_view name) const;
  std::string_view text(std::string_view name) const;  // empty without the property

  std::optional<Node> parent() const;
  std::optional<Node> first_child() const;
  std::optional<Node> next_sibling() const;
  std::optional<Node> child(std::string_view name) const;  // "@unit" may be left out

  bool is_compatible(std::string_view with) const;
  bool is_available() const;  // status absent, "okay" or "ok"

  // The index-th entry of "reg", translated through the "ranges" of all parents to an address as the CPU sees
  // it. None without such an entry or where a bus does not translate.
  std::optional<Range> registers(std::size_t index) const;
  // The index-th entry of "interrupts" or "interrupts-extended".
  std::optional<InterruptSpecifier> interrupt(std::size_t index) const;

  bool operator==(const Node& other) const { return offset_ == other.offset_; }

 private:
  friend class Tree;
  Node(const Tree& tree, std::size_t offset) : tree_(&tree), offset_(offset) {}
  std::optional<std::uint64_t> translate(std::uint64_t address) const;

  const Tree* tree_;
  std::size_t offset_;  // of the word that begins the node, in the structure block
};

struct InterruptSpecifier {
  Node controller;
  std::uint32_t cells[4] = {};
  std::size_t cell_count = 0;
};

class Tree {
 public:
  static constexpr std::size_t largest_blob = 2u << 20, deepest_nesting = 64;

  // EINVAL: no device tree, or damaged. The span may be larger than the blob.
  static base::Result<Tree> open(std::span<const std::byte> blob);
  // Size of the blob as its header says, from its first 8 bytes; 0: no device tree. For loaders that pass an
  // address alone.
  static std::size_t size_of(std::span<const std::byte, 8> start);

  Node root() const { return Node(*this, root_); }
  // "/chosen", "/soc/serial@9000000"; an alias where the path does not begin with a slash. What follows a
  // colon is ignored ("serial0:115200").
  std::optional<Node> find(std::string_view path) const;
  std::optional<Node> find_phandle(std::uint32_t phandle) const;
  std::optional<Node> find_compatible(std::string_view with) const;  // the first that is available

  // Memory that the firmware keeps (the reservation block): the index-th entry.
  std::optional<Range> reservation(std::size_t index) const;

  class Iterator;
  struct Nodes;
  Nodes nodes() const;

 private:
  friend class Node;
  Tree() = default;

  enum class Token : std::uint32_t { begin_node = 1, end_node = 2, property = 3, nop = 4, end = 9 };
  std::uint32_t word(std::size_t offset) const;  // of the structure block
  Token token(std::size_t offset) const { return static_cast<Token>(word(offset)); }
  // The token after the one at `offset`.
  std::size_t after(std::size_t offset) const;
  std::optional<std::size_t> checked_after(std::size_t offset) const;
  base::Result<void> check();
  std::string_view string_at(std::span<const std::byte> block, std::size_t offset) const;
  Property property_at(std::size_t offset) const;
  // The begin of the next node in blob order, if there is one.
  std::optional<std::size_t> next_node(std::size_t offset) const;

  std::span<const std::byte> structure_, strings_, reservations_;
  std::size_t root_ = 0;
};

// All nodes in the order of the blob.
class Tree::Iterator {
 public:
  Iterator(const Tree* tree, std::optional<std::size_t> offset) : tree_(tree), offset_(offset) {}
  Node operator*() const { return Node(*tree_, *offset_); }
  Iterator& operator++() {
    offset_ = tree_->next_node(tree_->after(*offset_));
    return *this;
  }
  bool operator==(const Iterator& other) const { return offset_ == other.offset_; }

 private:
  const Tree* tree_;
  std::optional<std::size_t> offset_;
};

struct Tree::Nodes {
  const Tree* tree;
  Iterator begin() const { return {tree, tree->root_}; }
  Iterator end() const { return {tree, std::nullopt}; }
};

inline Tree::Nodes Tree::nodes() const { return {this}; }

}  // namespace device_tree
