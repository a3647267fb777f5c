// The start of the kernel, from the architecture's first code to the first program, in the order in which it
// happens.
#include <arch/cpu.h>
#include <arch/smp.h>

#include <cstdint>

#include "boot/boot_info.h"
#include "core/init/command_line.h"
#include "core/init/init_step.h"
#include "core/init/panic.h"
#include "core/init/start.h"
#include "core/log/log.h"
#include "core/memory/memory_init.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "core/test/test.h"
#include "core/time/clock.h"
#include "linux_abi/lifecycle.h"
#include "platform/platform.h"

namespace {

unsigned cpu_limit() {
  const core::CommandLine& line = core::command_line();
  if (line.has("nosmp")) return 1;
  auto limit = line.get_number("maxcpus").value_or(arch::max_cpus);
  return limit == 0 ? 1 : static_cast<unsigned>(limit < arch::max_cpus ? limit : arch::max_cpus);
}

// The rest of the start happens in a thread of its own, so that it may wait for things.
void first_thread(void*) {
  arch::start_secondary_cpus(cpu_limit());
  core::run_init_steps();
  core::test::run_tests_if_asked();
  linux_abi::run_init_process();
}

}  // namespace

// One CPU, interrupts off, the final page tables active.
extern "C" [[noreturn]] void kernel_main(const boot::BootInfo& info) {
  core::start_log(info.command_line);
  core::log(core::LogLevel::notice, "NOS 6.12.0-nos, started by way of {}", info.protocol);
  core::log(core::LogLevel::info, "Command line: {}", info.command_line);

  core::adopt_boot_thread();
  core::initialize_memory(info);
  platform::initialize_early(info);
  core::initialize_clocks();
  core::initialize_scheduler();
  if (!core::start_core_threads()) core::panic("no memory for the first threads");

  auto thread = core::Thread::create("init", first_thread, nullptr);
  if (!thread) core::panic("no memory for the first thread");
  (*thread)->start();
  core::idle_loop();
}
