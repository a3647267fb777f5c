// Open files and directories.
#include "vfs/file.h"

#include "core/memory/address_space.h"
#include "core/memory/io_buffer.h"
#include "core/memory/slab.h"
#include "inode.h"
#include "vfs/operations.h"

namespace nine_p {

using vfs::IoFlags;

namespace {

class NinePFile final : public vfs::File {
 public:
  // `access`: what the fid is open for, which is not what the program may do (exec may not read).
  NinePFile(RefPtr<Fid> fid, std::uint32_t access, std::uint32_t error_seen)
      : File(has_position | can_map), fid_(std::move(fid)), access_(access), error_seen_(error_seen) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags) override {
    if (object().uses_cache()) {
      TRY(object().refresh());  // somebody else may have made it longer
      start_caching();
      return object().cache()->read(buffer, offset);
    }
    std::size_t total = 0;
    while (!buffer.empty()) {
      std::size_t offered = 0, wanted = buffer.remaining();
      auto take = [&](std::span<const std::byte> data) {
        offered = data.size();
        return buffer.copy_out(data);
      };
      auto got = read_once(object().client(), *fid_, offset + total, wanted, take);
      if (!got) return total ? Result<std::size_t>(total) : error(got.error());
      total += *got;
      if (*got < offered && total == 0) return error(Errno::efault);
      if (*got < offered || offered == 0) break;
      // A short answer is the end of the file, or of what one message carries.
      if (offered < wanted && offset + total >= inode().size()) break;
    }
    return total;
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, IoFlags io_flags) override {
    std::size_t count;
    {
      core::WriteGuard guard{inode().lock()};
      count = TRY(write_locked(buffer, offset));
    }
    return finish_write(offset, count, io_flags);
  }

  Result<std::size_t> append(core::IoBuffer& buffer, IoFlags io_flags, std::uint64_t& offset_after) override {
    std::size_t count;
    std::uint64_t offset;
    {
      core::WriteGuard guard{inode().lock()};
      TRY(object().refresh());
      offset = inode().size();
      count = TRY(write_locked(buffer, offset));
    }
    offset_after = offset + count;
    return finish_write(offset, count, io_flags);
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence == vfs::Whence::set) return File::do_seek(offset, whence);
    TRY(object().refresh());
    if (whence != vfs::Whence::data && whence != vfs::Whence::hole) return File::do_seek(offset, whence);
    // The protocol does not tell where holes are: all of it is data.
    if (offset < 0 || static_cast<std::uint64_t>(offset) >= inode().size()) return error(Errno::enxio);
    return whence == vfs::Whence::data ? static_cast<std::uint64_t>(offset) : inode().size();
  }

  Result<void> map(core::MapRequest& request) override {
    start_caching();
    request.object = RefPtr<core::MemoryObject>(object().cache());
    request.file = this;
    return {};
  }

  Result<void> sync(std::uint64_t from, std::uint64_t to, bool data_only) override {
    auto result = object().cache()->write_back(from, to);
    Call call = TRY(object().client().begin(Type::fsync));
    call.out.number32(fid_->number()).number32(data_only ? 1 : 0);
    (void)TRY(call.finish());
    TRY(object().cache()->check_error(error_seen_));
    return result;
  }

  void release() override {
    object().file_closed();
    fid_ = nullptr;  // while the mount still lives
  }

 private:
  NinePInode& object() const { return static_cast<NinePInode&>(inode()); }
  void start_caching() {
    object().start_caching(fid_, access_ != open_write_only, access_ != open_read_only);
  }

  // The inode's lock is held exclusively.
  Result<std::size_t> write_locked(core::IoBuffer& buffer, std::uint64_t offset) {
    if (buffer.empty()) return 0;
    std::uint64_t largest = inode().file_system().maximum_size();
    if (offset >= largest) return error(Errno::efbig);
    std::size_t count = buffer.remaining();
    if (count > largest - offset) count = static_cast<std::size_t>(largest - offset);
    count = TRY(vfs::limit_write(offset, count));
    std::size_t cut = buffer.truncate(count);
    vfs::drop_set_id_bits(inode(), credentials());
    auto done = object().uses_cache() ? write_through(buffer, offset) : write_directly(buffer, offset);
    buffer.extend(cut);
    if (done && *done) {
      if (offset + *done > inode().size()) inode().set_size(offset + *done);
      if (object().cache()->size() < inode().size()) object().cache()->set_size(inode().size());
      inode().touch_modified();
    }
    return done;
  }

  Result<std::size_t> write_directly(core::IoBuffer& buffer, std::uint64_t offset) {
    std::size_t total = 0;
    while (!buffer.empty()) {
      std::size_t copied = 0;
      auto fill = [&](std::span<std::byte> room) { return copied = buffer.copy_in(room); };
      auto done = write_once(object().client(), *fid_, offset + total, buffer.remaining(), fill);
      if (!done) {
        buffer.revert(copied);
        return total ? Result<std::size_t>(total) : error(done.error());
      }
      if (copied == 0) return total ? Result<std::size_t>(total) : error(Errno::efault);
      total += *done;
      if (*done < copied) {
        buffer.revert(copied - *done);
        break;
      }
    }
    return total;
  }

  Result<std::size_t> write_through(core::IoBuffer& buffer, std::uint64_t offset) {
    page_cache::PageCache& cache = *object().cache();
    start_caching();
    if (offset > cache.size()) TRY(cache.clear_behind_end());
    std::size_t done = TRY(cache.write(buffer, offset));
    if (done) TRY(cache.write_back(offset, offset + done - 1));
    return done;
  }

  Result<std::size_t> finish_write(std::uint64_t offset, std::size_t count, IoFlags io_flags) {
    bool full = (flags() & vfs::open_sync) == vfs::open_sync || (io_flags & vfs::io_sync);
    bool data = (flags() & vfs::open_data_sync) || (io_flags & vfs::io_data_sync);
    if (count && (full || data)) TRY(sync(offset, offset + count - 1, !full));
    return count;
  }

  RefPtr<Fid> fid_;
  const std::uint32_t access_;
  std::atomic<std::uint32_t> error_seen_;
};

class NinePDirectory final : public vfs::File {
 public:
  explicit NinePDirectory(RefPtr<Fid> fid) : File(has_position | directory_file), fid_(std::move(fid)) {}

  Result<void> iterate(vfs::DirectorySink& sink) override {
    Client& client = object().client();
    for (bool full = false; !full;) {
      Call call = TRY(client.begin(Type::readdir, Bulk::in));
      auto room = static_cast<std::uint32_t>(client.message_size() - read_overhead);
      call.out.number32(fid_->number()).number64(position()).number32(room);
      Reader in = TRY(call.finish());
      std::uint32_t count = in.number32();
      Reader entries(in.data(count));
      TRY(call.check(in));
      if (count == 0) return {};
      while (!full && !entries.is_empty()) {
        Qid qid = read_qid(entries);
        std::uint64_t next = entries.number64();
        std::uint8_t type = entries.number8();
        std::string_view name = entries.text();
        if (entries.has_failed() || name.empty() || name.size() > vfs::name_max ||
            name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos)
          return client.lied("a directory entry, length of the name", name.size());
        full = sink.entry(name, qid.path, type, next) == vfs::SinkState::full;
        if (!full) set_position(next);
      }
    }
    return {};
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }

  Result<void> sync(std::uint64_t, std::uint64_t, bool data_only) override {
    Call call = TRY(object().client().begin(Type::fsync));
    call.out.number32(fid_->number()).number32(data_only ? 1 : 0);
    (void)TRY(call.finish());
    return {};
  }

  void release() override {
    object().file_closed();
    fid_ = nullptr;
  }

 private:
  NinePInode& object() const { return static_cast<NinePInode&>(inode()); }
  RefPtr<Fid> fid_;
};

// A fid of its own, open.
Result<RefPtr<Fid>> open_fid(Client& client, const Fid& path, std::uint32_t flags) {
  WalkResult clone = TRY(client.walk(path, {}));
  Call call = TRY(client.begin(Type::lopen));
  call.out.number32(clone.fid->number()).number32(flags);
  Reader in = TRY(call.finish());
  (void)read_qid(in);
  clone.fid->io_unit = in.number32();
  TRY(call.check(in));
  return std::move(clone.fid);
}

}  // namespace

Result<RefPtr<vfs::File>> NinePInode::open(const vfs::OpenRequest& request) {
  constexpr std::uint32_t large_file = 0100000, directory_bit = 0200000;
  if (vfs::is_directory(mode())) {
    auto fid_opened = TRY(open_fid(client(), *fid(), open_read_only | directory_bit));
    auto file = TRY(base::try_make_ref<NinePDirectory>(fid_opened));
    file_opened(fid_opened);
    return RefPtr<vfs::File>(std::move(file));
  }
  if (!vfs::is_regular(mode())) return Inode::open(request);
  RefPtr<Fid> opened = take_created();
  std::uint32_t access = open_read_write;
  if (!opened) {
    access = request.flags & vfs::open_access_mask;
    if (request.flags & vfs::open_for_execute) access = open_read_only;
    // Mode 3 asks for both and is allowed neither: nothing that the server could do.
    if (access == vfs::open_access_mask) access = open_read_write;
    opened = TRY(open_fid(client(), *fid(), access | large_file));
  }
  auto file = TRY(base::try_make_ref<NinePFile>(opened, access, cache_->sample_error()));
  file_opened(opened);
  return RefPtr<vfs::File>(std::move(file));
}

}  // namespace nine_p
