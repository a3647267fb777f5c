// devpts: the directory of pseudo-terminal slaves, usually mounted at /dev/pts.
//
// All mounts show the one table of pairs; options (uid=, gid=, mode=, ptmxmode=) belong to the instance. A
// slave's owner is the one who opened its master unless uid= or gid= say otherwise; chown and chmod change
// the inode while it lives, and the inode lives in the dentry cache at least as long as somebody has the
// slave open.
#include "base/parse.h"
#include "core/init/init_step.h"
#include "pty_table.h"
#include "vfs/directory.h"
#include "vfs/file.h"
#include "vfs/file_system.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

namespace pty {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

namespace {

constexpr std::uint64_t devpts_magic = 0x1cd1;
constexpr std::uint64_t root_number = 1, multiplexer_number = 2, first_slave_number = 3;

struct Options {
  std::optional<vfs::UserId> uid;
  std::optional<vfs::GroupId> gid;
  vfs::Mode mode = 0600;
  vfs::Mode multiplexer_mode = 0;
};

Result<Options> parse_options(std::string_view data) {
  Options options;
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(data);
    if (option.name.empty()) return options;
    if (option.name == "newinstance") continue;  // every mount has been one since Linux 4.7
    bool octal = option.name == "mode" || option.name == "ptmxmode";
    auto value = base::parse_unsigned(option.value, octal ? 8 : 10);
    if (!value) return error(Errno::einval);
    if (option.name == "uid")
      options.uid = static_cast<vfs::UserId>(*value);
    else if (option.name == "gid")
      options.gid = static_cast<vfs::GroupId>(*value);
    else if (option.name == "mode")
      options.mode = static_cast<vfs::Mode>(*value) & 0777;
    else if (option.name == "ptmxmode")
      options.multiplexer_mode = static_cast<vfs::Mode>(*value) & 0777;
    else if (option.name != "max")
      return error(Errno::einval);
  }
}

class DevptsFileSystem final : public vfs::FileSystem {
 public:
  DevptsFileSystem(const vfs::FileSystemType& type, const vfs::MountOptions& mount, const Options& options)
      : FileSystem(type, devpts_magic, mount.source), options(options) {}
  Result<void> make_root();
  // A pair that is not there now may be there the next moment.
  bool remembers_missing_names() const override { return false; }
  void put_options(base::TextSink& out) const override {
    if (options.uid) base::format(out, ",uid={}", *options.uid);
    if (options.gid) base::format(out, ",gid={}", *options.gid);
    base::format(out, ",mode={:o},ptmxmode={:03o}", options.mode, options.multiplexer_mode);
  }
  Result<void> statistics(vfs::FileSystemStatistics& out) override {
    out.magic = devpts_magic;
    return {};
  }

  const Options options;
};

class SlaveInode final : public vfs::Inode {
 public:
  SlaveInode(DevptsFileSystem& file_system, RefPtr<PtyTerminal> terminal, const vfs::NewInode& properties)
      : Inode(file_system, first_slave_number + terminal->index(), properties),
        terminal_(std::move(terminal)) {}
  // The name outlives the pair only in the cache.
  bool is_stale() const override { return terminal_->is_hung_up(); }

 private:
  const RefPtr<PtyTerminal> terminal_;
};

class RootInode final : public vfs::Inode {
 public:
  RootInode(DevptsFileSystem& file_system, const vfs::NewInode& properties)
      : Inode(file_system, root_number, properties), devpts_(file_system) {}

  std::uint32_t child_dentry_flags() const override { return vfs::Dentry::needs_validation; }

  Result<RefPtr<vfs::Inode>> lookup(std::string_view name) override {
    if (name == "ptmx") {
      vfs::NewInode properties{vfs::mode_character | devpts_.options.multiplexer_mode, 0, 0, {5, 2}};
      return RefPtr<vfs::Inode>(TRY(make<vfs::Inode>(devpts_, multiplexer_number, properties)));
    }
    auto index = base::parse_unsigned(name);
    if (!index || *index >= maximum_pairs || (name.size() > 1 && name[0] == '0')) return RefPtr<vfs::Inode>();
    auto terminal = find_pair(static_cast<unsigned>(*index));
    if (!terminal) return RefPtr<vfs::Inode>();
    vfs::NewInode properties{vfs::mode_character | devpts_.options.mode,
                             devpts_.options.uid.value_or(terminal->creator_uid()),
                             devpts_.options.gid.value_or(terminal->creator_gid()), terminal->device()};
    return RefPtr<vfs::Inode>(TRY(make<SlaveInode>(devpts_, std::move(terminal), properties)));
  }

  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override;

 private:
  template <typename T, typename... Arguments>
  static Result<RefPtr<T>> make(Arguments&&... arguments) {
    T* inode = new (std::nothrow) T(std::forward<Arguments>(arguments)...);
    if (!inode) return error(Errno::enomem);
    return RefPtr<T>::adopt(inode);
  }
  DevptsFileSystem& devpts_;
};

// Positions: 0 and 1 are the dots (File::iterate's caller gives them), then ptmx, then the pairs by number.
class DirectoryFile final : public vfs::File {
 public:
  DirectoryFile() : File(has_position | directory_file) {}
  Result<void> iterate(vfs::DirectorySink& sink) override {
    constexpr std::uint64_t first_pair = 3;
    constexpr std::uint8_t character_type = vfs::directory_entry_type(vfs::mode_character);
    if (position() == 0) {
      if (sink.entry(".", root_number, vfs::directory_entry_type(vfs::mode_directory), 1) ==
          vfs::SinkState::full)
        return {};
      set_position(1);
    }
    if (position() == 1) {
      if (sink.entry("..", root_number, vfs::directory_entry_type(vfs::mode_directory), 2) ==
          vfs::SinkState::full)
        return {};
      set_position(2);
    }
    if (position() == 2) {
      if (sink.entry("ptmx", multiplexer_number, character_type, first_pair) == vfs::SinkState::full)
        return {};
      set_position(first_pair);
    }
    while (auto terminal = next_pair(static_cast<unsigned>(position() - first_pair))) {
      char memory[16];
      base::TextBuffer name{memory};
      base::format(name, "{}", terminal->index());
      std::uint64_t next = first_pair + terminal->index() + 1;
      if (sink.entry(name.view(), first_slave_number + terminal->index(), character_type, next) ==
          vfs::SinkState::full)
        return {};
      set_position(next);
    }
    return {};
  }
};

Result<RefPtr<vfs::File>> RootInode::open(const vfs::OpenRequest&) {
  return RefPtr<vfs::File>(TRY(base::try_make_ref<DirectoryFile>()));
}

Result<void> DevptsFileSystem::make_root() {
  auto* root = new (std::nothrow) RootInode(*this, vfs::NewInode{vfs::mode_directory | 0755, 0, 0, {}});
  if (!root) return error(Errno::enomem);
  root->set_link_count(2);
  return create_root(RefPtr<vfs::Inode>::adopt(root));
}

Result<RefPtr<vfs::FileSystem>> mount_devpts(const vfs::MountOptions& mount);
constinit vfs::FileSystemType devpts_type{"devpts", vfs::FileSystemType::no_device, mount_devpts};

Result<RefPtr<vfs::FileSystem>> mount_devpts(const vfs::MountOptions& mount) {
  Options options = TRY(parse_options(mount.data));
  auto* file_system = new (std::nothrow) DevptsFileSystem(devpts_type, mount, options);
  if (!file_system) return error(Errno::enomem);
  auto owned = RefPtr<DevptsFileSystem>::adopt(file_system);
  TRY(owned->make_root());
  return RefPtr<vfs::FileSystem>(std::move(owned));
}

Result<void> register_devpts() {
  vfs::register_file_system(devpts_type);
  return {};
}
INIT_STEP devpts_step{"pty.devpts", {"threads"}, register_devpts, {"vfs"}};

}  // namespace
}  // namespace pty
