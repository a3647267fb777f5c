// /sys/bus/virtio and /sys/devices/virtual/virtio: what programs see of the devices.
#include "core/init/init_step.h"
#include "pseudo_fs/entry.h"
#include "sysfs/sysfs.h"
#include "virtio/device.h"

namespace virtio {
namespace {

using base::format;
using base::Result;

using ShowDevice = void (*)(base::TextSink& out, Device& device);

class DeviceText final : public pseudo_fs::Text {
 public:
  DeviceText(Device& device, ShowDevice show) : Text(0444), device_(device), show_(show) {}
  Result<void> show(base::TextSink& out, const vfs::Credentials&) override {
    show_(out, device_);
    return {};
  }

 private:
  Device& device_;
  const ShowDevice show_;
};

void show_features(base::TextSink& out, Device& device) {
  for (unsigned bit = 0; bit < 64; ++bit) out.put(device.has(feature(bit)) ? "1" : "0");
  out.put("\n");
}

void show_event(base::TextSink& out, Device& device) {
  if (const char* name = device.driver_name()) format(out, "DRIVER={}\n", name);
  format(out, "MODALIAS=virtio:d{:08X}v{:08X}\n", device.type(), device.vendor());
}

struct Attribute {
  const char* name;
  ShowDevice show;
};
constexpr Attribute attributes[] = {
    {"device", [](base::TextSink& out, Device& d) { format(out, "{:#06x}\n", d.type()); }},
    {"vendor", [](base::TextSink& out, Device& d) { format(out, "{:#06x}\n", d.vendor()); }},
    {"status", [](base::TextSink& out, Device& d) { format(out, "{:#010x}\n", d.status()); }},
    {"modalias",
     [](base::TextSink& out, Device& d) { format(out, "virtio:d{:08X}v{:08X}\n", d.type(), d.vendor()); }},
    {"features", show_features},
    {"uevent", show_event},
};

Result<void> add_files(Device& device) {
  char memory[64], link_memory[96];
  base::TextBuffer path{memory}, target{link_memory};
  format(path, "devices/virtual/virtio/virtio{}", device.index());
  auto directory = TRY(sysfs::root().directories(path.view()));
  for (const Attribute& attribute : attributes)
    TRY(directory->add(attribute.name, TRY(base::try_make_ref<DeviceText>(device, attribute.show))));
  TRY(directory->add("subsystem", TRY(pseudo_fs::make_link("../../../../bus/virtio"))));
  format(target, "../../../{}", path.view());
  path.clear();
  format(path, "bus/virtio/devices/virtio{}", device.index());
  TRY(sysfs::add_link(path.view(), target.view()));
  if (const char* driver = device.driver_name()) {
    path.clear();
    format(path, "bus/virtio/drivers/{}", driver);
    TRY(sysfs::root().directories(path.view()));
    target.clear();
    format(target, "../../../../{}", path.view());
    TRY(directory->add("driver", TRY(pseudo_fs::make_link(target.view()))));
  }
  return {};
}

Result<void> add_virtio_files() {
  TRY(sysfs::root().directories("bus/virtio/devices"));
  TRY(sysfs::root().directories("bus/virtio/drivers"));
  Result<void> result{};
  for_each_device([&](Device& device) {
    if (result) result = add_files(device);
  });
  return result;
}
INIT_STEP virtio_files_step{"virtio.files", {"drivers", "sysfs"}, add_virtio_files, {"vfs"}};

}  // namespace
}  // namespace virtio
