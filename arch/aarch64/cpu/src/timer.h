// The one-shot timer of each CPU.
#pragma once

namespace arch {

// Takes back the request, so that its interrupt line falls.
void stop_timer();

}  // namespace arch
