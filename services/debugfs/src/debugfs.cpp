#include "debugfs/debugfs.h"

#include "core/init/init_step.h"
#include "sysfs/sysfs.h"

namespace debugfs {

using base::RefPtr;
using base::Result;
using pseudo_fs::StaticDirectory;

namespace {

Result<RefPtr<vfs::FileSystem>> mount_debugfs(const vfs::MountOptions& options);
constinit vfs::FileSystemType debugfs_type{"debugfs", vfs::FileSystemType::single_instance, mount_debugfs};

class DebugFileSystem final : public pseudo_fs::PseudoFileSystem {
 public:
  static constexpr std::uint64_t debugfs_magic = 0x64626720;
  DebugFileSystem() : PseudoFileSystem(debugfs_type, debugfs_magic, "debugfs") {}
  void unmounted() override {}  // one instance for ever
};

constinit StaticDirectory* root_directory = nullptr;
constinit DebugFileSystem* instance = nullptr;

Result<RefPtr<vfs::FileSystem>> mount_debugfs(const vfs::MountOptions&) {
  return RefPtr<vfs::FileSystem>(static_cast<vfs::FileSystem*>(instance));
}

Result<void> start_debugfs() {
  auto directory = TRY(base::try_make_ref<StaticDirectory>(vfs::Mode{0700}));
  auto file_system = TRY(base::try_make_ref<DebugFileSystem>());
  TRY(file_system->start(directory));
  root_directory = directory.leak();
  instance = file_system.leak();
  vfs::register_file_system(debugfs_type);
  TRY(sysfs::root().directories("kernel/debug"));  // where it is mounted by custom
  return {};
}
INIT_STEP debugfs_step{"debugfs", {"sysfs"}, start_debugfs, {"vfs"}};

}  // namespace

Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                      pseudo_fs::StoreFunction store) {
  return add(path, TRY(pseudo_fs::make_text(permissions, show, store)));
}

Result<void> add(std::string_view path, RefPtr<pseudo_fs::Entry> entry) {
  RefPtr<StaticDirectory> directory(root_directory);
  std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) {
    directory = TRY(directory->directories(path.substr(0, slash)));
    path.remove_prefix(slash + 1);
  }
  return directory->add(path, std::move(entry));
}

}  // namespace debugfs
