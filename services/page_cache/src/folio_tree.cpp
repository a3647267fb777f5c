#include "page_cache/folio_tree.h"

#include <bit>
#include <new>

#include "base/check.h"
#include "core/memory/slab.h"

namespace page_cache {

using base::Errno;
using base::error;
using base::Result;
using core::Page;
using core::PageRef;

void* FolioTree::mark(Node* node) {
  // SAFETY: nodes and page descriptors are aligned to 8, so bit 0 tells them apart; node_of() takes it off
  // again.
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(node) | 1);
}
bool FolioTree::is_marked(const void* entry) {
  return reinterpret_cast<std::uintptr_t>(entry) & 1;  // SAFETY: see mark()
}
FolioTree::Node* FolioTree::node_of(void* entry) {
  // SAFETY: see mark().
  auto word = reinterpret_cast<std::uintptr_t>(entry);
  return word & 1 ? reinterpret_cast<Node*>(word & ~std::uintptr_t{1}) : nullptr;
}

bool FolioTree::is_page(const void* entry) {
  // SAFETY: nothing but descriptors has both of the lowest bits clear.
  auto word = reinterpret_cast<std::uintptr_t>(entry);
  if (!word) [[unlikely]]
    return false;
  return (word & 3) == 0;
}

Page* FolioTree::of_word(std::uint64_t word) {
  // SAFETY: descriptors are aligned to 32 and bit 0 marks nodes, so bit 1 tells words apart; never followed.
  return reinterpret_cast<Page*>(word << 2 | 2);
}
bool FolioTree::is_word(const Page* page) {
  return reinterpret_cast<std::uintptr_t>(page) & 2;  // SAFETY: see of_word()
}
std::uint64_t FolioTree::word_of(const Page* page) {
  return reinterpret_cast<std::uintptr_t>(page) >> 2;  // SAFETY: see of_word()
}

void FolioTree::free_node(Node* node) {
  core::rcu_retire(node->rcu, [](core::RcuHead& head) { delete base::container_of(&head, &Node::rcu); });
}

// Frees the nodes that an insertion which ran out of memory left empty.
void FolioTree::free_empty(Node* node) {
  for (auto& slot : node->slot) {
    void* entry = slot.load(std::memory_order_relaxed);
    if (!entry) continue;
    base::verify(node->shift != 0, "folio tree destroyed with pages");
    free_empty(static_cast<Node*>(entry));
  }
  free_node(node);
}

FolioTree::~FolioTree() {
  void* root = root_.load(std::memory_order_relaxed);
  if (!root) return;
  base::verify(node_of(root), "folio tree destroyed with a page");
  free_empty(node_of(root));
}

const std::atomic<void*>* FolioTree::find_slot(std::uint64_t index) const {
  void* root = root_.load(std::memory_order_acquire);
  if (!is_marked(root)) return index == 0 ? &root_ : nullptr;
  Node* node = node_of(root);
  if (!covers(*node, index)) return nullptr;
  for (;;) {
    const std::atomic<void*>* slot = &node->slot[position(*node, index)];
    if (node->shift == 0) return slot;
    node = static_cast<Node*>(slot->load(std::memory_order_acquire));
    if (!node) return nullptr;
  }
}

Page* FolioTree::find(std::uint64_t index) const {
  for (;;) {
    const std::atomic<void*>* slot = find_slot(index);
    void* entry = slot ? slot->load(std::memory_order_acquire) : nullptr;
    if (!node_of(entry)) return static_cast<Page*>(entry);
    // The page that was the whole tree has just got a node above it.
  }
}

PageRef FolioTree::acquire(std::uint64_t index) const {
  for (;;) {
    const std::atomic<void*>* slot = find_slot(index);
    void* entry = slot ? slot->load(std::memory_order_acquire) : nullptr;
    if (node_of(entry)) continue;  // as above
    if (!is_page(entry)) return {};
    auto* page = static_cast<Page*>(entry);
    if (!page->head()->try_acquire()) continue;  // on its way out of the tree
    PageRef reference = PageRef::adopt(page);
    if (slot->load(std::memory_order_acquire) == entry) return reference;
  }
}

Page* FolioTree::find_next(std::uint64_t& index, std::uint64_t last) const {
  void* root = root_.load(std::memory_order_acquire);
  Node* top = node_of(root);
  if (!top) return index == 0 ? static_cast<Page*>(root) : nullptr;
  while (index <= last && covers(*top, index)) {
    Node* node = top;
    for (;;) {
      unsigned at = position(*node, index);
      void* entry = nullptr;
      while (at < slots && !(entry = node->slot[at].load(std::memory_order_acquire))) ++at;
      // The index moves to the start of what slot `at` covers, unless it already lies inside it.
      if (at != position(*node, index)) {
        unsigned top_shift = node->shift + bits;
        std::uint64_t base = top_shift >= 64 ? 0 : index >> top_shift << top_shift;
        std::uint64_t next = base + (static_cast<std::uint64_t>(at) << node->shift);
        if (next <= index) return nullptr;  // past the largest index
        index = next;
        if (index > last) return nullptr;
      }
      if (at == slots) break;  // the next node, from the top
      if (node->shift == 0) return static_cast<Page*>(entry);
      node = static_cast<Node*>(entry);
    }
  }
  return nullptr;
}

std::uint64_t FolioTree::find_gap(std::uint64_t index, std::uint64_t last) const {
  while (index <= last && find(index)) ++index;
  return index;
}

Result<FolioTree::Node*> FolioTree::grow_to(std::uint64_t index) {
  for (;;) {
    void* root = root_.load(std::memory_order_relaxed);
    Node* node = node_of(root);
    if (node && covers(*node, index)) return node;
    auto* higher = new (std::nothrow) Node;
    if (!higher) return error(Errno::enomem);
    if (!root) {
      // An empty tree gets a top of the right height at once: lower nodes would stay empty and never go.
      while (!covers(*higher, index)) set_height(*higher, higher->shift + bits);
    } else if (node) {
      set_height(*higher, node->shift + bits);
      higher->slot[0].store(node, std::memory_order_relaxed);
      higher->count = 1;
      higher->tags = node->tags ? 1 : 0;
      node->parent = higher;
    } else {
      higher->slot[0].store(root, std::memory_order_relaxed);
      higher->count = 1;
      higher->tags = root_tag_;
      root_tag_ = false;
    }
    root_.store(mark(higher), std::memory_order_release);
  }
}

Result<void> FolioTree::insert(std::uint64_t index, Page& page) {
  void* root = root_.load(std::memory_order_relaxed);
  if (index == 0 && !root) {
    root_.store(&page, std::memory_order_release);
    return {};
  }
  if (index == 0 && !node_of(root)) return error(Errno::eexist);
  Node* node = TRY(grow_to(index));
  while (node->shift) {
    auto& slot = node->slot[position(*node, index)];
    auto* child = static_cast<Node*>(slot.load(std::memory_order_relaxed));
    if (!child) {
      child = new (std::nothrow) Node;
      if (!child) return error(Errno::enomem);
      set_height(*child, node->shift - bits);
      child->parent = node;
      ++node->count;
      slot.store(child, std::memory_order_release);
    }
    node = child;
  }
  auto& slot = node->slot[position(*node, index)];
  if (slot.load(std::memory_order_relaxed)) return error(Errno::eexist);
  slot.store(&page, std::memory_order_release);
  ++node->count;
  return {};
}

void FolioTree::replace(std::uint64_t index, Page* entry) {
  void* root = root_.load(std::memory_order_relaxed);
  if (root && !node_of(root)) return root_.store(entry, std::memory_order_release);
  leaf_of(index)->slot[position(*leaf_of(index), index)].store(entry, std::memory_order_release);
}

Page* FolioTree::remove(std::uint64_t index) {
  void* root = root_.load(std::memory_order_relaxed);
  Node* node = node_of(root);
  if (!node) {
    if (index != 0) return nullptr;
    root_tag_ = false;
    root_.store(nullptr, std::memory_order_release);
    return static_cast<Page*>(root);
  }
  if (!covers(*node, index)) return nullptr;
  while (node->shift) {
    node = static_cast<Node*>(node->slot[position(*node, index)].load(std::memory_order_relaxed));
    if (!node) return nullptr;
  }
  auto& slot = node->slot[position(*node, index)];
  auto* page = static_cast<Page*>(slot.load(std::memory_order_relaxed));
  if (!page) return nullptr;
  untag(index);
  slot.store(nullptr, std::memory_order_release);
  // Empty nodes go, up to the root.
  --node->count;
  while (node->count == 0) {
    Node* parent = node->parent;
    if (!parent) {
      root_.store(nullptr, std::memory_order_release);
      free_node(node);
      break;
    }
    parent->slot[position(*parent, index)].store(nullptr, std::memory_order_release);
    --parent->count;
    free_node(node);
    node = parent;
  }
  return page;
}

// ---- Tags ----

// The lowest node on the way to `index`; null when the way ends before it.
FolioTree::Node* FolioTree::leaf_of(std::uint64_t index) const {
  Node* node = node_of(root_.load(std::memory_order_relaxed));
  if (!node || !covers(*node, index)) return nullptr;
  while (node && node->shift)
    node = static_cast<Node*>(node->slot[position(*node, index)].load(std::memory_order_relaxed));
  return node;
}

void FolioTree::tag(std::uint64_t index) {
  void* root = root_.load(std::memory_order_relaxed);
  if (root && !node_of(root)) {
    if (index == 0) root_tag_ = true;
    return;
  }
  Node* node = leaf_of(index);
  if (!node || !node->slot[position(*node, index)].load(std::memory_order_relaxed)) return;
  for (; node; node = node->parent) {
    std::uint64_t bit = std::uint64_t{1} << position(*node, index);
    if (node->tags & bit) return;  // then those above have it too
    node->tags |= bit;
  }
}

void FolioTree::untag(std::uint64_t index) {
  void* root = root_.load(std::memory_order_relaxed);
  if (root && !node_of(root)) {
    if (index == 0) root_tag_ = false;
    return;
  }
  Node* node = leaf_of(index);
  if (!node) return;
  for (; node; node = node->parent) {
    node->tags &= ~(std::uint64_t{1} << position(*node, index));
    if (node->tags) return;
  }
}

Page* FolioTree::find_next_tagged(std::uint64_t& index, std::uint64_t last) const {
  void* root = root_.load(std::memory_order_relaxed);
  Node* top = node_of(root);
  if (!top) return index == 0 && root_tag_ ? static_cast<Page*>(root) : nullptr;
  while (index <= last && covers(*top, index)) {
    Node* node = top;
    for (;;) {
      unsigned at = position(*node, index);
      std::uint64_t rest = node->tags & (~std::uint64_t{0} << at);
      unsigned found = rest ? static_cast<unsigned>(std::countr_zero(rest)) : slots;
      if (found != at) {
        // To the start of what the slot covers.
        unsigned top_shift = node->shift + bits;
        std::uint64_t base = top_shift >= 64 ? 0 : index >> top_shift << top_shift;
        std::uint64_t next = base + (static_cast<std::uint64_t>(found) << node->shift);
        if (next <= index || next > last) return nullptr;
        index = next;
      }
      if (found == slots) break;  // from the top again
      void* entry = node->slot[found].load(std::memory_order_relaxed);
      if (node->shift == 0) return static_cast<Page*>(entry);
      node = static_cast<Node*>(entry);
    }
  }
  return nullptr;
}

}  // namespace page_cache
