// The notes of a core file: NT_PRSTATUS and the register sets of every thread, and what describes the
// process. Layouts: sys/procfs.h, elf.h.
#include <cstring>

#include "arch/linux_trace.h"
#include "core/memory/address_space.h"
#include "linux_abi/abi/time.h"
#include "linux_abi/core_dump.h"
#include "linux_abi/wait.h"

namespace linux_abi {

namespace {

constexpr std::uint32_t note_status = 1, note_information = 3, note_auxiliary = 6, note_signal = 0x53494749,
                        note_files = 0x46494c45;

struct NoteHeader {
  std::uint32_t name_size, content_size, type;
};

// struct elf_prstatus up to pr_reg; after that comes pr_fpvalid, an int.
struct ThreadStatus {
  std::int32_t signal_number, code, error;
  std::int16_t current_signal;
  std::uint16_t pad = 0;
  std::uint64_t pending, blocked;
  std::int32_t id, parent, group, session;
  Timeval user, system, children_user, children_system;
};
static_assert(sizeof(ThreadStatus) == 112);

// struct elf_prpsinfo
struct ProcessInformation {
  std::int8_t state = 0;
  char state_letter = 'R';
  std::int8_t zombie = 0, nice = 0;
  std::uint32_t pad = 0;
  std::uint64_t flags = 0;
  std::uint32_t uid = 0, gid = 0;
  std::int32_t id = 0, parent = 0, group = 0, session = 0;
  char name[16] = {};
  char arguments[80] = {};
};
static_assert(sizeof(ProcessInformation) == 136);

class Notes {
 public:
  base::Vector<std::byte> bytes;

  // Leaves room for the content, which the caller fills.
  Result<std::span<std::byte>> add(std::string_view name, std::uint32_t type, std::size_t size) {
    NoteHeader header{static_cast<std::uint32_t>(name.size() + 1), static_cast<std::uint32_t>(size), type};
    TRY(bytes.try_append(std::as_bytes(std::span(&header, 1))));
    TRY(bytes.try_append(std::as_bytes(std::span(name.data(), name.size()))));
    TRY(pad(header.name_size - name.size()));
    TRY(align());
    std::size_t at = bytes.size();
    TRY(pad(size));
    TRY(align());
    return std::span(bytes.data() + at, size);
  }
  template <typename T>
  Result<void> add_object(std::uint32_t type, const T& object) {
    auto room = TRY(add("CORE", type, sizeof(T)));
    std::memcpy(room.data(), &object, sizeof(T));
    return {};
  }

 private:
  Result<void> pad(std::size_t count) { return bytes.try_resize(bytes.size() + count); }
  Result<void> align() { return pad(-bytes.size() % 4); }
};

struct Relations {
  std::int32_t id, parent, group, session;
  ResourceUsage children;
};
Relations relations_of(Process& process) {
  core::MutexGuard tree{process_tree_lock()};
  return {process.id(), process.parent ? process.parent->id() : 0,
          process.group ? process.group->number() : 0, process.session ? process.session->number() : 0,
          process.waited_children};
}

Result<void> add_status(Notes& notes, Task& task, const SigInfo& information, const Relations& relations) {
  std::size_t registers = arch::linux_register_set(arch::linux_note_general).size;
  auto room = TRY(notes.add("CORE", note_status,
                            (sizeof(ThreadStatus) + registers + sizeof(std::int32_t) + 7) & ~std::size_t{7}));
  ResourceUsage usage = thread_usage(task);
  SignalSet pending;
  {
    core::MutexGuard guard{task.process().signal_lock};
    pending = task.pending.set();
  }
  ThreadStatus status{.signal_number = information.number,
                      .code = 0,
                      .error = 0,
                      .current_signal = static_cast<std::int16_t>(information.number),
                      .pending = pending.bits,
                      .blocked = task.blocked.bits,
                      .id = task.id(),
                      .parent = relations.parent,
                      .group = relations.group,
                      .session = relations.session,
                      .user = to_timeval(usage.user_ns),
                      .system = to_timeval(usage.system_ns),
                      .children_user = to_timeval(relations.children.user_ns),
                      .children_system = to_timeval(relations.children.system_ns)};
  std::memcpy(room.data(), &status, sizeof(status));
  TRY(arch::read_linux_registers({task.registers, task.thread().arch_state}, arch::linux_note_general,
                                 room.subspan(sizeof(status), registers)));
  std::int32_t floating_point_follows = 1;
  std::memcpy(room.data() + sizeof(status) + registers, &floating_point_follows,
              sizeof(floating_point_follows));
  return {};
}

Result<void> add_register_sets(Notes& notes, Task& task) {
  arch::TracedThread thread{task.registers, task.thread().arch_state};
  for (const arch::LinuxCoreNote& note : arch::linux_core_notes()) {
    std::size_t size = arch::linux_register_set_size(thread, note.type);
    if (!size) continue;
    auto room = TRY(notes.add(note.owner, note.type, size));
    TRY(arch::read_linux_registers(thread, note.type, room));
  }
  return {};
}

Result<void> add_information(Notes& notes, Task& task, const Relations& relations) {
  ProcessInformation out;
  out.nice = static_cast<std::int8_t>(task.thread().nice());
  out.uid = task.credentials().uid;
  out.gid = task.credentials().gid;
  out.id = relations.id;
  out.parent = relations.parent;
  out.group = relations.group;
  out.session = relations.session;
  auto name = task.thread().name();
  std::string_view(name.data()).copy(out.name, sizeof(out.name) - 1);
  if (auto space = task.process().address_space()) {
    const core::ProgramLayout& layout = space->program();
    std::size_t size = layout.arguments_end - layout.arguments_start;
    if (size > sizeof(out.arguments) - 1) size = sizeof(out.arguments) - 1;
    size = space->read_remote(UserAddress(layout.arguments_start),
                              std::as_writable_bytes(std::span(out.arguments)).first(size),
                              core::AddressSpace::RemoteAccess::force);
    for (char& c : std::span(out.arguments).first(size))
      if (!c) c = ' ';
  }
  return notes.add_object(note_information, out);
}

Result<void> add_auxiliary(Notes& notes, core::AddressSpace& space) {
  const core::ProgramLayout& layout = space.program();
  auto bytes = std::as_bytes(std::span(layout.auxiliary).first(layout.auxiliary_words));
  auto room = TRY(notes.add("CORE", note_auxiliary, bytes.size()));
  std::memcpy(room.data(), bytes.data(), bytes.size());
  return {};
}

// A table of places, then the names.
Result<void> add_files(Notes& notes, std::span<const CoreArea> areas) {
  std::uint64_t count = 0;
  std::size_t size = 2 * sizeof(std::uint64_t);
  for (const CoreArea& area : areas) {
    if (area.file_path.empty()) continue;
    ++count;
    size += 3 * sizeof(std::uint64_t) + area.file_path.size() + 1;
  }
  auto room = TRY(notes.add("CORE", note_files, size));
  std::size_t at = 0;
  auto put = [&](std::uint64_t word) {
    std::memcpy(room.data() + at, &word, sizeof(word));
    at += sizeof(word);
  };
  put(count);
  put(core::page_size);
  for (const CoreArea& area : areas) {
    if (area.file_path.empty()) continue;
    put(area.start);
    put(area.end);
    put(area.file_page);
  }
  for (const CoreArea& area : areas) {
    if (area.file_path.empty()) continue;
    std::memcpy(room.data() + at, area.file_path.c_str(), area.file_path.size() + 1);
    at += area.file_path.size() + 1;
  }
  return {};
}

// The other threads are parked and stay in the list until the dumper lets them go.
Result<base::Vector<RefPtr<Task>>> other_threads(Task& dumper) {
  base::Vector<RefPtr<Task>> tasks;
  Process& process = dumper.process();
  // The list may grow shorter by threads that were past the gate, not longer.
  TRY(tasks.try_reserve(process.thread_count.load()));
  core::MutexGuard guard{process.signal_lock};
  process.for_each_thread([&](Task& task) {
    if (&task != &dumper && task.parked_for_core) tasks.push_back_reserved(RefPtr<Task>(&task));
  });
  return tasks;
}

}  // namespace

Result<base::Vector<std::byte>> core_notes(Task& dumper, const SigInfo& information,
                                           std::span<const CoreArea> areas) {
  Notes notes;
  Relations relations = relations_of(dumper.process());
  auto space = dumper.process().address_space();
  TRY(add_status(notes, dumper, information, relations));
  TRY(add_information(notes, dumper, relations));
  TRY(notes.add_object(note_signal, information));
  if (space) TRY(add_auxiliary(notes, *space));
  TRY(add_files(notes, areas));
  TRY(add_register_sets(notes, dumper));
  for (const RefPtr<Task>& task : TRY(other_threads(dumper))) {
    TRY(add_status(notes, *task, information, relations));
    TRY(add_register_sets(notes, *task));
  }
  return std::move(notes.bytes);
}

}  // namespace linux_abi
