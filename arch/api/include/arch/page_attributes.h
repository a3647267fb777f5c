// What a mapping allows, in words every architecture can translate into its page-table bits.
#pragma once

#include <cstdint>

namespace arch {

enum class CacheType : std::uint8_t {
  write_back,       // normal memory
  write_combining,  // frame buffers
  uncached,         // device registers
  write_through,
};

struct PageAttributes {
  bool read = true;
  bool write = false;
  bool execute = false;
  bool user = false;
  bool global = false;   // the same in every address space
  bool guarded = false;  // indirect branches only to marked targets, where the processor checks them
  CacheType cache = CacheType::write_back;
  constexpr bool operator==(const PageAttributes&) const = default;
};

}  // namespace arch
