// What only few threads have: keyrings and the like. Made when the first of it is wanted, gone when the
// thread ends. Found by the task in a table, because most threads have nothing there.
#pragma once

#include "base/intrusive_list.h"
#include "linux_abi/keys.h"
#include "linux_abi/landlock.h"
#include "linux_abi/task.h"

namespace linux_abi {

// Used by the thread itself only.
class TaskExtras {
 public:
  // The task's, made if there is none. ENOMEM.
  static Result<TaskExtras*> of(Task& task);
  static TaskExtras* find(const Task& task);

  // keyrings(7)
  enum Ring : unsigned { thread_ring, process_ring, session_ring, ring_count };
  const RefPtr<Key>& ring(Ring which) const { return rings_[which]; }
  void set_ring(Ring which, RefPtr<Key> key) { std::swap(rings_[which], key); }
  int request_destination = 0;  // KEYCTL_SET_REQKEY_KEYRING

  // set_mempolicy(2). There is one memory node, so it says nothing but what was asked for.
  std::uint16_t memory_policy = 0;
  bool memory_node_given = false;

  // landlock(7): the rules it is under, for good; null: none. Of any thread.
  static RefPtr<const LandlockDomain> domain_of(const Task& task);
  void set_domain(RefPtr<const LandlockDomain> domain);

 private:
  friend struct ExtrasTable;
  explicit TaskExtras(const Task& task) : task_(&task) {}
  const Task* task_;
  base::ListHook hook_;
  RefPtr<const LandlockDomain> domain_;  // written by the thread, with the table's lock
  RefPtr<Key> rings_[ring_count];
};

// While the child is seen by nobody else; the parent is the running thread.
Result<void> inherit_extras(Task& child, const Task& parent, std::uint64_t clone_flags);
// A new program keeps the session keyring.
void drop_extras_for_exec(Task& task);
// The thread ends, or a child that inherited something is not started after all.
void drop_extras(const Task& task);

}  // namespace linux_abi
