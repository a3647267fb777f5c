// Makes files of what an initramfs image contains.
#include <utility>

#include "archive/initramfs.h"
#include "base/string.h"
#include "base/vector.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page_transfer.h"
#include "core/memory/slab.h"
#include "rootfs/rootfs.h"
#include "vfs/operations.h"

namespace rootfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

namespace {

class Unpacker final : public archive::EntrySink {
 public:
  Unpacker(const vfs::Caller& caller, ImageOwner& owner) : caller_(caller), owner_(owner) {}

  Result<void> directory(const archive::Entry& entry) override {
    auto made = vfs::make_directory(caller_, nullptr, entry.name, entry.mode & 07777);
    if (!made && made.error() != Errno::eexist) return skip(made);
    TRY(directory_times_.try_push_back({TRY(base::String::create(entry.name)), entry.modified_seconds}));
    return set_attributes(entry);
  }
  Result<void> begin_file(const archive::Entry& entry) override {
    file_ = nullptr;
    // A hard link with data of its own: all names get the data.
    if (!std::exchange(just_linked_, false)) TRY(clear_way(entry, archive::mode::regular));
    auto file = vfs::open(caller_, nullptr, entry.name,
                          {vfs::open_write_only | vfs::open_create | vfs::open_no_follow | vfs::open_truncate,
                           entry.mode & 07777, vfs::lookup_default});
    if (!file) return skip(error(file.error()));
    file_ = std::move(*file);
    return {};
  }
  Result<void> data(std::span<const std::uint8_t> bytes) override {
    data_end_ = bytes.data() + bytes.size();
    if (!file_) return {};
    bytes = bytes.subspan(TRY(take_pages(bytes)));
    auto buffer = core::IoBuffer::kernel(std::as_bytes(bytes));
    while (!buffer.empty()) {
      std::size_t done = TRY(file_->write(buffer));
      if (done == 0) return error(Errno::enospc);
    }
    return {};
  }
  Result<void> end_file(const archive::Entry& entry) override {
    if (!file_) return {};
    vfs::Path path = file_->path();
    file_ = nullptr;
    if (data_end_) owner_.read_up_to(data_end_);
    return set_attributes_of(path, entry);
  }
  Result<void> symlink(const archive::Entry& entry, std::string_view target) override {
    TRY(clear_way(entry, 0));
    if (auto made = vfs::make_symlink(caller_, target, nullptr, entry.name); !made) return skip(made);
    return set_attributes(entry);
  }
  Result<void> node(const archive::Entry& entry) override {
    TRY(clear_way(entry, 0));
    auto made =
        vfs::make_node(caller_, nullptr, entry.name, entry.mode, {entry.device_major, entry.device_minor});
    if (!made) return skip(made);
    return set_attributes(entry);
  }
  Result<void> hard_link(const archive::Entry& entry, std::string_view existing) override {
    TRY(clear_way(entry, 0));
    auto made = vfs::link(caller_, nullptr, existing, nullptr, entry.name, vfs::lookup_default);
    just_linked_ = made && entry.size > 0;
    return made ? made : skip(made);
  }

  // The times of directories, which every entry made in them has changed.
  void finish() {
    for (const DirectoryTime& directory : directory_times_) {
      auto path = vfs::resolve(caller_, nullptr, directory.name, vfs::lookup_directory);
      if (path) set_times(path->inode(), directory.seconds);
    }
  }

 private:
  struct DirectoryTime {
    base::String name;
    std::uint32_t seconds;
  };
  // The whole pages at the front of `bytes`, where the image holds them at page boundaries, become the file's
  // without copying. Returns how many bytes that were.
  Result<std::size_t> take_pages(std::span<const std::uint8_t> bytes) {
    class Pages final : public core::PageSource {
     public:
      Pages(ImageOwner& owner, const std::uint8_t* at) : owner_(owner), at_(at) {}
      Piece next() override {
        core::PageRef page = owner_.take_page(at_);
        at_ += core::page_size;
        if (page) taken_ += core::page_size;
        return {std::move(page), 0, core::page_size};
      }
      std::size_t taken() const { return taken_; }

     private:
      ImageOwner& owner_;
      const std::uint8_t* at_;
      std::size_t taken_ = 0;
    };
    std::size_t whole = bytes.size() & ~(core::page_size - 1);
    bool aligned = core::to_physical(bytes.data()).value() % core::page_size == 0;
    if (!whole || !aligned || file_->position() % core::page_size != 0) return 0;
    Pages pages{owner_, bytes.data()};
    auto done = file_->splice_write(file_->position(), whole, pages);
    if (!done) return done.error() == Errno::einval && !pages.taken() ? Result<std::size_t>(0) : done;
    // A page that was taken and is not in the file is gone: its bytes cannot be written once more.
    if (pages.taken() != *done) return error(Errno::enospc);
    file_->set_position(file_->position() + *done);
    return *done;
  }
  // One entry that cannot be made (its directory is missing, say) does not end the run; a full memory does.
  static Result<void> skip(Result<void> problem) {
    if (problem.error() == Errno::enomem || problem.error() == Errno::enospc) return problem;
    return {};
  }
  // Later entries win over earlier ones: what has the name goes, unless it can be used again (type
  // `reusable`).
  Result<void> clear_way(const archive::Entry& entry, std::uint32_t reusable) {
    vfs::Attributes attributes;
    if (!vfs::stat(caller_, nullptr, entry.name, vfs::lookup_default, attributes)) return {};
    if (reusable && (attributes.mode & vfs::mode_type_mask) == reusable && attributes.link_count == 1)
      return {};
    auto removed = vfs::is_directory(attributes.mode) ? vfs::remove_directory(caller_, nullptr, entry.name)
                                                      : vfs::unlink(caller_, nullptr, entry.name);
    return removed ? removed : skip(removed);
  }
  Result<void> set_attributes(const archive::Entry& entry) {
    auto path = vfs::resolve(caller_, nullptr, entry.name, vfs::lookup_default);
    if (!path) return skip(error(path.error()));
    return set_attributes_of(*path, entry);
  }
  Result<void> set_attributes_of(const vfs::Path& path, const archive::Entry& entry) {
    // Before anybody else sees the tree: the fields are written directly.
    vfs::Inode& inode = path.inode();
    inode.set_owner(entry.user, entry.group);
    if (!vfs::is_symlink(inode.mode()))
      inode.set_mode((inode.mode() & vfs::mode_type_mask) | (entry.mode & 07777));
    set_times(inode, entry.modified_seconds);
    return {};
  }
  static void set_times(vfs::Inode& inode, std::uint32_t seconds) {
    vfs::Timestamp time{static_cast<std::int64_t>(seconds), 0};
    inode.set_modify_time(time);
    inode.set_access_time(time);
  }

  const vfs::Caller& caller_;
  ImageOwner& owner_;
  RefPtr<vfs::File> file_;
  bool just_linked_ = false;
  const std::uint8_t* data_end_ = nullptr;
  base::Vector<DirectoryTime> directory_times_;
};

}  // namespace

Result<void> unpack(const vfs::Caller& caller, std::span<const std::uint8_t> image, base::TextSink& problem,
                    ImageOwner& owner) {
  auto unpacker = TRY(base::try_make_unique<Unpacker>(caller, owner));
  auto result = archive::unpack_initramfs(image, *unpacker, problem);
  unpacker->finish();
  return result;
}

}  // namespace rootfs
