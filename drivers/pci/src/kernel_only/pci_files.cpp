#include "pci_files.h"

#include "core/memory/io_buffer.h"
#include "pci/device.h"
#include "procfs/procfs.h"
#include "pseudo_fs/entry.h"
#include "sysfs/sysfs.h"
#include "vfs/credentials.h"
#include "vfs/file.h"

namespace pci {
namespace {

using base::format;
using base::RefPtr;
using base::Result;
using pseudo_fs::StaticDirectory;

struct ShortText {
  char memory[320];
  base::TextBuffer text{memory};
  std::string_view view() const { return text.view(); }
};

void put_address(base::TextSink& out, core::PciAddress at) {
  format(out, "{:04x}:{:02x}:{:02x}.{}", at.segment, at.bus, at.device, at.function);
}

// ---- The configuration registers as a file ----

// Without privilege only the standard header can be seen, as on Linux: some devices do not survive a look
// at the rest.
constexpr unsigned header_size = 64;

class ConfigFile final : public vfs::File {
 public:
  ConfigFile(Device& device, unsigned readable) : File(has_position), device_(device), readable_(readable) {}

  Result<std::size_t> read_at(core::IoBuffer& buffer, std::uint64_t offset, vfs::IoFlags) override {
    std::size_t done = 0;
    while (offset < readable_ && !buffer.empty()) {
      std::byte value{device_.read8(static_cast<unsigned>(offset))};
      if (buffer.copy_out({&value, 1}) == 0) break;
      ++offset;
      ++done;
    }
    if (done == 0 && buffer.faulted()) return base::error(base::Errno::efault);
    return done;
  }

 private:
  Device& device_;
  const unsigned readable_;
};

class ConfigEntry final : public pseudo_fs::Entry {
 public:
  explicit ConfigEntry(Device& device) : Entry(vfs::mode_regular | 0444), device_(device) {}
  std::uint64_t size() const override { return device_.config_size(); }
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override {
    bool privileged = request.credentials.can(vfs::Capability::sys_admin);
    return RefPtr<vfs::File>(
        TRY(base::try_make_ref<ConfigFile>(device_, privileged ? device_.config_size() : header_size)));
  }

 private:
  Device& device_;
};

// ---- Texts that belong to one device ----

using ShowDevice = void (*)(base::TextSink& out, const Device& device);

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

// IORESOURCE_* bits, as /sys/.../resource shows them.
std::uint64_t resource_flags(const Resource& resource, bool is_rom) {
  if (resource.kind == Resource::Kind::ports) return 0x40101;
  std::uint64_t flags = 0x40200;
  if (resource.prefetchable) flags |= 0x2008;
  if (is_rom) flags = 0x46200;
  if (resource.is_64_bit) flags |= 0x100004;
  return flags;
}

void show_resources(base::TextSink& out, const Device& device) {
  for (unsigned i = 0; i <= Device::rom_resource; ++i) {
    const Resource& resource = device.resource(i);
    if (resource.kind == Resource::Kind::none || resource.address == 0)
      format(out, "0x{:016x} 0x{:016x} 0x{:016x}\n", 0u, 0u, 0u);
    else
      format(out, "0x{:016x} 0x{:016x} 0x{:016x}\n", resource.address, resource.address + resource.size - 1,
             resource_flags(resource, i == Device::rom_resource));
  }
}

void put_modalias(base::TextSink& out, const Device& device) {
  std::uint32_t code = device.class_code();
  format(out, "pci:v{:08X}d{:08X}sv{:08X}sd{:08X}bc{:02X}sc{:02X}i{:02X}\n", device.vendor(), device.device(),
         device.subsystem_vendor(), device.subsystem(), code >> 16, code >> 8 & 0xff, code & 0xff);
}

void show_uevent(base::TextSink& out, const Device& device) {
  if (const char* name = device.driver_name()) format(out, "DRIVER={}\n", name);
  format(out, "PCI_CLASS={:X}\nPCI_ID={:04X}:{:04X}\nPCI_SUBSYS_ID={:04X}:{:04X}\nPCI_SLOT_NAME=",
         device.class_code(), device.vendor(), device.device(), device.subsystem_vendor(),
         device.subsystem());
  put_address(out, device.address());
  format(out, "\nMODALIAS=");
  put_modalias(out, device);
}

struct Attribute {
  const char* name;
  ShowDevice show;
};
constexpr Attribute attributes[] = {
    {"vendor", [](base::TextSink& out, const Device& d) { format(out, "{:#06x}\n", d.vendor()); }},
    {"device", [](base::TextSink& out, const Device& d) { format(out, "{:#06x}\n", d.device()); }},
    {"subsystem_vendor",
     [](base::TextSink& out, const Device& d) { format(out, "{:#06x}\n", d.subsystem_vendor()); }},
    {"subsystem_device",
     [](base::TextSink& out, const Device& d) { format(out, "{:#06x}\n", d.subsystem()); }},
    {"class", [](base::TextSink& out, const Device& d) { format(out, "{:#08x}\n", d.class_code()); }},
    {"revision", [](base::TextSink& out, const Device& d) { format(out, "{:#04x}\n", d.revision()); }},
    {"irq", [](base::TextSink& out, const Device& d) { format(out, "{}\n", d.line_number()); }},
    {"resource", show_resources},
    {"modalias", put_modalias},
    {"uevent", show_uevent},
    {"enable",
     [](base::TextSink& out, const Device& d) {
       format(out, "{}\n", d.read16(Register::command) & (command_memory | command_io) ? 1 : 0);
     }},
    {"numa_node", [](base::TextSink& out, const Device&) { format(out, "-1\n"); }},
};

// "pci0000:00/0000:00:1e.0/0000:01:02.0": the way from the root through the bridges.
void put_path(base::TextSink& out, const Device& device) {
  if (device.parent())
    put_path(out, *device.parent());
  else
    format(out, "devices/pci{:04x}:{:02x}", device.address().segment, device.host()->first_bus);
  out.put("/");
  put_address(out, device.address());
}

unsigned depth_of(std::string_view path) {
  unsigned depth = 1;
  for (char c : path) depth += c == '/';
  return depth;
}

// A link from `directory`, which is `depth` levels below the root of sysfs, to `target` below that root.
Result<void> add_link_up(StaticDirectory& directory, std::string_view name, unsigned depth,
                         std::string_view target) {
  ShortText text;
  for (unsigned i = 0; i < depth; ++i) text.text.put("../");
  text.text.put(target);
  return directory.add(name, TRY(pseudo_fs::make_link(text.view())));
}

Result<void> add_sysfs_device(Device& device) {
  ShortText path, name;
  put_path(path.text, device);
  put_address(name.text, device.address());
  auto directory = TRY(sysfs::root().directories(path.view()));
  for (const Attribute& attribute : attributes)
    TRY(directory->add(attribute.name, TRY(base::try_make_ref<DeviceText>(device, attribute.show))));
  TRY(directory->add("config", TRY(base::try_make_ref<ConfigEntry>(device))));
  unsigned depth = depth_of(path.view());
  TRY(add_link_up(*directory, "subsystem", depth, "bus/pci"));
  ShortText in_bus, up;
  format(in_bus.text, "bus/pci/devices/{}", name.view());
  format(up.text, "../../../{}", path.view());
  TRY(sysfs::add_link(in_bus.view(), up.view()));
  if (const char* driver = device.driver_name()) {
    ShortText place, link, back;
    format(place.text, "bus/pci/drivers/{}", driver);
    TRY(add_link_up(*directory, "driver", depth, place.view()));
    format(link.text, "{}/{}", place.view(), name.view());
    format(back.text, "../../../../{}", path.view());
    TRY(sysfs::add_link(link.view(), back.view()));
  }
  return {};
}

// ---- /proc/bus/pci ----

void show_proc_device(base::TextSink& out, Device& device) {
  core::PciAddress at = device.address();
  format(out, "{:02x}{:02x}\t{:04x}{:04x}\t{:x}", at.bus, at.device * 8u + at.function, device.vendor(),
         device.device(), device.line_number());
  for (unsigned i = 0; i <= Device::rom_resource; ++i) {
    const Resource& resource = device.resource(i);
    // The low bits of the register: what kind of address it is.
    std::uint64_t bits = resource.kind == Resource::Kind::ports
                             ? 1
                             : (resource.is_64_bit ? 4u : 0u) | (resource.prefetchable ? 8u : 0u);
    if (i == Device::rom_resource) bits = 0;
    format(out, "\t{:16x}", resource.address ? resource.address | bits : 0);
  }
  for (unsigned i = 0; i <= Device::rom_resource; ++i)
    format(out, "\t{:16x}", device.resource(i).address ? device.resource(i).size : 0);
  format(out, "\t{}\n", device.driver_name() ? device.driver_name() : "");
}

Result<void> show_proc_devices(base::TextSink& out) {
  for_each_device([&](Device& device) { show_proc_device(out, device); });
  return {};
}

Result<void> add_proc_device(Device& device) {
  core::PciAddress at = device.address();
  ShortText path;
  format(path.text, "bus/pci/{:02x}/{:02x}.{}", at.bus, at.device, at.function);
  return procfs::add(path.view(), TRY(base::try_make_ref<ConfigEntry>(device)));
}

}  // namespace

Result<void> add_bus_files() {
  TRY(sysfs::root().directories("bus/pci/devices"));
  TRY(sysfs::root().directories("bus/pci/drivers"));
  TRY(procfs::add_text("bus/pci/devices", 0444, show_proc_devices));
  Result<void> result{};
  for_each_device([&](Device& device) {
    if (!result) return;
    result = add_sysfs_device(device);
    if (result) result = add_proc_device(device);
  });
  return result;
}

}  // namespace pci
