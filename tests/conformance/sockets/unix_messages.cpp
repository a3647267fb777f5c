// unix(7): datagrams, sequenced packets, descriptor and credential passing.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "support/conformance.h"

namespace {
using namespace conformance;

class UnixMessages : public TempDirTest {
 protected:
  void make_pair(int type) {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, type, 0, pair));
    left_ = pair[0];
    right_ = pair[1];
  }
  static sockaddr_un name_of(const Path& path) {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    return name;
  }
  ScopedFd left_, right_;
};

// A message of one byte with ancillary data of one kind.
template <typename T>
ssize_t send_with(int socket, int kind, const std::vector<T>& values) {
  std::vector<char> control(CMSG_SPACE(values.size() * sizeof(T)));
  char byte = 'm';
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = kind;
  header->cmsg_len = CMSG_LEN(values.size() * sizeof(T));
  memcpy(CMSG_DATA(header), values.data(), values.size() * sizeof(T));
  return sendmsg(socket, &message, 0);
}

template <typename T>
std::vector<T> receive_with(int socket, int kind, int* flags_out = nullptr, size_t room = 16, int flags = 0) {
  std::vector<char> control(CMSG_SPACE(room * sizeof(T)));
  char byte = 0;
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = room ? CMSG_LEN(room * sizeof(T)) : 0;
  EXPECT_EQ(recvmsg(socket, &message, flags), 1);
  if (flags_out) *flags_out = message.msg_flags;
  std::vector<T> values;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != kind) continue;
    values.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(T));
    memcpy(values.data(), CMSG_DATA(header), values.size() * sizeof(T));
  }
  return values;
}

TEST_F(UnixMessages, DatagramsKeepBoundaries) {
  make_pair(SOCK_DGRAM);
  send(left_, "one", 3, 0);
  send(left_, "", 0, 0);
  send(left_, "three", 5, 0);
  char buffer[16] = {};
  EXPECT_EQ(recv(right_, buffer, 16, 0), 3);
  EXPECT_EQ(recv(right_, buffer, 16, 0), 0) << "an empty datagram is one too";
  EXPECT_EQ(recv(right_, buffer, 2, MSG_TRUNC), 5) << "the real length";
  EXPECT_ERRNO(recv(right_, buffer, 16, MSG_DONTWAIT), EAGAIN) << "the rest is gone";
}

TEST_F(UnixMessages, TruncationIsFlagged) {
  make_pair(SOCK_DGRAM);
  send(left_, "12345", 5, 0);
  char buffer[2];
  iovec piece = {buffer, 2};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  EXPECT_EQ(recvmsg(right_, &message, 0), 2);
  EXPECT_TRUE(message.msg_flags & MSG_TRUNC);
}

TEST_F(UnixMessages, DatagramsByNameTellTheSender) {
  const ScopedFd server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
  const sockaddr_un server_name = name_of(path("server")), client_name = name_of(path("client"));
  ASSERT_OK(bind(server, (const sockaddr*)&server_name, sizeof server_name));
  ASSERT_OK(bind(client, (const sockaddr*)&client_name, sizeof client_name));
  ASSERT_EQ(sendto(client, "hi", 2, 0, (const sockaddr*)&server_name, sizeof server_name), 2);
  char buffer[8];
  sockaddr_un from = {};
  socklen_t length = sizeof from;
  ASSERT_EQ(recvfrom(server, buffer, 8, 0, (sockaddr*)&from, &length), 2);
  EXPECT_STREQ(from.sun_path, path("client"));
  EXPECT_EQ(sendto(server, "yo", 2, 0, (sockaddr*)&from, length), 2);
}

TEST_F(UnixMessages, ConnectedDatagramsHearOnlyTheirPeer) {
  const ScopedFd one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
  const sockaddr_un one_name = name_of(path("one")), two_name = name_of(path("two"));
  ASSERT_OK(bind(one, (const sockaddr*)&one_name, sizeof one_name));
  ASSERT_OK(bind(two, (const sockaddr*)&two_name, sizeof two_name));
  ASSERT_OK(connect(one, (const sockaddr*)&two_name, sizeof two_name));
  const ScopedFd stranger = socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT_ERRNO(sendto(stranger, "x", 1, 0, (const sockaddr*)&one_name, sizeof one_name), EPERM);
  EXPECT_EQ(send(one, "x", 1, 0), 1);
  sockaddr_un none = {};
  none.sun_family = AF_UNSPEC;
  EXPECT_OK(connect(one, (sockaddr*)&none, sizeof none));
  EXPECT_ERRNO(send(one, "x", 1, 0), ENOTCONN);
}

TEST_F(UnixMessages, DatagramErrors) {
  const ScopedFd fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const sockaddr_un none = name_of(path("none"));
  EXPECT_ERRNO(sendto(fd, "x", 1, 0, (const sockaddr*)&none, sizeof none), ENOENT);
  EXPECT_ERRNO(send(fd, "x", 1, 0), ENOTCONN);
  make_pair(SOCK_DGRAM);
  const std::string huge(4 << 20, 'x');
  EXPECT_ERRNO(send(left_, huge.data(), huge.size(), 0), EMSGSIZE);
  right_.reset();
  EXPECT_ERRNO(send(left_, "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
}

TEST_F(UnixMessages, SequencedPacketsKeepBoundariesAndEnd) {
  make_pair(SOCK_SEQPACKET);
  write(left_, "one", 3);
  write(left_, "second", 6);
  char buffer[16];
  EXPECT_EQ(read(right_, buffer, 16), 3);
  EXPECT_EQ(read(right_, buffer, 2), 2);
  left_.reset();
  EXPECT_EQ(read(right_, buffer, 16), 0);
  EXPECT_ERRNO(send(right_, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST_F(UnixMessages, DescriptorsTravel) {
  make_pair(SOCK_STREAM);
  write_file("a", "content");
  {
    const ScopedFd file = open(path("a"), O_RDONLY);
    lseek(file, 3, SEEK_SET);
    ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {file.get()}), 1);
  }
  const std::vector<int> received = receive_with<int>(right_, SCM_RIGHTS);
  ASSERT_EQ(received.size(), 1u);
  const ScopedFd file = received[0];
  EXPECT_EQ(fcntl(file, F_GETFD), 0);
  char buffer[8] = {};
  EXPECT_EQ(read(file, buffer, 8), 4) << "the open file with its offset travels";
  EXPECT_STREQ(buffer, "tent");
}

TEST_F(UnixMessages, SeveralDescriptorsAndCloseOnExec) {
  make_pair(SOCK_DGRAM);
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {0, 1, 2}), 1);
  const std::vector<int> received = receive_with<int>(right_, SCM_RIGHTS, nullptr, 16, MSG_CMSG_CLOEXEC);
  ASSERT_EQ(received.size(), 3u);
  for (const int fd : received) {
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
  }
}

TEST_F(UnixMessages, TooLittleRoomTruncatesAndLeaksNothing) {
  make_pair(SOCK_STREAM);
  int probe[2];
  ASSERT_OK(pipe(probe));
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {probe[1], probe[1]}), 1);
  close(probe[1]);
  int flags = 0;
  const std::vector<int> received = receive_with<int>(right_, SCM_RIGHTS, &flags, 1);
  EXPECT_TRUE(flags & MSG_CTRUNC);
  ASSERT_EQ(received.size(), 1u);
  close(received[0]);
  char byte;
  EXPECT_EQ(read(probe[0], &byte, 1), 0) << "no copy is left";
}

TEST_F(UnixMessages, PlainReadDropsDescriptors) {
  make_pair(SOCK_STREAM);
  int probe[2];
  ASSERT_OK(pipe(probe));
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {probe[1]}), 1);
  close(probe[1]);
  char byte;
  EXPECT_EQ(read(right_, &byte, 1), 1);
  EXPECT_EQ(read(probe[0], &byte, 1), 0);
}

TEST_F(UnixMessages, DescriptorsInFlightAreClosedWithTheSocket) {
  make_pair(SOCK_STREAM);
  int probe[2];
  ASSERT_OK(pipe(probe));
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {probe[1]}), 1);
  close(probe[1]);
  left_.reset();
  right_.reset();
  char byte;
  EXPECT_EQ(read(probe[0], &byte, 1), 0);
}

TEST_F(UnixMessages, SocketsSentOverThemselvesAreCollected) {
  make_pair(SOCK_STREAM);
  int probe[2];
  ASSERT_OK(pipe(probe));
  // The socket's own receive queue holds it and the pipe: a cycle nobody can reach.
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {right_.get(), probe[1]}), 1);
  close(probe[1]);
  left_.reset();
  right_.reset();
  // Collection may come late; creating and closing sockets prompts it.
  pollfd wait = {probe[0], POLLIN, 0};
  for (int i = 0; i < 100 && poll(&wait, 1, 20) == 0; i++) {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    close(pair[0]);
    close(pair[1]);
  }
  char byte;
  fcntl(probe[0], F_SETFL, O_NONBLOCK);
  EXPECT_EQ(read(probe[0], &byte, 1), 0);
}

// A pipe whose last writer may be in flight: whether it has ended, and how it does after collections.
struct Probe {
  Probe() { EXPECT_OK(pipe(ends)); }
  ~Probe() {
    close(ends[0]);
    close_writer();
  }
  void close_writer() {
    if (ends[1] >= 0) close(ends[1]);
    ends[1] = -1;
  }
  bool ended() const {
    pollfd wait = {ends[0], POLLIN, 0};
    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLHUP);
  }
  bool ends_soon() const {
    for (int i = 0; i < 200 && !ended(); i++) prompt_collection();
    return ended();
  }
  bool stays() const {
    for (int i = 0; i < 5; i++) prompt_collection();
    return !ended();
  }
  static void prompt_collection() {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    close(pair[0]);
    close(pair[1]);
    poll(nullptr, 0, 10);
  }
  int ends[2] = {-1, -1};
};

TEST_F(UnixMessages, RingOfSocketsInFlightIsCollected) {
  constexpr int size = 5;
  Probe probe;
  int pairs[size][2];
  for (auto& pair : pairs) ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  // The socket that receives is in the queue of the next one's.
  for (int i = 0; i < size; i++)
    ASSERT_EQ(send_with<int>(pairs[i][0], SCM_RIGHTS, {pairs[(i + 1) % size][1], probe.ends[1]}), 1);
  probe.close_writer();
  for (auto& pair : pairs) close(pair[0]);
  for (int i = 1; i < size; i++) close(pairs[i][1]);
  EXPECT_TRUE(probe.stays()) << "one socket of the ring is open";
  close(pairs[0][1]);
  EXPECT_TRUE(probe.ends_soon());
}

TEST_F(UnixMessages, SocketInFlightThatCanBeReachedIsKept) {
  make_pair(SOCK_STREAM);
  Probe probe;
  int inner[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
  // Two levels: `right_` holds inner[1], which holds itself and the probe.
  ASSERT_EQ(send_with<int>(inner[0], SCM_RIGHTS, {inner[1], probe.ends[1]}), 1);
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {inner[1]}), 1);
  probe.close_writer();
  close(inner[0]);
  close(inner[1]);
  EXPECT_TRUE(probe.stays());
  const std::vector<int> outer = receive_with<int>(right_, SCM_RIGHTS);
  ASSERT_EQ(outer.size(), 1u);
  EXPECT_TRUE(probe.stays());
  const std::vector<int> received = receive_with<int>(outer[0], SCM_RIGHTS);
  ASSERT_EQ(received.size(), 2u) << "nothing was taken away";
  close(received[0]);
  close(received[1]);
  EXPECT_TRUE(probe.ends_soon());
  close(outer[0]);
}

TEST_F(UnixMessages, ListenerInFlightInItsOwnBacklogIsCollected) {
  Probe probe;
  const ScopedFd listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = {AF_UNIX, {}};
  socklen_t size = sizeof name;
  ASSERT_OK(bind(listener, (sockaddr*)&name, sizeof(sa_family_t)));
  ASSERT_OK(listen(listener, 4));
  ASSERT_OK(getsockname(listener, (sockaddr*)&name, &size));
  ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_OK(connect(client, (sockaddr*)&name, size));
  // A message to a connection that is not accepted yet.
  ASSERT_EQ(send_with<int>(client, SCM_RIGHTS, {listener.get(), probe.ends[1]}), 1);
  probe.close_writer();
  client.reset();
  EXPECT_TRUE(probe.stays()) << "the connection can still be accepted";
  const_cast<ScopedFd&>(listener).reset();
  EXPECT_TRUE(probe.ends_soon());
}

TEST_F(UnixMessages, DeepNestingOfSocketsInFlightIsReleased) {
  Probe probe;
  int outer = -1, writer = fcntl(probe.ends[1], F_DUPFD, 0);
  probe.close_writer();
  // Each socket's queue holds the one before. Linux refuses some depths; what was made must go.
  for (int depth = 0; depth < 300; depth++) {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    const int inner = outer < 0 ? writer : outer;
    const ssize_t sent = send_with<int>(pair[0], SCM_RIGHTS, {inner});
    close(pair[0]);
    if (sent != 1) {
      EXPECT_TRUE(errno == ETOOMANYREFS) << errno_name(errno);
      close(pair[1]);
      break;
    }
    close(inner);
    outer = pair[1];
  }
  EXPECT_FALSE(probe.ended());
  close(outer);
  EXPECT_TRUE(probe.ends_soon());
}

TEST_F(UnixMessages, SendingBadDescriptorsIsEBADF) {
  make_pair(SOCK_STREAM);
  EXPECT_ERRNO(send_with<int>(left_, SCM_RIGHTS, {0, 999}), EBADF);
  EXPECT_ERRNO(send_with<int>(left_, SCM_RIGHTS, std::vector<int>(254, 0)), EINVAL) << "253 is the limit";
}

TEST_F(UnixMessages, StreamReadStopsAtDescriptors) {
  make_pair(SOCK_STREAM);
  write(left_, "ab", 2);
  ASSERT_EQ(send_with<int>(left_, SCM_RIGHTS, {0}), 1);
  write(left_, "cd", 2);
  char buffer[16];
  const ssize_t first = read(right_, buffer, 16);
  EXPECT_GE(first, 2);
  EXPECT_LE(first, 3) << "bytes after the message with descriptors come separately";
}

TEST_F(UnixMessages, CredentialsArriveWhenAskedFor) {
  make_pair(SOCK_DGRAM);
  const int on = 1;
  ASSERT_OK(setsockopt(right_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  ASSERT_EQ(send(left_, "x", 1, 0), 1);
  const std::vector<ucred> implied = receive_with<ucred>(right_, SCM_CREDENTIALS);
  ASSERT_EQ(implied.size(), 1u);
  EXPECT_EQ(implied[0].pid, getpid());
  EXPECT_EQ(implied[0].uid, getuid());
  const pid_t child = fork_child([&] { EXPECT_EQ(send(left_, "x", 1, 0), 1); });
  EXPECT_EXITED(wait_for(child), 0);
  EXPECT_EQ(receive_with<ucred>(right_, SCM_CREDENTIALS).at(0).pid, child);
}

TEST_F(UnixMessages, CredentialsCannotBeForged) {
  make_pair(SOCK_DGRAM);
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const ucred forged = {getpid(), 0, 0};
    EXPECT_ERRNO(send_with<ucred>(left_, SCM_CREDENTIALS, {forged}), EPERM);
    const ucred true_ones = {getpid(), other_user, other_group};
    EXPECT_EQ(send_with<ucred>(left_, SCM_CREDENTIALS, {true_ones}), 1);
  });
}

TEST_F(UnixMessages, ManyMessagesInOneCall) {
  make_pair(SOCK_DGRAM);
  char first[] = "first", second[] = "second";
  iovec pieces[2] = {{first, 5}, {second, 6}};
  mmsghdr messages[2] = {};
  for (int i = 0; i < 2; i++) {
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_EQ(sendmmsg(left_, messages, 2, 0), 2);
  EXPECT_EQ(messages[1].msg_len, 6u);
  char buffers[3][16];
  iovec rooms[3] = {{buffers[0], 16}, {buffers[1], 16}, {buffers[2], 16}};
  mmsghdr received[3] = {};
  for (int i = 0; i < 3; i++) {
    received[i].msg_hdr.msg_iov = &rooms[i];
    received[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_EQ(recvmmsg(right_, received, 3, MSG_DONTWAIT, nullptr), 2);
  EXPECT_EQ(received[0].msg_len, 5u);
}

TEST_F(UnixMessages, BadMessageHeaders) {
  make_pair(SOCK_DGRAM);
  EXPECT_ERRNO(sys(SYS_sendmsg, left_.get(), low_address(), 0), EFAULT);
  EXPECT_ERRNO(sys(SYS_recvmsg, left_.get(), low_address(), 0), EFAULT);
  iovec piece = {low_address(), 8};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  EXPECT_ERRNO(sendmsg(left_, &message, 0), EFAULT);
  message.msg_iovlen = 2000;
  EXPECT_ERRNO(sendmsg(left_, &message, 0), EMSGSIZE);
  char text[] = "x", control[8] = {};
  piece = {text, 1};
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  EXPECT_EQ(sendmsg(left_, &message, 0), 1) << "shorter than a header: ignored";
  cmsghdr short_header = {};
  short_header.cmsg_len = 5;
  short_header.cmsg_level = SOL_SOCKET;
  short_header.cmsg_type = SCM_RIGHTS;
  message.msg_control = &short_header;
  message.msg_controllen = sizeof short_header;
  EXPECT_ERRNO(sendmsg(left_, &message, 0), EINVAL);
}

}  // namespace
