// Days since 1980 and halves of seconds, in local time.
#include "inode.h"

namespace vfat {

namespace {
constexpr std::int64_t day_seconds = 86400;

// Days from 1970 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
// algorithms").
constexpr std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  std::int64_t era = year / 400;
  auto year_of_era = static_cast<unsigned>(year - era * 400);
  unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}
constexpr std::int64_t earliest = days_of(1980, 1, 1) * day_seconds,
                       latest = days_of(2108, 1, 1) * day_seconds - 1;
}  // namespace

vfs::Timestamp decode_time(std::uint16_t date, std::uint16_t time, std::uint8_t hundredths,
                           const Options& options) {
  unsigned month = date >> 5 & 15, day = date & 31;
  if (month < 1) month = 1;
  if (month > 12) month = 12;
  if (day < 1) day = 1;
  vfs::Timestamp result;
  result.seconds = days_of(1980 + (date >> 9), month, day) * day_seconds;
  result.seconds += (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
  result.seconds -= options.time_offset_minutes * 60;
  if (hundredths < 200) {
    result.seconds += hundredths / 100;
    result.nanoseconds = hundredths % 100 * 10'000'000u;
  }
  return result;
}

void encode_time(vfs::Timestamp stamp, const Options& options, std::uint16_t& date, std::uint16_t& time,
                 std::uint8_t& hundredths) {
  std::int64_t seconds = stamp.seconds + options.time_offset_minutes * 60;
  if (seconds < earliest) seconds = earliest;
  if (seconds > latest) seconds = latest;
  std::int64_t days = seconds / day_seconds + 719468;
  auto rest = static_cast<unsigned>(seconds % day_seconds);
  std::int64_t era = days / 146097;
  auto day_of_era = static_cast<unsigned>(days - era * 146097);
  unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned shifted = (5 * day_of_year + 2) / 153;
  unsigned day = day_of_year - (153 * shifted + 2) / 5 + 1, month = shifted < 10 ? shifted + 3 : shifted - 9;
  auto year = static_cast<unsigned>(era * 400 + year_of_era + (month <= 2));
  date = static_cast<std::uint16_t>((year - 1980) << 9 | month << 5 | day);
  time = static_cast<std::uint16_t>(rest / 3600 << 11 | (rest / 60 % 60) << 5 | (rest % 60) / 2);
  hundredths = static_cast<std::uint8_t>((rest & 1) * 100 + stamp.nanoseconds / 10'000'000);
}

}  // namespace vfat
