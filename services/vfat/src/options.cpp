#include "options.h"

#include "core/log/log.h"
#include "vfs/file_system.h"

namespace vfat {

namespace {

Result<std::uint32_t> number(std::string_view text, unsigned base) {
  if (text.empty()) return error(Errno::einval);
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || static_cast<unsigned>(c - '0') >= base) return error(Errno::einval);
    value = value * base + static_cast<unsigned>(c - '0');
    if (value > 0xffffffff) return error(Errno::einval);
  }
  return static_cast<std::uint32_t>(value);
}

Result<void> parse_one(const vfs::MountOption& option, Options& out) {
  std::string_view name = option.name, value = option.value;
  auto mask = [&](vfs::Mode& into) -> Result<void> {
    into = TRY(number(value, 8)) & 0777;
    return {};
  };
  if (name == "uid") {
    out.uid = TRY(number(value, 10));
  } else if (name == "gid") {
    out.gid = TRY(number(value, 10));
  } else if (name == "umask") {
    TRY(mask(out.file_mask));
    out.directory_mask = out.file_mask;
  } else if (name == "fmask") {
    TRY(mask(out.file_mask));
  } else if (name == "dmask") {
    TRY(mask(out.directory_mask));
  } else if (name == "allow_utime") {
    (void)TRY(number(value, 8));
  } else if (name == "shortname") {
    if (value == "lower")
      out.short_names = ShortNameStyle::lower;
    else if (value == "win95")
      out.short_names = ShortNameStyle::win95;
    else if (value == "winnt")
      out.short_names = ShortNameStyle::winnt;
    else if (value == "mixed")
      out.short_names = ShortNameStyle::mixed;
    else
      return error(Errno::einval);
  } else if (name == "errors") {
    if (value == "continue")
      out.on_error = Options::OnError::go_on;
    else if (value == "remount-ro")
      out.on_error = Options::OnError::read_only;
    else if (value == "panic")
      out.on_error = Options::OnError::panic;
    else
      return error(Errno::einval);
  } else if (name == "codepage") {
    if (value != "437") return error(Errno::einval);
  } else if (name == "iocharset") {
    if (value != "utf8" && value != "ascii" && value != "iso8859-1") return error(Errno::einval);
  } else if (name == "utf8") {
    if (option.has_value && value != "1" && value != "yes" && value != "true") return error(Errno::einval);
  } else if (name == "quiet") {
    out.quiet = true;
  } else if (name == "showexec") {
    out.show_executable = true;
  } else if (name == "tz") {
    if (value != "UTC") return error(Errno::einval);
    out.time_offset_minutes = 0;
  } else if (name == "time_offset") {
    bool negative = value.starts_with('-');
    auto minutes = static_cast<std::int32_t>(TRY(number(negative ? value.substr(1) : value, 10)));
    if (minutes < 0 || minutes > 24 * 60) return error(Errno::einval);
    out.time_offset_minutes = negative ? -minutes : minutes;
  } else if (name != "check" && name != "nonumtail" && name != "usefree" && name != "flush" &&
             name != "discard" && name != "nodiscard" && name != "nfs" && name != "debug") {
    return error(Errno::einval);
  }
  return {};
}

}  // namespace

Result<void> Options::parse(std::string_view text) {
  for (;;) {
    vfs::MountOption option = vfs::next_mount_option(text);
    if (option.name.empty()) return {};
    if (auto parsed = parse_one(option, *this); !parsed) {
      core::log(core::LogLevel::error, "vfat: the mount option \"{}\" with value \"{}\" is not supported",
                option.name, option.value);
      return parsed;
    }
  }
}

void Options::put(base::TextSink& out) const {
  constexpr std::string_view styles[] = {"lower", "win95", "winnt", "mixed"};
  if (uid) base::format(out, ",uid={}", uid);
  if (gid) base::format(out, ",gid={}", gid);
  base::format(out, ",fmask={:04o},dmask={:04o}", file_mask, directory_mask);
  base::format(out, ",codepage=437,iocharset=ascii,shortname={}", styles[static_cast<unsigned>(short_names)]);
  if (quiet) out.put(",quiet");
  if (show_executable) out.put(",showexec");
  if (time_offset_minutes) base::format(out, ",time_offset={}", time_offset_minutes);
  out.put(",utf8,errors=");
  out.put(on_error == OnError::go_on ? "continue" : on_error == OnError::panic ? "panic" : "remount-ro");
}

}  // namespace vfat
