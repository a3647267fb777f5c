// Flags that do not exist are EINVAL (or what the manual names): one case per call.
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct FlagCase {
  const char* name;
  int code;
  std::function<long()> call;
};

void PrintTo(const FlagCase& one, std::ostream* stream) { *stream << one.name; }

class BadFlag : public testing::TestWithParam<FlagCase> {};

TEST_P(BadFlag, IsRefused) { EXPECT_ERRNO(GetParam().call(), GetParam().code); }

constexpr int here = AT_FDCWD;
char buffer[512];

const FlagCase cases[] = {
    {"pipe2", EINVAL, [] { return sys(SYS_pipe2, buffer, 0x1); }},
    {"dup3", EINVAL, [] { return sys(SYS_dup3, 0, 77, O_NONBLOCK); }},
    {"eventfd2", EINVAL, [] { return sys(SYS_eventfd2, 0, 0x2); }},
    {"epoll_create1", EINVAL, [] { return sys(SYS_epoll_create1, O_NONBLOCK); }},
    {"inotify_init1", EINVAL, [] { return sys(SYS_inotify_init1, 0x40); }},
    {"signalfd4", EINVAL, [] { return sys(SYS_signalfd4, -1, buffer, 8, 0x1); }},
    {"timerfd_create", EINVAL, [] { return sys(SYS_timerfd_create, CLOCK_MONOTONIC, 0x1); }},
    {"timerfd_create_clock", EINVAL, [] { return sys(SYS_timerfd_create, 77, 0); }},
    {"memfd_create", EINVAL, [] { return sys(SYS_memfd_create, "x", 0x100); }},
    {"getrandom", EINVAL, [] { return sys(SYS_getrandom, buffer, 1, 0x100); }},
    {"socket_type", EINVAL, [] { return sys(SYS_socket, AF_UNIX, 0x40, 0); }},
    {"socket_family", EAFNOSUPPORT, [] { return sys(SYS_socket, 0x7fff, SOCK_STREAM, 0); }},
    {"mremap", EINVAL, [] { return sys(SYS_mremap, 0, 4096, 4096, 0x100, 0); }},
    {"mprotect", EINVAL, [] { return sys(SYS_mprotect, 0, 4096, 0x1000); }},
    {"mprotect_growth", EINVAL, [] { return sys(SYS_mprotect, 0, 4096, PROT_GROWSDOWN | PROT_GROWSUP); }},
    {"madvise", EINVAL, [] { return sys(SYS_madvise, 0, 0, 777); }},
    {"msync", EINVAL, [] { return sys(SYS_msync, 0, 0, 0x100); }},
    {"mlock2", EINVAL, [] { return sys(SYS_mlock2, 0, 0, 0x100); }},
    {"mlockall", EINVAL, [] { return sys(SYS_mlockall, 0); }},
    {"mlockall_onfault_alone", EINVAL, [] { return sys(SYS_mlockall, 4); }},
    {"unlinkat", EINVAL, [] { return sys(SYS_unlinkat, here, "x", 0x1); }},
    {"renameat2", EINVAL, [] { return sys(SYS_renameat2, here, "x", here, "y", 0x80); }},
    {"linkat", EINVAL, [] { return sys(SYS_linkat, here, "x", here, "y", 0x1); }},
    {"newfstatat", EINVAL, [] { return sys(SYS_newfstatat, here, "x", buffer, 0x1); }},
    {"statx", EINVAL, [] { return sys(SYS_statx, here, "x", 0x1, 0, buffer); }},
    {"faccessat2", EINVAL, [] { return sys(SYS_faccessat2, here, "/", 0, 0x1); }},
    {"faccessat_mode", EINVAL, [] { return sys(SYS_faccessat, here, "/", 0x10); }},
    {"fchownat", EINVAL, [] { return sys(SYS_fchownat, here, "/", -1, -1, 0x1); }},
    {"utimensat", EINVAL, [] { return sys(SYS_utimensat, here, "/", 0, 0x1); }},
    {"execveat", EINVAL,
     [] {
       char* a[] = {nullptr};
       return sys(SYS_execveat, here, "/", a, a, 0x1);
     }},
    {"close_range", EINVAL, [] { return sys(SYS_close_range, 500, 600, 0x100); }},
    {"fallocate", EOPNOTSUPP,
     [] {
       const ScopedFd fd = static_cast<int>(sys(SYS_memfd_create, "x", 0));
       return sys(SYS_fallocate, fd.get(), 0x4000, 0, 4096);
     }},
    {"splice", EINVAL, [] { return sys(SYS_splice, 0, 0, 1, 0, 1, 0x1000); }},
    {"tee", EINVAL, [] { return sys(SYS_tee, 0, 1, 1, 0x1000); }},
    {"vmsplice", EINVAL, [] { return sys(SYS_vmsplice, 1, 0, 0, 0x1000); }},
    {"copy_file_range", EINVAL, [] { return sys(SYS_copy_file_range, 0, 0, 1, 0, 1, 1); }},
    {"sync_file_range", EINVAL,
     [] {
       const ScopedFd fd = static_cast<int>(sys(SYS_memfd_create, "x", 0));
       return sys(SYS_sync_file_range, fd.get(), 0, 0, 0x100);
     }},
    {"wait4", EINVAL, [] { return sys(SYS_wait4, -1, 0, 0x10, 0); }},
    {"waitid", EINVAL, [] { return sys(SYS_waitid, P_ALL, 0, 0, 0x10, 0); }},
    {"waitid_nothing", EINVAL, [] { return sys(SYS_waitid, P_ALL, 0, 0, WNOHANG, 0); }},
    {"pidfd_open", EINVAL, [] { return sys(SYS_pidfd_open, getpid(), 0x10); }},
    {"clone_sighand", EINVAL, [] { return sys(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0); }},
    {"unshare", EINVAL, [] { return sys(SYS_unshare, 0x1); }},
    {"membarrier", EINVAL, [] { return sys(SYS_membarrier, 0, 0x2, 0); }},
    {"futex_operation", ENOSYS, [] { return sys(SYS_futex, buffer, 0x55, 0, 0, 0, 0); }},
    {"futex_clock", ENOSYS,
     [] { return sys(SYS_futex, buffer, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0); }},
    {"setitimer", EINVAL, [] { return sys(SYS_setitimer, 3, buffer + 256, 0); }},
    {"timer_settime", EINVAL, [] { return sys(SYS_timer_settime, 0x7ffffff, 0, buffer + 256, 0); }},
    {"clock_nanosleep_clock", EINVAL, [] { return sys(SYS_clock_nanosleep, 77, 0, buffer + 256, 0); }},
    {"getpriority", EINVAL, [] { return sys(SYS_getpriority, 3, 0); }},
    {"getrusage", EINVAL, [] { return sys(SYS_getrusage, 5, buffer); }},
    {"prlimit64", EINVAL, [] { return sys(SYS_prlimit64, 0, 16, 0, buffer); }},
    {"sched_setattr", EINVAL, [] { return sys(SYS_sched_setattr, 0, buffer + 256, 1); }},
    {"sched_getattr", EINVAL, [] { return sys(SYS_sched_getattr, 0, buffer, 48, 1); }},
    {"flock", EINVAL, [] { return sys(SYS_flock, 0, 0x100); }},
    {"lseek", EINVAL,
     [] {
       const ScopedFd fd = static_cast<int>(sys(SYS_memfd_create, "x", 0));
       return sys(SYS_lseek, fd.get(), 0, 5);
     }},
    {"fcntl_command", EINVAL, [] { return sys(SYS_fcntl, 0, 0x7777, 0); }},
    {"epoll_ctl_operation", EINVAL,
     [] {
       const ScopedFd fd = static_cast<int>(sys(SYS_epoll_create1, 0));
       int ends[2];
       if (pipe(ends) != 0) return 0l;
       return sys(SYS_epoll_ctl, fd.get(), 4, ends[0], buffer);
     }},
    {"shutdown", EINVAL,
     [] {
       int pair[2];
       if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 0l;
       return sys(SYS_shutdown, pair[0], 3);
     }},
    {"setxattr", EINVAL, [] { return sys(SYS_setxattr, "/tmp", "user.x", "x", 1, 0x10); }},
    {"umount2", EINVAL, [] { return sys(SYS_umount2, "/tmp", 0x100); }},
    {"sigaltstack", EINVAL,
     [] {
       const stack_t stack = {buffer, 0x20, sizeof buffer};
       return sys(SYS_sigaltstack, &stack, 0);
     }},
    {"rt_sigprocmask", EINVAL, [] { return sys(SYS_rt_sigprocmask, 3, buffer, 0, 8); }},
    {"kill_signal", EINVAL, [] { return sys(SYS_kill, getpid(), 65); }},
    {"process_vm_readv", EINVAL, [] { return sys(SYS_process_vm_readv, getpid(), 0, 0, 0, 0, 1); }},
    {"preadv2", EOPNOTSUPP,
     [] {
       struct {
         void* base;
         size_t length;
       } piece = {buffer, 1};
       const ScopedFd fd = static_cast<int>(sys(SYS_memfd_create, "x", 0));
       return sys(SYS_preadv2, fd.get(), &piece, 1, 0, 0, 0x10000000);
     }},
    {"inotify_add_watch", EINVAL,
     [] {
       const ScopedFd fd = static_cast<int>(sys(SYS_inotify_init1, 0));
       return sys(SYS_inotify_add_watch, fd.get(), "/tmp", 0);
     }},
    {"open_tmpfile_read_only", EINVAL,
     [] { return sys(SYS_openat, here, "/tmp", O_TMPFILE | O_RDONLY, 0600); }},
};

INSTANTIATE_TEST_SUITE_P(Calls, BadFlag, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<FlagCase>& info) { return info.param.name; });

}  // namespace
