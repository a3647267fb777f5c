#include "kmsg.h"

#include "base/parse.h"
#include "core/console/log_wait.h"
#include "core/log/log.h"
#include "core/log/log_reader.h"
#include "core/memory/io_buffer.h"
#include "core/memory/slab.h"
#include "core/sync/wait_queue.h"

namespace devtmpfs {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using vfs::IoFlags;

namespace {

class KmsgFile final : public vfs::File {
 public:
  KmsgFile() : File(no_wait_capable | seeks_itself), reader_(core::LogReader::Start::oldest) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t, IoFlags io_flags) override {
    core::MutexGuard guard{lock_};
    while (!reader_.has_next()) {
      if (is_non_blocking() || (io_flags & vfs::io_no_wait)) return error(Errno::eagain);
      TRY(core::log_wait_queue().wait(guard, core::WaitMode::interruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
        return reader_.has_next();
      }));  // wait() holds lock_ there
    }
    switch (reader_.next(scratch_->record)) {
      case core::LogRead::lost:
        return error(Errno::epipe);
      case core::LogRead::none:
        return error(Errno::eagain);
      case core::LogRead::record:
        break;
    }
    base::TextBuffer text(scratch_->text);
    core::format_kmsg_record(text, scratch_->record);
    if (text.view().size() > buffer.remaining()) {
      reader_.seek(scratch_->record.sequence);
      return error(Errno::einval);
    }
    std::size_t done = buffer.copy_out(std::as_bytes(std::span(text.view().data(), text.view().size())));
    if (done < text.view().size()) return error(Errno::efault);
    return done;
  }

  // "<30>text": priority with the facility; without one, user space's default.
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t, IoFlags) override {
    std::size_t size = buffer.remaining();
    if (size > core::log_text_max) return error(Errno::einval);
    char memory[core::log_text_max];
    std::size_t got = buffer.copy_in(std::as_writable_bytes(std::span(memory, size)));
    if (got < size) return error(Errno::efault);
    std::string_view text(memory, size);
    unsigned priority = 4, facility = 1;
    if (text.starts_with('<')) {
      std::size_t end = text.find('>');
      if (end != std::string_view::npos && end <= 5) {
        if (auto number = base::parse_unsigned(text.substr(1, end - 1))) {
          priority = *number & 7;
          if (*number >> 3) facility = static_cast<unsigned>(*number >> 3);
          text.remove_prefix(end + 1);
        }
      }
    }
    core::log_text(static_cast<core::LogLevel>(priority), text, static_cast<core::LogFacility>(facility));
    return size;
  }

  vfs::PollEvents poll(vfs::PollWaiter* waiter) override {
    if (waiter) waiter->watch(core::log_wait_queue());
    core::MutexGuard guard{lock_};
    return vfs::poll_writable | (reader_.has_next() ? vfs::poll_readable : 0);
  }

  Result<std::uint64_t> do_seek(std::int64_t offset, vfs::Whence whence) override {
    if (offset) return error(Errno::espipe);
    core::MutexGuard guard{lock_};
    switch (whence) {
      case vfs::Whence::set:
      case vfs::Whence::data:
        reader_.seek(core::LogReader::Start::oldest);
        return 0;
      case vfs::Whence::end:
        reader_.seek(core::LogReader::Start::newest);
        return 0;
      default:
        return error(Errno::einval);
    }
  }

  struct Scratch {
    core::LogRecord record;
    char text[core::log_text_max * 4 + 64];  // every byte may need an escape
  };
  // Nobody else knows the file yet.
  void set_scratch(std::unique_ptr<Scratch> scratch) NO_THREAD_SAFETY_ANALYSIS {
    scratch_ = std::move(scratch);
  }

 private:
  core::Mutex lock_{"kmsg reader"};
  core::LogReader reader_ GUARDED_BY(lock_);
  std::unique_ptr<Scratch> scratch_ GUARDED_BY(lock_);
};

}  // namespace

Result<RefPtr<vfs::File>> open_kmsg(const vfs::OpenRequest&) {
  auto file = TRY(base::try_make_ref<KmsgFile>());
  file->set_scratch(TRY(base::try_make_unique<KmsgFile::Scratch>()));
  return RefPtr<vfs::File>(std::move(file));
}

}  // namespace devtmpfs
