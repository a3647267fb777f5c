// Sockets, whatever their family: what socket(7) promises, and what a family fills in.
//
// A family derives from Socket and registers a creator. The personality turns descriptors into Sockets
// (SocketFile), decodes addresses and control messages, and calls the functions here; SIGPIPE for EPIPE is
// its business as well.
//
// Locking: options are atomics; everything else is the family's. All functions run in thread context and may
// sleep.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/vector.h"
#include "core/memory/io_buffer.h"
#include "core/sync/wait_queue.h"
#include "vfs/context.h"
#include "vfs/file.h"

namespace socket {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

enum class Family : std::uint16_t { unspecified = 0, unix_domain = 1, inet = 2, inet6 = 10, netlink = 16 };
enum class Type : std::uint8_t { stream = 1, datagram = 2, raw = 3, sequenced_packets = 5 };

// MSG_* of send(2) and recv(2).
using MessageFlags = std::uint32_t;
inline constexpr MessageFlags message_out_of_band = 0x1, message_peek = 0x2, message_control_truncated = 0x8,
                              message_truncated = 0x20, message_do_not_wait = 0x40,
                              message_end_of_record = 0x80, message_wait_all = 0x100,
                              message_no_signal = 0x4000, message_more = 0x8000,
                              message_close_on_exec = 0x40000000;

// struct sockaddr_storage and how much of it counts. size 0: no address.
struct Address {
  static constexpr std::size_t maximum = 128;
  std::size_t size = 0;
  std::array<std::byte, maximum> bytes{};
  std::uint16_t family() const {
    return size < 2 ? 0
                    : static_cast<std::uint16_t>(static_cast<unsigned>(bytes[0]) |
                                                 static_cast<unsigned>(bytes[1]) << 8);
  }
  std::span<const std::byte> span() const { return std::span(bytes).first(size); }
};

// Who is at an end: struct ucred, and all the credentials for SO_PEERGROUPS.
struct Party {
  int pid = 0;
  RefPtr<const vfs::Credentials> credentials;
};
struct UserCredentials {
  int pid = 0;
  std::uint32_t uid = ~0u, gid = ~0u;
};

// The calling thread, as a socket needs it.
struct SocketCaller {
  const vfs::Caller& files;
  const Party& party;
};

inline constexpr std::size_t maximum_passed_files = 253;  // SCM_MAX_FD

struct SendRequest {
  core::IoBuffer& data;
  MessageFlags flags = 0;
  const Address* destination = nullptr;
  UserCredentials credentials;   // of the sender, or what SCM_CREDENTIALS said (checked)
  bool has_credentials = false;  // said explicitly
  base::Vector<RefPtr<vfs::File>> files;
  bool non_blocking = false;
};

struct ReceiveRequest {
  core::IoBuffer& data;
  MessageFlags flags = 0;
  bool non_blocking = false;
  // Filled in:
  Address source;
  MessageFlags result_flags = 0;
  bool has_credentials = false;
  UserCredentials credentials;
  base::Vector<RefPtr<vfs::File>> files;
};

enum class Shutdown { receive = 0, send = 1, both = 2 };

class Socket : public base::RefCounted<Socket> {
 public:
  Socket(Family family, Type type, int protocol) : family_(family), type_(type), protocol_(protocol) {}
  virtual ~Socket() = default;

  Family family() const { return family_; }
  Type type() const { return type_; }
  int protocol() const { return protocol_; }

  virtual Result<void> bind(const Address& address, const SocketCaller& caller) = 0;
  virtual Result<void> connect(const Address& address, const SocketCaller& caller, bool non_blocking) = 0;
  virtual Result<void> listen(int backlog, const SocketCaller& caller) = 0;
  virtual Result<RefPtr<Socket>> accept(bool non_blocking) = 0;
  virtual Result<std::size_t> send(SendRequest& request, const SocketCaller* caller) = 0;
  // Returns the number of bytes put into the buffer; with message_truncated in the flags the length of the
  // datagram.
  virtual Result<std::size_t> receive(ReceiveRequest& request) = 0;
  virtual Result<void> shutdown(Shutdown how) = 0;
  virtual Address local_address() = 0;
  virtual Result<Address> peer_address() = 0;
  virtual vfs::PollEvents poll(vfs::PollWaiter* waiter) = 0;
  virtual Result<long> ioctl(unsigned command, std::uintptr_t argument) { return error(Errno::enotty); }
  // The last file on it is closed.
  virtual void close() = 0;
  // SOL_SOCKET options of the family, and all of other levels; the generic ones are in set_option and
  // get_option.
  virtual Result<void> set_family_option(int level, int name, std::span<const std::byte> value) {
    return error(Errno::enoprotoopt);
  }
  // Appends the value.
  virtual Result<void> get_family_option(int level, int name, base::Vector<std::byte>& value) {
    return error(Errno::enoprotoopt);
  }

  Result<void> set_option(int level, int name, std::span<const std::byte> value,
                          const vfs::Credentials& credentials);
  Result<void> get_option(int level, int name, base::Vector<std::byte>& value);

  // ---- Options that families look at ----
  std::uint32_t send_buffer_size() const { return send_buffer_size_.load(std::memory_order_relaxed); }
  std::uint32_t receive_buffer_size() const { return receive_buffer_size_.load(std::memory_order_relaxed); }
  std::uint32_t receive_low_water() const { return receive_low_water_.load(std::memory_order_relaxed); }
  void set_passes_credentials(bool value) { pass_credentials_.store(value); }
  bool passes_credentials() const { return pass_credentials_.load(std::memory_order_relaxed); }
  core::Deadline receive_deadline() const;
  core::Deadline send_deadline() const;
  // SO_ERROR: reported once, by the option or by the next call.
  void set_pending_error(Errno code) { pending_error_.store(static_cast<int>(code)); }
  Errno take_pending_error() { return static_cast<Errno>(pending_error_.exchange(0)); }
  bool has_pending_error() const { return pending_error_.load() != 0; }
  virtual bool is_listening() const { return false; }

 private:
  enum Flag : std::uint32_t {
    reuse_address = 1,
    keep_alive = 2,
    broadcast = 4,
    timestamp = 8,
    pass_security = 16,
    timestamp_ns = 32,
    reuse_port = 64,
    dont_route = 128,
    oob_inline = 256,
    debug = 512,
    no_check = 1024,
    rx_queue_overflow = 2048
  };
  static Flag flag_of(int name);

  const Family family_;
  const Type type_;
  const int protocol_;
  // Linux's defaults (net.core.wmem_default, rmem_default); SO_SNDBUF doubles what it is given.
  std::atomic<std::uint32_t> send_buffer_size_{212992}, receive_buffer_size_{212992};
  std::atomic<std::uint32_t> receive_low_water_{1};
  std::atomic<std::uint64_t> receive_timeout_ns_{0}, send_timeout_ns_{0};
  std::atomic<std::uint64_t> linger_{0};  // on/off in the low word, seconds in the high one
  std::atomic<std::uint32_t> priority_{0}, mark_{0}, flags_{0};
  std::atomic<bool> pass_credentials_{false};
  std::atomic<int> pending_error_{0};
};

// A socket as an open file.
class SocketFile final : public vfs::File {
 public:
  // `flags`: open_non_blocking.
  static Result<RefPtr<SocketFile>> create(RefPtr<Socket> socket, vfs::OpenFlags flags,
                                           RefPtr<const vfs::Credentials> credentials);
  explicit SocketFile(RefPtr<Socket> socket)
      : File(socket_file | no_wait_capable), socket_(std::move(socket)) {}

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  Socket& socket() const { return *socket_; }

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags io_flags) override;
  Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags io_flags) override;
  Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override { return socket_->poll(waiter); }
  void release() override { socket_->close(); }

 private:
  const RefPtr<Socket> socket_;
};

// ---- Families ----
class SocketFamily {
 public:
  virtual Result<RefPtr<Socket>> create(Type type, int protocol, const SocketCaller& caller) = 0;
  virtual Result<void> connect_pair(Socket& first, Socket& second, const SocketCaller& caller) {
    return error(Errno::eopnotsupp);
  }

 protected:
  ~SocketFamily() = default;
};
void register_family(Family family, SocketFamily& implementation);
// EAFNOSUPPORT for a family that nobody registered.
Result<SocketFamily*> find_family(int family);

// Who the calling thread is, for the identity that write(2) on a socket carries. Supplied by the personality.
using IdentityOfCaller = Party (*)();
void set_identity_of_caller(IdentityOfCaller function);
Party identity_of_caller();

}  // namespace socket
