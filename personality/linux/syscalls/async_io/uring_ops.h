// The operations of io_uring: what each opcode does once its request is issued.
//
// An operation is tried by the submitting thread first, which must not wait: EAGAIN then says that it would
// have to, and `poll_events` of the request what for (0: a worker does it, and may wait). An operation that
// has armed its request itself returns `uring_taken`: the request is no longer the caller's.
#pragma once

#include "linux_abi/prelude.h"
#include "syscalls/async_io/uring_request.h"
#include "syscalls/async_io/uring_ring.h"

namespace linux_abi {

inline constexpr Errno uring_taken = static_cast<Errno>(4095);

struct UringIssue {
  Context& context;
  Ring& ring;
  UringRequest& request;
  bool may_wait;
  const UringSqe& sqe() const { return request.sqe; }
  vfs::File& file() const { return *request.file; }
  // "A worker does it": for operations that have no other way.
  Result<void> in_worker() const {
    request.poll_events = 0;
    if (!may_wait) return error(Errno::eagain);
    return {};
  }
};

Result<long> uring_issue(Context& context, Ring& ring, UringRequest& request, bool may_wait);
// Whether the opcode is there at all; for IORING_REGISTER_PROBE, too.
bool uring_supports(unsigned opcode);
bool uring_selects_buffers(unsigned opcode);
bool uring_can_wait(unsigned opcode);
// Whether issuing it, when it need not wait, leaves nothing in its request but a file and a result: such an
// entry is carried out without becoming a request that others see (Ring::carry_out).
bool uring_is_quick(const UringSqe& sqe);
// A short transfer breaks a chain.
bool uring_moves_data(unsigned opcode);
std::uint32_t uring_expected_length(const UringRequest& request);

// ---- By file
Result<long> uring_transfer(UringIssue& issue);
Result<long> uring_fsync(UringIssue& issue);
Result<long> uring_sync_file_range(UringIssue& issue);
Result<long> uring_fallocate(UringIssue& issue);
Result<long> uring_ftruncate(UringIssue& issue);
Result<long> uring_poll_add(UringIssue& issue);
Result<long> uring_poll_remove(UringIssue& issue);
Result<long> uring_timeout(UringIssue& issue);
Result<long> uring_timeout_remove(UringIssue& issue);
Result<long> uring_async_cancel(UringIssue& issue);
Result<long> uring_msg_ring(UringIssue& issue);
Result<long> uring_futex(UringIssue& issue);
Result<long> uring_waitid(UringIssue& issue);
Result<long> uring_path_operation(UringIssue& issue);
Result<long> uring_xattr(UringIssue& issue);
Result<long> uring_close(UringIssue& issue);
Result<long> uring_files_update(UringIssue& issue);
Result<long> uring_fixed_fd_install(UringIssue& issue);
Result<long> uring_provide_buffers(UringIssue& issue);
Result<long> uring_remove_buffers(UringIssue& issue);
Result<long> uring_send(UringIssue& issue);
Result<long> uring_receive(UringIssue& issue);
Result<long> uring_accept(UringIssue& issue);
Result<long> uring_connect(UringIssue& issue);
Result<long> uring_socket_call(UringIssue& issue);

// The time of a TIMEOUT or LINK_TIMEOUT, read when it is submitted. EINVAL, EFAULT.
Result<void> uring_read_time(UringRequest& request);
Result<std::uint64_t> uring_deadline(std::uint64_t address, std::uint32_t flags);

// ---- Provided buffers. ENOBUFS.
Result<void> uring_select_buffer(UringIssue& issue);
// Not used after all: back to where it came from.
void uring_return_buffer(UringIssue& issue);

// ---- Fixed files (resources.cpp). EBADF, ENFILE.
Result<RefPtr<vfs::File>> uring_fixed_file(Ring& ring, std::uint32_t index);
// Puts a file that a request made into the table: `place` is file_index (index + 1, or ~0: any). Gives the
// result of the request.
Result<long> uring_install_fixed(Ring& ring, RefPtr<vfs::File> file, std::uint32_t place);
// A descriptor just made becomes a fixed file.
Result<long> uring_move_to_fixed(UringIssue& issue, Result<long> descriptor, std::uint32_t place);

}  // namespace linux_abi
