// Red-black balancing. The rules: the root is black; a red node has no red child; every path from a node down
// to a missing child passes the same number of black nodes. (Cormen, Leiserson, Rivest, Stein: Introduction
// to Algorithms.)
#include "base/intrusive_tree.h"

namespace base {

TreeHook* TreeBase::edge(TreeHook* root, int direction) {
  if (!root) return nullptr;
  while (root->child[direction]) root = root->child[direction];
  return root;
}

TreeHook* TreeBase::neighbour(TreeHook* node, int direction) {
  debug_verify(node->is_linked(), "neighbour of an unlinked element");
  if (node->child[direction]) return edge(node->child[direction], 1 - direction);
  TreeHook* parent = node->parent();
  while (parent && node == parent->child[direction]) {
    node = parent;
    parent = node->parent();
  }
  return parent;
}

void TreeBase::propagate(TreeHook* node, UpdateFunction update) {
  if (!update) return;
  while (node && update(node)) node = node->parent();
}

void TreeBase::replace_child(TreeHook* parent, TreeHook* old_child, TreeHook* new_child) {
  if (!parent)
    root_ = new_child;
  else
    parent->child[parent->child[0] == old_child ? 0 : 1] = new_child;
}

// `node` goes down on the side `direction`; its child on the other side takes its place.
void TreeBase::rotate(TreeHook* node, int direction, UpdateFunction update) {
  TreeHook* riser = node->child[1 - direction];
  TreeHook* moved = riser->child[direction];
  TreeHook* parent = node->parent();
  // Order of the stores: a reader without the lock may lose sight of a subtree but never goes round in a
  // circle.
  node->child[1 - direction] = moved;
  if (moved) moved->set_parent(node);
  riser->child[direction] = node;
  riser->set_parent(parent);
  replace_child(parent, node, riser);
  node->set_parent(riser);
  if (update) {
    update(node);
    update(riser);
  }
}

void TreeBase::link(TreeHook& node, TreeHook* parent, int direction, UpdateFunction update) {
  debug_verify(!node.is_linked(), "element already in a tree");
  node.child[0] = node.child[1] = nullptr;
  node.parent_and_colour = 0;
  node.set_parent(parent);
  node.set_red(true);
  if (parent)
    parent->child[direction] = &node;
  else
    root_ = &node;
  if (update) {
    update(&node);
    propagate(parent, update);
  }
  repair_after_insert(&node, update);
}

void TreeBase::repair_after_insert(TreeHook* node, UpdateFunction update) {
  for (;;) {
    TreeHook* parent = node->parent();
    if (!parent) {
      node->set_red(false);
      return;
    }
    if (!parent->is_red()) return;
    TreeHook* grandparent = parent->parent();  // exists: a red node is not the root
    int side = grandparent->child[0] == parent ? 0 : 1;
    TreeHook* uncle = grandparent->child[1 - side];
    if (uncle && uncle->is_red()) {
      parent->set_red(false);
      uncle->set_red(false);
      grandparent->set_red(true);
      node = grandparent;
      continue;
    }
    if (parent->child[1 - side] == node) {
      rotate(parent, side, update);
      parent = node;
    }
    parent->set_red(false);
    grandparent->set_red(true);
    rotate(grandparent, 1 - side, update);
    return;
  }
}

void TreeBase::unlink(TreeHook& node, UpdateFunction update) {
  debug_verify(node.is_linked(), "removal of an unlinked element");
  TreeHook* child;  // takes the place that becomes empty
  TreeHook* child_parent;
  bool removed_red;
  if (node.child[0] && node.child[1]) {
    // The successor moves into the node's place (nodes cannot be copied, so links are changed).
    TreeHook* successor = edge(node.child[1], 0);
    removed_red = successor->is_red();
    child = successor->child[1];
    child_parent = successor->parent();
    if (child_parent == &node) {
      child_parent = successor;
    } else {
      child_parent->child[0] = child;
      if (child) child->set_parent(child_parent);
      successor->child[1] = node.child[1];
      node.child[1]->set_parent(successor);
    }
    successor->child[0] = node.child[0];
    node.child[0]->set_parent(successor);
    replace_child(node.parent(), &node, successor);
    successor->set_parent(node.parent());
    successor->set_red(node.is_red());
    if (update) {
      // Everything from where the successor left up to its new place has lost an element.
      for (TreeHook* at = child_parent; at && at != successor; at = at->parent()) update(at);
      update(successor);
      for (TreeHook* at = successor->parent(); at; at = at->parent()) update(at);
    }
  } else {
    child = node.child[0] ? node.child[0] : node.child[1];
    child_parent = node.parent();
    removed_red = node.is_red();
    replace_child(child_parent, &node, child);
    if (child) child->set_parent(child_parent);
    if (update)
      for (TreeHook* at = child_parent; at; at = at->parent()) update(at);
  }
  // The children stay as they are: a lock-free reader may still stand on the node.
  node.parent_and_colour = TreeHook::unlinked;
  if (!removed_red) repair_after_remove(child, child_parent, update);
}

// The paths through `node` (possibly missing, below `parent`) are one black short.
void TreeBase::repair_after_remove(TreeHook* node, TreeHook* parent, UpdateFunction update) {
  while (parent && !(node && node->is_red())) {
    int side = parent->child[0] == node ? 0 : 1;
    TreeHook* sibling = parent->child[1 - side];  // exists: its side has one black more
    if (sibling->is_red()) {
      sibling->set_red(false);
      parent->set_red(true);
      rotate(parent, side, update);
      sibling = parent->child[1 - side];
    }
    TreeHook* near = sibling->child[side];
    TreeHook* far = sibling->child[1 - side];
    if (!(near && near->is_red()) && !(far && far->is_red())) {
      sibling->set_red(true);
      node = parent;
      parent = node->parent();
      continue;
    }
    if (!(far && far->is_red())) {
      near->set_red(false);
      sibling->set_red(true);
      rotate(sibling, 1 - side, update);
      sibling = parent->child[1 - side];
      far = sibling->child[1 - side];
    }
    sibling->set_red(parent->is_red());
    parent->set_red(false);
    far->set_red(false);
    rotate(parent, side, update);
    return;
  }
  if (node) node->set_red(false);
}

}  // namespace base
