// For architectures whose debuggers know register sets and nothing else: no struct user, no requests of the
// architecture's own.
#include <arch/linux_trace.h>

namespace arch {

base::Result<std::uint64_t> peek_linux_user(TracedThread, std::uintptr_t) {
  return base::error(base::Errno::eio);
}
base::Result<void> poke_linux_user(TracedThread, std::uintptr_t, std::uint64_t) {
  return base::error(base::Errno::eio);
}
base::Result<LinuxRegisterRequest> linux_register_request(long) { return base::error(base::Errno::eio); }
base::Result<long> linux_own_trace_request(TracedThread, long, std::uintptr_t, std::uintptr_t) {
  return base::error(base::Errno::eio);
}

}  // namespace arch
