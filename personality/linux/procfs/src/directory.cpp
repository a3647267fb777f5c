// The directories of processes and threads, /proc/self, and the registration.
#include "base/parse.h"
#include "core/init/init_step.h"
#include "core/memory/slab.h"
#include "keys.h"
#include "linux_abi/access_control.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

using pseudo_fs::Entry;

pseudo_fs::Entry::Owner Subject::owner() const {
  // Files of a process that may not be inspected belong to root.
  if (process->dumpable.load(std::memory_order_relaxed) != 1) return {};
  auto credentials = task ? linux_abi::credentials_of(*task) : linux_abi::credentials_of(*process);
  if (!credentials) return {};
  return {credentials->euid, credentials->egid};
}

Result<void> check_inspect(const Subject& subject) {
  Task* caller = linux_abi::current_task_or_null();
  if (!caller || &caller->process() == subject.process.get()) return {};
  auto result = linux_abi::may_inspect(*caller, *subject.process);
  if (!result && result.error() == Errno::eperm) return error(Errno::eacces);
  return result;
}

namespace {

class RowText final : public OfSubject<pseudo_fs::Text> {
 public:
  RowText(const Subject& subject, const TextRow& row) : OfSubject(subject, row.permissions), row_(row) {}
  Result<RefPtr<vfs::File>> open(const vfs::OpenRequest& request) override {
    if (row_.inspect == TextRow::Inspect::checked) TRY(check_inspect(subject_));
    return Text::open(request);
  }
  Result<void> show(TextSink& out, const vfs::Credentials&) override {
    if (subject_.is_gone()) return error(Errno::esrch);
    return row_.show(subject_, out);
  }
  Result<void> store(std::string_view text, const vfs::Credentials&) override {
    if (subject_.is_gone()) return error(Errno::esrch);
    return row_.store ? row_.store(subject_, text) : Result<void>(error(Errno::einval));
  }

 private:
  const TextRow& row_;
};

using Make = Result<RefPtr<Entry>> (*)(const Subject& subject);
struct SpecialRow {
  std::string_view name;
  vfs::Mode type;
  Make make;
  TextRow::Where where = TextRow::Where::both;
};
constexpr SpecialRow specials[] = {
    {"task", vfs::mode_directory, make_task_directory, TextRow::Where::process_only},
    {"fd", vfs::mode_directory,
     [](const Subject& s) { return make_descriptor_directory(s, DescriptorView::links); }},
    {"fdinfo", vfs::mode_directory,
     [](const Subject& s) { return make_descriptor_directory(s, DescriptorView::information); }},
    {"ns", vfs::mode_directory, make_namespace_directory},
    {"net", vfs::mode_directory,
     [](const Subject&) -> Result<RefPtr<Entry>> { return RefPtr<Entry>(&procfs::net_directory()); }},
    {"exe", vfs::mode_symlink, [](const Subject& s) { return make_place_link(s, PlaceKind::executable); }},
    {"cwd", vfs::mode_symlink,
     [](const Subject& s) { return make_place_link(s, PlaceKind::current_directory); }},
    {"root", vfs::mode_symlink, [](const Subject& s) { return make_place_link(s, PlaceKind::root); }},
    {"mem", vfs::mode_regular, make_memory_file},
    {"fail-nth", vfs::mode_regular, make_fail_nth_file},
    {"mounts", vfs::mode_regular, [](const Subject& s) { return make_mount_text(s, 0); }},
    {"mountinfo", vfs::mode_regular, [](const Subject& s) { return make_mount_text(s, 1); }},
    {"mountstats", vfs::mode_regular, [](const Subject& s) { return make_mount_text(s, 2); },
     TextRow::Where::process_only},
};

bool fits(TextRow::Where where, const Subject& subject) {
  return where == TextRow::Where::both || (where == TextRow::Where::thread_only) == subject.is_thread();
}

class SubjectDirectory final : public OfSubject<pseudo_fs::Directory> {
 public:
  explicit SubjectDirectory(Subject subject) : OfSubject(std::move(subject)) {}
  bool is_transient() const override { return true; }
  std::uint32_t link_count() const override {
    std::uint32_t count = 2;
    for (const SpecialRow& row : specials)
      if (row.type == vfs::mode_directory && fits(row.where, subject_)) ++count;
    return count;
  }

  Result<RefPtr<Entry>> find(std::string_view name) override {
    for (const SpecialRow& row : specials)
      if (row.name == name && fits(row.where, subject_)) return row.make(subject_);
    const TextRow* found = nullptr;
    for_each_text([&](const TextRow& row) {
      if (row.name == name) found = &row;
    });
    if (!found) return error(Errno::enoent);
    return RefPtr<Entry>(TRY(base::try_make_ref<RowText>(subject_, *found)));
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    std::uint64_t at = first_position;
    bool full = false;
    auto put = [&](std::string_view name, vfs::Mode type) {
      std::uint64_t mine = at++;
      if (full || mine < position) return;
      full = sink.entry(name, number() * 256 + mine, vfs::directory_entry_type(type), mine) ==
             vfs::SinkState::full;
    };
    for (const SpecialRow& row : specials)
      if (fits(row.where, subject_)) put(row.name, row.type);
    for_each_text([&](const TextRow& row) { put(row.name, vfs::mode_regular); });
    return {};
  }

 private:
  template <typename Visit>
  void for_each_text(Visit&& visit) {
    for (auto rows : {status_rows(), memory_rows(), other_rows(), scheduling_rows()})
      for (const TextRow& row : rows)
        if (fits(row.where, subject_)) visit(row);
  }
};

Result<RefPtr<Entry>> directory_of(Subject subject) {
  return RefPtr<Entry>(TRY(base::try_make_ref<SubjectDirectory>(std::move(subject))));
}

std::optional<int> number_in(std::string_view name) {
  auto number = base::parse_unsigned(name);
  if (!number || *number == 0 || *number > INT32_MAX || name[0] == '0') return std::nullopt;
  return static_cast<int>(*number);
}

class TaskDirectory final : public OfSubject<pseudo_fs::Directory> {
 public:
  explicit TaskDirectory(const Subject& subject) : OfSubject(subject) {}
  bool is_transient() const override { return true; }
  std::uint32_t link_count() const override {
    return subject_.process->thread_count.load(std::memory_order_relaxed) + 2;
  }
  Result<RefPtr<Entry>> find(std::string_view name) override {
    auto number = number_in(name);
    auto pid = number ? linux_abi::Pid::get(*number) : nullptr;
    auto task = pid ? pid->task_reference() : nullptr;
    if (!task || &task->process() != subject_.process.get()) return error(Errno::enoent);
    return directory_of({pid, subject_.process, task});
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    // By rising id: the list of threads is in no order.
    for (;;) {
      int best = INT32_MAX;
      {
        core::MutexGuard guard{subject_.process->signal_lock};
        subject_.process->for_each_thread([&](Task& task) {
          int id = task.id();
          if (static_cast<std::uint64_t>(id) + first_position >= position && id < best) best = id;
        });
      }
      if (best == INT32_MAX) return {};
      char memory[12];
      base::TextBuffer name(memory);
      format(name, "{}", best);
      std::uint64_t at = static_cast<std::uint64_t>(best) + first_position;
      if (sink.entry(name.view(), (std::uint64_t{2} << 32) + at,
                     vfs::directory_entry_type(vfs::mode_directory), at) == vfs::SinkState::full)
        return {};
      position = at + 1;
    }
  }
};

// "self" and "thread-self": their text depends on who reads it.
class SelfLink final : public pseudo_fs::Link {
 public:
  enum class Kind { process, thread };
  explicit SelfLink(Kind kind) : kind_(kind) {}
  Result<vfs::LinkTarget> follow(const vfs::Credentials&) override {
    Task* task = linux_abi::current_task_or_null();
    if (!task) return error(Errno::enoent);
    char memory[48];
    base::TextBuffer text(memory);
    if (kind_ == Kind::process)
      format(text, "{}", task->process().id());
    else
      format(text, "{}/task/{}", task->process().id(), task->id());
    vfs::LinkTarget target;
    target.text = TRY(base::String::create(text.view()));
    return target;
  }

 private:
  Kind kind_;
};

class ProcessDirectory final : public pseudo_fs::Directory {
 public:
  Result<RefPtr<Entry>> find(std::string_view name) override {
    auto number = number_in(name);
    if (!number) return error(Errno::enoent);
    auto pid = linux_abi::Pid::get(*number);
    if (!pid) return error(Errno::enoent);
    if (auto process = pid->process_reference()) return directory_of({pid, process, nullptr});
    // A thread id leads to a directory too, though none is listed.
    auto task = pid->task_reference();
    if (!task) return error(Errno::enoent);
    return directory_of({pid, RefPtr<Process>(&task->process()), task});
  }
  Result<void> list(std::uint64_t position, pseudo_fs::ListSink& sink) override {
    for (int from = static_cast<int>(position);;) {
      auto pid = linux_abi::Pid::next_from(from);
      if (!pid) return {};
      from = pid->number() + 1;
      if (!pid->process_reference()) continue;
      char memory[12];
      base::TextBuffer name(memory);
      format(name, "{}", pid->number());
      auto number = static_cast<std::uint64_t>(pid->number());
      if (sink.entry(name.view(), (std::uint64_t{1} << 32) + number,
                     vfs::directory_entry_type(vfs::mode_directory), number) == vfs::SinkState::full)
        return {};
    }
  }
};

Result<void> start_process_files() {
  auto processes = TRY(base::try_make_ref<ProcessDirectory>());
  TRY(procfs::add("self", TRY(base::try_make_ref<SelfLink>(SelfLink::Kind::process))));
  TRY(procfs::add("thread-self", TRY(base::try_make_ref<SelfLink>(SelfLink::Kind::thread))));
  procfs::set_process_directory(*processes.leak());
  TRY(add_core_dump_files());
  TRY(add_key_files());
  TRY(add_hardware_files());
  return add_kernel_files();
}

INIT_STEP process_files_step{"procfs.processes", {"procfs"}, start_process_files, {"vfs"}};

}  // namespace

Result<RefPtr<Entry>> make_subject_directory(Subject subject) { return directory_of(std::move(subject)); }
Result<RefPtr<Entry>> make_task_directory(const Subject& subject) {
  return RefPtr<Entry>(TRY(base::try_make_ref<TaskDirectory>(subject)));
}

}  // namespace linux_procfs
