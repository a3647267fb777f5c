// The bus over a configuration space that is simulated here: sizes of registers, bridges, addresses for what
// has none, and functions that answer with nonsense.
#include "bus.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <vector>

namespace pci {
namespace {

struct Function {
  std::array<unsigned char, 256> bytes{};
  std::array<std::uint32_t, 6> sizes{};  // of base address registers; 0: not there
  std::array<std::uint32_t, 6> kinds{};  // low bits

  void set(unsigned offset, unsigned width, std::uint32_t value) {
    std::memcpy(&bytes[offset], &value, width);
  }
  std::uint32_t get(unsigned offset, unsigned width) const {
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes[offset], width);
    return value;
  }
  static Function device(std::uint16_t identifier) {
    Function function;
    function.set(vendor_id, 2, 0x1af4);
    function.set(device_id, 2, identifier);
    function.set(Register::revision, 4, 0x02000000);
    return function;
  }
  static Function bridge() {
    Function function = device(1);
    function.set(Register::revision, 4, 0x06040000);
    function.set(header_type, 1, 1);
    return function;
  }
};

class Machine final : public core::PciConfigAccess {
 public:
  unsigned size() const override { return 256; }

  Function* find(core::PciAddress at) {
    auto place = functions.find({at.bus, at.device, at.function});
    // What is behind a bridge is reached only when the bridges pass it on.
    return place == functions.end() || !reachable(at.bus) ? nullptr : &place->second;
  }
  bool reachable(unsigned bus) {
    if (bus == 0) return true;
    for (auto& [place, function] : functions)
      if (function.get(header_type, 1) == 1 && function.get(Register::secondary_bus, 1) == bus &&
          std::get<0>(place) < bus)
        return true;
    return false;
  }
  std::uint32_t read(core::PciAddress at, unsigned offset, unsigned width) override {
    if (Function* function = find(at)) return function->get(offset, width);
    return width == 4 ? ~0u : (1u << 8 * width) - 1;
  }
  void write(core::PciAddress at, unsigned offset, unsigned width, std::uint32_t value) override {
    Function* function = find(at);
    if (!function) return;
    unsigned bar = (offset - base_address_0) / 4;
    unsigned registers = function->get(header_type, 1) == 1 ? 2 : 6;
    if (offset >= base_address_0 && bar < registers) {
      std::uint32_t size = function->sizes[bar];
      bool upper = bar && (function->kinds[bar - 1] & 6) == 4 && !(function->kinds[bar - 1] & 1);
      if (upper)
        function->set(offset, 4, function->sizes[bar - 1] ? value : 0);
      else
        function->set(offset, 4, size ? (value & ~(size - 1)) | function->kinds[bar] : 0);
      return;
    }
    if (offset == rom_address && registers == 6) return;
    if (offset < 4) return;
    function->set(offset, width, value);
  }

  std::map<std::tuple<unsigned, unsigned, unsigned>, Function> functions;
};

core::PciHostDescription host_of(Machine& machine) {
  core::PciHostDescription host;
  host.config = &machine;
  host.memory = {0xe0000000, 0x10000000};
  host.memory_64 = {1ull << 36, 1ull << 36};
  host.ports = {0xc000, 0x4000};
  return host;
}

struct Found {
  std::vector<Device*> devices;
  explicit Found(Bus& bus) {
    bus.for_each([&](Device& device) { devices.push_back(&device); });
  }
};

// No two registers may overlap, and each lies on a multiple of its size.
void expect_apart(const Found& found) {
  std::vector<Resource> all;
  for (Device* device : found.devices)
    for (unsigned i = 0; i < Device::resource_count; ++i)
      if (device->resource(i).address) all.push_back(device->resource(i));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].address % all[i].size, 0u);
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(all[i].kind == all[j].kind && all[i].address < all[j].address + all[j].size &&
                   all[j].address < all[i].address + all[i].size);
  }
}

// Devices live for ever; so do the buses of the tests.
Bus& new_bus() { return *new Bus; }

TEST(PciBus, ReadsWhatFirmwareSetUp) {
  Machine& machine = *new Machine;
  Function device = Function::device(0x1041);
  device.sizes = {0x20, 0x1000, 0, 0, 0x4000, 0};
  device.kinds = {1, 0, 0, 0, 0xc, 0};
  device.set(base_address_0, 4, 0xc041);
  device.set(base_address_0 + 4, 4, 0xfebd1000);
  device.set(base_address_0 + 16, 4, 0xfe00000c);
  device.set(base_address_0 + 20, 4, 8);
  machine.functions[{0, 3, 0}] = device;
  auto& host = *new core::PciHostDescription(host_of(machine));
  Bus& bus = new_bus();
  ASSERT_TRUE(bus.scan(host).has_value());
  Found found(bus);
  ASSERT_EQ(found.devices.size(), 1u);
  Device& read = *found.devices[0];
  EXPECT_EQ(read.device(), 0x1041);
  EXPECT_EQ(read.resource(0).kind, Resource::Kind::ports);
  EXPECT_EQ(read.resource(0).address, 0xc040u);
  EXPECT_EQ(read.resource(0).size, 0x20u);
  EXPECT_EQ(read.resource(1).address, 0xfebd1000u);
  EXPECT_EQ(read.resource(1).size, 0x1000u);
  EXPECT_TRUE(read.resource(4).is_64_bit);
  EXPECT_EQ(read.resource(4).address, 0x8fe000000u);
  EXPECT_EQ(read.resource(4).size, 0x4000u);
  EXPECT_EQ(read.resource(5).kind, Resource::Kind::none);
  // Looking has changed nothing.
  EXPECT_EQ(machine.functions.begin()->second.bytes, device.bytes);
}

TEST(PciBus, PlacesWhatHasNoAddress) {
  std::mt19937 random(1);
  for (unsigned round = 0; round < 50; ++round) {
    Machine& machine = *new Machine;
    unsigned wanted = 0;
    for (unsigned number = 0; number < 12; ++number) {
      Function device = Function::device(static_cast<std::uint16_t>(0x1000 + number));
      for (unsigned i = 0; i < 6; ++i) {
        switch (random() % 4) {
          case 0:
            device.sizes[i] = 1u << (4 + random() % 5);
            device.kinds[i] = 1;
            ++wanted;
            break;
          case 1:
            device.sizes[i] = 1u << (4 + random() % 18);
            ++wanted;
            break;
          case 2:
            if (i == 5) break;
            device.sizes[i] = 1u << (12 + random() % 10);
            device.kinds[i] = random() % 2 ? 0xc : 4;
            ++i;
            ++wanted;
            break;
          default:
            break;
        }
      }
      machine.functions[{0, number, 0}] = device;
    }
    auto& host = *new core::PciHostDescription(host_of(machine));
    Bus& bus = new_bus();
    ASSERT_TRUE(bus.scan(host).has_value());
    Found found(bus);
    expect_apart(found);
    unsigned placed = 0;
    for (Device* device : found.devices)
      for (unsigned i = 0; i < Device::resource_count; ++i) placed += device->resource(i).address != 0;
    EXPECT_EQ(placed, wanted);
  }
}

TEST(PciBus, OpensBridgesThatAreClosed) {
  Machine& machine = *new Machine;
  machine.functions[{0, 1, 0}] = Function::bridge();
  machine.functions[{0, 2, 0}] = Function::bridge();
  machine.functions[{1, 0, 0}] = Function::bridge();
  for (unsigned bus : {2u, 3u}) {
    Function device = Function::device(static_cast<std::uint16_t>(0x1040 + bus));
    device.sizes = {0x1000, 0x100, 0, 0, 0x4000, 0};
    device.kinds = {0, 1, 0, 0, 0xc, 0};
    machine.functions[{bus, 0, 0}] = device;
  }
  auto& host = *new core::PciHostDescription(host_of(machine));
  Bus& bus = new_bus();
  ASSERT_TRUE(bus.scan(host).has_value());
  Found found(bus);
  ASSERT_EQ(found.devices.size(), 5u);
  expect_apart(found);
  for (Device* device : found.devices) {
    if (device->is_bridge()) continue;
    ASSERT_NE(device->parent(), nullptr);
    for (const Device* bridge = device->parent(); bridge; bridge = bridge->parent()) {
      EXPECT_LE(bridge->secondary_bus(), device->address().bus);
      EXPECT_GE(bridge->subordinate_bus(), device->address().bus);
      core::PciWindow memory = bridge_memory_window(*bridge), ports = bridge_port_window(*bridge);
      for (unsigned i = 0; i < Device::resource_count; ++i) {
        const Resource& resource = device->resource(i);
        if (resource.kind == Resource::Kind::none) continue;
        const core::PciWindow& window = resource.kind == Resource::Kind::ports ? ports : memory;
        EXPECT_NE(resource.address, 0u);
        EXPECT_GE(resource.address, window.first);
        EXPECT_LE(resource.address + resource.size, window.first + window.size);
      }
    }
  }
}

TEST(PciDevice, FindsCapabilitiesAndLeavesCircles) {
  Machine machine;
  Function function = Function::device(0x1041);
  function.set(Register::status, 2, status_capabilities);
  function.set(capabilities, 1, 0x40);
  function.set(0x40, 2, 0x5009);
  function.set(0x50, 2, 0x6009);
  function.set(0x60, 2, 0x4011);  // and back to the first
  machine.functions[{0, 0, 0}] = function;
  Device device(machine, {});
  EXPECT_EQ(device.find_capability(capability_vendor), 0x40u);
  EXPECT_EQ(device.find_capability(capability_vendor, 0x40), 0x50u);
  EXPECT_EQ(device.find_capability(capability_msix), 0x60u);
  EXPECT_EQ(device.find_capability(capability_msi), std::nullopt);
}

TEST(PciDevice, SurvivesNoise) {
  std::mt19937 random(2);
  for (unsigned round = 0; round < 20'000; ++round) {
    Machine machine;
    Function function;
    for (unsigned char& byte : function.bytes) byte = static_cast<unsigned char>(random());
    function.set(vendor_id, 2, 0x1af4);
    for (unsigned i = 0; i < 6; ++i) {
      function.sizes[i] = random() % 2 ? 1u << random() % 32 : 0;
      function.kinds[i] = random() % 16;
    }
    machine.functions[{0, 0, 0}] = function;
    Device device(machine, {});
    device.read_identity();
    device.read_resources();
    for (unsigned i = 0; i < 8; ++i) device.find_capability(static_cast<std::uint8_t>(random() % 20));
  }
}

}  // namespace
}  // namespace pci
