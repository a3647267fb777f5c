// What is counted per user, over all their processes: processes (RLIMIT_NPROC), queued signals
// (RLIMIT_SIGPENDING), bytes of POSIX message queues (RLIMIT_MSGQUEUE).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "base/result.h"

namespace linux_abi {

class UserAccount : public base::RefCounted<UserAccount> {
 public:
  // The account of `uid`, made if there is none yet.
  static base::Result<base::RefPtr<UserAccount>> of(std::uint32_t uid);
  std::uint32_t uid() const { return uid_; }

  std::atomic<std::int64_t> processes{0}, pending_signals{0};
  std::atomic<std::uint64_t> queue_bytes{0};

 private:
  friend class base::RefCounted<UserAccount>;
  explicit UserAccount(std::uint32_t uid) : uid_(uid) {}
  ~UserAccount() = default;
  void last_reference_dropped();
  friend struct AccountTable;

  const std::uint32_t uid_;
  base::ListHook hook_;
};

}  // namespace linux_abi
