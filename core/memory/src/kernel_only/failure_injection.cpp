#include "core/memory/failure_injection.h"

#include "base/parse.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/log/log.h"
#include "failure_point.h"

namespace core {

constinit std::atomic<bool> failure_injection_active{false};
constinit std::atomic<bool> failure_injection_pages{false};

namespace {

constinit std::atomic<std::uint32_t> interval{0};
constinit std::atomic<std::uint32_t> times{0};
constinit std::atomic<bool> all_threads{false};
constinit std::atomic<std::uint64_t> eligible{0};
constinit std::atomic<std::uint64_t> injected{0};
constinit std::atomic<bool> chosen_failures{false};
constinit std::atomic<FailureChoice (*)()> thread_filter{nullptr};

}  // namespace

bool failure_is_due() {
  // relaxed throughout: counting for a test aid.
  auto filter = thread_filter.load(std::memory_order_relaxed);
  FailureChoice choice = filter ? filter() : FailureChoice::exempt;
  if (choice == FailureChoice::fails_now) {
    injected.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  if (choice == FailureChoice::exempt && !all_threads.load(std::memory_order_relaxed)) return false;
  std::uint32_t every = interval.load(std::memory_order_relaxed);
  if (!every || eligible.fetch_add(1, std::memory_order_relaxed) % every != every - 1) return false;
  std::uint32_t left = times.load(std::memory_order_relaxed);
  if (left == 0) return false;
  if (left != ~0u) times.store(left - 1, std::memory_order_relaxed);
  injected.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void configure_failure_injection(const FailureInjection& configuration) {
  failure_injection_active.store(false, std::memory_order_relaxed);
  interval.store(configuration.interval, std::memory_order_relaxed);
  times.store(configuration.times, std::memory_order_relaxed);
  all_threads.store(configuration.all_threads, std::memory_order_relaxed);
  eligible.store(0, std::memory_order_relaxed);
  failure_injection_pages.store(configuration.pages, std::memory_order_relaxed);
  failure_injection_active.store(configuration.interval != 0 || chosen_failures.load(),
                                 std::memory_order_relaxed);
}

void enable_chosen_failures() {
  chosen_failures.store(true);
  failure_injection_active.store(true, std::memory_order_relaxed);
}

FailureInjection failure_injection() {
  return {interval.load(), times.load(), all_threads.load(), failure_injection_pages.load()};
}

void set_failure_injection_filter(FailureChoice (*choice_of_current_thread)()) {
  thread_filter.store(choice_of_current_thread);
}

std::uint64_t injected_failures() { return injected.load(); }

namespace {

// failslab=INTERVAL,PROBABILITY,SPACE,TIMES
base::Result<void> start_failure_injection() {
  auto text = command_line().get("failslab");
  if (!text) return {};
  std::uint64_t fields[4] = {0, 100, 0, 1};
  std::string_view rest = *text;
  for (auto& field : fields) {
    auto comma = rest.find(',');
    if (auto number = base::parse_unsigned(rest.substr(0, comma))) field = *number;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  bool endless = rest == "-1" || fields[3] == 0;
  configure_failure_injection({.interval = static_cast<std::uint32_t>(fields[0]),
                               .times = endless ? ~0u : static_cast<std::uint32_t>(fields[3]),
                               .all_threads = true});
  log(LogLevel::warning, "failslab: every {}th kernel allocation fails", fields[0]);
  return {};
}

INIT_STEP failure_injection_step{"memory.failslab", {"personality"}, start_failure_injection};

}  // namespace
}  // namespace core
