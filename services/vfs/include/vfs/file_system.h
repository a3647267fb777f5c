// Kinds of file systems, and mounted instances of them (super blocks).
//
//   constinit FileSystemType tmpfs_type{"tmpfs", FileSystemType::no_device, mount_tmpfs};
//   register_file_system(tmpfs_type);       // from an init step
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/format.h"
#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "core/sync/mutex.h"
#include "core/sync/rcu.h"
#include "vfs/attributes.h"
#include "vfs/dentry.h"
#include "vfs/types.h"

namespace vfs {

class FileSystem;
class Inode;
struct Caller;

// What mount(2) hands to a file-system type.
struct MountOptions {
  std::string_view source;  // device path or any text
  std::string_view data;    // "size=10%,mode=1777"
  bool read_only = false;
  const Caller* caller = nullptr;  // resolves `source`; null for the kernel's own mounts
};

class FileSystemType {
 public:
  enum Flag : unsigned { no_flags = 0, requires_device = 1, no_device = 2, single_instance = 4 };
  using MountFunction = Result<RefPtr<FileSystem>> (*)(const MountOptions& options);
  // Is one option ("size=1m") of this kind of file system? What a type does not check, its mount() does.
  enum class OptionVerdict : std::uint8_t { good, unknown, bad_value };
  using CheckFunction = OptionVerdict (*)(std::string_view option);
  constexpr FileSystemType(std::string_view name, unsigned flags, MountFunction mount,
                           CheckFunction check = nullptr)
      : name_(name), flags_(flags), mount_(mount), check_(check) {}
  OptionVerdict check_option(std::string_view option) const {
    return check_ ? check_(option) : OptionVerdict::good;
  }
  std::string_view name() const { return name_; }
  bool needs_device() const { return flags_ & requires_device; }
  Result<RefPtr<FileSystem>> mount(const MountOptions& options) const { return mount_(options); }

 private:
  friend void register_file_system(FileSystemType&);
  friend class FileSystemTypes;
  const std::string_view name_;
  const unsigned flags_;
  const MountFunction mount_;
  const CheckFunction check_;
  FileSystemType* next_ = nullptr;
};

void register_file_system(FileSystemType& type);
const FileSystemType* find_file_system(std::string_view name);
void for_each_file_system(base::FunctionRef<void(const FileSystemType&)> visit);  // /proc/filesystems

// One instance. Lives while a mount, an inode or a dentry of it lives.
class FileSystem {
 public:
  FileSystem(const FileSystemType& type, std::uint64_t magic, std::string_view source);
  virtual ~FileSystem();
  void acquire_reference() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_reference() const;
  [[nodiscard]] bool try_acquire_reference() const;

  const FileSystemType& type() const { return type_; }
  std::uint64_t magic() const { return magic_; }
  // Distinguishes instances in st_dev; anonymous (major 0) unless on a block device.
  DeviceNumber device() const { return device_; }
  bool is_read_only() const { return read_only_.load(std::memory_order_relaxed); }
  void set_read_only(bool value) { read_only_.store(value, std::memory_order_relaxed); }
  RefPtr<Dentry> root() const { return root_; }

  // Its directories are stored in the dentry cache (tmpfs): positive dentries stay until they are unlinked.
  virtual bool dentries_are_storage() const { return false; }
  // False: mkdir and its like give ENOENT for a new name, before anything else is looked at.
  virtual bool missing_names_can_be_made() const { return true; }
  // Whether a name that was not found may be remembered as missing (not where names come and go by
  // themselves).
  virtual bool remembers_missing_names() const { return !dentries_are_storage(); }
  virtual Result<void> statistics(FileSystemStatistics& out);
  virtual Result<void> sync() { return {}; }
  virtual Result<void> remount(std::string_view data, bool read_only);
  // Options for /proc/mounts, each with a leading comma: ",size=1024k".
  virtual void put_options(base::TextSink& out) const {}
  // Largest file.
  virtual std::uint64_t maximum_size() const { return 0x7fffffffffffffffull; }
  // The last mount went: drop what the cache holds (pinned dentries of storage file systems). May sleep.
  virtual void unmounted();

  core::Mutex& rename_mutex() RETURN_CAPABILITY(rename_mutex_) { return rename_mutex_; }

  // Mounts of this instance; mount_tree.cpp only.
  std::atomic<std::uint32_t> mount_count{0};

 protected:
  void set_device(DeviceNumber device) { device_ = device; }
  void set_root(RefPtr<Dentry> root) { root_ = std::move(root); }
  // Makes `inode` the root directory.
  Result<void> create_root(RefPtr<Inode> inode);

 private:
  const FileSystemType& type_;
  const std::uint64_t magic_;
  DeviceNumber device_;
  std::atomic<bool> read_only_{false};
  RefPtr<Dentry> root_;
  mutable std::atomic<std::uint32_t> references_{1};
  core::Mutex rename_mutex_{"rename"};
  core::RcuHead rcu_;
};

// Splits "a=1,b" into name and value; empty name at the end. For mount data.
struct MountOption {
  std::string_view name, value;
  bool has_value = false;
};
MountOption next_mount_option(std::string_view& rest);

}  // namespace vfs
