#include "linux_abi/system_names.h"

#include <cstring>

#include "arch/linux_abi.h"
#include "core/sync/mutex.h"

namespace linux_abi {

namespace {

[[clang::no_destroy]] constinit core::Mutex names_lock{"system names"};
char node_name[65] GUARDED_BY(names_lock) = "(none)";
char domain_name[65] GUARDED_BY(names_lock) = "(none)";

void put(char (&to)[65], std::string_view text) {
  std::size_t size = text.size() < 64 ? text.size() : 64;
  std::memcpy(to, text.data(), size);
}

}  // namespace

Utsname system_names() {
  Utsname names;
  std::memset(&names, 0, sizeof(names));
  put(names.system_name, "Linux");
  put(names.release, kernel_release);
  put(names.version, "#1 SMP PREEMPT NOS");
  put(names.machine, arch::linux_machine);
  core::MutexGuard guard{names_lock};
  put(names.node_name, node_name);
  put(names.domain_name, domain_name);
  return names;
}

void set_system_name(char (Utsname::*field)[65], const char* text) {
  core::MutexGuard guard{names_lock};
  auto& to = field == &Utsname::node_name ? node_name : domain_name;
  std::memset(to, 0, sizeof(to));
  put(to, text);
}

}  // namespace linux_abi
