// Serial ports of the board. The one that /chosen names for output is the first of its kind.
#include "board/board.h"
#include "board/interrupts.h"
#include "core/device/serial_port.h"
#include "core/init/init_step.h"
#include "core/log/log.h"

namespace board {
namespace {

using core::SerialPortKind;

struct Kind {
  const char* compatible;
  SerialPortKind kind;
};
constexpr Kind kinds[] = {{"ns16550a", SerialPortKind::uart_16550},
                          {"ns16550", SerialPortKind::uart_16550},
                          {"arm,pl011", SerialPortKind::pl011}};

const Kind* kind_of(const device_tree::Node& node) {
  if (!node.is_available()) return nullptr;
  for (const Kind& kind : kinds)
    if (node.is_compatible(kind.compatible)) return &kind;
  return nullptr;
}

// The port's own property, or the fixed clock that the first entry of "clocks" refers to.
std::uint32_t clock_of(const device_tree::Node& node, std::uint32_t usual) {
  if (auto own = node.cell("clock-frequency")) return *own;
  auto phandle = node.cell("clocks");
  auto clock = phandle ? tree()->find_phandle(*phandle) : std::nullopt;
  return clock ? clock->cell("clock-frequency").value_or(usual) : usual;
}

base::Result<void> announce(const device_tree::Node& node, const Kind& kind, unsigned line) {
  auto interrupt = node.interrupt(0);
  if (!interrupt) return base::error(base::Errno::enxio);
  core::SerialPortDescription port;
  port.kind = kind.kind;
  port.interrupt = TRY(map_interrupt(*interrupt));
  port.registers = TRY(map_registers(node));
  port.line = line;
  port.clock_hz = clock_of(node, kind.kind == SerialPortKind::uart_16550 ? port.clock_hz : 0);
  return core::announce_serial_port(port);
}

base::Result<void> announce_serial_ports() {
  if (!tree()) return {};
  auto chosen = tree()->find("/chosen");
  std::string_view path = chosen ? chosen->text("stdout-path") : std::string_view{};
  auto first = path.empty() ? std::nullopt : tree()->find(path);
  if (first && !kind_of(*first)) first = std::nullopt;
  unsigned line = 0;
  auto add = [&line](const device_tree::Node& node) {
    if (line == core::maximum_serial_ports) return;
    if (announce(node, *kind_of(node), line))
      ++line;
    else
      core::log(core::LogLevel::warning, "board: {} cannot be used", node.name());
  };
  if (first) add(*first);
  for (device_tree::Node node : tree()->nodes())
    if (kind_of(node) && !(first && node == *first)) add(node);
  return {};
}
INIT_STEP serial_ports_step{"platform.serial_ports", {"interrupts"}, announce_serial_ports, {"buses"}};

}  // namespace
}  // namespace board
