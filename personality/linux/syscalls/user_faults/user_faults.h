// userfaultfd(2): a file from which a program reads faults in its ranges, and by which it resolves them.
//
// A thread that faults puts a WaitingFault, which lives on its stack, into the list and sleeps. read()
// reports each once; copy, zeropage, continue, the end of write protection and wake let go all whose
// addresses they cover. What was let go tries its access again, so letting go too many is harmless.
//
// Locking: lock_ protects the list and what is in it; nothing else is taken or touched with it held.
#pragma once

#include "core/memory/address_space.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/prelude.h"
#include "syscalls/user_faults/abi.h"
#include "vfs/file.h"

namespace linux_abi::user_faults {

class Monitor final : public core::FaultMonitor {
 public:
  enum class Scope : std::uint8_t { all_faults, user_mode_only };
  Monitor(RefPtr<core::AddressSpace> space, Scope scope) : space_(std::move(space)), scope_(scope) {}

  core::FaultOutcome wait(core::AddressSpace& space, UserAddress address, core::FaultAccess access,
                          core::MonitoredFault kind, Origin origin) override EXCLUDES(lock_);

  Result<std::size_t> read(core::IoBuffer& buffer, bool non_blocking) EXCLUDES(lock_);
  bool has_unread() EXCLUDES(lock_);
  core::WaitQueue& readers() { return readers_; }
  Result<long> control(unsigned command, UserAddress argument);
  // The file is closed: its ranges are ordinary memory again.
  void close();
  void put_description(base::TextSink& out) EXCLUDES(lock_);
  bool is_ready() const { return ready_.load(); }

 private:
  struct WaitingFault {
    base::ListHook hook;
    Message message;
    std::uintptr_t page = 0;
    bool was_read = false, let_go = false;
  };

  Result<long> negotiate(UserInOut<Api> argument);
  Result<long> add_range(UserInOut<Register> argument);
  Result<long> remove_range(UserIn<Range> argument);
  Result<long> copy(UserInOut<Copy> argument);
  Result<long> place(UserInOut<Place> argument, bool zero);
  Result<long> protect(UserIn<Protect> argument);
  Result<void> copy_page(UserAddress to, UserAddress from, bool guarded);
  void let_go(std::uintptr_t start, std::size_t length) EXCLUDES(lock_);
  std::uint64_t features_chosen() const { return features_.load(); }

  RefPtr<core::AddressSpace> space_;  // until close(): its end may sleep, that of files may not
  const Scope scope_;
  std::atomic<std::uint64_t> features_{0};
  std::atomic<bool> ready_{false};  // UFFDIO_API was done
  std::atomic<bool> closed_{false};

  core::Mutex lock_{"userfaultfd"};
  base::IntrusiveList<WaitingFault, &WaitingFault::hook> waiting_ GUARDED_BY(lock_);
  core::WaitQueue readers_{"userfaultfd readers"};
  core::WaitQueue faulting_{"userfaultfd faults"};
};

}  // namespace linux_abi::user_faults
