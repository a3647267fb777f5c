// The master side of a pseudo-terminal: what opening /dev/ptmx gives (pty(7), ptmx(4)).
#pragma once

#include "base/ref.h"
#include "vfs/context.h"
#include "vfs/file.h"

namespace pty {

class PtyTerminal;

inline constexpr unsigned ioctl_get_peer = 0x5441;  // TIOCGPTPEER

class MasterFile final : public vfs::File {
 public:
  explicit MasterFile(base::RefPtr<PtyTerminal> terminal);
  ~MasterFile() override;

  static constexpr int kind_tag = 0;
  const void* kind() const override { return &kind_tag; }

  base::Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset,
                                    vfs::IoFlags io_flags) override;
  base::Result<std::size_t> write_at(core::IoBuffer& buffer, std::uint64_t offset,
                                     vfs::IoFlags io_flags) override;
  base::Result<long> ioctl(unsigned command, std::uintptr_t argument) override;
  vfs::PollEvents poll(vfs::PollWaiter* waiter) override;
  void release() override;

  // TIOCGPTPEER: a file on the slave, whatever the state of its lock and permissions. The personality gives
  // it a descriptor. Its path is that of the slave in /dev/pts as `caller` sees it.
  base::Result<base::RefPtr<vfs::File>> open_peer(const vfs::Caller& caller, vfs::OpenFlags flags);

 private:
  const base::RefPtr<PtyTerminal> terminal_;
};

}  // namespace pty
