// The panic of host programs. The kernel has its own (core/init), so this file is empty there.
#ifdef NOS_HOST
#include <cstdio>
#include <cstdlib>

extern "C" void kernel_check_failed(const char* message, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message);
  std::abort();
}
#endif
