// unix(7): streams, names, credentials, shutdown.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "support/conformance.h"

namespace {
using namespace conformance;

struct Address {
  sockaddr_un name = {};
  socklen_t length = sizeof name;
  Address() = default;
  explicit Address(const Path& path) {
    name.sun_family = AF_UNIX;
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(name.sun_path) + 1);
  }
  static Address abstract(std::string_view text) {
    Address address;
    address.name.sun_family = AF_UNIX;
    memcpy(address.name.sun_path + 1, text.data(), text.size());
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return address;
  }
  operator const sockaddr*() const { return reinterpret_cast<const sockaddr*>(&name); }
  operator sockaddr*() { return reinterpret_cast<sockaddr*>(&name); }
};

class UnixStream : public TempDirTest {
 protected:
  void SetUp() override {
    TempDirTest::SetUp();
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    left_ = pair[0];
    right_ = pair[1];
  }
  ScopedFd listener(const Address& address, int backlog = 5) const {
    ScopedFd fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(bind(fd, address, address.length));
    EXPECT_OK(listen(fd, backlog));
    return fd;
  }
  ScopedFd left_, right_;
};

TEST_F(UnixStream, PairIsBidirectionalAndHasNoBoundaries) {
  EXPECT_EQ(write(left_, "ab", 2), 2);
  EXPECT_EQ(write(left_, "cd", 2), 2);
  char buffer[8] = {};
  EXPECT_EQ(read(right_, buffer, 3), 3);
  EXPECT_STREQ(buffer, "abc");
  EXPECT_EQ(write(right_, "x", 1), 1);
  EXPECT_EQ(read(left_, buffer, 8), 1);
}

TEST_F(UnixStream, ConnectAcceptByPath) {
  const Address address(path("s"));
  const ScopedFd server = listener(address);
  const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_OK(connect(client, address, address.length));
  Address peer;
  const ScopedFd connection = accept4(server, peer, &peer.length, SOCK_CLOEXEC);
  ASSERT_OK(connection.get());
  EXPECT_EQ(fcntl(connection, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(peer.length, sizeof(sa_family_t)) << "the client has no name";
  EXPECT_EQ(write(client, "hi", 2), 2);
  char buffer[4] = {};
  EXPECT_EQ(read(connection, buffer, 4), 2);
  Address own;
  ASSERT_OK(getsockname(connection, own, &own.length));
  EXPECT_STREQ(own.name.sun_path, path("s"));
  ASSERT_OK(getpeername(client, peer, &(peer.length = sizeof peer.name)));
  EXPECT_STREQ(peer.name.sun_path, path("s"));
  struct stat status;
  ASSERT_OK(stat(path("s"), &status));
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
}

TEST_F(UnixStream, AbstractNamesVanishWithTheSocket) {
  const Address address = Address::abstract("conformance-" + std::to_string(getpid()));
  {
    const ScopedFd server = listener(address);
    const ScopedFd second = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERRNO(bind(second, address, address.length), EADDRINUSE);
    ASSERT_OK(connect(second, address, address.length));
  }
  const ScopedFd late = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_ERRNO(connect(late, address, address.length), ECONNREFUSED);
}

TEST_F(UnixStream, AutobindGivesAnAbstractName) {
  const ScopedFd fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  ASSERT_OK(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)));
  Address own;
  ASSERT_OK(getsockname(fd, own, &own.length));
  EXPECT_EQ(own.length, sizeof(sa_family_t) + 6);
  EXPECT_EQ(own.name.sun_path[0], 0);
}

TEST_F(UnixStream, BindErrors) {
  write_file("file", "");
  const Address taken(path("file")), missing(path("none/s"));
  const ScopedFd fd = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_ERRNO(bind(fd, taken, taken.length), EADDRINUSE);
  EXPECT_ERRNO(bind(fd, missing, missing.length), ENOENT);
  EXPECT_ERRNO(bind(fd, taken, 1), EINVAL);
  EXPECT_ERRNO(bind(fd, taken, 500), EINVAL);
  EXPECT_ERRNO(sys(SYS_bind, fd.get(), low_address(), 20), EFAULT);
  const Address good(path("s"));
  ASSERT_OK(bind(fd, good, good.length));
  const Address other(path("t"));
  EXPECT_ERRNO(bind(fd, other, other.length), EINVAL) << "has a name";
  EXPECT_ERRNO(bind(0, good, good.length), ENOTSOCK);
}

TEST_F(UnixStream, ConnectErrors) {
  write_file("file", "");
  const Address file(path("file")), none(path("none")), quiet(path("quiet"));
  const ScopedFd fd = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_ERRNO(connect(fd, file, file.length), ECONNREFUSED);
  EXPECT_ERRNO(connect(fd, none, none.length), ENOENT);
  const ScopedFd bound = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_OK(bind(bound, quiet, quiet.length));
  EXPECT_ERRNO(connect(fd, quiet, quiet.length), ECONNREFUSED) << "nobody listens";
  const Address busy(path("busy"));
  const ScopedFd server = listener(busy);
  EXPECT_ERRNO(connect(left_, busy, busy.length), EISCONN);
  const Address datagrams(path("d"));
  const ScopedFd datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_OK(bind(datagram, datagrams, datagrams.length));
  EXPECT_ERRNO(connect(fd, datagrams, datagrams.length), EPROTOTYPE);
}

TEST_F(UnixStream, ConnectNeedsWritePermission) {
  const Address address(path("s"));
  const ScopedFd server = listener(address);
  ASSERT_OK(chmod(path("s"), 0600));
  EXPECT_CHILD_OK([&] {
    drop_privileges();
    const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERRNO(connect(client, address, address.length), EACCES);
  });
}

TEST_F(UnixStream, BacklogLimitIsEAGAIN) {
  const Address address(path("s"));
  const ScopedFd server = listener(address, 1);
  ScopedFd clients[5];
  int failure = 0;
  for (ScopedFd& client : clients) {
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(client, address, address.length) != 0) failure = errno;
  }
  EXPECT_EQ(failure, EAGAIN);
}

TEST_F(UnixStream, AcceptsAClientThatHasClosed) {
  const Address address(path("s")), own(path("c"));
  const ScopedFd server = listener(address);
  {
    const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(bind(client, own, own.length));
    ASSERT_OK(connect(client, address, address.length));
    ASSERT_EQ(write(client, "last", 4), 4);
  }
  sockaddr_un peer = {};
  socklen_t size = sizeof(peer);
  const ScopedFd accepted = accept(server, reinterpret_cast<sockaddr*>(&peer), &size);
  ASSERT_OK(accepted.get());
  EXPECT_STREQ(peer.sun_path, path("c"));
  peer = {};
  size = sizeof(peer);
  ASSERT_OK(getpeername(accepted, reinterpret_cast<sockaddr*>(&peer), &size));
  EXPECT_STREQ(peer.sun_path, path("c"));
  char buffer[8];
  EXPECT_EQ(read(accepted, buffer, sizeof(buffer)), 4);
  EXPECT_EQ(read(accepted, buffer, sizeof(buffer)), 0);
}

TEST_F(UnixStream, AcceptErrors) {
  const Address address(path("s"));
  const ScopedFd server = listener(address);
  fcntl(server, F_SETFL, O_NONBLOCK);
  EXPECT_ERRNO(accept(server, nullptr, nullptr), EAGAIN);
  EXPECT_ERRNO(accept(left_, nullptr, nullptr), EINVAL);
  EXPECT_ERRNO(accept(0, nullptr, nullptr), ENOTSOCK);
  EXPECT_ERRNO(accept4(server, nullptr, nullptr, 0x40000000), EINVAL);
  const ScopedFd datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT_ERRNO(accept(datagram, nullptr, nullptr), EOPNOTSUPP);
  EXPECT_ERRNO(listen(datagram, 1), EOPNOTSUPP);
  const ScopedFd unbound = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_ERRNO(listen(unbound, 1), EINVAL);
}

TEST_F(UnixStream, ListenerPolls) {
  const Address address(path("s"));
  const ScopedFd server = listener(address);
  pollfd wait = {server, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_OK(connect(client, address, address.length));
  EXPECT_EQ(poll(&wait, 1, 0), 1);
}

TEST_F(UnixStream, EndOfFileAndBrokenPipe) {
  signal(SIGPIPE, SIG_IGN);
  write(left_, "x", 1);
  left_.reset();
  char buffer[4];
  EXPECT_EQ(read(right_, buffer, 4), 1);
  EXPECT_EQ(read(right_, buffer, 4), 0);
  EXPECT_ERRNO(write(right_, "x", 1), EPIPE);
  signal(SIGPIPE, SIG_DFL);
  EXPECT_ERRNO(send(right_, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST_F(UnixStream, UnreadDataMakesTheOtherSideSeeAReset) {
  write(left_, "unread", 6);
  right_.reset();
  char byte;
  EXPECT_ERRNO(read(left_, &byte, 1), ECONNRESET);
  EXPECT_EQ(read(left_, &byte, 1), 0);
}

TEST_F(UnixStream, ShutdownOfOneDirection) {
  signal(SIGPIPE, SIG_IGN);
  ASSERT_OK(shutdown(left_, SHUT_WR));
  char buffer[4];
  EXPECT_EQ(read(right_, buffer, 4), 0);
  EXPECT_ERRNO(write(left_, "x", 1), EPIPE);
  EXPECT_EQ(write(right_, "y", 1), 1);
  EXPECT_EQ(read(left_, buffer, 4), 1);
  EXPECT_ERRNO(shutdown(left_, 9), EINVAL);
}

TEST_F(UnixStream, MessageFlags) {
  write(left_, "abcdef", 6);
  char buffer[8] = {};
  EXPECT_EQ(recv(right_, buffer, 3, MSG_PEEK), 3);
  EXPECT_EQ(recv(right_, buffer, 3, 0), 3);
  EXPECT_STREQ(buffer, "abc");
  EXPECT_EQ(recv(right_, buffer, 8, MSG_DONTWAIT), 3);
  EXPECT_ERRNO(recv(right_, buffer, 8, MSG_DONTWAIT), EAGAIN);
}

TEST_F(UnixStream, WaitAllCollects) {
  const pid_t child = fork_child([&] {
    for (const char* piece : {"ab", "cd", "ef"}) {
      EXPECT_EQ(write(left_, piece, 2), 2);
      sleep_milliseconds(5);
    }
  });
  char buffer[8] = {};
  EXPECT_EQ(recv(right_, buffer, 6, MSG_WAITALL), 6);
  EXPECT_STREQ(buffer, "abcdef");
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(UnixStream, SendBufferFills) {
  fcntl(left_, F_SETFL, O_NONBLOCK);
  const std::string block(4096, 'x');
  size_t total = 0;
  ssize_t count;
  while ((count = write(left_, block.data(), block.size())) > 0) total += (size_t)count;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GT(total, 16384u);
  pollfd wait = {left_, POLLOUT, 0};
  EXPECT_EQ(poll(&wait, 1, 0), 0);
  std::string sink(total, 0);
  size_t drained = 0;
  while (drained < total) {
    const ssize_t got = read(right_, sink.data(), sink.size());
    ASSERT_GT(got, 0);
    drained += (size_t)got;
  }
  EXPECT_EQ(poll(&wait, 1, 0), 1);
}

TEST_F(UnixStream, FionreadAndOutq) {
  write(left_, "12345", 5);
  int count = 0;
  ASSERT_OK(ioctl(right_, FIONREAD, &count));
  EXPECT_EQ(count, 5);
  ASSERT_OK(ioctl(left_, TIOCOUTQ, &count));
  EXPECT_GT(count, 0);
}

TEST_F(UnixStream, PeerCredentials) {
  ucred credentials = {};
  socklen_t length = sizeof credentials;
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_PEERCRED, &credentials, &length));
  EXPECT_EQ(credentials.pid, getpid());
  EXPECT_EQ(credentials.uid, geteuid());
  EXPECT_EQ(credentials.gid, getegid());
}

TEST_F(UnixStream, PeerCredentialsAreThoseOfListenAndConnect) {
  const Address address(path("s"));
  const ScopedFd server = listener(address);
  ASSERT_OK(chmod(path("s"), 0777));
  const pid_t server_process = getpid();
  const pid_t child = fork_child([&] {
    drop_privileges();
    const ScopedFd client = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(connect(client, address, address.length));
    ucred credentials = {};
    socklen_t length = sizeof credentials;
    ASSERT_OK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &length));
    EXPECT_EQ(credentials.pid, server_process);
    EXPECT_EQ(credentials.uid, 0u);
    char byte;
    EXPECT_EQ(read(client, &byte, 1), 0);
  });
  ScopedFd connection = accept(server, nullptr, nullptr);
  ucred credentials = {};
  socklen_t length = sizeof credentials;
  ASSERT_OK(getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &length));
  EXPECT_EQ(credentials.pid, child);
  EXPECT_EQ(credentials.uid, other_user);
  connection.reset();
  EXPECT_EXITED(wait_for(child), 0);
}

TEST_F(UnixStream, SocketOptions) {
  int value = 0;
  socklen_t length = sizeof value;
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_TYPE, &value, &length));
  EXPECT_EQ(value, SOCK_STREAM);
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_DOMAIN, &value, &length));
  EXPECT_EQ(value, AF_UNIX);
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_ERROR, &value, &length));
  EXPECT_EQ(value, 0);
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
  EXPECT_EQ(value, 0);
  EXPECT_ERRNO(getsockopt(left_, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
  EXPECT_ERRNO(getsockopt(left_, 77, 1, &value, &length), EOPNOTSUPP);
  EXPECT_ERRNO(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
  value = 20000;
  ASSERT_OK(setsockopt(left_, SOL_SOCKET, SO_SNDBUF, &value, sizeof value));
  ASSERT_OK(getsockopt(left_, SOL_SOCKET, SO_SNDBUF, &value, &length));
  EXPECT_EQ(value, 40000) << "the kernel doubles the figure";
}

TEST_F(UnixStream, ReceiveTimeOut) {
  const timeval little = {0, 20000};
  ASSERT_OK(setsockopt(left_, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little));
  char byte;
  const long start = now_milliseconds();
  EXPECT_ERRNO(read(left_, &byte, 1), EAGAIN);
  EXPECT_GE(now_milliseconds() - start, 19);
}

TEST_F(UnixStream, SocketCallErrors) {
  int pair[2];
  EXPECT_ERRNO(socket(999, SOCK_STREAM, 0), EAFNOSUPPORT);
  EXPECT_ERRNO(socket(AF_UNIX, 99, 0), EINVAL);
  EXPECT_ERRNO(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
  EXPECT_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  EXPECT_ERRNO(sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, low_address()), EFAULT);
  EXPECT_ERRNO(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, pair), EINVAL);
  const ScopedFd lonely = socket(AF_UNIX, SOCK_STREAM, 0);
  char byte;
  EXPECT_ERRNO(recv(lonely, &byte, 1, 0), EINVAL);
  EXPECT_ERRNO(send(lonely, &byte, 1, 0), ENOTCONN);
  Address peer;
  EXPECT_ERRNO(getpeername(lonely, peer, &peer.length), ENOTCONN);
}

}  // namespace
