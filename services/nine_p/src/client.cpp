#include "client.h"

#include "core/log/log.h"
#include "core/memory/slab.h"

namespace nine_p {

using core::MutexGuard;

// ---- Exchanges ----

void Exchange::completed() {
  {
    MutexGuard guard{client_.mutex_};
    state_ = abandoned_ ? State::idle : State::answered;
    abandoned_ = false;
  }
  client_.answered_.wake_all();
  client_.freed_.wake_one();
}

Result<Exchange*> Client::take_exchange() {
  Exchange* taken = nullptr;
  auto find = [&]() NO_THREAD_SAFETY_ANALYSIS {
    for (auto& exchange : exchanges_)
      if (exchange->state_ == Exchange::State::idle) taken = exchange.get();
    if (!taken && exchanges_.size() < exchanges_max) {
      auto fresh = base::try_make_unique<Exchange>(*this, static_cast<std::uint16_t>(exchanges_.size()));
      if (fresh) {
        Exchange* memory = fresh->get();
        if (exchanges_.try_push_back(std::move(*fresh))) taken = memory;
      }
      if (!taken && exchanges_.empty()) return true;  // nobody will give one back
    }
    if (taken) taken->state_ = Exchange::State::in_use;
    return taken != nullptr;
  };
  MutexGuard guard{mutex_};
  TRY(freed_.wait(guard, core::WaitMode::uninterruptible, find));
  if (!taken) return error(Errno::enomem);
  return taken;
}

Result<void> Client::make_room(Exchange& exchange, Bulk bulk) {
  if (!exchange.small_) exchange.small_ = TRY(core::DmaMemory::allocate(2 * small_size));
  if (bulk != Bulk::none && !exchange.large_) exchange.large_ = TRY(core::DmaMemory::allocate(message_size_));
  return {};
}

void Client::give_back(Exchange& exchange) {
  {
    MutexGuard guard{mutex_};
    // What the channel still has comes back by itself.
    if (exchange.state_ == Exchange::State::sent)
      exchange.abandoned_ = true;
    else
      exchange.state_ = Exchange::State::idle;
  }
  freed_.wake_one();
}

Client::~Client() {
  // The channel owns the memory of what it has not completed: it comes back when the server answers, or
  // breaks.
  MutexGuard guard{mutex_};
  (void)!answered_.wait(guard, core::WaitMode::uninterruptible, [&]() NO_THREAD_SAFETY_ANALYSIS {
    for (auto& exchange : exchanges_)
      if (exchange->state_ == Exchange::State::sent) return false;
    return true;
  });
}

Call::~Call() {
  if (exchange_) client_.give_back(*exchange_);
}

Result<Call> Client::begin(Type type, Bulk bulk) {
  Exchange& exchange = *TRY(take_exchange());
  Call call(*this, exchange, type);
  TRY(make_room(exchange, bulk));
  auto small = exchange.small_.bytes(), large = exchange.large_.bytes();
  std::span<std::byte> out = bulk == Bulk::out ? large.first(message_size_) : small.first(small_size);
  if (out.size() > message_size_) out = out.first(message_size_);
  exchange.out_address =
      bulk == Bulk::out ? exchange.large_.device_address() : exchange.small_.device_address();
  exchange.in = bulk == Bulk::in ? large.first(message_size_) : small.subspan(small_size, small_size);
  if (exchange.in.size() > message_size_) exchange.in = exchange.in.first(message_size_);
  exchange.in_address =
      bulk == Bulk::in ? exchange.large_.device_address() : exchange.small_.device_address(small_size);
  exchange.out = out;
  exchange.received = 0;
  exchange.lost = false;
  call.out = Writer(out);
  call.out.number32(0).number8(static_cast<std::uint8_t>(type));
  call.out.number16(type == Type::version ? no_tag : exchange.tag_);
  return call;
}

// ---- Sending and waiting ----

Result<void> Client::wait_for(Exchange& exchange, core::WaitMode mode) {
  MutexGuard guard{mutex_};
  return answered_.wait(guard, mode, [&] { return exchange.state_ == Exchange::State::answered; });
}

// The caller does not want the answer any more. EINTR, unless it came all the same.
Result<void> Client::flush(Exchange& victim) {
  auto call = begin(Type::flush);
  if (call) {
    call->out.number16(victim.tag_);
    (void)!call->finish(core::WaitMode::uninterruptible);
  }
  MutexGuard guard{mutex_};
  bool answered =
      victim.state_ == Exchange::State::answered && !victim.lost && victim.received >= header_size;
  return answered ? Result<void>() : error(Errno::eintr);
}

Result<Reader> Call::finish(core::WaitMode mode) {
  Exchange& exchange = *exchange_;
  if (out.has_failed()) return error(Errno::enametoolong);
  out.set32(0, static_cast<std::uint32_t>(out.used()));
  exchange.out = exchange.out.first(out.used());
  {
    MutexGuard guard{client_.mutex_};
    exchange.state_ = Exchange::State::sent;
  }
  if (auto sent = client_.channel_->submit(exchange); !sent) {
    MutexGuard guard{client_.mutex_};
    exchange.state_ = Exchange::State::in_use;
    return error(sent.error());
  }
  if (auto waited = client_.wait_for(exchange, mode); !waited) TRY(client_.flush(exchange));
  if (exchange.lost) return error(Errno::eio);
  if (exchange.received < header_size)
    return client_.lied("an answer without a header, bytes", exchange.received);
  Reader in(exchange.in.first(exchange.received));
  std::uint32_t size = in.number32();
  std::uint8_t type = in.number8();
  std::uint16_t tag = in.number16();
  if (size < header_size || size > exchange.received) return client_.lied("the length of an answer", size);
  if (tag != (type_ == Type::version ? no_tag : exchange.tag_))
    return client_.lied("the tag of an answer", tag);
  in = Reader(exchange.in.subspan(header_size, size - header_size));
  if (type == static_cast<std::uint8_t>(Type::error_answer)) {
    std::uint32_t code = in.number32();
    if (in.has_failed() || code == 0 || code > 4095) return client_.lied("the number of an error", code);
    return error(static_cast<Errno>(code));
  }
  if (type != static_cast<std::uint8_t>(type_) + 1) return client_.lied("the type of an answer", type);
  return in;
}

Result<void> Call::check(const Reader& in) const {
  if (in.has_failed()) return client_.lied("a short answer to message", static_cast<std::uint64_t>(type_));
  return {};
}

std::unexpected<Errno> Client::lied(const char* what, std::uint64_t value) {
  if (lies_.fetch_add(1) < 20)
    core::log(core::LogLevel::error, "9p ({}): the server is wrong: {} ({})", channel_->tag(), what, value);
  return error(Errno::eio);
}

// ---- The session ----

Result<WalkResult> Client::start(Channel& channel, std::uint32_t wanted_size, std::string_view user,
                                 std::string_view tree, std::uint32_t uid) {
  channel_ = &channel;
  message_size_ = wanted_size;
  if (message_size_ > channel.largest_message())
    message_size_ = static_cast<std::uint32_t>(channel.largest_message());
  {
    Call call = TRY(begin(Type::version));
    call.out.number32(message_size_).text("9P2000.L");
    Reader in = TRY(call.finish());
    std::uint32_t size = in.number32();
    std::string_view version = in.text();
    TRY(call.check(in));
    if (version != "9P2000.L") return error(Errno::eprotonosupport);
    if (size < 4096) return lied("the size of messages", size);
    if (size < message_size_) message_size_ = size;
  }
  WalkResult root;
  root.fid = TRY(make_fid());
  Call call = TRY(begin(Type::attach));
  call.out.number32(root.fid->number()).number32(no_fid).text(user).text(tree).number32(uid);
  Reader in = TRY(call.finish());
  root.fid->is_valid = true;
  root.qid = read_qid(in);
  TRY(call.check(in));
  return root;
}

Result<WalkResult> Client::walk(const Fid& from, std::string_view name) {
  WalkResult result;
  result.fid = TRY(make_fid());
  Call call = TRY(begin(Type::walk));
  call.out.number32(from.number()).number32(result.fid->number()).number16(name.empty() ? 0 : 1);
  if (!name.empty()) call.out.text(name);
  auto answer = call.finish();
  if (!answer) {
    // Killed: the server may have done it, and would not know that the fid is free. Telling it does no harm.
    if (answer.error() == Errno::eintr) result.fid->is_valid = true;
    return error(answer.error());
  }
  Reader in = *answer;
  std::uint16_t steps = in.number16();
  if (!name.empty() && steps == 0) return error(Errno::enoent);
  result.fid->is_valid = true;
  if (steps != (name.empty() ? 0 : 1)) return lied("the steps of a walk", steps);
  if (!name.empty()) result.qid = read_qid(in);
  TRY(call.check(in));
  return result;
}

// ---- Fids ----

Result<RefPtr<Fid>> Client::make_fid() {
  std::uint32_t number;
  {
    MutexGuard guard{mutex_};
    if (!free_fids_.empty()) {
      number = free_fids_.back();
      free_fids_.pop_back();
    } else {
      if (next_fid_ == no_fid) return error(Errno::enfile);
      // Room for its return.
      if (free_fids_.capacity() <= next_fid_) TRY(free_fids_.try_reserve(std::size_t{next_fid_} * 2 + 16));
      number = next_fid_++;
    }
  }
  auto fid = base::try_make_ref<Fid>(*this, number);
  if (!fid) release_number(number);
  return fid;
}

void Client::release_number(std::uint32_t number) {
  MutexGuard guard{mutex_};
  free_fids_.push_back_reserved(number);
}

void Client::clunk(std::uint32_t number) {
  auto call = begin(Type::clunk);
  if (!call) return;
  call->out.number32(number);
  (void)!call->finish(core::WaitMode::uninterruptible);
}

Fid::~Fid() {
  if (is_valid) client_.clunk(number_);
  client_.release_number(number_);
}

}  // namespace nine_p
