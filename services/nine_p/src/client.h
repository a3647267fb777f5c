// The client's side of one session: messages, their tags, and fids.
//
//   Call call = TRY(client.begin(Type::mkdir));
//   call.out.number32(fid.number()).text(name).number32(mode).number32(gid);
//   Reader in = TRY(call.finish());                  // EIO, EINTR, or what the server says
//   Qid qid = read_qid(in);
//   TRY(call.check(in));                             // EIO if the answer was too short
//
//   RefPtr<Fid> fid = TRY(client.walk(*directory, "name"));   // clunked with its last reference
//
// An Exchange is the memory of one message and its answer with the tag that belongs to it. They are made as
// they are needed and used again:
//
//   idle ──begin()──> in use ──submit()──> sent ──completed()──> answered ──> idle
//                                            └─ the caller was killed and the server did not answer Tflush's
//                                               victim: abandoned, and idle only once the channel gives it
//                                               back
//
// A waiting caller can be killed: the server is told with Tflush, and what it answers first counts. The rest
// is not interruptible, as on Linux.
//
// The server is not trusted: size, type and tag of each answer are checked, Readers cannot leave it, and
// counts are compared with what was asked for.
//
// Locking: mutex_ is a leaf, taken also by completed(). Never held while something waits, except for an
// idle exchange.
#pragma once

#include <memory>

#include "base/ref.h"
#include "base/result.h"
#include "base/vector.h"
#include "core/dma/dma_memory.h"
#include "core/sync/wait_queue.h"
#include "message.h"
#include "nine_p/channel.h"

namespace nine_p {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

class Client;
class Fid;

// Which direction needs room for data.
enum class Bulk : std::uint8_t { none, out, in };

class Exchange final : public Message {
 public:
  Exchange(Client& client, std::uint16_t tag) : client_(client), tag_(tag) {}
  void completed() override;

 private:
  friend class Client;
  friend class Call;
  enum class State : std::uint8_t { idle, in_use, sent, answered };
  Client& client_;
  const std::uint16_t tag_;
  // Protected by the client's mutex_:
  State state_ = State::idle;
  bool abandoned_ = false;
  // Protected by the state: whoever has taken the exchange.
  core::DmaMemory small_, large_;
};

// One message under way; gives its exchange back at the end.
class [[nodiscard]] Call {
 public:
  Call(Call&& other) noexcept
      : out(other.out),
        exchange_(std::exchange(other.exchange_, nullptr)),
        client_(other.client_),
        type_(other.type_) {}
  Call& operator=(Call&&) = delete;
  ~Call();
  Writer out;
  // Sends, waits, and gives what follows the header of the answer; valid while the call lives.
  Result<Reader> finish(core::WaitMode mode = core::WaitMode::killable);
  // After the last field was read.
  Result<void> check(const Reader& in) const;

 private:
  friend class Client;
  Call(Client& client, Exchange& exchange, Type type) : exchange_(&exchange), client_(client), type_(type) {}
  Exchange* exchange_;
  Client& client_;
  Type type_;
};

struct WalkResult {
  RefPtr<Fid> fid;
  Qid qid;
};

class Client {
 public:
  Client() = default;
  ~Client();
  // Agrees on the protocol and attaches. EPROTONOSUPPORT: the server does not speak 9P2000.L.
  Result<WalkResult> start(Channel& channel, std::uint32_t wanted_size, std::string_view user,
                           std::string_view tree, std::uint32_t uid);
  // Room for one message.
  std::uint32_t message_size() const { return message_size_; }

  Result<Call> begin(Type type, Bulk bulk = Bulk::none);
  // A fid of its own for the same object (name empty) or for an entry of the directory.
  Result<WalkResult> walk(const Fid& from, std::string_view name);
  // A fid for an answer to come.
  Result<RefPtr<Fid>> make_fid();
  // Logs what a server should not have sent, not too often.
  std::unexpected<Errno> lied(const char* what, std::uint64_t value);

 private:
  friend class Call;
  friend class Exchange;
  friend class Fid;
  static constexpr std::size_t small_size = 8192;  // of each direction: a link's text, and everything shorter
  static constexpr std::size_t exchanges_max = 256;

  Result<Exchange*> take_exchange();
  Result<void> make_room(Exchange& exchange, Bulk bulk);
  void give_back(Exchange& exchange);
  Result<void> wait_for(Exchange& exchange, core::WaitMode mode);
  Result<void> flush(Exchange& victim);
  void clunk(std::uint32_t number);
  void release_number(std::uint32_t number);

  Channel* channel_ = nullptr;
  std::uint32_t message_size_ = 4096;
  core::Mutex mutex_{"9p client"};
  core::WaitQueue answered_, freed_;
  base::Vector<std::unique_ptr<Exchange>> exchanges_ GUARDED_BY(mutex_);
  base::Vector<std::uint32_t> free_fids_ GUARDED_BY(mutex_);
  std::uint32_t next_fid_ GUARDED_BY(mutex_) = 0;
  std::atomic<unsigned> lies_{0};
};

// A handle of the server's on an object, possibly open. Clunked with the last reference (waits for the
// server): not under a lock that the channel's completion needs.
class Fid final : public base::RefCounted<Fid> {
 public:
  Fid(Client& client, std::uint32_t number) : client_(client), number_(number) {}
  ~Fid();
  std::uint32_t number() const { return number_; }
  // Whether the server knows it; set once it has answered.
  bool is_valid = false;
  std::uint32_t io_unit = 0;  // of an open one: largest read or write; 0: as large as a message

 private:
  Client& client_;
  const std::uint32_t number_;
};

}  // namespace nine_p
