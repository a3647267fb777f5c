// What uname(2) says; also read by /proc/sys/kernel and /proc/version.
#pragma once

#include <string_view>

#include "linux_abi/abi/types.h"

namespace linux_abi {

inline constexpr std::string_view kernel_release = "6.12.0-nos";

Utsname system_names();
// `field` is node_name or domain_name; `text` is shorter than 65 bytes with its zero.
void set_system_name(char (Utsname::*field)[65], const char* text);

}  // namespace linux_abi
