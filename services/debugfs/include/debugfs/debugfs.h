// debugfs: switches and figures for whoever tests the kernel. It is mounted by hand:
//
//   mount -t debugfs debugfs /sys/kernel/debug
//
//   TRY(debugfs::add_text("failslab/interval", 0600, show_interval, store_interval));
//
// Only root sees its inside. Every mount shows the same tree. Modules add to it from init steps after
// "debugfs".
#pragma once

#include <string_view>

#include "pseudo_fs/entry.h"

namespace debugfs {

// Along a path: directories that are missing are made.
base::Result<void> add_text(std::string_view path, vfs::Mode permissions, pseudo_fs::ShowFunction show,
                            pseudo_fs::StoreFunction store = nullptr);
// The same with an entry of one's own.
base::Result<void> add(std::string_view path, base::RefPtr<pseudo_fs::Entry> entry);

}  // namespace debugfs
