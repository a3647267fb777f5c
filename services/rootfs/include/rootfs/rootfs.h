// The first root file system: brings the vfs up on it and unpacks the initramfs into it.
//
// Init steps: "vfs.root" (file-system types, root mount, devices; before the milestone "vfs"), and
// "rootfs.initramfs" (before "root"). A damaged image is reported and what came before the damage stays, as
// on Linux.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "core/memory/page.h"
#include "vfs/context.h"

namespace rootfs {

// Who owns the memory of the image, and takes it back or gives it away page by page while the image is read.
// Addresses may also lie outside of the image (in the window of a decoder): then nothing is to be done.
class ImageOwner {
 public:
  // Nothing before `at` will be read again.
  virtual void read_up_to(const std::uint8_t* at) = 0;
  // The page at `at`, which is page aligned, for good; nothing before it will be read again. Null if it is
  // not to be had.
  virtual core::PageRef take_page(const std::uint8_t* at) = 0;

 protected:
  ~ImageOwner() = default;
};

// Unpacks an image below the caller's root directory. For tests and for the step.
base::Result<void> unpack(const vfs::Caller& caller, std::span<const std::uint8_t> image,
                          base::TextSink& problem, ImageOwner& owner);

}  // namespace rootfs
