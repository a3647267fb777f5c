// Numbers and structures of linux/fanotify.h.
#pragma once

#include <cstdint>

namespace linux_abi::fanotify {

// fanotify_init(2)
inline constexpr unsigned init_close_on_exec = 1, init_non_blocking = 2, class_content = 4,
                          class_pre_content = 8, unlimited_queue = 0x10, unlimited_marks = 0x20,
                          enable_audit = 0x40, report_pidfd = 0x80, report_thread = 0x100, report_fid = 0x200,
                          report_directory = 0x400, report_name = 0x800, report_target = 0x1000;
inline constexpr unsigned reports_ids = report_fid | report_directory | report_name | report_target;
inline constexpr unsigned init_known = 0x1fff & ~enable_audit;
inline constexpr unsigned init_privileged =
    class_content | class_pre_content | unlimited_queue | unlimited_marks | report_pidfd | report_thread;

// fanotify_mark(2)
inline constexpr unsigned mark_add = 1, mark_remove = 2, mark_do_not_follow = 4, mark_only_directory = 8,
                          mark_mount = 0x10, mark_ignored_mask = 0x20, mark_ignored_survives = 0x40,
                          mark_flush = 0x80, mark_file_system = 0x100, mark_evictable = 0x200,
                          mark_ignore = 0x400;
inline constexpr unsigned mark_known = 0x7ff, mark_kinds = mark_mount | mark_file_system;

inline constexpr std::uint64_t object_events = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x1000,
                               // What is said of names, and of objects without a file: with ids only.
    inode_events = 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800, questions = 0x10000 | 0x20000 | 0x40000,
                               on_child = 0x08000000, on_directory = 0x40000000;
inline constexpr std::uint32_t queue_overflow = 0x4000;

struct EventHead {
  std::uint32_t length = 0;
  std::uint8_t version = 3, reserved = 0;
  std::uint16_t head_length = 24;
  std::uint64_t mask = 0;
  std::int32_t descriptor = -1;
  std::int32_t pid = 0;
};
static_assert(sizeof(EventHead) == 24);

enum class Record : std::uint8_t { fid = 1, directory_and_name = 2, directory = 3, pidfd = 4 };
struct RecordHead {
  Record type = Record::fid;
  std::uint8_t padding = 0;
  std::uint16_t length = 0;
};
struct FidRecord {  // the bytes of the handle follow, then perhaps a name
  RecordHead head;
  std::uint32_t file_system[2] = {};
  std::uint32_t handle_size = 0;
  std::int32_t handle_type = 0;
};
struct PidfdRecord {
  RecordHead head{Record::pidfd, 0, 8};
  std::int32_t descriptor = -1;
};

struct Response {
  std::int32_t descriptor = -1;
  std::uint32_t response = 0;
};
inline constexpr std::uint32_t allow = 1, deny = 2;

}  // namespace linux_abi::fanotify
