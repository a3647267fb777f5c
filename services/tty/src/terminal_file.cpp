#include "tty/terminal_file.h"

#include "core/init/init_step.h"
#include "ioctl_numbers.h"
#include "vfs/credentials.h"
#include "vfs/device.h"

namespace tty {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;

Result<RefPtr<TerminalFile>> TerminalFile::create(RefPtr<Terminal> terminal, bool may_break_exclusive) {
  TRY(terminal->file_opened(may_break_exclusive));
  Terminal& opened = *terminal;
  auto file = base::try_make_ref<TerminalFile>(std::move(terminal));
  if (!file) opened.file_closed();
  return file;
}

Result<RefPtr<vfs::File>> TerminalFile::open(RefPtr<Terminal> terminal, const vfs::OpenRequest& request) {
  RefPtr<TerminalFile> file = TRY(create(terminal, request.credentials.can(vfs::Capability::sys_admin)));
  if (job_control()) {
    // Only a terminal opened for reading becomes the controlling one.
    bool refuse = (request.flags & vfs::open_no_controlling_tty) ||
                  (request.flags & vfs::open_access_mask) == vfs::open_write_only;
    job_control()->opened(*terminal, refuse ? ControllingTerminal::refuse : ControllingTerminal::allow);
  }
  return RefPtr<vfs::File>(std::move(file));
}

Result<std::size_t> TerminalFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return terminal_->read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

Result<std::size_t> TerminalFile::write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return terminal_->write(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

Result<long> TerminalFile::ioctl(unsigned command, std::uintptr_t argument) {
  if (command == tiocvhangup && !credentials().can(vfs::Capability::sys_admin)) return error(Errno::eperm);
  return terminal_->ioctl(command, argument, is_non_blocking());
}

vfs::PollEvents TerminalFile::poll(vfs::PollWaiter* waiter) { return terminal_->poll(waiter); }

// ---- /dev/tty and /dev/console ----

namespace {

constinit TerminalSource* console_source = nullptr;

class ControllingTerminalDevice final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber, const vfs::OpenRequest& request) override {
    RefPtr<Terminal> terminal = job_control() ? job_control()->controlling_terminal() : nullptr;
    if (!terminal) return error(Errno::enxio);
    return RefPtr<vfs::File>(
        TRY(TerminalFile::create(std::move(terminal), request.credentials.can(vfs::Capability::sys_admin))));
  }
};

class ConsoleDevice final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber, const vfs::OpenRequest& request) override {
    if (!console_source) return error(Errno::enodev);
    RefPtr<Terminal> terminal = TRY(console_source->terminal());
    // The console never becomes a controlling terminal by being opened (tty_ioctl(4), O_NOCTTY is implied).
    return RefPtr<vfs::File>(
        TRY(TerminalFile::create(std::move(terminal), request.credentials.can(vfs::Capability::sys_admin))));
  }
};

constinit ControllingTerminalDevice controlling_terminal_device;
constinit ConsoleDevice console_device;

Result<void> register_terminal_devices() {
  TRY(vfs::register_devices(vfs::DeviceKind::character, {5, 0}, 1, controlling_terminal_device, "/dev/tty"));
  TRY(vfs::register_devices(vfs::DeviceKind::character, {5, 1}, 1, console_device, "/dev/console"));
  TRY(vfs::create_device_node("tty", vfs::mode_character | 0666, {5, 0}, 0, 5));
  return vfs::create_device_node("console", vfs::mode_character | 0600, {5, 1});
}
INIT_STEP terminal_devices_step{"tty.devices", {"threads"}, register_terminal_devices, {"vfs"}};

}  // namespace

void set_console_terminal(TerminalSource& source) { console_source = &source; }

}  // namespace tty
