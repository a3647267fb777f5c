// The control messages between a multiport console and its driver (virtio 1.2, section 5.3.6.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace virtio_console {

enum class ControlEvent : std::uint16_t {
  device_ready = 0,
  port_add = 1,
  port_remove = 2,
  port_ready = 3,
  console_port = 4,
  resize = 5,
  port_open = 6,
  port_name = 7,
};

struct ControlMessage {
  std::uint32_t port = 0;
  std::uint16_t event = 0;
  std::uint16_t value = 0;
};
static_assert(sizeof(ControlMessage) == 8);

struct ReceivedControl {
  std::uint32_t port = 0;
  ControlEvent event{};
  std::uint16_t value = 0;
  std::uint16_t columns = 0, rows = 0;  // resize
  std::string_view name;                // port_name; points into the message
};

// Nothing for what is too short, for a port beyond the device's, and for events we do not know.
inline std::optional<ReceivedControl> parse_control(std::span<const std::byte> bytes, unsigned ports) {
  ControlMessage header;
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.port >= ports || header.event > static_cast<std::uint16_t>(ControlEvent::port_name))
    return std::nullopt;
  ReceivedControl result{
      .port = header.port, .event = static_cast<ControlEvent>(header.event), .value = header.value};
  std::span<const std::byte> rest = bytes.subspan(sizeof(header));
  if (result.event == ControlEvent::resize) {
    if (rest.size() < 4) return std::nullopt;
    std::memcpy(&result.columns, rest.data(), 2);
    std::memcpy(&result.rows, rest.data() + 2, 2);
  }
  if (result.event == ControlEvent::port_name) {
    const void* text = rest.data();
    result.name = std::string_view(static_cast<const char*>(text), rest.size());
    result.name = result.name.substr(0, result.name.find('\0'));
  }
  return result;
}

}  // namespace virtio_console
