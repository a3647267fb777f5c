#include "core/console/log_wait.h"

namespace core {

WaitQueue& log_wait_queue() {
  static constinit WaitQueue records_stored{"log"};
  return records_stored;
}

}  // namespace core
