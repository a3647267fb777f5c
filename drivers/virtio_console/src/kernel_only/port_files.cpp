// /sys/class/virtio-ports.
#include "console.h"
#include "core/log/log.h"
#include "sysfs/sysfs.h"

namespace virtio_console {

using core::MutexGuard;

namespace {

struct PortName {
  char memory[24];
  base::TextBuffer text{memory};
  PortName(unsigned device, unsigned port) { base::format(text, "vport{}p{}", device, port); }
};

}  // namespace

base::Result<void> ConsoleDevice::add_files_locked(unsigned number) {
  PortState& state = ports_[number];
  if (state.has_files || !multiport()) return {};
  PortName name(index(), number);
  auto directory = TRY(sysfs::add_device({.subsystem = "virtio-ports",
                                          .name = name.text.view(),
                                          .number = {vport_major, index() * vport_minors + number}}));
  state.has_files = true;
  if (state.name.empty()) return {};
  base::String line;
  TRY(line.try_append(state.name));
  TRY(line.try_append("\n"));
  return directory->add("name", TRY(pseudo_fs::make_constant(0444, line)));
}

void ConsoleDevice::remove_files_locked(unsigned number) {
  PortState& state = ports_[number];
  if (!state.has_files) return;
  PortName name(index(), number);
  sysfs::remove_device({.subsystem = "virtio-ports",
                        .name = name.text.view(),
                        .number = {vport_major, index() * vport_minors + number}});
  state.has_files = false;
}

void ConsoleDevice::add_port_files() {
  MutexGuard guard{state_lock_};
  files_wanted_ = true;
  for (unsigned number = 0; number < port_count_; ++number) {
    if (!ports_[number].present) continue;
    if (!add_files_locked(number))
      core::log(core::LogLevel::warning, "virtio{}: no files in sysfs for port {}", index(), number);
  }
}

}  // namespace virtio_console
