#pragma once

#include "base/intrusive_tree.h"
#include "inode.h"

namespace ext4 {

// The inodes in memory, by number.
struct Ext4FileSystem::InodeTable {
  base::IntrusiveTree<Ext4Inode, &Ext4Inode::table_hook, &Ext4Inode::table_key> tree;
};

}  // namespace ext4
