// The battery-backed clock (MC146818 and its copies), read over two ports.
#include <cstdint>

#include <arch/cpu.h>
#include <arch/time.h>

#include "kvm_clock.h"
#include "x86_64/registers.h"

namespace arch {
namespace {

struct ClockReading {
  unsigned second, minute, hour, day, month, year, century;
  bool operator==(const ClockReading&) const = default;
};

std::uint8_t read_cell(std::uint8_t cell) {
  out8(0x70, cell);
  return in8(0x71);
}
void write_cell(std::uint8_t cell, unsigned value) {
  out8(0x70, cell);
  out8(0x71, static_cast<std::uint8_t>(value));
}

ClockReading read_once() {
  for (unsigned i = 0; i < 10000 && read_cell(0x0a) & 0x80; ++i) relax();  // an update is under way
  return {read_cell(0), read_cell(2), read_cell(4),   read_cell(7),
          read_cell(8), read_cell(9), read_cell(0x32)};
}

// Days from 1970-01-01 to a date of the Gregorian calendar; the year is taken to begin in March, so leap days
// come last.
std::int64_t days_since_1970(std::int64_t year, unsigned month, unsigned day) {
  if (month <= 2) --year;
  std::int64_t era = year / 400;
  auto year_of_era = static_cast<unsigned>(year - era * 400);
  unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

std::uint64_t seconds_since_1970() {
  ClockReading reading = read_once();
  for (unsigned attempt = 0; attempt < 5; ++attempt) {
    ClockReading again = read_once();
    if (again == reading) break;
    reading = again;
  }
  std::uint8_t mode = read_cell(0x0b);
  bool binary = mode & 4, day_of_24_hours = mode & 2;
  bool afternoon = reading.hour & 0x80;
  reading.hour &= 0x7f;
  auto decode = [binary](unsigned value) { return binary ? value : (value & 15) + (value >> 4) * 10; };
  unsigned hour = decode(reading.hour);
  if (!day_of_24_hours) hour = hour % 12 + (afternoon ? 12 : 0);
  unsigned century = decode(reading.century);
  if (century < 19 || century > 29) century = 20;
  std::int64_t days =
      days_since_1970(century * 100 + decode(reading.year), decode(reading.month), decode(reading.day));
  std::int64_t seconds = days * 86400 + hour * 3600 + decode(reading.minute) * 60 + decode(reading.second);
  return seconds > 0 ? static_cast<std::uint64_t>(seconds) : 0;
}

}  // namespace

std::uint64_t wall_clock_at_boot_ns() {
  if (std::uint64_t announced = host_wall_clock_at_boot_ns()) return announced;
  std::uint64_t wall = seconds_since_1970() * 1'000'000'000;
  std::uint64_t since_boot = nanoseconds();
  return wall > since_boot ? wall - since_boot : 0;
}

void set_hardware_clock(std::uint64_t seconds) {
  std::uint64_t days = seconds / 86400, rest = seconds % 86400;
  std::int64_t shifted = static_cast<std::int64_t>(days) + 719468;
  std::int64_t era = shifted / 146097;
  auto day_of_era = static_cast<unsigned>(shifted - era * 146097);
  unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned part = (5 * day_of_year + 2) / 153;
  unsigned day = day_of_year - (153 * part + 2) / 5 + 1, month = part < 10 ? part + 3 : part - 9;
  auto year = static_cast<unsigned>(year_of_era + era * 400) + (month <= 2 ? 1 : 0);
  std::uint8_t mode = read_cell(0x0b);
  auto encode = [mode](unsigned value) { return mode & 4 ? value : value % 10 | value / 10 << 4; };
  write_cell(0x0b, mode | 0x82);  // stop updates, 24 hours
  write_cell(0, encode(static_cast<unsigned>(rest % 60)));
  write_cell(2, encode(static_cast<unsigned>(rest / 60 % 60)));
  write_cell(4, encode(static_cast<unsigned>(rest / 3600)));
  write_cell(7, encode(day));
  write_cell(8, encode(month));
  write_cell(9, encode(year % 100));
  write_cell(0x32, encode(year / 100));
  write_cell(0x0b, (mode | 2) & 0x7f);
}

}  // namespace arch
