// What the sources of this module share.
#pragma once

#include <atomic>

#include "core/sync/per_cpu.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"
#include "vfs/operations.h"

namespace vfs {

// Room for a path; allocated, for kernel stacks are small.
struct PathMemory {
  char bytes[path_max];
};

// Counts for /proc/sys/fs/{dentry-state,inode-nr,file-nr}.
extern core::PerCpuCounter dentry_counter, inode_counter, file_counter;

Result<void> initialize_kernel_credentials();
Result<void> initialize_dentry_cache();
Result<void> initialize_mount_table();
Result<void> initialize_anonymous();

// Whether a dentry is `ancestor` or below it, as the file system's own tree has it.
bool is_dentry_below(const Dentry& dentry, const Dentry& ancestor);
void destroy_inode_locks(InodeLocks* locks);
void destroy_notify_marks(NotifyMarks* marks);
// Takes apart what is mounted below a mount that is in no tree; nothing if it has got a place.
void dissolve_detached_mounts(Mount& top);
Result<RefPtr<File>> open_fifo(Inode& inode, const OpenRequest& request);
// The plain fields of an inode; does not sleep.
void fill_attributes(const Inode& inode, Attributes& out);

}  // namespace vfs
