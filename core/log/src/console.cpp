#include "core/log/console.h"

#include "base/check.h"
#include "console_registry.h"
#include "log_ring.h"

namespace core {
namespace {

ConsoleRegistry& registry() {
  static constinit ConsoleRegistry the_registry;
  return the_registry;
}

// One line as it goes to the device. Owned by whoever holds printing_; panic has its own.
struct PrintBuffer {
  LogRecord record;
  char line[log_text_max + 32];
};
constinit PrintBuffer print_buffer{}, panic_print_buffer{};

}  // namespace

const ConsoleRegistry::Choice* ConsoleRegistry::choice_for(std::string_view name) const {
  for (std::size_t i = choice_count_; i-- > 0;)
    if (choices_[i].name == name) return &choices_[i];
  return nullptr;
}

void ConsoleRegistry::choose(std::string_view value) {
  std::size_t comma = value.find(',');
  Choice choice{value.substr(0, comma), comma == std::string_view::npos ? "" : value.substr(comma + 1)};
  if (choice.name.empty() || choice_count_ == choices_max) return;
  choices_[choice_count_++] = choice;
}

std::string_view ConsoleRegistry::choice_options(std::string_view name) const {
  const Choice* choice = choice_for(name);
  return choice ? choice->options : std::string_view{};
}

// A console that replaces an early one goes on where that one stopped; else it begins with the oldest record.
void ConsoleRegistry::enable(Console& console, bool preferred) {
  std::uint64_t from = log_oldest_sequence();
  for (Console* other = first_.load(); other; other = other->next_.load())
    if (other->enabled() && other->kind() == Console::Kind::early && other->next_sequence_ > from)
      from = other->next_sequence_;
  console.next_sequence_ = from;
  if (preferred) {
    for (Console* other = first_.load(); other; other = other->next_.load()) {
      other->preferred_ = false;
      if (other->kind() == Console::Kind::early && !keep_early) other->enabled_ = false;
    }
    console.preferred_ = true;
  }
  console.enabled_ = true;
}

void ConsoleRegistry::add(Console& console) {
  Console* first = first_.load();
  do {
    base::verify(first != &console, "console registered twice");
    console.next_.store(first);
  } while (!first_.compare_exchange_weak(first, &console));

  if (console.kind() == Console::Kind::early) {
    Console* current = preferred();
    if (!current || keep_early) enable(console, false);
  } else if (const Choice* choice = choice_for(console.name())) {
    enable(console, choice->name == choices_[choice_count_ - 1].name);
  } else if (choice_count_ == 0 && !preferred()) {
    enable(console, true);
  }
  print_or_wake();
}

void ConsoleRegistry::remove(Console& console) {
  console.enabled_ = false;
  // Nobody prints while we hold this, so nobody is inside console.write().
  while (printing_.exchange(true))
    if (auto* pause = pause_.load()) pause();
  std::atomic<Console*>* link = &first_;
  while (Console* at = link->load()) {
    if (at == &console) {
      link->store(console.next_.load());
      break;
    }
    link = &at->next_;
  }
  printing_ = false;
  print_or_wake();
}

void ConsoleRegistry::visit(base::FunctionRef<void(Console&)> visitor) {
  for (Console* console = first_.load(); console; console = console->next_.load())
    if (console->enabled()) visitor(*console);
}

Console* ConsoleRegistry::preferred() {
  Console* any = nullptr;
  for (Console* console = first_.load(); console; console = console->next_.load()) {
    if (!console->enabled() || console->kind() == Console::Kind::early) continue;
    if (console->preferred()) return console;
    any = console;
  }
  return any;
}

bool ConsoleRegistry::is_printed(const LogRecord& record) const {
  return static_cast<int>(record.level) < level.load(std::memory_order_relaxed) || ignore_level;
}

void ConsoleRegistry::drain(Console& console, LogRecord& record) {
  bool panicking = mode_ == Mode::panic;
  PrintBuffer& buffer = panicking ? panic_print_buffer : print_buffer;
  auto put = [&](std::string_view text) { panicking ? console.write_in_panic(text) : console.write(text); };
  LogReader reader{LogReader::Start::newest};
  reader.seek(console.next_sequence_);
  while (console.enabled()) {
    LogRead read = reader.next(record);
    if (read == LogRead::none) {
      // The writer of an unfinished record was stopped with its CPU, or is what panicked.
      if (!panicking || reader.sequence() >= log_next_sequence()) break;
      reader.seek(reader.sequence() + 1);
      put("** unfinished log message **\n");
    } else if (read == LogRead::lost) {
      put("** log messages dropped **\n");
    } else if (is_printed(record)) {
      base::TextBuffer line{buffer.line};
      format_log_line(line, record, timestamps ? LogTimestamp::yes : LogTimestamp::no);
      put(line.view());
    }
    console.next_sequence_ = reader.sequence();
    if (!panicking && mode_ == Mode::panic) break;  // the panicking CPU takes over
  }
}

bool ConsoleRegistry::anything_pending() {
  bool thread = mode_ == Mode::thread;
  for (Console* console = first_.load(); console; console = console->next_.load()) {
    if (!console->enabled() || (console->sleeps() == Console::Sleeps::yes && !thread)) continue;
    if (log_ring().look(console->next_sequence_) != LogRing::Look::not_yet) return true;
  }
  return false;
}

void ConsoleRegistry::print_pending() {
  // Whoever stores a record while another prints may leave: the printer looks again after it has let go.
  while (mode_ != Mode::panic && anything_pending()) {
    if (printing_.exchange(true)) return;
    bool thread = mode_ == Mode::thread;
    for (Console* console = first_.load(); console; console = console->next_.load())
      if (console->enabled() && (console->sleeps() == Console::Sleeps::no || thread))
        drain(*console, print_buffer.record);
    printing_ = false;
  }
}

void ConsoleRegistry::finish_printing() {
  std::uint64_t end = log_next_sequence();
  bool thread = mode_ == Mode::thread;
  auto is_behind = [&] {
    for (Console* console = first_.load(); console; console = console->next_.load()) {
      if (!console->enabled() || (console->sleeps() == Console::Sleeps::yes && !thread)) continue;
      if (console->next_sequence_ < end) return true;
    }
    return false;
  };
  for (;;) {
    print_pending();
    // A record that somebody still writes is his to finish; a line of ours may be on its way.
    if (mode_ == Mode::panic || !is_behind() || (!printing_.load() && !anything_pending())) return;
    if (auto* pause = pause_.load()) pause();
  }
}

void ConsoleRegistry::print_or_wake() {
  switch (mode_.load(std::memory_order_acquire)) {
    case Mode::synchronous:
      return print_pending();
    case Mode::thread:
      return wake_.load(std::memory_order_relaxed)();
    case Mode::panic:
      return;
  }
}

void ConsoleRegistry::start_thread_mode(const ConsoleThreadHooks& hooks) {
  wake_ = hooks.wake;
  pause_ = hooks.pause;
  Mode expected = Mode::synchronous;
  if (mode_.compare_exchange_strong(expected, Mode::thread)) hooks.wake();
}

void ConsoleRegistry::enter_panic_mode() {
  // Who was printing has been stopped and will not finish its line; it is printed again as a whole.
  line_torn_ = printing_.load(std::memory_order_acquire);
  mode_ = Mode::panic;
}

void ConsoleRegistry::print_in_panic() {
  bool line_torn = line_torn_.exchange(false);
  for (Console* console = first_.load(); console; console = console->next_.load()) {
    if (!console->enabled()) continue;
    if (line_torn) console->write_in_panic("\n");
    drain(*console, panic_print_buffer.record);
  }
}

void print_or_wake() { registry().print_or_wake(); }

void register_console(Console& console) { registry().add(console); }
void unregister_console(Console& console) { registry().remove(console); }
void for_each_console(base::FunctionRef<void(Console&)> visit) { registry().visit(visit); }
Console* preferred_console() { return registry().preferred(); }

void set_console_options(const ConsoleOptions& options) {
  registry().ignore_level = options.ignore_level;
  registry().timestamps = options.timestamps;
  registry().keep_early = options.keep_early;
}
ConsoleOptions console_options() {
  return {registry().ignore_level, registry().timestamps, registry().keep_early};
}
int console_level() { return registry().level; }
void set_console_level(int level) {
  registry().level = level < console_level_minimum ? console_level_minimum : level;
}
void set_console_choice(std::string_view value) { registry().choose(value); }
std::string_view console_choice_options(std::string_view name) { return registry().choice_options(name); }
void start_console_thread_mode(const ConsoleThreadHooks& hooks) { registry().start_thread_mode(hooks); }
void print_pending_records() { registry().print_pending(); }
void finish_printing() { registry().finish_printing(); }
void enter_console_panic_mode() { registry().enter_panic_mode(); }
void print_in_panic() { registry().print_in_panic(); }

}  // namespace core
