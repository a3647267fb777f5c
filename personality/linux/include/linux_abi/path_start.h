// Where a path of an *at() call starts: the directory behind a descriptor, or nothing (current directory, or
// the path is absolute and the descriptor is not looked at).
#pragma once

#include <optional>
#include <string_view>

#include "linux_abi/abi/file.h"
#include "linux_abi/prelude.h"
#include "vfs/path.h"

namespace linux_abi {

class PathStart {
 public:
  static Result<PathStart> of(Context& context, int descriptor, std::string_view path) {
    if (descriptor == at_fdcwd || (!path.empty() && path.front() == '/')) return PathStart({});
    return PathStart(TRY(context.task.files->use_any(descriptor)).share());
  }
  const vfs::Path* path() const { return file_ ? &file_->path() : nullptr; }
  const RefPtr<vfs::File>& file() const { return file_; }

 private:
  explicit PathStart(RefPtr<vfs::File> file) : file_(std::move(file)) {}
  RefPtr<vfs::File> file_;
};

// A path argument in kernel memory: short ones on the stack. ENAMETOOLONG past PATH_MAX.
class PathText {
 public:
  PathText() = default;
  PathText(const PathText&) = delete;
  Result<std::string_view> read(UserString from) {
    auto text = from.read(std::span(short_));
    if (text || text.error() != Errno::enametoolong) return text;
    long_ = TRY(from.read(path_max));
    return long_.view();
  }

 private:
  char short_[128];
  base::String long_;
};

}  // namespace linux_abi
