// On the host the system queues start on first use.
#include "core/sched/work_queue.h"

namespace core {

namespace {
// Never destroyed: the workers outlive main.
WorkQueue& started(WorkQueue* queue) {
  (void)!queue->start();
  return *queue;
}
}  // namespace

WorkQueue& WorkQueue::system() {
  static WorkQueue& queue = started(new WorkQueue("kworker", 16));
  return queue;
}
WorkQueue& WorkQueue::long_running() {
  static WorkQueue& queue = started(new WorkQueue("kworker-long", 8));
  return queue;
}

}  // namespace core
