// io_setup(2), io_destroy(2), io_submit(2), io_cancel(2), io_getevents(2), io_pgetevents(2)
#include "core/memory/io_buffer.h"
#include "linux_abi/io_flags.h"
#include "linux_abi/io_vectors.h"
#include "linux_abi/signal_delivery.h"
#include "syscalls/async_io/process_async_io.h"
#include "syscalls/async_io/rows.h"
#include "vfs/inode.h"

namespace linux_abi {

namespace {

constexpr std::uint64_t whole_file = ~std::uint64_t{0} >> 1;

Result<RefPtr<AioContext>> find(Context& context, UserAddress id) {
  ProcessAsyncIo* own = ProcessAsyncIo::find(context.process);
  if (!own) return error(Errno::einval);
  return own->find_context(id);
}

std::int64_t event_result(Context& context, const Result<std::size_t>& done, Direction direction) {
  if (done) {
    direction == Direction::read ? context.task.account_read(*done) : context.task.account_write(*done);
    return static_cast<std::int64_t>(*done);
  }
  Errno code = done.error();
  if (code == Errno::epipe && direction == Direction::write)
    (void)!send_signal(context.task, SigInfo(signal::pipe, si::user));
  return -static_cast<std::int64_t>(event_error(code));
}

Result<void> transfer(Context& context, AioContext& aio, vfs::File& file, const AioBlock& block,
                      const AioTicket& ticket) {
  bool vectors = block.opcode == aio_preadv || block.opcode == aio_pwritev;
  Direction direction =
      block.opcode == aio_pread || block.opcode == aio_preadv ? Direction::read : Direction::write;
  vfs::IoFlags flags = TRY(checked_io_flags(file, block.io_flags, direction));
  if (!(direction == Direction::read ? file.can_read() : file.can_write())) return error(Errno::ebadf);
  if (file.has_trait(vfs::File::directory_file)) return error(Errno::einval);
  IoVectors segments;
  auto address = static_cast<std::uintptr_t>(block.buffer);
  if (vectors)
    TRY(segments.read(UserArray<Iovec>(address), block.size));
  else if (!core::is_user_range(UserAddress(address), block.size))
    return error(Errno::efault);
  if (block.offset < 0) return error(Errno::einval);
  auto run = [&](core::IoBuffer&& buffer) -> Result<std::size_t> {
    auto offset = static_cast<std::uint64_t>(block.offset);
    if (!file.has_trait(vfs::File::has_position))
      return direction == Direction::read ? file.read(buffer, flags) : file.write(buffer, flags);
    return direction == Direction::read ? file.positioned_read(buffer, offset, flags)
                                        : file.positioned_write(buffer, offset, flags);
  };
  std::size_t size = block.size < max_transfer ? block.size : max_transfer;
  Result<std::size_t> done = vectors ? run(core::IoBuffer::user(segments.span()))
                                     : run(core::IoBuffer::user(UserAddress(address), size));
  aio.complete(ticket, event_result(context, done, direction));
  return {};
}

Result<void> synchronise(AioContext& aio, vfs::File& file, const AioBlock& block, const AioTicket& ticket) {
  if (block.buffer || block.offset || block.size || block.io_flags) return error(Errno::einval);
  vfs::Mode mode = file.inode().mode();
  if (!vfs::is_regular(mode) && !vfs::is_block(mode) && !vfs::is_directory(mode)) return error(Errno::einval);
  auto done = file.sync(0, whole_file, block.opcode == aio_fdsync);
  aio.complete(ticket, done ? 0 : -static_cast<std::int64_t>(done.error()));
  return {};
}

Result<void> poll(AioContext& aio, RefPtr<vfs::File> file, const AioBlock& block, AioTicket ticket) {
  if (block.buffer > 0xffff || block.offset || block.size || block.io_flags) return error(Errno::einval);
  vfs::Mode mode = file->inode().mode();
  if (vfs::is_regular(mode) || vfs::is_directory(mode)) return error(Errno::einval);
  auto events = static_cast<vfs::PollEvents>(block.buffer) | vfs::poll_error | vfs::poll_hang_up;
  return aio.start_poll(std::move(file), events, std::move(ticket));
}

Result<void> dispatch(Context& context, AioContext& aio, RefPtr<vfs::File> file, const AioBlock& block,
                      AioTicket ticket) {
  switch (block.opcode) {
    case aio_pread:
    case aio_pwrite:
    case aio_preadv:
    case aio_pwritev:
      return transfer(context, aio, *file, block, ticket);
    case aio_fsync:
    case aio_fdsync:
      return synchronise(aio, *file, block, ticket);
    case aio_poll:
      return poll(aio, std::move(file), block, std::move(ticket));
    default:
      return error(Errno::einval);
  }
}

Result<void> start(Context& context, AioContext& aio, UserAddress address, const AioBlock& block) {
  RefPtr<vfs::File> file = TRY(context.task.files->get(block.fd));
  AioTicket ticket{.object = address.value(), .data = block.data, .signal = {}};
  if (block.flags & aio_flag_result_fd) {
    FileUse use = TRY(context.task.files->use(static_cast<int>(block.result_fd)));
    auto* signal = use->as<event::EventFile>();
    if (!signal) return error(Errno::einval);
    ticket.signal = RefPtr<event::EventFile>(signal);
  }
  // Tells the program that this is a block that can be cancelled.
  TRY(UserOut<std::uint32_t>(address + aio_key_offset).write(0));
  return dispatch(context, aio, std::move(file), block, std::move(ticket));
}

Result<void> submit_one(Context& context, AioContext& aio, UserAddress address) {
  AioBlock block = TRY(UserIn<AioBlock>(address).read());
  if (block.reserved) return error(Errno::einval);
  if (static_cast<std::int64_t>(block.size) < 0) return error(Errno::einval);
  TRY(aio.reserve());
  auto started = start(context, aio, address, block);
  if (!started) aio.cancel_reservation();
  return started;
}

Result<long> get_events(Context& context, UserAddress id, long minimum, long count,
                        UserArray<AioEvent> events, UserIn<Timespec> timeout) {
  core::Deadline deadline = core::Deadline::never();
  if (timeout) {
    Timespec time = TRY(timeout.read());
    bool none = time.seconds < 0 || (time.seconds == 0 && time.nanoseconds <= 0);
    deadline = none ? core::Deadline::passed() : core::Deadline::after(to_nanoseconds(time));
  }
  auto aio = TRY(find(context, id));
  if (minimum < 0 || minimum > count) return error(Errno::einval);
  return aio->read_events(minimum, count, events, deadline);
}

}  // namespace

Result<long> sys_io_setup(Context& context, unsigned events, UserInOut<std::uint64_t> out) {
  std::uint64_t before = TRY(out.read());
  if (before || events == 0) return error(Errno::einval);
  ProcessAsyncIo* own = TRY(ProcessAsyncIo::of(context.process));
  auto aio = TRY(AioContext::create(events));
  core::AddressSpace& space = *context.task.thread().address_space;
  TRY(aio->map_into(space));
  Result<void> done = own->add(aio);
  if (done) done = out.write(aio->address().value());
  if (!done) {
    (void)!own->remove(aio->address());
    (void)!space.unmap(aio->address(), aio->ring_size());
    return error(done.error());
  }
  return 0;
}

Result<long> sys_io_destroy(Context& context, UserAddress id) {
  ProcessAsyncIo* own = ProcessAsyncIo::find(context.process);
  if (!own) return error(Errno::einval);
  auto aio = TRY(own->remove(id));
  aio->shut_down();
  (void)!context.task.thread().address_space->unmap(aio->address(), aio->ring_size());
  return 0;
}

Result<long> sys_io_submit(Context& context, UserAddress id, long count, UserArray<std::uint64_t> blocks) {
  if (count < 0) return error(Errno::einval);
  auto aio = TRY(find(context, id));
  if (count > static_cast<long>(aio->slots())) count = static_cast<long>(aio->slots());
  for (long done = 0; done < count; ++done) {
    std::uint64_t address = 0;
    Result<void> submitted = blocks.read(std::span(&address, 1), static_cast<std::size_t>(done));
    if (submitted) submitted = submit_one(context, *aio, UserAddress(address));
    if (!submitted) return done ? Result<long>(done) : error(submitted.error());
  }
  return count;
}

Result<long> sys_io_cancel(Context& context, UserAddress id, UserAddress block, UserAddress) {
  if (TRY(UserIn<std::uint32_t>(block + aio_key_offset).read()) != 0) return error(Errno::einval);
  auto aio = TRY(find(context, id));
  TRY(aio->cancel(block.value()));
  // The event arrives in the ring like every other.
  return error(Errno::einprogress);
}

Result<long> sys_io_getevents(Context& context, UserAddress id, long minimum, long count,
                              UserArray<AioEvent> events, UserIn<Timespec> timeout) {
  auto got = get_events(context, id, minimum, count, events, timeout);
  if (!got && got.error() == Errno::restart_no_handler) return error(Errno::interrupted_finally);
  return got;
}

Result<long> sys_io_pgetevents(Context& context, UserAddress id, long minimum, long count,
                               UserArray<AioEvent> events, UserIn<Timespec> timeout,
                               UserIn<AioSignalMask> mask) {
  bool temporary = false;
  if (mask) {
    AioSignalMask wanted = TRY(mask.read());
    if (wanted.mask) {
      if (wanted.size != sizeof(SignalSet)) return error(Errno::einval);
      SignalSet set = TRY(UserIn<SignalSet>(static_cast<std::uintptr_t>(wanted.mask)).read());
      set_temporary_mask(context.task, set);
      temporary = true;
    }
  }
  auto got = get_events(context, id, minimum, count, events, timeout);
  bool interrupted = !got && got.error() == Errno::restart_no_handler;
  if (temporary && !interrupted) restore_mask_now(context.task);
  return got;
}

}  // namespace linux_abi
