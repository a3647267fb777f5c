// Core dumps: what is left of a process that a signal of core_signals ended (core(5)).
//
// The thread that takes the signal becomes the dumper. It ends all the others; each of them, on its way out,
// parks in join_core_dump() with its registers frozen, so that nothing of the process changes while it is
// written down. Then the dumper writes an ELF file, into a file or into a pipe to a program that the kernel
// starts, as core_pattern says, and lets the others go.
//
//   core_dump.cpp   the dumper and the parked; where the dump goes
//   core_name.cpp   core_pattern
//   core_file.cpp   the file: segments, memory
//   core_notes.cpp  the notes: threads, registers, mapped files
#pragma once

#include <atomic>
#include <span>

#include "base/string.h"
#include "base/vector.h"
#include "core/sync/mutex.h"
#include "linux_abi/abi/signal.h"
#include "linux_abi/task.h"

namespace linux_abi {

// Of the status that wait reports.
inline constexpr int core_dumped_bit = 0x80;

// /proc/sys/kernel/core_pattern and its neighbours, with Linux's defaults.
struct CoreSettings {
  static constexpr std::size_t pattern_max = 128;  // with the zero byte
  core::Mutex lock{"core pattern"};
  char pattern[pattern_max] GUARDED_BY(lock) = "core";
  std::atomic<int> append_pid{0};     // core_uses_pid
  std::atomic<int> pipe_limit{0};     // core_pipe_limit
  std::atomic<int> suid_dumpable{0};  // what `dumpable` becomes when the credentials change
};
extern constinit CoreSettings core_settings;

// Process::core_filter: what kinds of memory are written (/proc/PID/coredump_filter).
namespace core_filter {
inline constexpr std::uint32_t anonymous_private = 1, anonymous_shared = 2, mapped_private = 4,
                               mapped_shared = 8, elf_headers = 16, all_bits = 0x1ff;
inline constexpr std::uint32_t by_default = 0x33;
}  // namespace core_filter

// By the thread that a signal is about to end. The process ends with it, dumped or not; true if it was
// dumped, and the status to end with says so. False also when another thread is ending the process.
bool dump_core(Task& task, const SigInfo& information);
// By each thread that ends, before it gives anything up: waits while the process is being dumped.
void join_core_dump(Task& task);

// --- Between the files

// `name` is the pattern without "|" and with everything filled in; with `arguments` a program's, else one
// file name.
struct CoreName {
  bool is_pipe = false;
  base::Vector<base::String> words;
};
Result<CoreName> core_name(Task& task, int signal_number, std::uint32_t dumpable);
// One mapping, as it was when the dump began.
struct CoreArea {
  std::uintptr_t start = 0, end = 0, dumped_end = 0;
  std::uint32_t flags = 0;       // elf::flag_*
  bool only_if_present = false;  // pages nobody touched are zeroes and need not be written
  bool only_if_program = false;  // the first page, if it is an ELF header
  std::uint64_t file_page = 0;
  base::String file_path;  // empty: no file
};

// Writes everything; false when nothing came of it.
bool write_core_file(Task& dumper, const SigInfo& information, vfs::File& file, std::uint64_t limit);
Result<base::Vector<std::byte>> core_notes(Task& dumper, const SigInfo& information,
                                           std::span<const CoreArea> areas);

}  // namespace linux_abi
