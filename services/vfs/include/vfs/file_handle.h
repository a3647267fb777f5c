// Names of objects that do not go through directories: name_to_handle_at(2), open_by_handle_at(2).
//
// A kind of file system that can find an object by such a handle registers a HandleSource. A handle stays
// good across renames, and becomes stale when the object is gone; whoever may use one reaches objects without
// search permission on what is above them (CAP_DAC_READ_SEARCH).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vfs/path.h"
#include "vfs/types.h"

namespace vfs {

class FileSystemType;

struct FileHandle {
  static constexpr std::size_t size_max = 128;
  std::int32_t type = 0;
  std::uint32_t size = 0;
  std::byte bytes[size_max] = {};
};

class HandleSource {
 public:
  virtual Result<FileHandle> make(Inode& inode) const = 0;
  // An entry for the object, with the name it has if it is a directory. ESTALE.
  virtual Result<RefPtr<Dentry>> find(const Path& root, const FileHandle& handle) const = 0;

 protected:
  ~HandleSource() = default;
};

// From an init step; both live for ever. At most a few kinds.
void register_handle_source(const FileSystemType& type, const HandleSource& source);
const HandleSource* handle_source_of(const FileSystem& file_system);

// For file systems whose directories are stored in the dentry cache: looks through them all for the entry of
// an inode. ESTALE.
Result<RefPtr<Dentry>> find_stored_entry(FileSystem& file_system, std::uint64_t inode_number);

}  // namespace vfs
