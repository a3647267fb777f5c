// A terminal as an open file.
#pragma once

#include "tty/terminal.h"
#include "vfs/file.h"
#include "vfs/inode.h"

namespace tty {

class TerminalFile : public vfs::File {
 public:
  // Counts the open in the terminal, and makes it the controlling terminal of a session leader that has none,
  // unless the flags say not to.
  static base::Result<base::RefPtr<vfs::File>> open(base::RefPtr<Terminal> terminal,
                                                    const vfs::OpenRequest& request);
  // For files made without an open request (TIOCGPTPEER).
  static base::Result<base::RefPtr<TerminalFile>> create(base::RefPtr<Terminal> terminal,
                                                         bool may_break_exclusive);

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }
  Terminal& terminal() const { return *terminal_; }

  base::Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset,
                                    vfs::IoFlags io_flags) override;
  base::Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset,
                                     vfs::IoFlags io_flags) override;
  base::Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  void release() override { terminal_->file_closed(); }

  explicit TerminalFile(base::RefPtr<Terminal> terminal)
      : vfs::File(terminal_file | no_wait_capable), terminal_(std::move(terminal)) {}

 private:
  const base::RefPtr<Terminal> terminal_;
};

// A device with one terminal that survives hang-ups: an open after one gets a fresh Terminal on the same
// line.
class TerminalSource {
 public:
  virtual base::Result<base::RefPtr<Terminal>> terminal() = 0;

 protected:
  ~TerminalSource() = default;
};
// What /dev/console opens: the last console= of the command line that has a terminal.
void set_console_terminal(TerminalSource& source);

}  // namespace tty
