// The thread of SQPOLL.
#pragma once

#include "base/intrusive_list.h"
#include "linux_abi/syscall.h"
#include "linux_abi/task.h"

namespace linux_abi {

class Ring;
class UringWorkers;

// Submits for the program, without system calls: looks at the queue until it was empty for `idle`, then
// sleeps until io_uring_enter wakes it.
class UringSqThread final : public base::RefCounted<UringSqThread> {
 public:
  UringSqThread(Ring& ring, UringWorkers& workers, std::uint64_t idle_ns)
      : ring_(ring), workers_(workers), idle_ns_(idle_ns) {}
  ~UringSqThread() = default;
  // Consumes a reference to the thread object and one to its ring.
  static void body(Context& context, void* argument);
  void become(const Task& creator);
  // Asks it to end; while the ring lives.
  void stop();
  base::ListHook hook;  // UringWorkers

 private:
  void run(Context& context);
  bool look(Context& context);

  Ring& ring_;  // lives: the thread holds a reference to it
  UringWorkers& workers_;
  const std::uint64_t idle_ns_;
  RefPtr<FileTable> files_;
  RefPtr<FileSystemContext> file_system_;
  std::atomic<bool> stop_{false};
};

}  // namespace linux_abi
