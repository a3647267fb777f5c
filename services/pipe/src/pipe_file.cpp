#include "core/init/init_step.h"
#include "core/memory/user_pointer.h"
#include "pipe/pipe.h"
#include "vfs/device.h"

namespace pipe {

using base::Errno;
using base::error;

namespace {

constexpr unsigned fionread = 0x541b;

// The inode of an unnamed pipe: shows as "pipe:[number]".
class PipeInode final : public vfs::Inode {
 public:
  PipeInode(const vfs::NewInode& properties)
      : Inode(vfs::anonymous_file_system(), vfs::next_anonymous_inode_number(), properties) {}
  void describe(base::TextSink& out) const override { base::format(out, "pipe:[{}]", number()); }
};

}  // namespace

PipeFile::PipeFile(RefPtr<Pipe> pipe, bool reads, bool writes)
    : File(pipe_file | no_wait_capable), pipe_(std::move(pipe)), reads_(reads), writes_(writes) {
  pipe_->add_ends(reads_, writes_);
}
PipeFile::~PipeFile() = default;

Result<std::size_t> PipeFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return pipe_->read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

Result<std::size_t> PipeFile::write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return pipe_->write(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait),
                      flags() & vfs::open_direct ? Pipe::Mode::packets : Pipe::Mode::stream);
}

vfs::PollEvents PipeFile::poll(vfs::PollWaiter* waiter) {
  if (waiter) {
    if (reads_) waiter->watch(pipe_->readers());
    if (writes_) waiter->watch(pipe_->writers());
  }
  vfs::PollEvents state = pipe_->state(), events = 0;
  if (reads_) {
    events |= state & vfs::poll_readable;
    if ((state & vfs::poll_hang_up) && pipe_->writer_generation() != opened_at_generation_)
      events |= vfs::poll_hang_up;
  }
  if (writes_) events |= state & (vfs::poll_writable | vfs::poll_error);
  return events;
}

Result<long> PipeFile::ioctl(unsigned command, std::uintptr_t argument) {
  if (command != fionread) return error(Errno::enotty);
  TRY(core::UserOut<int>(argument).write(static_cast<int>(pipe_->available())));
  return 0;
}

// A FIFO's pipe stays attached to its inode: detaching it would race with the next open.
void PipeFile::release() { pipe_->remove_ends(reads_, writes_); }

Result<PipeEnds> create_pipe(vfs::OpenFlags flags, RefPtr<const vfs::Credentials> credentials) {
  auto pipe = TRY(Pipe::create(Pipe::Kind::unnamed));
  vfs::NewInode properties{vfs::mode_fifo | 0600, credentials->fsuid, credentials->fsgid, {}};
  auto* inode = new (std::nothrow) PipeInode(properties);
  if (!inode) return error(Errno::enomem);
  vfs::Path path = TRY(vfs::path_of_anonymous_inode(RefPtr<vfs::Inode>::adopt(inode)));
  inode->attach(pipe);
  auto reader = TRY(base::try_make_ref<PipeFile>(pipe, true, false));
  auto writer = base::try_make_ref<PipeFile>(pipe, false, true);
  vfs::OpenFlags kept = flags & (vfs::open_non_blocking | vfs::open_direct);
  reader->attach(path, vfs::open_read_only | kept, credentials);
  if (!writer) return error(writer.error());
  (*writer)->attach(std::move(path), vfs::open_write_only | kept, std::move(credentials));
  return PipeEnds{std::move(reader), std::move(*writer)};
}

// fifo(7). Opening for both never waits; Linux does that, POSIX leaves it open.
Result<RefPtr<vfs::File>> open_fifo(vfs::Inode& inode, const vfs::OpenRequest& request) {
  auto attachment = inode.attachment();
  if (!attachment) attachment = inode.attach(TRY(Pipe::create(Pipe::Kind::fifo)));
  RefPtr<Pipe> pipe = RefPtr<Pipe>(static_cast<Pipe*>(attachment.get()));
  vfs::OpenFlags mode = request.flags & vfs::open_access_mask;
  bool reads = mode != vfs::open_write_only, writes = mode != vfs::open_read_only;
  bool non_blocking = request.flags & vfs::open_non_blocking;
  if (pipe->kind() == Pipe::Kind::unnamed)
    return RefPtr<vfs::File>(TRY(base::try_make_ref<PipeFile>(std::move(pipe), reads, writes)));
  // A writer that may not wait is refused before it counts.
  if (writes && !reads && non_blocking) TRY(pipe->wait_for_reader(true));
  auto file = TRY(base::try_make_ref<PipeFile>(pipe, reads, writes));
  // From here on an error releases the end through ~OpenedEnd, because the file is not attached yet.
  struct OpenedEnd {
    Pipe* pipe;
    bool reads, writes;
    ~OpenedEnd() {
      if (pipe) pipe->remove_ends(reads, writes);
    }
  } opened{pipe.get(), reads, writes};
  if (reads && !writes) {
    if (!non_blocking)
      TRY(pipe->wait_for_writer());
    else
      file->opened_at_generation_ = pipe->state() & vfs::poll_hang_up ? pipe->writer_generation() : 0;
  } else if (writes && !reads) {
    TRY(pipe->wait_for_reader(non_blocking));
  }
  opened.pipe = nullptr;
  return RefPtr<vfs::File>(std::move(file));
}

namespace {

Result<void> register_fifos() {
  vfs::set_fifo_open(open_fifo);
  return {};
}
INIT_STEP fifo_step{"pipe.fifo", {"threads"}, register_fifos, {"vfs"}};

}  // namespace
}  // namespace pipe
