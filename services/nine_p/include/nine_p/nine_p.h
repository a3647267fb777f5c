// The file system "9p": a folder of the host in the guest, over 9P2000.L.
//
//   mount -t 9p -o trans=virtio,version=9p2000.L share /mnt
//
// Options: trans=virtio, version=9p2000.L, msize=BYTES, aname=FOLDER, uname=NAME, dfltuid=N, dfltgid=N,
// access=user|any|client|UID, cache=none|mmap|readahead|loose|fscache, posixacl and nodevmap (accepted, no
// effect), ro, rw.
//
// What the server does at any time is seen: names are looked up at each use and attributes asked for at each
// stat (with cache=loose and cache=fscache names are believed for a second). Reads and writes go to the
// server directly, except while the file is mapped: then both go through the page cache, written through, so
// that they agree with the mapping. When the last user closes the file, its pages are dropped.
//
// One server user acts for all (the mount's): permissions are checked here by mode and owner, and what
// another user makes is given to him afterwards, as far as the server lets us.
#pragma once

#include "vfs/file_system.h"

namespace nine_p {

using base::RefPtr;
using base::Result;

extern vfs::FileSystemType nine_p_type;
// Registers the type. Once, at start.
Result<void> initialize();

}  // namespace nine_p
