#include "host_log.h"

#ifdef NOS_HOST
#include <cstdio>
#include <cstdlib>

namespace core {

// Warnings and worse; NOS_HOST_LOG in the environment shows everything.
void host_print(LogLevel level, std::string_view text) {
  static const bool everything = std::getenv("NOS_HOST_LOG") != nullptr;
  if (everything || level <= LogLevel::warning)
    std::fprintf(stderr, "log<%d> %.*s\n", static_cast<int>(level), static_cast<int>(text.size()),
                 text.data());
}

}  // namespace core
#endif
