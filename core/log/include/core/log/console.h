// Consoles: where the kernel log is printed.
//
//   class SerialConsole : public Console {
//    public:
//     SerialConsole() : Console("ttyS0") {}
//     void write(std::string_view text) override;
//   };
//   register_console(serial);   // prints what the log already holds, if the console is chosen
//
// Which ones print: those the command line names with console= (set_console_choice), else the first that
// registers. A console whose kind is `early` prints from its registration until another one that is chosen
// registers.
//
// Who calls write(): before start of the console thread and after a panic, whoever logs; afterwards only the
// console thread. Calls are never concurrent, except that panic forces its way in. write() gets text with
// "\n" line ends and must not log. It may be called with interrupts off, so it must not sleep unless `sleeps`
// says so; a console that sleeps is served by the thread only, and through write_in_panic when the system
// dies.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/function_ref.h"
#include "base/intrusive_list.h"
#include "core/log/log.h"

namespace core {

class Console {
 public:
  enum class Kind : std::uint8_t { early, normal };
  enum class Sleeps : std::uint8_t { no, yes };

  explicit constexpr Console(const char* name, Kind kind = Kind::normal, Sleeps sleeps = Sleeps::no)
      : name_(name), kind_(kind), sleeps_(sleeps) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  virtual void write(std::string_view text) = 0;
  // Polls the hardware, whatever state its driver is in; other CPUs are stopped, and may have been in the
  // middle of the driver with its locks held (break_lock_in_panic).
  virtual void write_in_panic(std::string_view text) { write(text); }

  // As on the command line and in /proc/consoles: "ttyS0", "hvc0", "tty0".
  const char* name() const { return name_; }
  Kind kind() const { return kind_; }
  Sleeps sleeps() const { return sleeps_; }
  bool enabled() const { return enabled_; }
  // The last console= on the command line (else the first one enabled): what /dev/console opens.
  bool preferred() const { return preferred_; }

  // Device number for /dev/console and /proc/consoles; 0 when there is none.
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;

 protected:
  ~Console() = default;

 private:
  friend class ConsoleRegistry;
  const char* name_;
  Kind kind_;
  Sleeps sleeps_;
  // Written by the registry only; readers tolerate a stale value.
  std::atomic<bool> enabled_ = false;
  std::atomic<bool> preferred_ = false;
  std::atomic<Console*> next_ = nullptr;
  std::atomic<std::uint64_t> next_sequence_ = 0;
};

// The console is never destroyed before unregister_console. Thread context (the caller may hold sleeping
// locks only).
void register_console(Console& console);
void unregister_console(Console& console);
// Visits the enabled consoles; thread context.
void for_each_console(base::FunctionRef<void(Console&)> visit);
// Null while none is enabled.
Console* preferred_console();

// Records with a level numerically below this are printed (loglevel=, quiet, syslog(2),
// /proc/sys/kernel/printk).
inline constexpr int console_level_default = 7, console_level_quiet = 4, console_level_minimum = 1;
int console_level();
void set_console_level(int level);

struct ConsoleOptions {
  bool ignore_level = false;  // ignore_loglevel: print everything
  bool timestamps = true;     // printk.time
  bool keep_early = false;    // keep_bootcon: early consoles go on printing
};
void set_console_options(const ConsoleOptions& options);
ConsoleOptions console_options();

// One value of console=: "ttyS0,115200n8". Calls are in the order of the command line; before consoles
// register. The text stays with the caller.
void set_console_choice(std::string_view value);
// What followed the comma for this console ("115200n8"), else empty.
std::string_view console_choice_options(std::string_view name);

// From now on a thread prints: it calls print_pending_records() whenever `wake` was called. `wake` is called
// from any context, must not block, and may only take note of the fact. `pause` lets others run for a moment.
struct ConsoleThreadHooks {
  void (*wake)() = nullptr;
  void (*pause)() = nullptr;
};
void start_console_thread_mode(const ConsoleThreadHooks& hooks);
// Prints everything stored and not printed yet, on all enabled consoles; returns at once when someone else is
// at it.
void print_pending_records();
// The same before the machine goes: what was stored before the call is on the consoles when it returns,
// whoever printed it. Thread context; may wait.
void finish_printing();
// For panic only, with the other CPUs stopped, wherever they were: in the middle of write() or of storing a
// record, too. From here on log() only stores, and the panicking CPU calls print_in_panic() after what it has
// logged.
void enter_console_panic_mode();
void print_in_panic();

}  // namespace core
