// Where the bytes of a file lie on its disk, for those who go past the file system (swap files).
//
//   FileMapper* mapper = file_mapper_of(inode);            // null: its file system cannot tell
//   RefPtr<Volume> volume = mapper->volume_of(inode);
//   TRY(mapper->for_each_run(inode, [&](FileRun run) …));   // in order of the file; holes are left out
//
// The caller sees to it that the file keeps its blocks (Inode::swap_file). A file system registers one
// mapper.
#pragma once

#include "base/function_ref.h"
#include "block/volume.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"

namespace block {

struct FileRun {
  std::uint64_t offset = 0;  // bytes into the file
  std::uint64_t sector = 0;  // of the volume
  std::uint64_t bytes = 0;
};

class FileMapper {
 public:
  virtual RefPtr<Volume> volume_of(vfs::Inode& inode) = 0;
  // Written blocks and promised ones alike.
  virtual Result<void> for_each_run(vfs::Inode& inode,
                                    base::FunctionRef<Result<void>(const FileRun&)> visit) = 0;

 protected:
  ~FileMapper() = default;
};

// At start-up.
void register_file_mapper(const vfs::FileSystemType& type, FileMapper& mapper);
FileMapper* file_mapper_of(const vfs::Inode& inode);

}  // namespace block
