#include "hvc.h"

#include "core/time/clock.h"

namespace virtio_console {

using base::RefPtr;
using base::Result;
using core::MutexGuard;

namespace {

constexpr std::uint64_t log_patience_ns = 200 * core::ns_per_ms;

class HvcTerminal final : public tty::Terminal {
 public:
  HvcTerminal(tty::TerminalLine& line, vfs::DeviceNumber device, unsigned number)
      : Terminal(line, device), number_(number) {}
  void put_name(base::TextSink& out) const override { base::format(out, "hvc{}", number_); }

 private:
  const unsigned number_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Result<void> Hvc::start() {
  vfs::DeviceNumber number{hvc_major, number_};
  device_major = number.major;
  device_minor = number.minor;
  TRY(vfs::register_devices(vfs::DeviceKind::character, number, 1, *this, "hvc"));
  TRY(vfs::create_device_node(name(), vfs::mode_character | 0600, number));
  port_.set_listener(this);
  core::register_console(*this);
  if (preferred()) tty::set_console_terminal(*this);
  return {};
}

// ---- The kernel's log ----

template <typename Send>
void Hvc::with_line_ends(std::string_view text, Send&& send) {
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    send(text.substr(0, end));
    if (end == std::string_view::npos) return;
    send("\r\n");
    text.remove_prefix(end + 1);
  }
}

void Hvc::write(std::string_view text) {
  core::Deadline patience = core::Deadline::after(log_patience_ns);
  with_line_ends(text, [&](std::string_view piece) {
    auto bytes = bytes_of(piece);
    while (!bytes.empty()) {
      bytes = bytes.subspan(port_.send(bytes));
      if (bytes.empty()) return;
      if (!room_.wait(core::WaitMode::uninterruptible, [&] { return port_.send_room() != 0; }, patience))
        return;
    }
  });
}

void Hvc::write_in_panic(std::string_view text) {
  with_line_ends(text, [&](std::string_view piece) { port_.send_all_polling(bytes_of(piece)); });
}

// ---- The line ----

void Hvc::room_to_send() {
  room_.wake_all();
  if (auto terminal = current_terminal()) terminal->transmit_ready();
}

void Hvc::received() {
  RefPtr<tty::Terminal> terminal = current_terminal();
  MutexGuard guard{port_.receive_lock()};
  for (;;) {
    auto bytes = port_.look();
    if (bytes.empty()) return;
    std::size_t taken = bytes.size();  // what comes before anybody has opened the terminal is lost
    if (terminal) {
      const void* first = bytes.data();
      taken = terminal->receive({static_cast<const std::uint8_t*>(first), bytes.size()});
    }
    if (taken == 0) return;  // input_room() goes on
    port_.consume(taken);
  }
}

void Hvc::resume(core::Work& work) { base::container_of(&work, &Hvc::resume_work_)->received(); }

// ---- The terminal ----

RefPtr<tty::Terminal> Hvc::current_terminal() {
  MutexGuard guard{terminal_lock_};
  return terminal_;
}

Result<RefPtr<tty::Terminal>> Hvc::terminal() {
  RefPtr<tty::Terminal> fresh;
  tty::WindowSize size;
  {
    MutexGuard guard{terminal_lock_};
    if (terminal_ && !terminal_->is_hung_up()) return terminal_;
    fresh = TRY(base::try_make_ref<HvcTerminal>(*this, vfs::DeviceNumber{hvc_major, number_}, number_));
    terminal_ = fresh;
    size = window_size_;
  }
  if (size.rows && size.columns) fresh->set_window_size(size);
  return fresh;
}

void Hvc::set_window_size(const tty::WindowSize& size) {
  RefPtr<tty::Terminal> terminal;
  {
    MutexGuard guard{terminal_lock_};
    window_size_ = size;
    terminal = terminal_;
  }
  if (terminal && size.rows && size.columns) terminal->set_window_size(size);
}

void Hvc::hang_up() {
  if (auto terminal = current_terminal()) terminal->hang_up();
}

Result<RefPtr<vfs::File>> Hvc::open(vfs::DeviceNumber, const vfs::OpenRequest& request) {
  return tty::TerminalFile::open(TRY(terminal()), request);
}

}  // namespace virtio_console
