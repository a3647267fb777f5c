// Structures and numbers of io_uring (linux/io_uring.h), as far as Linux 6.12 has them and we do.
#pragma once

#include <cstdint>

namespace linux_abi {

// struct io_uring_sqe: unions are named after their most common use.
struct UringSqe {
  std::uint8_t opcode = 0, flags = 0;
  std::uint16_t priority = 0;
  std::int32_t fd = 0;
  std::uint64_t offset = 0;   // also addr2
  std::uint64_t address = 0;  // also splice_off_in
  std::uint32_t length = 0;
  std::uint32_t op_flags = 0;  // rw_flags, poll32_events, msg_flags, timeout_flags ...
  std::uint64_t user_data = 0;
  std::uint16_t buffer = 0;  // buf_index, buf_group
  std::uint16_t personality = 0;
  std::int32_t extra_fd = 0;  // splice_fd_in, file_index, addr_len
  std::uint64_t address3 = 0, pad = 0;
};
static_assert(sizeof(UringSqe) == 64);

struct UringCqe {
  std::uint64_t user_data = 0;
  std::int32_t result = 0;
  std::uint32_t flags = 0;
};

struct UringOffsets {
  std::uint32_t head = 0, tail = 0, ring_mask = 0, ring_entries = 0;
  std::uint32_t word4 = 0, word5 = 0, word6 = 0, reserved = 0;
  std::uint64_t user_address = 0;
};
struct UringParameters {
  std::uint32_t sq_entries = 0, cq_entries = 0, flags = 0, sq_thread_cpu = 0, sq_thread_idle_ms = 0,
                features = 0, wq_fd = 0, reserved[3] = {};
  UringOffsets sq, cq;
};
static_assert(sizeof(UringParameters) == 120);

namespace uring {

// io_uring_setup
inline constexpr std::uint32_t setup_iopoll = 1, setup_sqpoll = 2, setup_sq_affinity = 4, setup_cq_size = 8,
                               setup_clamp = 16, setup_attach_wq = 32, setup_disabled = 64,
                               setup_submit_all = 128, setup_coop_taskrun = 256, setup_taskrun_flag = 512,
                               setup_sqe128 = 1024, setup_cqe32 = 2048, setup_single_issuer = 4096,
                               setup_defer_taskrun = 8192, setup_no_sq_array = 1 << 16;
inline constexpr std::uint32_t feature_single_mmap = 1, feature_no_drop = 2, feature_submit_stable = 4,
                               feature_current_position = 8, feature_current_personality = 16,
                               feature_fast_poll = 32, feature_poll_32bits = 64,
                               feature_sqpoll_nonfixed = 128, feature_extended_argument = 256,
                               feature_native_workers = 512, feature_cqe_skip = 2048,
                               feature_linked_file = 4096, feature_register_ring = 8192;
inline constexpr std::uint64_t map_sq_ring = 0, map_cq_ring = 0x8000000, map_sqes = 0x10000000;
inline constexpr std::uint32_t largest_sq = 32768, largest_cq = 2 * largest_sq;

// SQ flags, CQ flags
inline constexpr std::uint32_t sq_need_wakeup = 1, sq_cq_overflow = 2, sq_taskrun = 4;
inline constexpr std::uint32_t cq_eventfd_disabled = 1;

// io_uring_enter
inline constexpr std::uint32_t enter_get_events = 1, enter_sq_wakeup = 2, enter_sq_wait = 4,
                               enter_extended = 8, enter_registered_ring = 16, enter_absolute = 32;

// SQE flags
inline constexpr std::uint8_t fixed_file = 1, drain = 2, link = 4, hard_link = 8, async = 16,
                              buffer_select = 32, skip_success = 64;

// CQE flags
inline constexpr std::uint32_t cqe_buffer = 1, cqe_more = 2, cqe_sock_nonempty = 4, cqe_notification = 8;
inline constexpr unsigned cqe_buffer_shift = 16;

enum Opcode : std::uint8_t {
  op_nop,
  op_readv,
  op_writev,
  op_fsync,
  op_read_fixed,
  op_write_fixed,
  op_poll_add,
  op_poll_remove,
  op_sync_file_range,
  op_sendmsg,
  op_recvmsg,
  op_timeout,
  op_timeout_remove,
  op_accept,
  op_async_cancel,
  op_link_timeout,
  op_connect,
  op_fallocate,
  op_openat,
  op_close,
  op_files_update,
  op_statx,
  op_read,
  op_write,
  op_fadvise,
  op_madvise,
  op_send,
  op_recv,
  op_openat2,
  op_epoll_ctl,
  op_splice,
  op_provide_buffers,
  op_remove_buffers,
  op_tee,
  op_shutdown,
  op_renameat,
  op_unlinkat,
  op_mkdirat,
  op_symlinkat,
  op_linkat,
  op_msg_ring,
  op_fsetxattr,
  op_setxattr,
  op_fgetxattr,
  op_getxattr,
  op_socket,
  op_uring_cmd,
  op_send_zc,
  op_sendmsg_zc,
  op_read_multishot,
  op_waitid,
  op_futex_wait,
  op_futex_wake,
  op_futex_waitv,
  op_fixed_fd_install,
  op_ftruncate,
  op_bind,
  op_listen,
  op_count,
};

// POLL_ADD, POLL_REMOVE (in length)
inline constexpr std::uint32_t poll_multi = 1, poll_update_events = 2, poll_update_user_data = 4;
// TIMEOUT (in op_flags)
inline constexpr std::uint32_t timeout_absolute = 1, timeout_update = 2, timeout_boottime = 4,
                               timeout_realtime = 8, link_timeout_update = 16, timeout_success = 32,
                               timeout_multishot = 64;
// ASYNC_CANCEL (in op_flags)
inline constexpr std::uint32_t cancel_all = 1, cancel_fd = 2, cancel_any = 4, cancel_fd_fixed = 8,
                               cancel_user_data = 16, cancel_opcode = 32;
// RECV, SEND, ACCEPT (in priority)
inline constexpr std::uint16_t recvsend_poll_first = 1, recv_multishot = 2;
inline constexpr std::uint16_t accept_multishot = 1, accept_dont_wait = 2, accept_poll_first = 4;

// io_uring_register
enum Register : std::uint32_t {
  register_buffers = 0,
  unregister_buffers = 1,
  register_files = 2,
  unregister_files = 3,
  register_eventfd = 4,
  unregister_eventfd = 5,
  register_files_update = 6,
  register_eventfd_async = 7,
  register_probe = 8,
  register_personality = 9,
  unregister_personality = 10,
  register_restrictions = 11,
  register_enable_rings = 12,
  register_files2 = 13,
  register_files_update2 = 14,
  register_buffers2 = 15,
  register_buffers_update = 16,
  register_iowq_affinity = 17,
  unregister_iowq_affinity = 18,
  register_iowq_max_workers = 19,
  register_ring_fds = 20,
  unregister_ring_fds = 21,
  register_pbuf_ring = 22,
  unregister_pbuf_ring = 23,
  register_sync_cancel = 24,
  register_file_alloc_range = 25,
  register_use_registered_ring = 1u << 31,
};

}  // namespace uring
}  // namespace linux_abi
