// Whom a directory of /proc is about: a process (/proc/PID) or one thread (/proc/PID/task/TID).
#pragma once

#include "linux_abi/process.h"
#include "linux_abi/task.h"
#include "pseudo_fs/entry.h"

namespace linux_procfs {

using base::Errno;
using base::error;
using base::format;
using base::RefPtr;
using base::Result;
using base::TextSink;
using linux_abi::Process;
using linux_abi::Task;

struct Subject {
  RefPtr<linux_abi::Pid> pid;
  RefPtr<Process> process;
  RefPtr<Task> task;  // null: the process as a whole

  bool is_gone() const { return task ? pid->task() != task.get() : pid->process() != process.get(); }
  bool is_thread() const { return static_cast<bool>(task); }
  // The thread itself, or the process' first one; null for a zombie.
  RefPtr<Task> representative() const { return task ? task : process->leader(); }
  pseudo_fs::Entry::Owner owner() const;
};

// One file of the directory.
struct TextRow {
  std::string_view name;
  vfs::Mode permissions;
  Result<void> (*show)(const Subject& subject, TextSink& out);
  Result<void> (*store)(const Subject& subject, std::string_view text) = nullptr;
  enum class Inspect { free, checked } inspect = Inspect::free;  // checked: as ptrace would be
  enum class Where { both, process_only, thread_only } where = Where::both;
};
std::span<const TextRow> status_rows();
std::span<const TextRow> memory_rows();
std::span<const TextRow> other_rows();
std::span<const TextRow> mount_rows();
std::span<const TextRow> scheduling_rows();

// ---- Made by the other files ----
Result<RefPtr<pseudo_fs::Entry>> make_subject_directory(Subject subject);
Result<RefPtr<pseudo_fs::Entry>> make_task_directory(const Subject& subject);
enum class DescriptorView { links, information };
Result<RefPtr<pseudo_fs::Entry>> make_descriptor_directory(const Subject& subject, DescriptorView view);
enum class PlaceKind { executable, current_directory, root };
Result<RefPtr<pseudo_fs::Entry>> make_place_link(const Subject& subject, PlaceKind kind);
Result<RefPtr<pseudo_fs::Entry>> make_namespace_directory(const Subject& subject);
Result<RefPtr<pseudo_fs::Entry>> make_memory_file(const Subject& subject);
Result<RefPtr<pseudo_fs::Entry>> make_fail_nth_file(const Subject& subject);
Result<RefPtr<pseudo_fs::Entry>> make_mount_text(const Subject& subject, int style);
base::Result<void> add_kernel_files();
base::Result<void> add_hardware_files();
base::Result<void> add_core_dump_files();
Result<void> show_core_filter(const Subject& subject, TextSink& out);
Result<void> store_core_filter(const Subject& subject, std::string_view text);

// An entry about a subject: gone with it, owned by it.
template <typename Base>
class OfSubject : public Base {
 public:
  template <typename... Arguments>
  explicit OfSubject(Subject subject, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), subject_(std::move(subject)) {}
  bool is_stale() const override { return subject_.is_gone(); }
  pseudo_fs::Entry::Owner owner() const override { return subject_.owner(); }
  bool has_changing_owner() const override { return true; }

 protected:
  const Subject subject_;
};

// EACCES unless the caller may look into the process.
Result<void> check_inspect(const Subject& subject);

}  // namespace linux_procfs
