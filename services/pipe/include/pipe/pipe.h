// Pipes and FIFOs (pipe(7), fifo(7)): a ring of page pieces between writers and readers.
//
//   tail_                         head_
//     |  piece | piece | piece      |          each piece: a page, where its bytes begin, how many
//
// Small writes are appended to the last piece while its page has room; a page that came by reference (splice)
// or that somebody else holds is never written to, nor is a packet (O_DIRECT) continued.
//
// Locking: lock_ protects everything. It is a sleeping lock: user memory is copied with it held. Readers and
// writers wait on the two queues with it open. Waiters are exclusive: one wake lets one go, and whoever
// leaves the pipe still readable (writable) passes the wake on.
//
// Errors: a write without readers gives EPIPE; SIGPIPE is the personality's business (File::pipe_file).
#pragma once

#include <cstdint>
#include <span>

#include "base/vector.h"
#include "core/memory/io_buffer.h"
#include "core/memory/page.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "vfs/file.h"
#include "vfs/inode.h"

namespace pipe {

using base::RefPtr;
using base::Result;

inline constexpr std::size_t atomic_write_size = 4096;  // PIPE_BUF
inline constexpr std::uint32_t default_capacity_pages = 16;
inline constexpr std::uint32_t limit_capacity_pages =
    1u << 19;  // for the privileged: 2 GiB; others: pipe_max_size

// Part of a page, on its way through a pipe.
struct Piece {
  core::PageRef page;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  bool packet = false;  // never merged, read one at a time
  bool owned = false;   // our own page: may be appended to while nobody else holds it

  explicit operator bool() const { return static_cast<bool>(page); }
  std::span<const std::byte> bytes() const { return {page.data<const std::byte>() + offset, length}; }
};

class Pipe final : public vfs::InodeAttachment {
 public:
  // A FIFO has a name, and an open of it waits for the other side. A pipe opened again, through /dev/fd, does
  // not wait: its other side may have come, written and gone.
  enum class Kind { unnamed, fifo };
  static Result<RefPtr<Pipe>> create(Kind kind);
  explicit Pipe(Kind kind) : kind_(kind) {}

  enum class Mode { stream, packets };

  Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(lock_);
  Result<std::size_t> write(core::IoBuffer& buffer, bool non_blocking, Mode mode) EXCLUDES(lock_);
  // readable, writable, hang up (no writers), error (no readers), as far as they are true.
  vfs::PollEvents state() EXCLUDES(lock_);
  std::size_t available() EXCLUDES(lock_);

  // ---- Ends ----
  void add_ends(bool reader, bool writer) EXCLUDES(lock_);
  // When nobody has the pipe open any more, what is in it is lost.
  void remove_ends(bool reader, bool writer) EXCLUDES(lock_);
  std::uint32_t writer_generation() EXCLUDES(lock_);
  Kind kind() const { return kind_; }
  // fifo(7): waits until the other side is open too. ENXIO for a non-blocking writer without readers.
  Result<void> wait_for_reader(bool non_blocking) EXCLUDES(lock_);
  Result<void> wait_for_writer() EXCLUDES(lock_);

  // ---- F_GETPIPE_SZ, F_SETPIPE_SZ ----
  std::size_t capacity() EXCLUDES(lock_);
  // EBUSY when more is in it than would fit, EPERM beyond the limit.
  Result<std::size_t> set_capacity(std::size_t bytes, bool privileged) EXCLUDES(lock_);

  // ---- Moving pages (splice, tee, vmsplice) ----
  // Shows up to `length` bytes piece by piece; `accept` gets a counted page and returns how many of its bytes
  // it took (fewer ends the call). Called with lock_ held: it must not wait, nor touch another pipe.
  Result<std::size_t> peek_pieces(std::size_t length, bool non_blocking,
                                  base::FunctionRef<std::size_t(const Piece&)> accept) EXCLUDES(lock_);
  // Takes pieces out while all other readers wait, so that what could not be passed on is still the first:
  //
  //   Pipe::Transfer transfer{pipe};
  //   TRY(transfer.begin(non_blocking));           // waits for something to read (EAGAIN)
  //   while (Piece piece = transfer.first(wanted)) transfer.consume(std::move(piece), written(piece));
  //
  // The holder may sleep in between.
  class Transfer {
   public:
    explicit Transfer(Pipe& pipe) : pipe_(pipe) {}
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    Result<void> begin(bool non_blocking) EXCLUDES(pipe_.lock_);
    // At most `length` bytes of the first piece; nothing when the pipe is empty. It is not written to
    // meanwhile.
    Piece first(std::size_t length) EXCLUDES(pipe_.lock_);
    void consume(Piece piece, std::size_t length) EXCLUDES(pipe_.lock_);

   private:
    Pipe& pipe_;
    bool begun_ = false, consumed_ = false;
  };
  // Waits for room for one piece (EAGAIN, EPIPE).
  Result<void> wait_for_room(bool non_blocking) EXCLUDES(lock_);
  // False, and the piece is still the caller's, when there is no room (any more) or nobody reads.
  bool put_piece(Piece&& piece) EXCLUDES(lock_);

  core::WaitQueue& readers() { return readers_; }
  core::WaitQueue& writers() { return writers_; }

 private:
  bool empty_locked() const REQUIRES(lock_) { return head_ == tail_; }
  bool full_locked() const REQUIRES(lock_) { return head_ - tail_ >= ring_.size(); }
  Piece& at_locked(std::uint32_t index) REQUIRES(lock_) { return ring_[index & (ring_.size() - 1)]; }
  void drop_first_locked() REQUIRES(lock_);
  std::size_t append_locked(core::IoBuffer& buffer) REQUIRES(lock_);
  Result<std::size_t> add_page_locked(core::IoBuffer& buffer, Mode mode) REQUIRES(lock_);
  Result<void> wait_readable_locked(core::MutexGuard& guard, bool non_blocking) REQUIRES(lock_);
  bool fits_in_last_locked(std::size_t size) REQUIRES(lock_);  // not when empty

  const Kind kind_;
  core::Mutex lock_{"pipe"};
  core::WaitQueue readers_{"pipe readers"};
  core::WaitQueue writers_{"pipe writers"};
  // Protected by lock_:
  base::Vector<Piece> ring_ GUARDED_BY(lock_);                             // size: a power of two
  std::uint32_t head_ GUARDED_BY(lock_) = 0, tail_ GUARDED_BY(lock_) = 0;  // free running
  core::PageRef spare_ GUARDED_BY(lock_);        // the last emptied page, for the next write
  bool transferring_ GUARDED_BY(lock_) = false;  // readers wait for the end of a transfer
  std::uint32_t reader_count_ GUARDED_BY(lock_) = 0, writer_count_ GUARDED_BY(lock_) = 0;
  // Count opens, so that an open that waits notices an end that came and went.
  std::uint32_t reader_generation_ GUARDED_BY(lock_) = 0, writer_generation_ GUARDED_BY(lock_) = 0;
};

// One end (or, for a FIFO opened read-write, both).
class PipeFile final : public vfs::File {
 public:
  PipeFile(RefPtr<Pipe> pipe, bool reads, bool writes);
  ~PipeFile() override;

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  Pipe& pipe() const { return *pipe_; }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags io_flags) override;
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags io_flags) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  // O_DIRECT, packets, comes and goes with F_SETFL.
  Result<void> check_flags(vfs::OpenFlags) override { return {}; }
  void release() override;

 private:
  friend Result<RefPtr<vfs::File>> open_fifo(vfs::Inode&, const vfs::OpenRequest&);
  const RefPtr<Pipe> pipe_;
  const bool reads_, writes_;
  std::uint32_t opened_at_generation_ = 0;  // of writers: a FIFO that never had one is not hung up
};

struct PipeEnds {
  RefPtr<vfs::File> reader, writer;
};
// pipe2(2) without descriptors. `flags`: open_non_blocking, open_direct (packets).
Result<PipeEnds> create_pipe(vfs::OpenFlags flags, RefPtr<const vfs::Credentials> credentials);

}  // namespace pipe
