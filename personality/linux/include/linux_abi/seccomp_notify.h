// User notification of seccomp: a filter may leave the decision about a call to whoever holds its listener.
//
//   thread: new --(read by RECV)--> sent --(SEND, or ADDFD with SEND)--> replied, the thread goes on
//
// The thread sleeps meanwhile; a signal takes it out (after SENT only a deadly one, if the filter wants
// that), and then the number of its notification is good for nothing any more. The listener is held by its
// file and by the filter; when the file closes, whoever waits gets ENOSYS.
#pragma once

#include "base/intrusive_list.h"
#include "base/ref.h"
#include "core/sync/mutex.h"
#include "core/sync/wait_queue.h"
#include "linux_abi/abi/seccomp.h"
#include "linux_abi/syscall.h"
#include "vfs/file.h"

namespace linux_abi {

using base::RefPtr;

// How a call ends that a listener was asked about.
struct SeccompVerdict {
  bool continues = false;    // it is made
  bool interrupted = false;  // nobody decided
  std::int64_t value = 0;
  std::int32_t error = 0;
};

class SeccompListener : public base::RefCounted<SeccompListener> {
 public:
  explicit SeccompListener(bool waits_killable) : waits_killable_(waits_killable) {}

  // The calling thread asks, and waits.
  SeccompVerdict ask(Task& task, const seccomp::Data& data) EXCLUDES(mutex_);
  // The filter that would ask has gone; the file has been closed.
  void filter_gone() EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);

  // ---- The file's side ----
  Result<long> receive(UserAddress to, bool non_blocking) EXCLUDES(mutex_);
  Result<long> send(UserAddress from) EXCLUDES(mutex_);
  Result<long> check_id(UserAddress from) EXCLUDES(mutex_);
  Result<long> add_descriptor(UserAddress from, std::size_t size) EXCLUDES(mutex_);
  vfs::PollEvents poll(vfs::PollWaiter* waiter) EXCLUDES(mutex_);

 private:
  enum class State : std::uint8_t { fresh, sent, replied };
  // Lies on the stack of the thread that waits.
  struct Notification {
    base::ListHook hook;
    std::uint64_t id = 0;
    Task& task;
    const seccomp::Data& data;
    State state = State::fresh;
    SeccompVerdict verdict{};
  };
  Notification* find_locked(std::uint64_t id) REQUIRES(mutex_);
  Notification* first_locked(State state) REQUIRES(mutex_);
  Result<void> reply(std::uint64_t id, const SeccompVerdict& verdict) EXCLUDES(mutex_);

  const bool waits_killable_;
  core::Mutex mutex_{"seccomp listener"};
  core::WaitQueue changed_{"seccomp listener"};  // for readers and pollers
  core::WaitQueue answers_{"seccomp answers"};   // for those who asked
  base::IntrusiveList<Notification, &Notification::hook> waiting_ GUARDED_BY(mutex_);
  std::uint64_t next_id_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false, unused_ GUARDED_BY(mutex_) = false;
};

Result<RefPtr<vfs::File>> open_seccomp_listener(RefPtr<SeccompListener> listener, Task& opener);

}  // namespace linux_abi
