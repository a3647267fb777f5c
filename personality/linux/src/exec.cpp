#include "linux_abi/exec.h"

#include "arch/linux_abi.h"
#include "core/memory/io_buffer.h"
#include "core/memory/user_pointer.h"
#include "exec_private.h"
#include "linux_abi/access_control.h"
#include "linux_abi/core_dump.h"
#include "linux_abi/futex.h"
#include "linux_abi/rseq.h"
#include "linux_abi/task_extras.h"
#include "linux_abi/timers.h"
#include "linux_abi/tracing.h"
#include "vfs/operations.h"

namespace linux_abi {

namespace {

constexpr unsigned interpreters_max = 5;
constexpr std::size_t script_line_max = 256;

Result<RefPtr<vfs::File>> open_interpreter(Task& task, std::string_view path) {
  return vfs::open(caller_of(task), nullptr, path, {.flags = vfs::open_read_only | vfs::open_for_execute});
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// "#! interpreter [argument]". Puts the script's place in front of the arguments; gives the interpreter's
// file.
Result<RefPtr<vfs::File>> open_script_interpreter(Task& task, std::span<char> line, StackPlan& plan,
                                                  std::string_view script) {
  std::string_view text(line.data(), line.size());
  std::size_t end = text.find('\n');
  bool cut = end == text.npos && text.size() == script_line_max;
  if (end != text.npos) text = text.substr(0, end);
  text.remove_prefix(2);
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\0')) text.remove_suffix(1);
  std::size_t name_size = 0;
  while (name_size < text.size() && !is_blank(text[name_size]) && text[name_size]) ++name_size;
  // A name that may go on beyond what was read cannot be trusted.
  if (name_size == 0 || (cut && name_size == text.size())) return error(Errno::enoexec);
  std::string_view name = text.substr(0, name_size), argument = text.substr(name_size);
  while (!argument.empty() && is_blank(argument.front())) argument.remove_prefix(1);

  base::Vector<base::String> prefix;
  TRY(prefix.try_push_back(TRY(base::String::create(name))));
  if (!argument.empty()) TRY(prefix.try_push_back(TRY(base::String::create(argument))));
  TRY(prefix.try_push_back(TRY(base::String::create(script))));
  // A script run by a script: the inner one's path replaces the argv[0] the outer one had put there.
  for (std::size_t i = 1; i < plan.prefix.size(); ++i) TRY(prefix.try_push_back(std::move(plan.prefix[i])));
  plan.prefix = std::move(prefix);
  plan.skipped_arguments = 1;
  return open_interpreter(task, name);
}

// Ends all other threads of the process; the caller takes over the process's id. EAGAIN: another thread was
// first.
Result<void> become_only_thread(Task& task) {
  Process& process = task.process();
  {
    core::MutexGuard guard{process.signal_lock};
    if (process.group_exiting || process.exec_task) return error(Errno::eagain);
    if (process.thread_count.load(std::memory_order_relaxed) > 1) {
      process.exec_task = &task;
      kill_threads_locked(process);
      auto alone = process.thread_exit_queue.wait(guard, core::WaitMode::killable, [&] {
        return process.thread_count.load(std::memory_order_relaxed) == 1;
      });
      process.exec_task = nullptr;
      if (!alone) return error(Errno::eagain);
    }
  }
  if (task.is_leader()) return {};
  // The first thread is gone, but its number is the process's.
  core::MutexGuard tree{process_tree_lock()};
  forget_ended_leader_locked(process);
  core::MutexGuard guard{process.signal_lock};
  task.pid->set_task(nullptr);
  task.pid->detach();
  process.pid->attach();
  task.pid = process.pid;
  task.pid->set_task(&task);
  return {};
}

// What others share with the old program must not see the new one's changes.
Result<void> unshare(Task& task) {
  if (task.files->reference_count() > 1) task.set_files(TRY(task.files->try_clone()));
  Process& process = task.process();
  if (process.actions->reference_count() > 1) {
    auto own = TRY(process.actions->try_clone());
    core::MutexGuard guard{process.signal_lock};
    process.actions = std::move(own);
  }
  return {};
}

void leave_old_memory(Task& task) {
  release_robust_futexes(task);
  if (task.clear_child_tid && task.process().address_space()->reference_count() > 3) {
    (void)!core::UserOut<int>(task.clear_child_tid).write(0);
    futex_wake_address(task, task.clear_child_tid, 1);
  }
  task.clear_child_tid = task.robust_list = 0;
  rseq_set_area(task, {});
  if (auto vfork = std::exchange(task.vfork, {})) vfork->done.complete_all();
}

void reset_thread_state(Task& task, std::string_view display_path, bool secure) {
  Process& process = task.process();
  process.actions->reset_handlers();
  delete_posix_timers(process);
  task.alternate_stack = SigAltStack{0, ss_disable, 0, 0};
  task.files->close_on_exec_all();
  if (secure) {
    task.parent_death_signal = 0;
    task.personality &= ~personality_addr_no_randomize & ~personality_read_implies_exec;
  }
  std::size_t slash = display_path.rfind('/');
  task.thread().set_name(slash == display_path.npos ? display_path : display_path.substr(slash + 1));
  arch::reset_user_state(task.thread().arch_state);
  core::MutexGuard guard{process_tree_lock()};
  process.executed = true;
  if (process.exit_signal) process.exit_signal = signal::chld;
}

// A new address space with everything in it. The old program still runs and its memory is read from.
struct NewProgram {
  RefPtr<core::AddressSpace> space;
  Result<LoadedProgram> loaded = error(Errno::einval);
  std::uintptr_t vdso = 0, stack_pointer = 0;
};

Result<NewProgram> build_program(Task& task, const Program& program, const Program* interpreter,
                                 StackPlan& plan, const ExecCredentials& credentials) {
  Randomness random = Randomness::draw(task);
  NewProgram made;
  made.space = TRY(create_address_space(task.process(), random));
  made.loaded = map_program(*made.space, program, interpreter, random);
  if (!made.loaded) return made;
  made.vdso = TRY(map_vdso(*made.space));
  StackValues values{.loaded = &*made.loaded,
                     .credentials = credentials.credentials.get(),
                     .program_header_count = program.image.header.program_header_count,
                     .vdso = made.vdso,
                     .secure = credentials.secure};
  std::uintptr_t stack_top =
      base::align_down(arch::linux_stack_top() - random.stack, std::uintptr_t{core::page_size});
  made.stack_pointer = TRY(build_stack(*made.space, plan, values, stack_top, program.image.stack));
  return made;
}

// Past the point of no return.
void replace_program(Task& task, const Program& program, const StackPlan& plan, NewProgram made,
                     ExecCredentials credentials) {
  Process& process = task.process();
  if (AsyncIo* async = process.async_io.exchange(nullptr)) async->program_ends(task);
  leave_old_memory(task);
  task.thread().set_address_space(made.space);
  process.set_address_space(std::move(made.space));
  process.set_executable(program.file);
  process.vdso_address = made.vdso;
  reset_thread_state(task, plan.display_path, credentials.secure);
  bool ids_changed = task.credentials().euid != credentials.credentials->euid ||
                     task.credentials().egid != credentials.credentials->egid;
  process.dumpable.store(
      credentials.secure || ids_changed ? static_cast<std::uint32_t>(core_settings.suid_dumpable.load()) : 1);
  task.set_credentials(std::move(credentials.credentials));
  drop_extras_for_exec(task);
  apply_memory_limits(process);
  arch::linux_start_program(task.registers, made.loaded->start, made.stack_pointer);
}

}  // namespace

Result<void> execute(Task& task, RefPtr<vfs::File> file, std::string_view display_path,
                     StringSource& arguments, StringSource& environment) {
  StackPlan plan;
  plan.arguments = &arguments;
  plan.environment = &environment;
  plan.display_path = display_path;

  base::String script;
  TRY(script.try_append(display_path));
  RefPtr<vfs::File> first = file;
  for (unsigned depth = 0;; ++depth) {
    char line[script_line_max] = {};
    auto buffer = core::IoBuffer::kernel(std::as_writable_bytes(std::span(line)));
    std::size_t size = TRY(file->positioned_read(buffer, 0));
    if (size < 2 || line[0] != '#' || line[1] != '!') break;
    if (depth == interpreters_max) return error(Errno::eloop);
    file = TRY(open_script_interpreter(task, std::span(line).first(size), plan, script));
    script = TRY(plan.prefix[0].try_clone());
  }

  Program program = TRY(read_program(file, ProgramRole::program));
  std::optional<Program> interpreter;
  if (auto path = TRY(interpreter_path(program)))
    interpreter = TRY(read_program(TRY(open_interpreter(task, *path)), ProgramRole::interpreter));
  TRY(plan.measure(task.process()));
  ExecCredentials credentials = TRY(credentials_for_exec(task, *program.file));
  TRY(arch::prepare_user_state(task.thread().arch_state));
  NewProgram made =
      TRY(build_program(task, program, interpreter ? &*interpreter : nullptr, plan, credentials));
  TRY(unshare(task));
  int former_id = task.id();
  TRY(become_only_thread(task));

  // The point of no return.
  if (!made.loaded) {
    // Linux finds out that the segments cannot be mapped when the old program is gone.
    force_fatal_signal(task, signal::segv);
    return error(made.loaded.error());
  }
  replace_program(task, program, plan, std::move(made), std::move(credentials));
  trace_exec(task, former_id);
  return {};
}

}  // namespace linux_abi
