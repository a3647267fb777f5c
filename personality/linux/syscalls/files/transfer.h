// Data from one file to another inside the kernel: sendfile, copy_file_range, splice.
//
// Pages of a page cache and of a pipe go by reference as far as the other side allows; everything else is
// read into a page and written from there. Both sides are files that the caller holds; no lock is held while
// either is called.
#pragma once

#include <optional>

#include "core/memory/page_transfer.h"
#include "linux_abi/prelude.h"
#include "pipe/pipe.h"
#include "vfs/file.h"

namespace linux_abi {

// Where one side stands: the file's own position (if it has one), or an offset of the program's.
struct Side {
  vfs::File& file;
  bool own_position;
  std::uint64_t offset;

  Result<std::size_t> read(std::span<std::byte> to, vfs::IoFlags flags = vfs::io_none);
  Result<std::size_t> write(std::span<const std::byte> from);
  // By reference; EINVAL: the file has no pages to give.
  Result<std::size_t> read_pages(std::size_t length, core::PageSink& sink);
  // Gives back what was read but could not be written.
  void unread(std::size_t count);
};

// As much of `count` bytes as there is and as the target takes. A signal ends it after the first page; an
// error is one only if nothing was moved.
Result<std::size_t> copy_between(Task& task, Side& from, Side& to, std::size_t count);

// Waits until the pipe has room, then fills it without waiting again. EAGAIN, EPIPE.
Result<std::size_t> fill_pipe(Side& from, pipe::Pipe& to, std::size_t length, bool non_blocking);
// Waits for something in the pipe, then passes on what is there. EAGAIN.
Result<std::size_t> empty_pipe(pipe::Pipe& from, Side& to, std::size_t length, bool non_blocking);
// Two pipes share a page, or the page moves on. EAGAIN, EPIPE.
Result<std::size_t> move_between(pipe::Pipe& from, pipe::Pipe& to, std::size_t length, bool non_blocking);

}  // namespace linux_abi
