#include "linux_abi/system_names.h"

#include <cstring>

#include "arch/linux_abi.h"
#include "linux_abi/namespaces.h"
#include "linux_abi/task.h"

namespace linux_abi {

namespace {

// Of the caller's namespace. The reference keeps it while its names are used.
RefPtr<UtsNamespace> own_namespace() {
  Task* task = current_task_or_null();
  return task ? task->uts : nullptr;
}

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
  auto space = own_namespace();
  auto& own = UtsNamespace::names_of(space.get());
  core::MutexGuard guard{own.lock};
  put(names.node_name, own.node);
  put(names.domain_name, own.domain);
  return names;
}

void set_system_name(char (Utsname::*field)[65], const char* text) {
  auto space = own_namespace();
  auto& own = UtsNamespace::names_of(space.get());
  core::MutexGuard guard{own.lock};
  auto& to = field == &Utsname::node_name ? own.node : own.domain;
  std::memset(to, 0, sizeof(to));
  put(to, text);
}

}  // namespace linux_abi
