#include "core/sched/work_queue.h"

namespace core {

namespace {
constinit WorkQueue system_queue{"kworker", 16};
constinit WorkQueue long_queue{"kworker-long", 8};
}  // namespace

WorkQueue& WorkQueue::system() { return system_queue; }
WorkQueue& WorkQueue::long_running() { return long_queue; }

}  // namespace core
