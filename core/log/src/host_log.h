// On the host the log also goes to the standard error output, so that a failing unit test shows it.
#pragma once

#include <string_view>

#include "core/log/log.h"

namespace core {

#ifdef NOS_HOST
void host_print(LogLevel level, std::string_view text);
#else
inline void host_print(LogLevel, std::string_view) {}
#endif

}  // namespace core
