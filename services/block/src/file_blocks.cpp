#include "block/file_blocks.h"

namespace block {

namespace {
struct Registered {
  const vfs::FileSystemType* type = nullptr;
  FileMapper* mapper = nullptr;
};
// Written at start-up only. As many as there are file systems on disks that can tell.
constinit Registered registered[8] = {};
}  // namespace

void register_file_mapper(const vfs::FileSystemType& type, FileMapper& mapper) {
  for (Registered& place : registered) {
    if (place.type && place.type != &type) continue;
    place = {&type, &mapper};
    return;
  }
  base::verify(false, "no room for another file mapper");
}

FileMapper* file_mapper_of(const vfs::Inode& inode) {
  for (const Registered& place : registered)
    if (place.type == &inode.file_system().type()) return place.mapper;
  return nullptr;
}

}  // namespace block
