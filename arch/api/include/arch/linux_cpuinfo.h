// /proc/cpuinfo, whose text differs by architecture.
#pragma once

#include "base/format.h"

namespace arch {

// The block of one online CPU, with the empty line after it.
void describe_linux_cpu(base::TextSink& sink, unsigned cpu);

}  // namespace arch
