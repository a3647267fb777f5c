// SECCOMP_FILTER_FLAG_NEW_LISTENER: another process decides about calls.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "support/conformance.h"

namespace {
using namespace conformance;

long install(unsigned flags, unsigned call = SYS_getppid) {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog all{4, program};
  return sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
}

void send_descriptor(int socket, int fd) {
  char byte = 'x';
  iovec vector{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  ASSERT_EQ(sendmsg(socket, &message, 0), 1);
}

int receive_descriptor(int socket) {
  char byte;
  iovec vector{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket, &message, 0) != 1 || !CMSG_FIRSTHDR(&message)) return -1;
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

class SeccompNotify : public testing::Test {
 protected:
  // A child that asks about getppid, and the listener.
  void start(const std::function<void()>& body, unsigned flags = 0) {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    child_ = fork_child([&] {
      close(pair[0]);
      EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
      const long listener = install(SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
      ASSERT_OK(listener);
      EXPECT_EQ(fcntl((int)listener, F_GETFD), FD_CLOEXEC);
      send_descriptor(pair[1], (int)listener);
      close((int)listener);
      body();
    });
    close(pair[1]);
    listener_ = receive_descriptor(pair[0]);
    close(pair[0]);
    ASSERT_OK((int)listener_);
  }
  seccomp_notif receive() {
    seccomp_notif request = {};
    EXPECT_OK(ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &request));
    return request;
  }
  long answer(uint64_t id, int64_t value, int error, unsigned flags = 0) {
    seccomp_notif_resp response{id, value, error, flags};
    return ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
  short events() {
    pollfd poll_fd{listener_, POLLIN | POLLOUT, 0};
    poll(&poll_fd, 1, 0);
    return poll_fd.revents;
  }
  void finish() { EXPECT_EXITED(wait_for(child_), 0); }
  pid_t child_ = -1;
  ScopedFd listener_;
};

TEST_F(SeccompNotify, AnswersAreResults) {
  start([] {
    EXPECT_EQ(sys(SYS_getppid, 11, 22), 4711);
    EXPECT_ERRNO(sys(SYS_getppid), EXDEV);
    const long parent = sys(SYS_getppid);
    EXPECT_EQ(sys(SYS_getppid), parent);
  });
  seccomp_notif request = receive();
  EXPECT_EQ(request.pid, (unsigned)child_);
  EXPECT_EQ(request.data.nr, SYS_getppid);
  EXPECT_EQ(request.data.args[0], 11u);
  EXPECT_EQ(request.data.args[1], 22u);
  EXPECT_EQ(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id), 0);
  EXPECT_OK(answer(request.id, 4711, 0));
  const uint64_t old = request.id;
  request = receive();
  EXPECT_ERRNO(answer(old, 0, 0), ENOENT);
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &old), ENOENT);
  EXPECT_OK(answer(request.id, 0, -EXDEV));
  // The call itself, twice: the compared one too.
  for (int i = 0; i < 2; i++) EXPECT_OK(answer(receive().id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
  finish();
}

TEST_F(SeccompNotify, PollSaysWhatWaits) {
  start([] { sys(SYS_getppid); });
  pollfd poll_fd{listener_, POLLIN, 0};
  EXPECT_EQ(poll(&poll_fd, 1, 5000), 1);
  EXPECT_EQ(events(), POLLIN);
  const seccomp_notif request = receive();
  EXPECT_EQ(events(), POLLOUT);
  EXPECT_OK(answer(request.id, 0, 0));
  finish();
  for (int i = 0; i < 100 && events() != POLLHUP; i++) sleep_milliseconds(20);
  EXPECT_EQ(events(), POLLHUP) << "nobody has the filter any more";
}

TEST_F(SeccompNotify, Errors) {
  start([] { sys(SYS_getppid); });
  seccomp_notif dirty = {};
  dirty.flags = 1;
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &dirty), EINVAL);
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, nullptr), EFAULT);
  EXPECT_ERRNO(ioctl(listener_, 0x1234), EINVAL);
  const seccomp_notif request = receive();
  EXPECT_ERRNO(answer(request.id, 0, 0, 2), EINVAL);
  EXPECT_ERRNO(answer(request.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
  EXPECT_ERRNO(answer(request.id + 100, 0, 0), ENOENT);
  EXPECT_OK(answer(request.id, 0, 0));
  finish();
}

TEST_F(SeccompNotify, AClosedListenerIsENOSYS) {
  start([] { EXPECT_ERRNO(sys(SYS_getppid), ENOSYS); });
  receive();
  listener_.reset();
  finish();
}

TEST_F(SeccompNotify, WithoutAListenerItIsENOSYS) {
  EXPECT_CHILD_OK([] {
    EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_OK(install(0));
    EXPECT_ERRNO(sys(SYS_getppid), ENOSYS);
  });
}

TEST_F(SeccompNotify, ASignalEndsTheWait) {
  start([] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    EXPECT_ERRNO(sys(SYS_getppid), EINTR);
  });
  const seccomp_notif request = receive();
  sleep_milliseconds(100);
  kill(child_, SIGUSR1);
  finish();
  EXPECT_ERRNO(answer(request.id, 0, 0), ENOENT);
}

TEST_F(SeccompNotify, GivesDescriptors) {
  start([] {
    const long fd = sys(SYS_getppid);
    ASSERT_OK(fd);
    EXPECT_EQ(fcntl((int)fd, F_GETFD), FD_CLOEXEC);
    char text[8] = {};
    EXPECT_EQ(read((int)fd, text, sizeof text), 5);
    EXPECT_STREQ(text, "given");
    EXPECT_EQ(sys(SYS_getppid), 77);
    EXPECT_EQ(fcntl(77, F_GETFD), 0);
  });
  const ScopedFd memory = memfd_create("given", 0);
  ASSERT_EQ(write(memory, "given", 5), 5);
  lseek(memory, 0, SEEK_SET);
  const seccomp_notif request = receive();
  seccomp_notif_addfd addition = {};
  addition.id = request.id;
  addition.srcfd = (unsigned)(int)memory;
  addition.newfd_flags = O_CLOEXEC;
  addition.newfd = 9;
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &addition), EINVAL) << "a number without the flag";
  addition.newfd = 0;
  addition.flags = 0x10;
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &addition), EINVAL);
  addition.flags = 0;
  addition.srcfd = 9999;
  EXPECT_ERRNO(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &addition), EBADF);
  addition.srcfd = (unsigned)(int)memory;
  const int number = ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &addition);
  ASSERT_OK(number);
  EXPECT_OK(answer(request.id, number, 0));
  const seccomp_notif second = receive();
  addition.id = second.id;
  addition.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND;
  addition.newfd = 77;
  addition.newfd_flags = 0;
  EXPECT_EQ(ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &addition), 77);
  finish();
}

TEST_F(SeccompNotify, Flags) {
  EXPECT_CHILD_OK([] {
    EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_ERRNO(install(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC), EINVAL);
    EXPECT_ERRNO(install(32 /* wait killable */), EINVAL);
    const long listener = install(SECCOMP_FILTER_FLAG_NEW_LISTENER | 32);
    EXPECT_OK(listener);
    EXPECT_ERRNO(install(SECCOMP_FILTER_FLAG_NEW_LISTENER), EBUSY) << "one is enough";
    const unsigned action = SECCOMP_RET_USER_NOTIF;
    EXPECT_OK(sys(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    struct seccomp_notif_sizes sizes = {};
    EXPECT_OK(sys(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
    EXPECT_EQ(sizes.seccomp_notif, sizeof(seccomp_notif));
    EXPECT_EQ(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp));
    EXPECT_EQ(sizes.seccomp_data, sizeof(seccomp_data));
  });
}

}  // namespace
