// Starts the consoles, and finds the one a device number belongs to.
#include "console.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"

namespace virtio_console {
namespace {

using base::RefPtr;
using base::Result;

// Filled while drivers start, by one thread; entries stay.
constinit std::array<std::atomic<ConsoleDevice*>, most_devices> consoles{};
constinit unsigned console_count = 0;

class PortDevices final : public vfs::DeviceOperations {
 public:
  Result<RefPtr<vfs::File>> open(vfs::DeviceNumber number, const vfs::OpenRequest&) override {
    for (auto& entry : consoles) {
      ConsoleDevice* console = entry.load(std::memory_order_acquire);
      if (console && console->index() == number.minor / vport_minors)
        return console->open_port(number.minor % vport_minors);
    }
    return base::error(base::Errno::enxio);
  }
};
constinit PortDevices port_devices;

class ConsoleDriver final : public virtio::Driver {
 public:
  constexpr ConsoleDriver() : Driver("virtio_console", virtio::type_console) {}
  Result<void> start(virtio::Device& device) override {
    if (console_count == consoles.size()) return base::error(base::Errno::enospc);
    auto console = TRY(base::try_make_unique<ConsoleDevice>(device));
    TRY(console->start());
    consoles[console_count++].store(console.release(), std::memory_order_release);  // for ever
    return {};
  }
};
constinit ConsoleDriver driver;

// console=hvc0: the system goes on when that console is there, so that its first program finds it.
bool console_is_wanted() {
  bool wanted = false;
  core::command_line().for_each_value("console",
                                      [&](std::string_view value) { wanted |= value.starts_with("hvc"); });
  return wanted;
}

Result<void> start_consoles() {
  TRY(vfs::register_devices(vfs::DeviceKind::character, {vport_major, 0}, 64 * vport_minors, port_devices,
                            "virtio-portsdev"));
  virtio::register_driver(driver);
  if (console_is_wanted() && console_count) consoles[0].load()->wait_for_console();
  return {};
}
INIT_STEP consoles_step{"drivers.virtio_console", {"virtio"}, start_consoles, {"consoles", "drivers"}};

Result<void> add_files() {
  for (unsigned i = 0; i < console_count; ++i) consoles[i].load()->add_port_files();
  return {};
}
INIT_STEP files_step{"virtio_console.files", {"drivers", "sysfs"}, add_files, {"vfs"}};

}  // namespace
}  // namespace virtio_console
