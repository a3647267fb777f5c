#include "syscalls/async_io/uring_request.h"

#include "syscalls/async_io/uring_ring.h"
#include "syscalls/async_io/uring_workers.h"

namespace linux_abi {

UringRequest::UringRequest()
    : timer(
          [](core::Timer& expired) {
            auto* request = base::container_of(&expired, &UringRequest::timer);
            if (request->timer_claimed.exchange(true)) return;
            request->fired = Fired::time;
            request->ring->push_ready(*request);
          },
          core::TimerContext::interrupt) {}

UringRequest::~UringRequest() = default;

void UringRequest::ready() {
  fired = Fired::event;
  ring->push_ready(*this);
}

bool UringRequest::claim() {
  switch (place.load()) {
    case Place::polling:
      return PollArm::claim();
    case Place::timing:
      return !timer_claimed.exchange(true);
    default:
      return false;
  }
}

void UringRequest::start_timer(std::uint64_t deadline) {
  timer_claimed.store(false);
  place.store(Place::timing);
  timer.start(core::Deadline::at(deadline));
}

void UringRequest::settle() {
  switch (place.load()) {
    case Place::polling:
      disarm();
      break;
    case Place::timing:
      timer.cancel();
      break;
    default:
      break;
  }
  place.store(Place::issuing);
}

}  // namespace linux_abi
