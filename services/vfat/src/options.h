// Mount options.
#pragma once

#include "base/format.h"
#include "names.h"
#include "vfs/credentials.h"

namespace vfat {

struct Options {
  enum class OnError : std::uint8_t { go_on, read_only, panic };
  vfs::UserId uid = 0;
  vfs::GroupId gid = 0;
  vfs::Mode file_mask = 022, directory_mask = 022;
  ShortNameStyle short_names = ShortNameStyle::mixed;
  OnError on_error = OnError::read_only;
  bool quiet = false, show_executable = false;
  std::int32_t time_offset_minutes = 0;  // what the disk's times are ahead of UTC

  // EINVAL, with a line in the log.
  Result<void> parse(std::string_view text);
  void put(base::TextSink& out) const;
};

}  // namespace vfat
