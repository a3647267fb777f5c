// Descriptors that are not open are EBADF in every call that takes one: one case per call.
#include <limits.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <functional>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct DescriptorCase {
  const char* name;
  std::function<long(int fd)> call;
};

void PrintTo(const DescriptorCase& one, std::ostream* stream) { *stream << one.name; }

class BadDescriptor : public testing::TestWithParam<DescriptorCase> {};

TEST_P(BadDescriptor, IsEBADF) {
  const int closed = fcntl(0, F_DUPFD, 300);
  close(closed);
  for (const int fd : {-1, closed, 5000, INT_MAX, INT_MIN + 77}) {
    EXPECT_ERRNO(GetParam().call(fd), EBADF) << fd;
  }
}

char buffer[256];

const DescriptorCase cases[] = {
    {"read", [](int fd) { return sys(SYS_read, fd, buffer, 1); }},
    {"write", [](int fd) { return sys(SYS_write, fd, buffer, 1); }},
    {"pread64", [](int fd) { return sys(SYS_pread64, fd, buffer, 1, 0); }},
    {"pwrite64", [](int fd) { return sys(SYS_pwrite64, fd, buffer, 1, 0); }},
    {"readv",
     [](int fd) {
       iovec v = {buffer, 1};
       return sys(SYS_readv, fd, &v, 1);
     }},
    {"writev",
     [](int fd) {
       iovec v = {buffer, 1};
       return sys(SYS_writev, fd, &v, 1);
     }},
    {"preadv",
     [](int fd) {
       iovec v = {buffer, 1};
       return sys(SYS_preadv, fd, &v, 1, 0, 0);
     }},
    {"pwritev",
     [](int fd) {
       iovec v = {buffer, 1};
       return sys(SYS_pwritev, fd, &v, 1, 0, 0);
     }},
    {"lseek", [](int fd) { return sys(SYS_lseek, fd, 0, 0); }},
    {"close", [](int fd) { return sys(SYS_close, fd); }},
    {"dup", [](int fd) { return sys(SYS_dup, fd); }},
    {"dup3", [](int fd) { return sys(SYS_dup3, fd, 77, 0); }},
    {"fcntl_getfd", [](int fd) { return sys(SYS_fcntl, fd, F_GETFD); }},
    {"fcntl_setfl", [](int fd) { return sys(SYS_fcntl, fd, F_SETFL, 0); }},
    {"fcntl_dupfd", [](int fd) { return sys(SYS_fcntl, fd, F_DUPFD, 0); }},
    {"ioctl", [](int fd) { return sys(SYS_ioctl, fd, FIONREAD, buffer); }},
    {"fstat", [](int fd) { return sys(SYS_fstat, fd, buffer); }},
    {"fstatfs", [](int fd) { return sys(SYS_fstatfs, fd, buffer); }},
    {"ftruncate", [](int fd) { return sys(SYS_ftruncate, fd, 0); }},
    {"fallocate", [](int fd) { return sys(SYS_fallocate, fd, 0, 0, 1); }},
    {"fsync", [](int fd) { return sys(SYS_fsync, fd); }},
    {"fdatasync", [](int fd) { return sys(SYS_fdatasync, fd); }},
    {"syncfs", [](int fd) { return sys(SYS_syncfs, fd); }},
    {"sync_file_range", [](int fd) { return sys(SYS_sync_file_range, fd, 0, 0, 0); }},
    {"fchmod", [](int fd) { return sys(SYS_fchmod, fd, 0); }},
    {"fchown", [](int fd) { return sys(SYS_fchown, fd, 0, 0); }},
    {"fchdir", [](int fd) { return sys(SYS_fchdir, fd); }},
    {"flock", [](int fd) { return sys(SYS_flock, fd, LOCK_SH); }},
    {"getdents64", [](int fd) { return sys(SYS_getdents64, fd, buffer, sizeof buffer); }},
    {"fadvise64", [](int fd) { return sys(SYS_fadvise64, fd, 0, 0, 0); }},
    {"readahead", [](int fd) { return sys(SYS_readahead, fd, 0, 0); }},
    {"openat", [](int fd) { return sys(SYS_openat, fd, "x", O_RDONLY, 0); }},
    {"newfstatat", [](int fd) { return sys(SYS_newfstatat, fd, "x", buffer, 0); }},
    {"mkdirat", [](int fd) { return sys(SYS_mkdirat, fd, "x", 0); }},
    {"mknodat", [](int fd) { return sys(SYS_mknodat, fd, "x", S_IFREG, 0); }},
    {"unlinkat", [](int fd) { return sys(SYS_unlinkat, fd, "x", 0); }},
    {"symlinkat", [](int fd) { return sys(SYS_symlinkat, "x", fd, "x"); }},
    {"linkat", [](int fd) { return sys(SYS_linkat, fd, "x", fd, "y", 0); }},
    {"renameat2", [](int fd) { return sys(SYS_renameat2, fd, "x", fd, "y", 0); }},
    {"readlinkat", [](int fd) { return sys(SYS_readlinkat, fd, "x", buffer, 8); }},
    {"fchmodat", [](int fd) { return sys(SYS_fchmodat, fd, "x", 0); }},
    {"fchownat", [](int fd) { return sys(SYS_fchownat, fd, "x", 0, 0, 0); }},
    {"faccessat", [](int fd) { return sys(SYS_faccessat, fd, "x", 0); }},
    {"statx", [](int fd) { return sys(SYS_statx, fd, "x", 0, 0, buffer); }},
    {"execveat",
     [](int fd) {
       char* a[] = {nullptr};
       return sys(SYS_execveat, fd, "x", a, a, 0);
     }},
    {"mmap", [](int fd) { return sys(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0); }},
    {"sendfile_in", [](int fd) { return sys(SYS_sendfile, 1, fd, 0, 1); }},
    {"sendfile_out", [](int fd) { return sys(SYS_sendfile, fd, 0, 0, 1); }},
    {"splice", [](int fd) { return sys(SYS_splice, fd, 0, 1, 0, 1, 0); }},
    {"tee", [](int fd) { return sys(SYS_tee, fd, 1, 1, 0); }},
    {"vmsplice",
     [](int fd) {
       iovec v = {buffer, 1};
       return sys(SYS_vmsplice, fd, &v, 1, 0);
     }},
    {"copy_file_range", [](int fd) { return sys(SYS_copy_file_range, fd, 0, fd, 0, 1, 0); }},
    {"epoll_ctl", [](int fd) { return sys(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, 0, buffer); }},
    {"epoll_ctl_target",
     [](int fd) {
       const ScopedFd epoll = epoll_create1(0);
       return sys(SYS_epoll_ctl, epoll.get(), EPOLL_CTL_ADD, fd, buffer);
     }},
    {"epoll_pwait", [](int fd) { return sys(SYS_epoll_pwait, fd, buffer, 1, 0, 0, 8); }},
    {"inotify_add_watch", [](int fd) { return sys(SYS_inotify_add_watch, fd, "/tmp", 1); }},
    {"inotify_rm_watch", [](int fd) { return sys(SYS_inotify_rm_watch, fd, 1); }},
    {"timerfd_settime",
     [](int fd) {
       memset(buffer, 0, sizeof buffer);
       return sys(SYS_timerfd_settime, fd, 0, buffer, 0);
     }},
    {"timerfd_gettime", [](int fd) { return sys(SYS_timerfd_gettime, fd, buffer); }},
    {"bind", [](int fd) { return sys(SYS_bind, fd, buffer, 16); }},
    {"connect", [](int fd) { return sys(SYS_connect, fd, buffer, 16); }},
    {"listen", [](int fd) { return sys(SYS_listen, fd, 1); }},
    {"accept4", [](int fd) { return sys(SYS_accept4, fd, 0, 0, 0); }},
    {"sendto", [](int fd) { return sys(SYS_sendto, fd, buffer, 1, 0, 0, 0); }},
    {"recvfrom", [](int fd) { return sys(SYS_recvfrom, fd, buffer, 1, 0, 0, 0); }},
    {"sendmsg", [](int fd) { return sys(SYS_sendmsg, fd, buffer, 0); }},
    {"recvmsg", [](int fd) { return sys(SYS_recvmsg, fd, buffer, 0); }},
    {"shutdown", [](int fd) { return sys(SYS_shutdown, fd, 0); }},
    {"getsockname",
     [](int fd) {
       socklen_t n = 16;
       return sys(SYS_getsockname, fd, buffer, &n);
     }},
    {"getpeername",
     [](int fd) {
       socklen_t n = 16;
       return sys(SYS_getpeername, fd, buffer, &n);
     }},
    {"getsockopt",
     [](int fd) {
       socklen_t n = 4;
       return sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, buffer, &n);
     }},
    {"setsockopt", [](int fd) { return sys(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, buffer, 4); }},
    {"pidfd_send_signal", [](int fd) { return sys(SYS_pidfd_send_signal, fd, 0, 0, 0); }},
    {"fgetxattr", [](int fd) { return sys(SYS_fgetxattr, fd, "user.x", buffer, 8); }},
    {"fsetxattr", [](int fd) { return sys(SYS_fsetxattr, fd, "user.x", buffer, 8, 0); }},
    {"flistxattr", [](int fd) { return sys(SYS_flistxattr, fd, buffer, 8); }},
};

INSTANTIATE_TEST_SUITE_P(Calls, BadDescriptor, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<DescriptorCase>& info) { return info.param.name; });

}  // namespace
