// Open texts and directories.
#include "core/memory/io_buffer.h"
#include "core/memory/slab.h"
#include "pseudo_inode.h"
#include "vfs/file.h"

namespace pseudo_fs {

namespace {

// Grows as needed; remembers that memory ran out.
class GrowingText final : public base::TextSink {
 public:
  void put(std::string_view text) override {
    if (!failed_ && !bytes_.try_append({text.data(), text.size()})) failed_ = true;
  }
  bool failed() const { return failed_; }
  void clear() {
    bytes_.clear();
    failed_ = false;
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  base::Vector<char> bytes_;
  bool failed_ = false;
};

class TextFile final : public vfs::File {
 public:
  explicit TextFile(RefPtr<Text> entry) : File(has_position), entry_(std::move(entry)) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    core::MutexGuard guard{lock_};
    if (!generated_ || offset == 0) {
      text_.clear();
      generated_ = false;
      TRY(entry_->show(text_, credentials()));
      if (text_.failed()) return error(Errno::enomem);
      generated_ = true;
    }
    std::string_view text = text_.view();
    if (offset >= text.size()) return 0;
    text.remove_prefix(offset);
    std::size_t done = buffer.copy_out(std::as_bytes(std::span(text.data(), text.size())));
    if (!done && buffer.faulted()) return error(Errno::efault);
    return done;
  }

  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags) override {
    constexpr std::size_t store_max = 65536;
    std::size_t size = buffer.remaining();
    if (size > store_max) return error(Errno::einval);
    base::Vector<char> text;
    TRY(text.try_resize(size));
    if (buffer.copy_in(std::as_writable_bytes(text.span())) < size) return error(Errno::efault);
    TRY(entry_->store({text.data(), size}, credentials()));
    return size;
  }

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override { return entry_->poll(waiter, poll_state_); }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }

 private:
  const RefPtr<Text> entry_;
  core::Mutex lock_{"pseudo file text"};
  GrowingText text_ GUARDED_BY(lock_);
  bool generated_ GUARDED_BY(lock_) = false;
  std::uint64_t poll_state_ = 0;
};

class DirectoryFile final : public vfs::File {
 public:
  explicit DirectoryFile(RefPtr<Directory> entry)
      : File(has_position | directory_file), entry_(std::move(entry)) {}

  Result<void> iterate(vfs::DirectorySink& sink) override {
    constexpr auto type = vfs::directory_entry_type(vfs::mode_directory);
    if (position() == 0) {
      if (sink.entry(".", inode().number(), type, 1) == vfs::SinkState::full) return {};
      set_position(1);
    }
    if (position() == 1) {
      auto parent = path().dentry().parent_reference();
      if (sink.entry("..", parent->inode() ? parent->inode()->number() : inode().number(), type, 2) ==
          vfs::SinkState::full)
        return {};
      set_position(2);
    }
    if (entry_->is_stale()) return error(Errno::enoent);
    Forward forward(*this, sink);
    return entry_->list(position(), forward);
  }
  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (whence != vfs::Whence::set || offset < 0) return error(Errno::einval);
    return static_cast<std::uint64_t>(offset);
  }

 private:
  class Forward final : public ListSink {
   public:
    Forward(DirectoryFile& file, vfs::DirectorySink& sink) : file_(file), sink_(sink) {}
    vfs::SinkState entry(std::string_view name, std::uint64_t number, std::uint8_t type,
                         std::uint64_t position) override {
      if (sink_.entry(name, number, type, position + 1) == vfs::SinkState::full) return vfs::SinkState::full;
      file_.set_position(position + 1);
      return vfs::SinkState::more;
    }

   private:
    DirectoryFile& file_;
    vfs::DirectorySink& sink_;
  };
  const RefPtr<Directory> entry_;
};

}  // namespace

Result<RefPtr<vfs::File>> Text::open(const vfs::OpenRequest&) {
  return RefPtr<vfs::File>(TRY(base::try_make_ref<TextFile>(RefPtr<Text>(this))));
}
Result<RefPtr<vfs::File>> Directory::open(const vfs::OpenRequest&) {
  return RefPtr<vfs::File>(TRY(base::try_make_ref<DirectoryFile>(RefPtr<Directory>(this))));
}

}  // namespace pseudo_fs
