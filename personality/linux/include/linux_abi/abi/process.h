// Processes: clone flags, wait options, prctl operations, auxiliary vector, scheduling and futex operations.
#pragma once

#include <cstdint>

namespace linux_abi {

inline constexpr std::uint64_t csignal = 0xff, clone_vm = 0x100, clone_fs = 0x200, clone_files = 0x400,
                               clone_sighand = 0x800, clone_pidfd = 0x1000, clone_ptrace = 0x2000,
                               clone_vfork = 0x4000, clone_parent = 0x8000, clone_thread = 0x10000,
                               clone_newns = 0x20000, clone_sysvsem = 0x40000, clone_settls = 0x80000,
                               clone_parent_settid = 0x100000, clone_child_cleartid = 0x200000,
                               clone_detached = 0x400000, clone_untraced = 0x800000,
                               clone_child_settid = 0x1000000, clone_newcgroup = 0x2000000,
                               clone_newuts = 0x4000000, clone_newipc = 0x8000000, clone_newuser = 0x10000000,
                               clone_newpid = 0x20000000, clone_newnet = 0x40000000, clone_io = 0x80000000,
                               clone_clear_sighand = 0x100000000, clone_into_cgroup = 0x200000000,
                               clone_newtime = 0x80;
inline constexpr std::uint64_t clone_namespaces =
    clone_newns | clone_newcgroup | clone_newuts | clone_newipc | clone_newuser | clone_newpid | clone_newnet;

inline constexpr unsigned wnohang = 1, wstopped = 2, wuntraced = 2, wexited = 4, wcontinued = 8,
                          wnowait = 0x1000000, wnothread = 0x20000000, wall = 0x40000000, wclone = 0x80000000;
enum class WaitId : std::int32_t { all = 0, pid = 1, pgid = 2, pidfd = 3 };

inline constexpr unsigned pidfd_nonblock = 04000, pidfd_thread = 0200;

enum class Prctl : std::int32_t {
  set_pdeathsig = 1,
  get_pdeathsig = 2,
  get_dumpable = 3,
  set_dumpable = 4,
  get_unalign = 5,
  set_unalign = 6,
  get_keepcaps = 7,
  set_keepcaps = 8,
  get_fpemu = 9,
  get_fpexc = 11,
  get_timing = 13,
  set_timing = 14,
  set_name = 15,
  get_name = 16,
  get_endian = 19,
  get_seccomp = 21,
  set_seccomp = 22,
  capbset_read = 23,
  capbset_drop = 24,
  get_tsc = 25,
  set_tsc = 26,
  get_securebits = 27,
  set_securebits = 28,
  set_timerslack = 29,
  get_timerslack = 30,
  task_perf_events_disable = 31,
  task_perf_events_enable = 32,
  mce_kill = 33,
  mce_kill_get = 34,
  set_mm = 35,
  set_child_subreaper = 36,
  get_child_subreaper = 37,
  set_no_new_privs = 38,
  get_no_new_privs = 39,
  get_tid_address = 40,
  set_thp_disable = 41,
  get_thp_disable = 42,
  cap_ambient = 47,
  get_speculation_ctrl = 52,
  set_speculation_ctrl = 53,
  set_io_flusher = 57,
  get_io_flusher = 58,
  set_syscall_user_dispatch = 59,
  sched_core = 62,
  set_mdwe = 65,
  get_mdwe = 66,
  set_memory_merge = 67,
  get_memory_merge = 68,
  get_auxv = 0x41555856,
  set_vma = 0x53564d41,
  set_ptracer = 0x59616d61,
};

namespace auxv {
inline constexpr std::uint64_t null = 0, phdr = 3, phent = 4, phnum = 5, pagesz = 6, base = 7, flags = 8,
                               entry = 9, uid = 11, euid = 12, gid = 13, egid = 14, platform = 15, hwcap = 16,
                               clktck = 17, secure = 23, base_platform = 24, random = 25, hwcap2 = 26,
                               rseq_feature_size = 27, rseq_align = 28, execfn = 31, sysinfo_ehdr = 33,
                               minsigstksz = 51;
}  // namespace auxv

enum class FutexOperation : std::uint32_t {
  wait = 0,
  wake = 1,
  fd = 2,
  requeue = 3,
  cmp_requeue = 4,
  wake_op = 5,
  lock_pi = 6,
  unlock_pi = 7,
  trylock_pi = 8,
  wait_bitset = 9,
  wake_bitset = 10,
  wait_requeue_pi = 11,
  cmp_requeue_pi = 12,
  lock_pi2 = 13,
};
inline constexpr std::uint32_t futex_private_flag = 128, futex_clock_realtime = 256;
inline constexpr std::uint32_t futex_waiters = 0x80000000, futex_owner_died = 0x40000000,
                               futex_tid_mask = 0x3fffffff;
inline constexpr std::uint32_t futex2_size_mask = 3, futex2_size_u32 = 2, futex2_numa = 4,
                               futex2_private = 128;

inline constexpr int sched_other = 0, sched_fifo = 1, sched_rr = 2, sched_batch = 3, sched_idle = 5,
                     sched_deadline = 6;
inline constexpr int sched_reset_on_fork = 0x40000000;

namespace membarrier {
inline constexpr int query = 0, global = 1, global_expedited = 2, register_global_expedited = 4,
                     private_expedited = 8, register_private_expedited = 16, private_expedited_sync_core = 32,
                     register_private_expedited_sync_core = 64, private_expedited_rseq = 128,
                     register_private_expedited_rseq = 256, get_registrations = 512;
}  // namespace membarrier

// struct rseq in user memory: only the parts the kernel writes or reads.
namespace rseq {
inline constexpr std::uint64_t cpu_id_start_offset = 0, cpu_id_offset = 4, critical_section_offset = 8,
                               flags_offset = 16, node_id_offset = 20, mm_cid_offset = 24;
inline constexpr std::uint32_t original_size = 32, feature_size = 28, alignment = 32;
inline constexpr int flag_unregister = 1;
struct CriticalSection {
  std::uint32_t version = 0, flags = 0;
  std::uint64_t start = 0, post_commit_offset = 0, abort_address = 0;
};
}  // namespace rseq

inline constexpr unsigned personality_addr_no_randomize = 0x0040000,
                          personality_read_implies_exec = 0x0400000;

}  // namespace linux_abi
