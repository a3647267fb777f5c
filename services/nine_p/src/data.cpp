// Bytes of files: single reads and writes, and the page cache's side of a mapped file.
#include "core/memory/page_allocator.h"
#include "inode.h"

namespace nine_p {

using core::Page;
using core::page_shift;
using core::page_size;

namespace {
std::size_t limit(std::size_t count, const Fid& fid, std::size_t message, std::size_t overhead) {
  std::size_t most = message - overhead;
  if (fid.io_unit && fid.io_unit < most) most = fid.io_unit;
  return count < most ? count : most;
}
}  // namespace

Result<std::size_t> read_once(Client& client, const Fid& fid, std::uint64_t offset, std::size_t count,
                              base::FunctionRef<std::size_t(std::span<const std::byte>)> take) {
  count = limit(count, fid, client.message_size(), read_overhead);
  Call call = TRY(client.begin(Type::read, Bulk::in));
  call.out.number32(fid.number()).number64(offset).number32(static_cast<std::uint32_t>(count));
  Reader in = TRY(call.finish());
  std::uint32_t got = in.number32();
  if (got > count) return client.lied("more data than was asked for", got);
  auto data = in.data(got);
  TRY(call.check(in));
  return take(data);
}

Result<std::size_t> write_once(Client& client, const Fid& fid, std::uint64_t offset, std::size_t count,
                               base::FunctionRef<std::size_t(std::span<std::byte>)> fill) {
  count = limit(count, fid, client.message_size(), write_overhead);
  Call call = TRY(client.begin(Type::write, Bulk::out));
  call.out.number32(fid.number()).number64(offset);
  std::size_t count_at = call.out.used();
  call.out.number32(static_cast<std::uint32_t>(count));
  auto room = call.out.room(count);
  if (room.size() != count) return error(Errno::eio);
  std::size_t filled = fill(room);
  if (filled == 0) return 0;
  if (filled < count) {
    call.out.shrink(count - filled);
    call.out.set32(count_at, static_cast<std::uint32_t>(filled));
  }
  Reader in = TRY(call.finish());
  std::uint32_t done = in.number32();
  TRY(call.check(in));
  if (done > filled) return client.lied("more written than there was", done);
  return done;
}

// ---- The page cache's side ----

Result<void> NinePInode::read_pages(std::uint64_t first, std::span<Page* const> pages) {
  RefPtr<Fid> from;
  {
    core::MutexGuard guard{fid_mutex_};
    from = reader_;
  }
  if (!from) return error(Errno::ebadf);
  std::uint64_t at = first << page_shift, end = (first + pages.size()) << page_shift;
  while (at < end) {
    auto copy = [&](std::span<const std::byte> data) {
      for (std::size_t done = 0; done < data.size();) {
        std::uint64_t position = at + done;
        std::size_t within = position & (page_size - 1);
        std::size_t count = page_size - within < data.size() - done ? page_size - within : data.size() - done;
        std::memcpy(core::data_of<std::byte>(*pages[(position >> page_shift) - first]) + within,
                    data.data() + done, count);
        done += count;
      }
      return data.size();
    };
    std::size_t got = TRY(read_once(client(), *from, at, static_cast<std::size_t>(end - at), copy));
    if (got == 0) return {};  // behind the end
    at += got;
  }
  return {};
}

Result<void> NinePInode::write_pages(std::uint64_t first, std::span<Page* const> pages) {
  RefPtr<Fid> into;
  {
    core::MutexGuard guard{fid_mutex_};
    into = writer_;
  }
  if (!into) return error(Errno::ebadf);
  std::uint64_t at = first << page_shift, end = (first + pages.size()) << page_shift;
  if (end > cache_->size()) end = cache_->size();
  while (at < end) {
    auto fill = [&](std::span<std::byte> room) {
      for (std::size_t done = 0; done < room.size();) {
        std::uint64_t position = at + done;
        std::size_t within = position & (page_size - 1);
        std::size_t count = page_size - within < room.size() - done ? page_size - within : room.size() - done;
        std::memcpy(room.data() + done,
                    core::data_of<std::byte>(*pages[(position >> page_shift) - first]) + within, count);
        done += count;
      }
      return room.size();
    };
    std::size_t done = TRY(write_once(client(), *into, at, static_cast<std::size_t>(end - at), fill));
    if (done == 0) return error(Errno::eio);
    at += done;
  }
  return {};
}

}  // namespace nine_p
