// From a path to a place: the walk.
//
//   Path path = TRY(resolve(caller, start, "a/b/c", lookup_follow));
//
// `start` is where a relative path begins (the file behind dirfd); null means the current directory. The path
// may be empty only with lookup_empty_allowed, and then means `start` itself.
//
// The walk first runs under RCU without writing to shared memory; when it meets something that needs to sleep
// (a name that is not cached, a link that is computed) it takes references and goes on from there, and in the
// rare case that a rename came in between it starts again with references from the beginning.
#pragma once

#include <string_view>

#include "base/function_ref.h"
#include "vfs/context.h"

namespace vfs {

using LookupFlags = std::uint32_t;
inline constexpr LookupFlags lookup_default = 0,
                             lookup_follow = 1 << 0,  // follow a symbolic link at the end
    lookup_directory = 1 << 1,                        // the result must be a directory
    lookup_empty_allowed = 1 << 2,                    // AT_EMPTY_PATH
    lookup_no_automount = 1 << 3,
                             // openat2 RESOLVE_*:
    lookup_no_mount_crossing = 1 << 4, lookup_no_magic_links = 1 << 5, lookup_no_symlinks = 1 << 6,
                             lookup_beneath = 1 << 7, lookup_in_root = 1 << 8, lookup_cached = 1 << 9;

Result<Path> resolve(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags);

// Like resolve(), but calls `use` with the inode and mount at the end, where possible still under RCU and
// without having taken a single reference: `use` must then not sleep. It returns false to ask to be called
// again with references held (may_sleep true). For stat and access.
enum class MaySleep { no, yes };
Result<void> with_resolved(const Caller& caller, const Path* start, std::string_view path, LookupFlags flags,
                           base::FunctionRef<Result<bool>(Inode&, Mount&, MaySleep)> use);

// The directory that holds the last component of `path`, and that component. For create, remove, rename.
struct ParentAndName {
  enum class Kind { normal, dot, dot_dot, root };
  Path parent;
  std::string_view name;  // a part of `path`, or of memory that `link_text` keeps
  Kind kind = Kind::normal;
  bool trailing_slash = false;
};
Result<ParentAndName> resolve_parent(const Caller& caller, const Path* start, std::string_view path,
                                     LookupFlags flags);

// One name in a directory, without following links; crosses no mounts. EACCES without search permission.
Result<RefPtr<Dentry>> lookup_one(const Path& directory, std::string_view name,
                                  const Credentials& credentials);

// Text of a path as seen from `root`: absolute, " (deleted)" appended for unlinked objects; "(unreachable)"
// prefixed when `path` is not below `root` (null root: the namespace's). Written into `memory`, result is a
// view of it; ENAMETOOLONG if it does not fit.
enum class DeletedMark { append, omit };
Result<std::string_view> path_text(const Path& path, const Path* root, std::span<char> memory,
                                   DeletedMark mark = DeletedMark::append);
// The same, into a sink, with Linux's escapes (\040 ...) for the characters in `escape`: for mountinfo and
// maps.
void put_escaped(base::TextSink& out, std::string_view text, std::string_view escape);

// Is `path` the directory `ancestor` or below it (through mounts)?
bool is_below(const Path& path, const Path& ancestor);

}  // namespace vfs
