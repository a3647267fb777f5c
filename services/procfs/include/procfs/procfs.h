// procfs: what the system knows about itself, as text. This module has the file system, the files about
// memory, devices, file systems and interrupts, and /proc/sys; the personality adds the processes and what
// only it knows.
//
//   TRY(procfs::add_text("sys/kernel/hostname", 0644, show_hostname, store_hostname));
//   procfs::set_process_directory(processes);      // find("17"), find("self"); list() by pid
//
// Every mount shows the same tree. Init step: "procfs" (before "vfs"). Others add from their own steps, at
// any time after the step "procfs".
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "pseudo_fs/entry.h"

namespace procfs {

using base::Result;

// The entries of /proc that are not processes.
pseudo_fs::StaticDirectory& root_directory();
// /proc/net, which every process sees below its own directory: the network adds to it.
pseudo_fs::StaticDirectory& net_directory();
// Along a path: directories that are missing are made.
Result<void> add(std::string_view path, base::RefPtr<pseudo_fs::Entry> entry);
Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                      pseudo_fs::StoreFunction store = nullptr);
// Names that the root directory does not have itself are looked for here; positions of its listing are pids.
void set_process_directory(pseudo_fs::Directory& processes);

// A number written to a file of /proc/sys: white space around it is dropped. EINVAL.
Result<std::int64_t> parse_number(std::string_view text);
// The text of one line without white space at its end.
std::string_view trim(std::string_view text);

// Lines of mounts, mountinfo and mountstats as seen from `root` (mounts that cannot be reached from it are
// left out).
enum class MountFormat { mounts, mountinfo, mountstats };
Result<void> show_mounts(base::TextSink& out, const vfs::Path& root, MountFormat format);

}  // namespace procfs
