// What fsopen(2) and fspick(2) give: a file system being configured.
#pragma once

#include "base/string.h"
#include "base/vector.h"
#include "linux_abi/prelude.h"
#include "vfs/file.h"
#include "vfs/file_system.h"

namespace linux_abi {

// The program sets parameters one by one; what goes wrong is told in words, which read(2) gives out.
//
//   creating --CMD_CREATE--> awaiting_mount --fsmount--> reconfiguring      fspick --> reconfiguring
//       any failed command --> failed
class MountContext final : public vfs::File {
 public:
  static constexpr int kind_tag = 0;
  enum class Phase : std::uint8_t { creating, awaiting_mount, reconfiguring, failed };

  explicit MountContext(const vfs::FileSystemType& type) : File(0), type_(type) {}
  static Result<RefPtr<MountContext>> create(Task& task, const vfs::FileSystemType& type);
  static Result<RefPtr<MountContext>> pick(Task& task, const vfs::Path& root);

  // fsconfig(2). `value` is null for a flag.
  Result<void> set(std::string_view key, const std::string_view* value);
  Result<void> make(const vfs::Caller& caller);
  Result<void> reconfigure(const vfs::Caller& caller);
  // fsmount(2): the new mount, in no tree.
  Result<RefPtr<vfs::Mount>> mount(vfs::MountFlags flags);
  // A parameter of a kind that no file system here takes.
  Result<void> refuse(std::string_view key);

  const void* kind() const override { return &kind_tag; }
  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) override;

 private:
  Result<void> set_locked(std::string_view key, const std::string_view* value) REQUIRES(lock_);
  Result<void> complain_locked(std::string_view text, std::string_view key) REQUIRES(lock_);
  bool set_flag_locked(std::string_view key) REQUIRES(lock_);

  static constexpr std::size_t messages_max = 8;
  const vfs::FileSystemType& type_;
  core::Mutex lock_{"mount context"};
  Phase phase_ GUARDED_BY(lock_) = Phase::creating;
  base::String source_ GUARDED_BY(lock_), data_ GUARDED_BY(lock_);
  bool has_source_ GUARDED_BY(lock_) = false;
  enum class ReadOnly : std::uint8_t { unsaid, no, yes } read_only_ GUARDED_BY(lock_) = ReadOnly::unsaid;
  RefPtr<vfs::FileSystem> file_system_ GUARDED_BY(lock_);
  base::Vector<base::String> messages_ GUARDED_BY(lock_);
};

// MOUNT_ATTR_* of fsmount(2) and mount_setattr(2).
namespace mount_attribute {
inline constexpr std::uint64_t read_only = 1, no_set_uid = 2, no_devices = 4, no_execute = 8,
                               time_mask = 0x70, no_access_time = 0x10, strict_access_time = 0x20,
                               no_directory_access_time = 0x80, id_mapped = 0x100000,
                               no_symlink_follow = 0x200000;
inline constexpr std::uint64_t plain =
    read_only | no_set_uid | no_devices | no_execute | no_directory_access_time | no_symlink_follow;
}  // namespace mount_attribute

// All but the kinds of access times.
vfs::MountFlags plain_mount_flags(std::uint64_t attributes);
// EINVAL: no such kind of access times.
Result<vfs::MountFlags> access_time_flags(std::uint64_t attributes);
std::uint64_t mount_attributes(vfs::MountFlags flags);
inline constexpr vfs::MountFlags access_time_mask =
    vfs::mount_no_access_time | vfs::mount_relative_access_time;

// The name by which statmount(2), listmount(2) and statx(2) know a mount: never used twice.
inline constexpr std::uint64_t unique_mount_offset = std::uint64_t{1} << 31;
inline std::uint64_t unique_mount_id(const vfs::Mount& mount) {
  return unique_mount_offset + static_cast<std::uint64_t>(mount.id());
}

}  // namespace linux_abi
