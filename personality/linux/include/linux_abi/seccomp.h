// seccomp: a thread gives up system calls for good, by a fixed list or by filter programs.
//
// Filters form chains that only grow: a thread's newest filter leads to all it got before, also from its
// parents. All of them see each call; the strictest answer counts. Threads share chains; a chain that another
// thread imposes (SECCOMP_FILTER_FLAG_TSYNC) contains the one it replaces, so that a thread may walk its
// chain without a lock.
#pragma once

#include <atomic>
#include <span>

#include "base/ref.h"
#include "base/result.h"
#include "base/vector.h"
#include "linux_abi/abi/seccomp.h"
#include "linux_abi/syscall.h"

namespace linux_abi {

using base::RefPtr;

class SeccompListener;

class SeccompFilter {
 public:
  // EINVAL: not a program that ends for every input, or one that reads what it may not. ENOMEM.
  static Result<RefPtr<SeccompFilter>> create(base::Vector<seccomp::Instruction> program, bool logs);

  std::uint32_t run(const seccomp::Data& data) const;
  bool logs() const { return logs_; }
  const SeccompFilter* previous() const { return previous_; }
  // Whom it asks (seccomp_notify.h); null: nobody. Set before anybody else sees the filter.
  SeccompListener* listener() const { return listener_.get(); }
  void set_listener(RefPtr<SeccompListener> listener);
  bool chain_has_listener() const;
  // Before anybody else sees it; takes over the caller's reference on `previous`.
  void append_to(SeccompFilter* previous);
  bool comes_from(const SeccompFilter* ancestor) const;
  // Instructions of the chain with this filter, as the limit counts them.
  std::size_t path_length() const;
  unsigned count() const;

  void acquire_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_reference();

 private:
  SeccompFilter();
  ~SeccompFilter();
  std::atomic<unsigned> references_{1};
  SeccompFilter* previous_ = nullptr;  // with a reference
  base::Vector<seccomp::Instruction> program_;
  bool logs_ = false;
  RefPtr<SeccompListener> listener_;
};

// For the running thread. Strict: EINVAL if filters are there. Filter: 0, or the id of a thread that could
// not be given the same filters.
Result<void> enter_strict_seccomp(Task& task);
Result<long> add_seccomp_filter(Task& task, UserAddress program, unsigned flags);
// The child has the parent's mode and filters. The second under the parent's signal_lock; false: the parent
// got its first filters since it was prepared.
Result<void> prepare_seccomp_of_child(Task& child, const Task& parent);
bool inherit_seccomp_locked(Task& child, const Task& parent);

// The thread has ended: its filters go, and who listens for them hears of it. May sleep.
void release_seccomp(Task& task);

// Another thread promised for this one that it gains no privileges by exec.
bool shares_no_new_privileges(const Task& task);
seccomp::Mode seccomp_mode(const Task& task);
unsigned seccomp_filter_count(const Task& task);

// Before each system call of such a thread. False: it is not made, and the result is in the registers.
bool seccomp_allows(Context& context);

}  // namespace linux_abi
