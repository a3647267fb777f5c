// From a page index to the page: a radix tree that is read without locks.
//
//   RcuReadGuard guard;
//   PageRef page = tree.acquire(index);
//
//   MutexGuard guard{lock};                    // writers exclude each other
//   TRY(tree.insert(index, page));  tree.remove(index);
//
// A node holds 64 entries (six bits of the index); the tree is as high as the largest index needs, and a file
// of one page needs no node at all. Nodes are freed after a grace period. A folio of several pages occupies
// one entry for each of its pages, all with the descriptor of that page, so that readers need not know.
//
// An entry may carry a tag (dirty): find_next_tagged() leads from one to the next without looking at what
// lies between. Tags change and are read under the writers' lock and go with their entry.
//
// Instead of a page a slot may hold a word of its user's (a page of tmpfs on a swap device): find() and
// find_next() give it as if it were a page, and is_word() tells.
//
// The tree owns nothing: the references on pages are the business of its user.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/result.h"
#include "core/memory/page.h"
#include "core/sync/rcu.h"

namespace page_cache {

class FolioTree {
 public:
  FolioTree() = default;
  FolioTree(const FolioTree&) = delete;
  FolioTree& operator=(const FolioTree&) = delete;
  ~FolioTree();

  // A word of up to 61 bits in the place of a page.
  static core::Page* of_word(std::uint64_t word);
  static bool is_word(const core::Page* page);
  static std::uint64_t word_of(const core::Page* page);

  // ---- Under RCU or the writers' lock ----
  core::Page* find(std::uint64_t index) const;
  // The same with a reference for the caller, which was in the tree when the reference was taken.
  core::PageRef acquire(std::uint64_t index) const;
  // Where the entry is or would be, or null: what is found there and still is after a reference was taken,
  // was in the tree meanwhile. In a tree of one page this may become a node at any moment (is_page()).
  const std::atomic<void*>* find_slot(std::uint64_t index) const;
  static bool is_page(const void* entry);
  // The first entry at or above `index` (which is set to its place); null when there is none up to `last`.
  core::Page* find_next(std::uint64_t& index, std::uint64_t last) const;
  // The first index at or above `index` without an entry, at most `last` + 1.
  std::uint64_t find_gap(std::uint64_t index, std::uint64_t last) const;

  // ---- Writers' lock ----
  // EEXIST, ENOMEM.
  base::Result<void> insert(std::uint64_t index, core::Page& page);
  core::Page* remove(std::uint64_t index);
  // There is an entry: it becomes this page or word.
  void replace(std::uint64_t index, core::Page* entry);
  // Does nothing where there is no entry.
  void tag(std::uint64_t index);
  void untag(std::uint64_t index);
  // The first tagged entry at or above `index` (which is set to its place); null when there is none up to
  // `last`.
  core::Page* find_next_tagged(std::uint64_t& index, std::uint64_t last) const;

 private:
  static constexpr unsigned bits = 6, slots = 1u << bits;

  struct Node {
    core::RcuHead rcu;
    unsigned shift = 0;              // of the index bits this node decides; set_height()
    unsigned count = 0;              // slots in use
    std::uint64_t last = slots - 1;  // the largest index of a tree with this root
    Node* parent = nullptr;
    std::uint64_t tags = 0;  // slots with something tagged below
    // A child node, or (in nodes with shift 0) a page.
    std::atomic<void*> slot[slots] = {};
  };
  // The root is a page (for a tree with index 0 only), or a node marked by its lowest bit.
  static void* mark(Node* node);
  static bool is_marked(const void* entry);
  static Node* node_of(void* entry);
  static void free_empty(Node* node);
  static bool covers(const Node& node, std::uint64_t index) { return index <= node.last; }
  static void set_height(Node& node, unsigned shift) {
    unsigned top = shift + bits;
    node.shift = shift;
    node.last = top >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << top) - 1;
  }
  static unsigned position(const Node& node, std::uint64_t index) {
    return static_cast<unsigned>(index >> node.shift) & (slots - 1);
  }
  static void free_node(Node* node);
  base::Result<Node*> grow_to(std::uint64_t index);
  Node* leaf_of(std::uint64_t index) const;

  std::atomic<void*> root_{nullptr};
  bool root_tag_ = false;  // while the root is a page
};

}  // namespace page_cache
