// core_pattern: what the dump is called (core(5)).
#include "base/format.h"
#include "core/time/clock.h"
#include "linux_abi/core_dump.h"
#include "linux_abi/system_names.h"

namespace linux_abi {

namespace {

// What a program chose must not lead to another directory.
Result<void> append_harmless(base::String& out, std::string_view text) {
  if (text.empty() || text == "." || text == "..") {
    TRY(out.try_append("!"));
    return text.empty() ? Result<void>{} : out.try_append(text.substr(1));
  }
  for (char c : text) TRY(out.try_push_back(c == '/' ? '!' : c));
  return {};
}

Result<void> append_number(base::String& out, std::uint64_t number) {
  char memory[24];
  base::TextBuffer text(memory);
  base::format(text, "{}", number);
  return out.try_append(text.view());
}

enum class PathPart { whole, last };
Result<void> append_executable(base::String& out, Task& task, PathPart part) {
  char memory[512];
  base::TextBuffer text(memory);
  auto file = task.process().executable();
  if (!file) return append_harmless(out, std::string_view(task.thread().name().data()));
  file->put_path(text);
  std::string_view path = text.view();
  if (part == PathPart::last) path = path.substr(path.rfind('/') + 1);
  return append_harmless(out, path);
}

struct Expansion {
  Task& task;
  int signal_number;
  std::uint32_t dumpable;
  bool names_pid = false;

  Result<void> append(base::String& out, char specifier) {
    Process& process = task.process();
    switch (specifier) {
      case '%':
        return out.try_push_back('%');
      case 'p':
      case 'P':
        names_pid = true;
        return append_number(out, static_cast<std::uint64_t>(process.id()));
      case 'i':
      case 'I':
        return append_number(out, static_cast<std::uint64_t>(task.id()));
      case 'u':
        return append_number(out, task.credentials().uid);
      case 'g':
        return append_number(out, task.credentials().gid);
      case 'd':
        return append_number(out, dumpable);
      case 's':
        return append_number(out, static_cast<std::uint64_t>(signal_number));
      case 't':
        return append_number(out, core::realtime_ns() / 1'000'000'000);
      case 'h': {
        Utsname names = system_names();
        return append_harmless(out, names.node_name);
      }
      case 'e':
        return append_harmless(out, std::string_view(task.thread().name().data()));
      case 'f':
        return append_executable(out, task, PathPart::last);
      case 'E':
        return append_executable(out, task, PathPart::whole);
      case 'c':
        return append_number(out, process.limit_current(Resource::core));
      case 'C':
        return append_number(out, task.thread().last_cpu());
      default:
        return {};  // unknown ones vanish
    }
  }
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

}  // namespace

Result<CoreName> core_name(Task& task, int signal_number, std::uint32_t dumpable) {
  char memory[CoreSettings::pattern_max];
  {
    core::MutexGuard guard{core_settings.lock};
    std::memcpy(memory, core_settings.pattern, sizeof(memory));
  }
  std::string_view pattern(memory);
  CoreName name;
  name.is_pipe = pattern.starts_with('|');
  if (name.is_pipe) pattern.remove_prefix(1);
  Expansion expansion{task, signal_number, dumpable};
  base::String word;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    // Split before anything is filled in, so that no name makes two arguments.
    if (name.is_pipe && is_blank(c)) {
      if (!word.empty()) TRY(name.words.try_push_back(std::exchange(word, {})));
    } else if (c != '%') {
      TRY(word.try_push_back(c));
    } else if (++i < pattern.size()) {
      TRY(expansion.append(word, pattern[i]));
    }
  }
  if (!name.is_pipe && !expansion.names_pid && core_settings.append_pid.load()) {
    TRY(word.try_push_back('.'));
    TRY(append_number(word, static_cast<std::uint64_t>(task.process().id())));
  }
  if (!word.empty()) TRY(name.words.try_push_back(std::move(word)));
  return name;
}

}  // namespace linux_abi
