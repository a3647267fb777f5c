// Wild pointers into every common call are EFAULT: one case per call and argument.
#include <linux/futex.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <termios.h>

#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct PointerCase {
  const char* name;
  std::function<long(void* wild)> call;
};

void PrintTo(const PointerCase& one, std::ostream* stream) { *stream << one.name; }

class BadPointer : public testing::TestWithParam<PointerCase> {};

TEST_P(BadPointer, IsEFAULT) {
  // Below what may be mapped, in the kernel, the last byte of the address space, an unmapped page, and a
  // page without access.
  const Mapping inaccessible(page_size(), PROT_NONE);
  void* unmapped;
  {
    const Mapping gone(16 * page_size());
    unmapped = gone.data() + 8 * page_size();
  }
  void* const wild[] = {low_address(), kernel_address(), reinterpret_cast<void*>(~0ul), unmapped,
                        inaccessible.data()};
  for (void* const address : wild) {
    EXPECT_ERRNO(GetParam().call(address), EFAULT) << address;
  }
}

int zero_device() {
  static const int fd = open("/dev/zero", O_RDWR);
  return fd;
}

int full_pipe_reader() {
  static const int fd = [] {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    return write(ends[1], "0123456789", 10) == 10 ? ends[0] : -1;
  }();
  return fd;
}

int pipe_writer() {
  static int ends[2];
  static const int result = pipe(ends);
  return result == 0 ? ends[1] : -1;
}

int any_epoll() {
  static const int fd = epoll_create1(0);
  return fd;
}

int any_socket() {
  static int pair[2];
  static const int result = socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  if (result == 0) send(pair[1], "0123456789", 10, 0);
  return result == 0 ? pair[0] : -1;
}

int any_timer() {
  static const int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  return fd;
}

constexpr int here = AT_FDCWD;
const char* const own = "/proc/self/exe";

const PointerCase path_cases[] = {
    {"openat", [](void* p) { return sys(SYS_openat, here, p, O_RDONLY, 0); }},
    {"newfstatat_path",
     [](void* p) {
       struct stat s;
       return sys(SYS_newfstatat, here, p, &s, 0);
     }},
    {"statx_path",
     [](void* p) {
       char s[256];
       return sys(SYS_statx, here, p, 0, 0xfff, s);
     }},
    {"faccessat", [](void* p) { return sys(SYS_faccessat, here, p, 0); }},
    {"mkdirat", [](void* p) { return sys(SYS_mkdirat, here, p, 0700); }},
    {"mknodat", [](void* p) { return sys(SYS_mknodat, here, p, S_IFREG | 0600, 0); }},
    {"unlinkat", [](void* p) { return sys(SYS_unlinkat, here, p, 0); }},
    {"unlinkat_directory", [](void* p) { return sys(SYS_unlinkat, here, p, AT_REMOVEDIR); }},
    {"symlinkat_target", [](void* p) { return sys(SYS_symlinkat, p, here, "/tmp/never"); }},
    {"symlinkat_path", [](void* p) { return sys(SYS_symlinkat, "x", here, p); }},
    {"linkat_old", [](void* p) { return sys(SYS_linkat, here, p, here, "/tmp/never", 0); }},
    {"linkat_new", [](void* p) { return sys(SYS_linkat, here, own, here, p, 0); }},
    {"renameat2_old", [](void* p) { return sys(SYS_renameat2, here, p, here, "/tmp/never", 0); }},
    {"renameat2_new", [](void* p) { return sys(SYS_renameat2, here, "/tmp/none", here, p, 0); }},
    {"readlinkat_path",
     [](void* p) {
       char b[8];
       return sys(SYS_readlinkat, here, p, b, 8);
     }},
    {"readlinkat_buffer", [](void* p) { return sys(SYS_readlinkat, here, own, p, 8); }},
    {"fchmodat", [](void* p) { return sys(SYS_fchmodat, here, p, 0600); }},
    {"fchownat", [](void* p) { return sys(SYS_fchownat, here, p, 0, 0, 0); }},
    {"utimensat_path", [](void* p) { return sys(SYS_utimensat, here, p, 0, 0); }},
    {"utimensat_times", [](void* p) { return sys(SYS_utimensat, here, "/tmp", p, 0); }},
    {"truncate", [](void* p) { return sys(SYS_truncate, p, 0); }},
    {"chdir", [](void* p) { return sys(SYS_chdir, p); }},
    {"chroot", [](void* p) { return sys(SYS_chroot, p); }},
    {"statfs_path",
     [](void* p) {
       char s[256];
       return sys(SYS_statfs, p, s);
     }},
    {"statfs_buffer", [](void* p) { return sys(SYS_statfs, "/", p); }},
    {"execve_path",
     [](void* p) {
       char* a[] = {nullptr};
       return sys(SYS_execve, p, a, a);
     }},
    {"execve_arguments",
     [](void* p) {
       char* a[] = {nullptr};
       return sys(SYS_execve, own, p, a);
     }},
    {"execve_environment",
     [](void* p) {
       char* a[] = {nullptr};
       return sys(SYS_execve, own, a, p);
     }},
    {"getcwd", [](void* p) { return sys(SYS_getcwd, p, 100); }},
    {"memfd_create", [](void* p) { return sys(SYS_memfd_create, p, 0); }},
    {"inotify_add_watch", [](void* p) { return sys(SYS_inotify_add_watch, inotify_init(), p, 1); }},
    {"mount_target", [](void* p) { return sys(SYS_mount, "none", p, "tmpfs", 0, 0); }},
    {"umount2", [](void* p) { return sys(SYS_umount2, p, 0); }},
    {"getxattr_path", [](void* p) { return sys(SYS_getxattr, p, "user.x", 0, 0); }},
    {"getxattr_name", [](void* p) { return sys(SYS_getxattr, "/", p, 0, 0); }},
    {"fstat", [](void* p) { return sys(SYS_fstat, zero_device(), p); }},
    {"fstatfs", [](void* p) { return sys(SYS_fstatfs, zero_device(), p); }},
};

const PointerCase transfer_cases[] = {
    {"read_device", [](void* p) { return sys(SYS_read, zero_device(), p, 8); }},
    {"read_pipe", [](void* p) { return sys(SYS_read, full_pipe_reader(), p, 8); }},
    {"write_pipe", [](void* p) { return sys(SYS_write, pipe_writer(), p, 8); }},
    {"readv_list", [](void* p) { return sys(SYS_readv, zero_device(), p, 1); }},
    {"writev_list", [](void* p) { return sys(SYS_writev, zero_device(), p, 1); }},
    {"pipe2", [](void* p) { return sys(SYS_pipe2, p, 0); }},
    {"getdents64", [](void* p) { return sys(SYS_getdents64, open("/proc", O_RDONLY), p, 1000); }},
    {"epoll_ctl", [](void* p) { return sys(SYS_epoll_ctl, any_epoll(), EPOLL_CTL_ADD, pipe_writer(), p); }},
    {"ppoll_entries", [](void* p) { return sys(SYS_ppoll, p, 1, 0, 0, 8); }},
    {"ppoll_time", [](void* p) { return sys(SYS_ppoll, 0, 0, p, 0, 8); }},
    {"pselect6_time", [](void* p) { return sys(SYS_pselect6, 0, 0, 0, 0, p, 0); }},
    {"pselect6_set",
     [](void* p) {
       timespec none = {};
       return sys(SYS_pselect6, 8, p, 0, 0, &none, 0);
     }},
    {"fcntl_getlk", [](void* p) { return sys(SYS_fcntl, zero_device(), F_GETLK, p); }},
    {"ioctl_fionread", [](void* p) { return sys(SYS_ioctl, full_pipe_reader(), FIONREAD, p); }},
    {"ioctl_fionbio", [](void* p) { return sys(SYS_ioctl, full_pipe_reader(), FIONBIO, p); }},
    {"sendto", [](void* p) { return sys(SYS_sendto, any_socket(), p, 8, 0, 0, 0); }},
    {"recvfrom", [](void* p) { return sys(SYS_recvfrom, any_socket(), p, 8, MSG_PEEK, 0, 0); }},
    {"sendmsg", [](void* p) { return sys(SYS_sendmsg, any_socket(), p, 0); }},
    {"recvmsg", [](void* p) { return sys(SYS_recvmsg, any_socket(), p, 0); }},
    {"socketpair", [](void* p) { return sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p); }},
    {"getsockname",
     [](void* p) {
       socklen_t n = 100;
       return sys(SYS_getsockname, any_socket(), p, &n);
     }},
    {"getsockname_length",
     [](void* p) {
       char a[128];
       return sys(SYS_getsockname, any_socket(), a, p);
     }},
    {"getsockopt_value",
     [](void* p) {
       socklen_t n = 4;
       return sys(SYS_getsockopt, any_socket(), SOL_SOCKET, SO_TYPE, p, &n);
     }},
    {"getsockopt_length",
     [](void* p) {
       int v;
       return sys(SYS_getsockopt, any_socket(), SOL_SOCKET, SO_TYPE, &v, p);
     }},
    {"setsockopt", [](void* p) { return sys(SYS_setsockopt, any_socket(), SOL_SOCKET, SO_SNDBUF, p, 4); }},
    {"sendfile_offset", [](void* p) { return sys(SYS_sendfile, pipe_writer(), zero_device(), p, 1); }},
    {"timerfd_settime", [](void* p) { return sys(SYS_timerfd_settime, any_timer(), 0, p, 0); }},
    {"timerfd_gettime", [](void* p) { return sys(SYS_timerfd_gettime, any_timer(), p); }},
    {"getrandom", [](void* p) { return sys(SYS_getrandom, p, 8, 0); }},
};

const PointerCase process_cases[] = {
    {"rt_sigaction_new", [](void* p) { return sys(SYS_rt_sigaction, SIGUSR1, p, 0, 8); }},
    {"rt_sigaction_old", [](void* p) { return sys(SYS_rt_sigaction, SIGUSR1, 0, p, 8); }},
    {"rt_sigprocmask_new", [](void* p) { return sys(SYS_rt_sigprocmask, SIG_BLOCK, p, 0, 8); }},
    {"rt_sigprocmask_old", [](void* p) { return sys(SYS_rt_sigprocmask, SIG_BLOCK, 0, p, 8); }},
    {"rt_sigpending", [](void* p) { return sys(SYS_rt_sigpending, p, 8); }},
    {"rt_sigsuspend", [](void* p) { return sys(SYS_rt_sigsuspend, p, 8); }},
    {"rt_sigtimedwait_set", [](void* p) { return sys(SYS_rt_sigtimedwait, p, 0, 0, 8); }},
    {"rt_sigqueueinfo", [](void* p) { return sys(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, p); }},
    {"sigaltstack_new", [](void* p) { return sys(SYS_sigaltstack, p, 0); }},
    {"sigaltstack_old", [](void* p) { return sys(SYS_sigaltstack, 0, p); }},
    {"signalfd4", [](void* p) { return sys(SYS_signalfd4, -1, p, 8, 0); }},
    {"clone3", [](void* p) { return sys(SYS_clone3, p, 88); }},
    {"nanosleep", [](void* p) { return sys(SYS_nanosleep, p, 0); }},
    {"clock_nanosleep", [](void* p) { return sys(SYS_clock_nanosleep, 0, 0, p, 0); }},
    {"clock_gettime", [](void* p) { return sys(SYS_clock_gettime, CLOCK_REALTIME, p); }},
    {"clock_getres", [](void* p) { return sys(SYS_clock_getres, CLOCK_REALTIME, p); }},
    {"clock_settime", [](void* p) { return sys(SYS_clock_settime, CLOCK_REALTIME, p); }},
    {"gettimeofday", [](void* p) { return sys(SYS_gettimeofday, p, 0); }},
    {"settimeofday", [](void* p) { return sys(SYS_settimeofday, p, 0); }},
    {"setitimer", [](void* p) { return sys(SYS_setitimer, ITIMER_VIRTUAL, p, 0); }},
    {"getitimer", [](void* p) { return sys(SYS_getitimer, ITIMER_REAL, p); }},
    {"timer_create_event",
     [](void* p) {
       int id;
       return sys(SYS_timer_create, 0, p, &id);
     }},
    {"timer_create_id", [](void* p) { return sys(SYS_timer_create, 0, 0, p); }},
    {"times", [](void* p) { return sys(SYS_times, p); }},
    {"futex_wait", [](void* p) { return sys(SYS_futex, (long)p & ~3l, FUTEX_WAIT, 0, 0); }},
    {"futex_time",
     [](void* p) {
       static int word;
       return sys(SYS_futex, &word, FUTEX_WAIT, 0, p);
     }},
    {"get_robust_list", [](void* p) { return sys(SYS_get_robust_list, 0, p, p); }},
    {"uname", [](void* p) { return sys(SYS_uname, p); }},
    {"sysinfo", [](void* p) { return sys(SYS_sysinfo, p); }},
    {"getrusage", [](void* p) { return sys(SYS_getrusage, RUSAGE_SELF, p); }},
    {"getrlimit", [](void* p) { return sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, p); }},
    {"setrlimit", [](void* p) { return sys(SYS_prlimit64, 0, RLIMIT_NOFILE, p, 0); }},
    {"getresuid", [](void* p) { return sys(SYS_getresuid, p, p, p); }},
    {"setgroups", [](void* p) { return sys(SYS_setgroups, 2, p); }},
    {"capget", [](void* p) { return sys(SYS_capget, p, 0); }},
    {"capset", [](void* p) { return sys(SYS_capset, p, 0); }},
    {"sched_getaffinity", [](void* p) { return sys(SYS_sched_getaffinity, 0, 128, p); }},
    {"sched_setaffinity", [](void* p) { return sys(SYS_sched_setaffinity, 0, 128, p); }},
    {"sched_setscheduler", [](void* p) { return sys(SYS_sched_setscheduler, 0, 0, p); }},
    {"sched_getparam", [](void* p) { return sys(SYS_sched_getparam, 0, p); }},
    {"sched_setattr", [](void* p) { return sys(SYS_sched_setattr, 0, p, 0); }},
    {"sched_getattr", [](void* p) { return sys(SYS_sched_getattr, 0, p, 48, 0); }},
    {"getcpu", [](void* p) { return sys(SYS_getcpu, p, 0, 0); }},
    {"prctl_name", [](void* p) { return sys(SYS_prctl, 15, p); }},
    {"prctl_get_name", [](void* p) { return sys(SYS_prctl, 16, p); }},
    {"mincore",
     [](void* p) {
       alignas(65536) static char page[65536];
       return sys(SYS_mincore, page, 100, p);
     }},
    {"process_vm_readv", [](void* p) { return sys(SYS_process_vm_readv, getpid(), p, 1, p, 1, 0); }},
    {"wait4_usage",
     [](void* p) {
       const pid_t child = fork();
       if (child == 0) _exit(0);
       return sys(SYS_wait4, child, 0, 0, p);
     }},
    {"wait4_status",
     [](void* p) {
       const pid_t child = fork();
       if (child == 0) _exit(0);
       return sys(SYS_wait4, child, p, 0, 0);
     }},
    {"waitid",
     [](void* p) {
       const pid_t child = fork();
       if (child == 0) _exit(0);
       return sys(SYS_waitid, P_PID, child, p, WEXITED, 0);
     }},
};

const auto case_name = [](const testing::TestParamInfo<PointerCase>& info) { return info.param.name; };

INSTANTIATE_TEST_SUITE_P(Paths, BadPointer, testing::ValuesIn(path_cases), case_name);
INSTANTIATE_TEST_SUITE_P(Transfers, BadPointer, testing::ValuesIn(transfer_cases), case_name);
INSTANTIATE_TEST_SUITE_P(Processes, BadPointer, testing::ValuesIn(process_cases), case_name);

}  // namespace
