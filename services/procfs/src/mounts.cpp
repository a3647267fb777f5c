// The texts of mounts, mountinfo and mountstats.
#include "core/memory/slab.h"
#include "procfs/procfs.h"
#include "vfs/mount_sharing.h"
#include "vfs/operations.h"

namespace procfs {

using base::format;

namespace {

constexpr std::string_view escaped = " \t\n\\#";

void put_mount_options(base::TextSink& out, const vfs::Mount& mount) {
  struct Option {
    vfs::MountFlags flag;
    std::string_view text;
  };
  static constexpr Option options[] = {{vfs::mount_no_set_uid, ",nosuid"},
                                       {vfs::mount_no_devices, ",nodev"},
                                       {vfs::mount_no_execute, ",noexec"},
                                       {vfs::mount_no_access_time, ",noatime"},
                                       {vfs::mount_no_directory_access_time, ",nodiratime"},
                                       {vfs::mount_relative_access_time, ",relatime"},
                                       {vfs::mount_no_symlink_follow, ",nosymfollow"}};
  for (const Option& option : options)
    if (mount.has(option.flag)) out.put(option.text);
}

void put_propagation(base::TextSink& out, const vfs::Mount& mount, const vfs::Path& root) {
  vfs::MountSharing sharing = vfs::sharing_of_locked(mount, root);
  if (sharing.peers) format(out, " shared:{}", sharing.peers);
  if (sharing.master) format(out, " master:{}", sharing.master);
  if (sharing.visible_master && sharing.visible_master != sharing.master)
    format(out, " propagate_from:{}", sharing.visible_master);
  if (sharing.unbindable) format(out, " unbindable");
}

struct Scratch {
  char path[vfs::path_max];
  char inside[vfs::path_max];
};

}  // namespace

Result<void> show_mounts(base::TextSink& out, const vfs::Path& root, MountFormat style) {
  auto scratch = TRY(base::try_make_unique<Scratch>());
  auto* space = root.mount().mount_namespace();
  if (!space) return {};
  space->for_each([&](vfs::Mount& mount) {
    vfs::Path place(base::RefPtr<vfs::Mount>(&mount), mount.root_reference());
    auto text = vfs::path_text(place, &root, scratch->path, vfs::DeletedMark::omit);
    if (!text || text->starts_with("(unreachable)")) return;
    const vfs::FileSystem& file_system = mount.file_system();
    std::string_view source = mount.source();
    std::string_view writable = mount.has(vfs::mount_read_only) ? "ro" : "rw";
    switch (style) {
      case MountFormat::mountstats:
        format(out, "device ");
        vfs::put_escaped(out, source, escaped);
        format(out, " mounted on ");
        vfs::put_escaped(out, *text, escaped);
        format(out, " with fstype {}\n", file_system.type().name());
        break;
      case MountFormat::mounts:
        vfs::put_escaped(out, source, escaped);
        format(out, " ");
        vfs::put_escaped(out, *text, escaped);
        format(out, " {} {}", file_system.type().name(), mount.is_read_only() ? "ro" : "rw");
        put_mount_options(out, mount);
        file_system.put_options(out);
        format(out, " 0 0\n");
        break;
      case MountFormat::mountinfo: {
        const vfs::Mount* parent = mount.parent();
        vfs::DeviceNumber device = file_system.device();
        format(out, "{} {} {}:{} ", mount.id(), parent ? parent->id() : mount.id(), device.major,
               device.minor);
        auto inside = vfs::mount_root_text(mount, scratch->inside);
        vfs::put_escaped(out, inside ? *inside : std::string_view("/"), escaped);
        format(out, " ");
        vfs::put_escaped(out, *text, escaped);
        format(out, " {}", writable);
        put_mount_options(out, mount);
        put_propagation(out, mount, root);
        format(out, " - {} ", file_system.type().name());
        vfs::put_escaped(out, source, escaped);
        format(out, " {}", file_system.is_read_only() ? "ro" : "rw");
        file_system.put_options(out);
        format(out, "\n");
        break;
      }
    }
  });
  return {};
}

}  // namespace procfs
