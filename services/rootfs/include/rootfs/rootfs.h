// The first root file system: brings the vfs up on it and unpacks the initramfs into it.
//
// Init steps: "vfs.root" (file-system types, root mount, devices; before the milestone "vfs"), and
// "rootfs.initramfs" (before "root"). A damaged image is reported and what came before the damage stays, as
// on Linux.
#pragma once

#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "base/result.h"
#include "vfs/context.h"

namespace rootfs {

// Told after each file where its data ended: nothing before that will be read again if it lies in the image
// itself (it may also lie in the window of a decoder).
using Progress = base::FunctionRef<void(const std::uint8_t* data_end)>;

// Unpacks an image below the caller's root directory. For tests and for the step.
base::Result<void> unpack(const vfs::Caller& caller, std::span<const std::uint8_t> image,
                          base::TextSink& problem, Progress progress);

}  // namespace rootfs
