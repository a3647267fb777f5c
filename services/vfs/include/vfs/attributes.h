// What stat, statx and statfs report, and what chmod, chown, utimensat and truncate change.
#pragma once

#include <cstdint>
#include <optional>

#include "vfs/credentials.h"
#include "vfs/types.h"

namespace vfs {

// The whole of struct statx; struct stat is a part of it.
struct Attributes {
  std::uint32_t result_mask = 0x7ff;  // STATX_* that are valid; STATX_BASIC_STATS
  std::uint32_t block_size = 4096;
  std::uint64_t attributes = 0, attributes_mask = 0;  // STATX_ATTR_*
  std::uint32_t link_count = 0;
  UserId uid = 0;
  GroupId gid = 0;
  Mode mode = 0;
  std::uint64_t inode_number = 0, size = 0, blocks_512 = 0;
  Timestamp access_time, birth_time, change_time, modify_time;
  DeviceNumber device, special_device;
  std::uint64_t mount_id = 0;
  // O_DIRECT's rules (STATX_DIOALIGN); 0: there is none.
  std::uint32_t direct_memory_alignment = 0, direct_offset_alignment = 0;
};

// A change of attributes; only the fields that are set. Made by the entry points after their permission
// checks.
struct AttributeChange {
  std::optional<Mode> mode;  // permission bits only
  std::optional<UserId> uid;
  std::optional<GroupId> gid;
  std::optional<std::uint64_t> size;
  std::optional<Timestamp> access_time, modify_time, change_time;
};

// utimensat(): each time is a stamp, now, or left alone.
struct TimeChange {
  enum class Kind { omit, now, set };
  Kind kind = Kind::now;
  Timestamp time;
};

struct FileSystemStatistics {
  std::uint64_t magic = 0, block_size = 4096, blocks = 0, blocks_free = 0, blocks_available = 0, inodes = 0,
                inodes_free = 0, id = 0, name_length = name_max, fragment_size = 4096, flags = 0;
};

}  // namespace vfs
