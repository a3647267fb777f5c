// The file system and its root directory.
#include "procfs/procfs.h"

#include "base/parse.h"
#include "core/init/init_step.h"
#include "core/memory/slab.h"
#include "procfs_files.h"
#include "vfs/operations.h"

namespace procfs {

using base::Errno;
using base::error;
using base::RefPtr;
using pseudo_fs::Directory;
using pseudo_fs::Entry;
using pseudo_fs::StaticDirectory;

namespace {

Result<RefPtr<vfs::FileSystem>> mount_proc(const vfs::MountOptions& options);
constinit vfs::FileSystemType proc_type{"proc", vfs::FileSystemType::single_instance, mount_proc};

// Static entries first, then the processes by pid.
class RootDirectory final : public Directory {
 public:
  static constexpr std::uint64_t process_base = 1u << 20;
  explicit RootDirectory(RefPtr<StaticDirectory> fixed) : fixed_(std::move(fixed)) {}

  Result<RefPtr<Entry>> find(std::string_view name) override {
    auto found = fixed_->find(name);
    if (found || found.error() != Errno::enoent) return found;
    Directory* processes = processes_.load(std::memory_order_acquire);
    return processes ? processes->find(name) : found;
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    Watch watch(sink);
    if (position < process_base) {
      TRY(fixed_->list(position, watch));
      if (watch.full) return {};
      position = process_base;
    }
    Directory* processes = processes_.load(std::memory_order_acquire);
    if (!processes) return {};
    watch.base = process_base;
    return processes->list(position - process_base, watch);
  }
  bool is_transient() const override { return true; }
  void set_processes(Directory& processes) { processes_.store(&processes, std::memory_order_release); }
  StaticDirectory& fixed() { return *fixed_; }

 private:
  class Watch final : public pseudo_fs::ListSink {
   public:
    explicit Watch(pseudo_fs::ListSink& sink) : sink_(sink) {}
    vfs::SinkState entry(std::string_view name, std::uint64_t number, std::uint8_t type,
                         std::uint64_t position) override {
      auto state = sink_.entry(name, number, type, position + base);
      full = state == vfs::SinkState::full;
      return state;
    }
    bool full = false;
    std::uint64_t base = 0;

   private:
    pseudo_fs::ListSink& sink_;
  };
  const RefPtr<StaticDirectory> fixed_;
  std::atomic<Directory*> processes_{nullptr};
};

class ProcFileSystem final : public pseudo_fs::PseudoFileSystem {
 public:
  static constexpr std::uint64_t proc_magic = 0x9fa0;
  ProcFileSystem() : PseudoFileSystem(proc_type, proc_magic, "proc") {}
  bool missing_names_can_be_made() const override { return false; }
  void unmounted() override {}  // one instance for ever
  Result<void> remount(std::string_view data, bool read_only) override {
    TRY(check_options(data));
    set_read_only(read_only);
    return {};
  }
  void put_options(base::TextSink&) const override {}
  static Result<void> check_options(std::string_view data) {
    while (!data.empty()) {
      auto option = vfs::next_mount_option(data);
      if (option.name.empty() || option.name == "gid") continue;
      if (option.name == "hidepid" && (option.value == "0" || option.value == "off")) continue;
      return error(Errno::einval);
    }
    return {};
  }
};

constinit RootDirectory* root = nullptr;
constinit ProcFileSystem* instance = nullptr;
constinit StaticDirectory* net = nullptr;

Result<RefPtr<vfs::FileSystem>> mount_proc(const vfs::MountOptions& options) {
  TRY(ProcFileSystem::check_options(options.data));
  return RefPtr<vfs::FileSystem>(static_cast<vfs::FileSystem*>(instance));
}

Result<void> start_procfs() {
  auto fixed = TRY(base::try_make_ref<StaticDirectory>(vfs::Mode{0555}));
  auto directory = TRY(base::try_make_ref<RootDirectory>(std::move(fixed)));
  auto file_system = TRY(base::try_make_ref<ProcFileSystem>());
  TRY(file_system->start(directory));
  net = TRY(base::try_make_ref<StaticDirectory>(vfs::Mode{0555})).leak();
  root = directory.leak();
  instance = file_system.leak();
  vfs::register_file_system(proc_type);
  TRY(add_memory_files());
  TRY(add_system_files());
  TRY(add_sys_files());
  return {};
}

INIT_STEP procfs_step{"procfs", {"vfs.root"}, start_procfs, {"vfs"}};

}  // namespace

StaticDirectory& root_directory() { return root->fixed(); }
StaticDirectory& net_directory() { return *net; }

Result<void> add(std::string_view path, RefPtr<Entry> entry) {
  RefPtr<StaticDirectory> directory(&root_directory());
  std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) {
    directory = TRY(directory->directories(path.substr(0, slash)));
    path.remove_prefix(slash + 1);
  }
  return directory->add(path, std::move(entry));
}

Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                      pseudo_fs::StoreFunction store) {
  return add(path, TRY(pseudo_fs::make_text(permissions, show, store)));
}

void set_process_directory(Directory& processes) { root->set_processes(processes); }

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  while (!text.empty() && (space.find(text.back()) != std::string_view::npos || text.back() == 0))
    text.remove_suffix(1);
  while (!text.empty() && space.find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  return text;
}

Result<std::int64_t> parse_number(std::string_view text) {
  text = trim(text);
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  auto value = base::parse_c_number(text);
  if (!value || *value > static_cast<std::uint64_t>(INT64_MAX)) return error(Errno::einval);
  auto number = static_cast<std::int64_t>(*value);
  return negative ? -number : number;
}

}  // namespace procfs
