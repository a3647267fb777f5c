#include "pty/master_file.h"

#include "core/init/init_step.h"
#include "core/memory/user_pointer.h"
#include "pty_table.h"
#include "tty/terminal_file.h"
#include "vfs/dentry.h"
#include "vfs/device.h"
#include "vfs/lookup.h"

namespace pty {

using base::Errno;
using base::error;
using base::RefPtr;
using base::Result;
using core::UserIn;
using core::UserOut;

namespace {

// ioctl numbers of masters (ioctl_tty(2)).
constexpr unsigned tiocgpgrp = 0x540f, tiocspgrp = 0x5410, tiocoutq = 0x5411, fionread = 0x541b,
                   tiocpkt = 0x5420, tiocgsid = 0x5429, tiocsctty = 0x540e, tiocnotty = 0x5422,
                   tiocgptn = 0x80045430, tiocsptlck = 0x40045431, tiocgdev = 0x80045432,
                   tiocsig = 0x40045436, tiocgpkt = 0x80045438, tiocgptlck = 0x80045439;

Result<long> give(std::uintptr_t argument, int value) {
  TRY(UserOut<int>(argument).write(value));
  return 0;
}

}  // namespace

MasterFile::MasterFile(RefPtr<PtyTerminal> terminal)
    : vfs::File(terminal_file | no_wait_capable), terminal_(std::move(terminal)) {}
MasterFile::~MasterFile() = default;

Result<std::size_t> MasterFile::read_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return terminal_->master_read(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

Result<std::size_t> MasterFile::write_at(core::IoBuffer& buffer, std::uint64_t, vfs::IoFlags io_flags) {
  return terminal_->master_write(buffer, is_non_blocking() || (io_flags & vfs::io_no_wait));
}

vfs::PollEvents MasterFile::poll(vfs::PollWaiter* waiter) { return terminal_->master_poll(waiter); }

void MasterFile::release() {
  retire_pair(*terminal_);
  terminal_->hang_up();
}

Result<long> MasterFile::ioctl(unsigned command, std::uintptr_t argument) {
  switch (command) {
    case tiocgptn:
      return give(argument, static_cast<int>(terminal_->index()));
    case tiocsptlck:
      terminal_->set_locked(TRY(UserIn<int>(argument).read()) != 0);
      return 0;
    case tiocgptlck:
      return give(argument, terminal_->is_locked());
    case tiocpkt:
      terminal_->set_packet_mode(TRY(UserIn<int>(argument).read()) != 0);
      return 0;
    case tiocgpkt:
      return give(argument, terminal_->packet_mode());
    case tiocsig:
      if (argument < 1 || argument > 64) return error(Errno::einval);
      terminal_->signal_foreground(static_cast<int>(argument));
      return 0;
    case tiocgdev:
      return give(argument, static_cast<int>(vfs::DeviceNumber{5, 2}.encoded()));
    case fionread:
      return give(argument, static_cast<int>(terminal_->master_available()));
    case tiocoutq:
      return give(argument, 0);
    case tiocsctty:
    case tiocnotty:
      return error(Errno::enotty);  // a master controls nobody
    case tiocgpgrp:
    case tiocspgrp:
    case tiocgsid:
      if (!tty::job_control()) return error(Errno::enotty);
      return tty::job_control()->ioctl(*terminal_, command, argument, true);
    default:
      // Settings and window size are those of the slave.
      return terminal_->ioctl(command, argument, is_non_blocking());
  }
}

Result<RefPtr<vfs::File>> MasterFile::open_peer(const vfs::Caller& caller, vfs::OpenFlags flags) {
  char memory[32];
  base::TextBuffer name{memory};
  base::format(name, "/dev/pts/{}", terminal_->index());
  vfs::Path path = TRY(vfs::resolve(caller, nullptr, name.view(), vfs::lookup_default));
  // Something else may be mounted there.
  if (path.dentry().inode()->device() != terminal_->device()) return error(Errno::eio);
  auto file = TRY(tty::TerminalFile::create(terminal_, false));
  file->attach(std::move(path), flags, credentials_reference());
  return RefPtr<vfs::File>(std::move(file));
}

// ---- /dev/ptmx and the slaves' device numbers ----

namespace {

class MultiplexerDevice final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber, const vfs::OpenRequest& request) override {
    auto terminal = TRY(create_pair(request.credentials.fsuid, request.credentials.fsgid));
    auto file = base::try_make_ref<MasterFile>(terminal);
    if (!file) {
      retire_pair(*terminal);
      return error(Errno::enomem);
    }
    return RefPtr<vfs::File>(std::move(*file));
  }
};

class SlaveDevice final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber device, const vfs::OpenRequest& request) override {
    auto terminal = find_pair(device.minor);
    if (!terminal || terminal->is_locked()) return error(Errno::eio);
    return tty::TerminalFile::open(std::move(terminal), request);
  }
};

constinit MultiplexerDevice multiplexer_device;
constinit SlaveDevice slave_device;

Result<void> register_pty_devices() {
  TRY(vfs::register_devices(vfs::DeviceKind::character, {5, 2}, 1, multiplexer_device, "/dev/ptmx"));
  TRY(vfs::register_devices(vfs::DeviceKind::character, device_of(0), maximum_pairs, slave_device, "pts"));
  return vfs::create_device_node("ptmx", vfs::mode_character | 0666, {5, 2}, 0, 5);
}
INIT_STEP pty_devices_step{"pty.devices", {"threads"}, register_pty_devices, {"vfs"}};

}  // namespace
}  // namespace pty
