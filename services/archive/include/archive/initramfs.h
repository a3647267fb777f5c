// Initramfs images: what boot loaders hand to the kernel as the initial root file system.
//
// As on Linux an image is a sequence of members, each a cpio archive, plain or compressed (gzip, zstd, LZ4,
// xz), with any number of zero bytes between them. A compressed member may hold several archives. Later
// entries win over earlier ones.
//
//   char memory[160];
//   base::TextBuffer problem{memory};
//   if (auto result = archive::unpack_initramfs(image, sink, problem); !result)
//     core::log(LogLevel::error, "Initramfs unpacking failed: {}", problem.view());
//
// Thread context; may sleep in the sink. After an error, the entries before it have been delivered.
#pragma once

#include <cstdint>
#include <span>

#include "archive/entry.h"
#include "base/format.h"
#include "base/result.h"

namespace archive {

base::Result<void> unpack_initramfs(std::span<const std::uint8_t> image, EntrySink& sink,
                                    base::TextSink& problem);

}  // namespace archive
