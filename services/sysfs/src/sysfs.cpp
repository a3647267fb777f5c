#include "sysfs/sysfs.h"

#include "core/init/init_step.h"
#include "core/memory/slab.h"
#include "system_files.h"

namespace sysfs {

using base::format;
using pseudo_fs::Entry;
using pseudo_fs::StaticDirectory;

namespace {

Result<RefPtr<vfs::FileSystem>> mount_sysfs(const vfs::MountOptions& options);
constinit vfs::FileSystemType sysfs_type{"sysfs", vfs::FileSystemType::single_instance, mount_sysfs};

class SysFileSystem final : public pseudo_fs::PseudoFileSystem {
 public:
  static constexpr std::uint64_t sysfs_magic = 0x62656572;
  SysFileSystem() : PseudoFileSystem(sysfs_type, sysfs_magic, "sysfs") {}
  std::uint64_t shown_size(const Entry& entry) const override {
    return vfs::is_regular(entry.mode()) ? 4096 : entry.size();
  }
  void unmounted() override {}  // one instance for ever
};

constinit StaticDirectory* root_directory = nullptr;
constinit SysFileSystem* instance = nullptr;

Result<RefPtr<vfs::FileSystem>> mount_sysfs(const vfs::MountOptions&) {
  return RefPtr<vfs::FileSystem>(static_cast<vfs::FileSystem*>(instance));
}

Result<void> add_entry(std::string_view path, RefPtr<Entry> entry) {
  RefPtr<StaticDirectory> directory(root_directory);
  std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) {
    directory = TRY(directory->directories(path.substr(0, slash)));
    path.remove_prefix(slash + 1);
  }
  return directory->add(path, std::move(entry));
}

Result<void> start_sysfs() {
  auto directory = TRY(base::try_make_ref<StaticDirectory>(vfs::Mode{0555}));
  auto file_system = TRY(base::try_make_ref<SysFileSystem>());
  TRY(file_system->start(directory));
  root_directory = directory.leak();
  instance = file_system.leak();
  vfs::register_file_system(sysfs_type);
  for (std::string_view name : {"block", "bus", "class", "dev/block", "dev/char", "devices/system",
                                "devices/virtual", "firmware", "fs", "kernel", "module"})
    TRY(root_directory->directories(name));
  return add_system_files();
}

INIT_STEP sysfs_step{"sysfs", {"vfs.root"}, start_sysfs, {"vfs"}};

// Texts of names, composed in a small buffer.
struct Path {
  char memory[256];
  base::TextBuffer text{memory};
  std::string_view view() const { return text.view(); }
};

}  // namespace

StaticDirectory& root() { return *root_directory; }

Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                      pseudo_fs::StoreFunction store) {
  return add_entry(path, TRY(pseudo_fs::make_text(permissions, show, store)));
}
Result<void> add_constant(std::string_view path, std::string_view text) {
  return add_entry(path, TRY(pseudo_fs::make_constant(0444, text)));
}
Result<void> add_link(std::string_view path, std::string_view target) {
  return add_entry(path, TRY(pseudo_fs::make_link(target)));
}

Result<RefPtr<StaticDirectory>> add_device(const Device& device) {
  Path place, number, event, target;
  format(place.text, "devices/{}/{}/{}", device.parent, device.subsystem, device.name);
  format(number.text, "{}:{}\n", device.number.major, device.number.minor);
  format(event.text, "MAJOR={}\nMINOR={}\nDEVNAME={}\n", device.number.major, device.number.minor,
         device.name);
  auto directory = TRY(root_directory->directories(place.view()));
  TRY(directory->add("dev", TRY(pseudo_fs::make_constant(0444, number.view()))));
  TRY(directory->add("uevent", TRY(pseudo_fs::make_constant(0644, event.view()))));
  // From devices/PARENT/SUBSYSTEM/NAME: up as many levels as there are.
  Path up;
  for (char c : place.view())
    if (c == '/') format(up.text, "../");
  format(up.text, "../");
  format(target.text, "{}class/{}", up.view(), device.subsystem);
  TRY(directory->add("subsystem", TRY(pseudo_fs::make_link(target.view()))));
  Path class_path, class_target, dev_path, dev_target;
  format(class_path.text, "class/{}/{}", device.subsystem, device.name);
  format(class_target.text, "../../{}", place.view());
  TRY(add_link(class_path.view(), class_target.view()));
  format(dev_path.text, "dev/{}/{}:{}", device.kind == vfs::DeviceKind::block ? "block" : "char",
         device.number.major, device.number.minor);
  TRY(add_link(dev_path.view(), class_target.view()));
  return directory;
}

void remove_device(const Device& device) {
  Path place, number;
  format(place.text, "devices/{}/{}", device.parent, device.subsystem);
  format(number.text, "{}:{}", device.number.major, device.number.minor);
  if (auto directory = root_directory->directories(place.view())) (*directory)->remove(device.name);
  Path class_path;
  format(class_path.text, "class/{}", device.subsystem);
  if (auto directory = root_directory->directories(class_path.view())) (*directory)->remove(device.name);
  auto numbers =
      root_directory->directories(device.kind == vfs::DeviceKind::block ? "dev/block" : "dev/char");
  if (numbers) (*numbers)->remove(number.view());
}

}  // namespace sysfs
