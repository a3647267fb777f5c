#include "byte_cache/byte_cache.h"
#include "vfs/inode.h"
#include "vfs/lookup.h"
#include "vfs/mount.h"
#include "vfs/operations.h"

namespace byte_cache {

Result<RefPtr<block::Volume>> volume_of(const vfs::MountOptions& options) {
  if (!options.caller) return block::find_volume(options.source);
  vfs::Path path = TRY(vfs::resolve(*options.caller, nullptr, options.source, vfs::lookup_follow));
  if (!vfs::is_block(path.inode().mode())) return base::error(Errno::enotblk);
  if (path.mount().has(vfs::mount_no_devices)) return base::error(Errno::eacces);
  return block::find_volume(path.inode().device());
}

}  // namespace byte_cache
