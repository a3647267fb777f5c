#include "devtmpfs/devtmpfs.h"

#include "core/memory/slab.h"
#include "tmpfs/tmpfs.h"
#include "vfs/device.h"
#include "vfs/file_system.h"
#include "vfs/operations.h"

namespace devtmpfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

namespace {

Result<RefPtr<vfs::FileSystem>> mount_shared(const vfs::MountOptions& options);
constinit vfs::FileSystemType devtmpfs_type{"devtmpfs", vfs::FileSystemType::single_instance, mount_shared};

// Makes nodes with the kernel's credentials from a context whose root is the instance itself.
class Store final : public vfs::DeviceNodeStore {
 public:
  Result<void> start() {
    file_system_ = TRY(tmpfs::create(devtmpfs_type, "mode=755"));
    // A mount of its own, in no namespace, so that the instance outlives every other.
    auto mount = TRY(vfs::Mount::create(file_system_, file_system_->root(), "devtmpfs", 0));
    vfs::Path root(std::move(mount), file_system_->root());
    context_ = TRY(vfs::FileSystemContext::create(root, root, 0));
    return {};
  }
  RefPtr<vfs::FileSystem> file_system() const { return file_system_; }

  Result<void> create_node(std::string_view path, const vfs::NewInode& properties) override {
    TRY(make_parents(path));
    vfs::Caller us = caller();
    TRY(vfs::make_node(us, nullptr, path, properties.mode, properties.device));
    vfs::Path node = TRY(vfs::resolve(us, nullptr, path, vfs::lookup_default));
    if (properties.uid || properties.gid) TRY(vfs::change_owner(us, node, properties.uid, properties.gid));
    return {};
  }
  Result<void> create_symlink(std::string_view path, std::string_view target) override {
    TRY(make_parents(path));
    return vfs::make_symlink(caller(), target, nullptr, path);
  }
  void remove(std::string_view path) override { (void)vfs::unlink(caller(), nullptr, path); }

 private:
  vfs::Caller caller() { return {*context_, vfs::Credentials::kernel()}; }
  Result<void> make_parents(std::string_view path) {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      auto made = vfs::make_directory(caller(), nullptr, path.substr(0, slash), 0755);
      if (!made && made.error() != Errno::eexist) return made;
    }
    return {};
  }

  RefPtr<vfs::FileSystem> file_system_;
  RefPtr<vfs::FileSystemContext> context_;
};
constinit Store* store = nullptr;

Result<RefPtr<vfs::FileSystem>> mount_shared(const vfs::MountOptions&) { return store->file_system(); }

}  // namespace

Result<void> initialize() {
  auto fresh = TRY(base::try_make_unique<Store>());
  TRY(fresh->start());
  store = fresh.release();
  vfs::set_device_node_store(*store);
  vfs::register_file_system(devtmpfs_type);
  tmpfs::register_handles(devtmpfs_type);
  return {};
}

}  // namespace devtmpfs
