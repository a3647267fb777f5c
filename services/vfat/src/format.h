// What is on the disk (Microsoft's "FAT: General Overview of On-Disk Format"). All numbers are little-endian,
// as are the CPUs.
#pragma once

#include <cstdint>

namespace vfat {

struct [[gnu::packed]] BootSector {
  std::uint8_t jump[3];
  char system[8];
  std::uint16_t sector_bytes;
  std::uint8_t cluster_sectors;
  std::uint16_t reserved_sectors;
  std::uint8_t tables;
  std::uint16_t root_entries;
  std::uint16_t sectors_16;
  std::uint8_t media;
  std::uint16_t table_sectors_16;
  std::uint16_t track_sectors, heads;
  std::uint32_t hidden_sectors;
  std::uint32_t sectors_32;
  union {
    struct [[gnu::packed]] {
      std::uint8_t drive, state, signature;
      std::uint32_t serial;
      char label[11];
      char kind[8];
    } fat16;
    struct [[gnu::packed]] {
      std::uint32_t table_sectors;
      std::uint16_t flags, version;
      std::uint32_t root_cluster;
      std::uint16_t info_sector, backup_sector;
      std::uint8_t reserved[12];
      std::uint8_t drive, state, signature;
      std::uint32_t serial;
      char label[11];
      char kind[8];
    } fat32;
  };
};
static_assert(sizeof(BootSector) == 90);
inline constexpr std::uint8_t state_dirty = 1;

struct [[gnu::packed]] InfoSector {
  std::uint32_t signature_1;  // "RRaA"
  std::uint8_t reserved_1[480];
  std::uint32_t signature_2;  // "rrAa"
  std::uint32_t free_clusters, next_cluster;
  std::uint8_t reserved_2[12];
  std::uint32_t signature_3;
};
static_assert(sizeof(InfoSector) == 512);
inline constexpr std::uint32_t info_signature_1 = 0x41615252, info_signature_2 = 0x61417272,
                               info_unknown = 0xffffffff;

inline constexpr std::uint8_t attribute_read_only = 1, attribute_hidden = 2, attribute_system = 4,
                              attribute_label = 8, attribute_directory = 16, attribute_archive = 32,
                              attribute_long = 15;
inline constexpr std::uint8_t entry_deleted = 0xe5, entry_really_e5 = 0x05;
inline constexpr std::uint8_t lower_base = 8, lower_extension = 16;

struct [[gnu::packed]] ShortEntry {
  std::uint8_t name[11];
  std::uint8_t attributes;
  std::uint8_t lower;
  std::uint8_t birth_hundredths;
  std::uint16_t birth_time, birth_date, access_date;
  std::uint16_t cluster_high;
  std::uint16_t modify_time, modify_date;
  std::uint16_t cluster_low;
  std::uint32_t size;
  std::uint32_t cluster() const { return cluster_low | static_cast<std::uint32_t>(cluster_high) << 16; }
  void set_cluster(std::uint32_t cluster) {
    cluster_low = static_cast<std::uint16_t>(cluster);
    cluster_high = static_cast<std::uint16_t>(cluster >> 16);
  }
};

struct [[gnu::packed]] LongEntry {
  std::uint8_t order;  // from 1; the last of a name, which comes first, has bit 6
  std::uint16_t text_1[5];
  std::uint8_t attributes, type, checksum;
  std::uint16_t text_2[6];
  std::uint16_t zero;
  std::uint16_t text_3[2];
};
inline constexpr unsigned entry_size = 32;
static_assert(sizeof(ShortEntry) == entry_size && sizeof(LongEntry) == entry_size);
inline constexpr std::uint8_t long_last = 0x40;
inline constexpr unsigned long_units = 13, long_entries_max = 20, long_name_max = 255;
inline constexpr std::uint64_t directory_bytes_max = 65536 * entry_size;

inline constexpr std::uint32_t first_cluster = 2;

}  // namespace vfat
