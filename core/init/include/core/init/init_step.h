// The start of the system as a graph instead of a list.
//
//   base::Result<void> start_mounts();
//   INIT_STEP mounts_step{"vfs.mounts", {"memory.slab", "sched.threads"}, start_mounts};
//   INIT_STEP serial_step{"drivers.serial", {"interrupts"}, start_serial, {"consoles"}};
//
// A step runs once, in the first kernel thread, after all the steps it names. The optional last list names
// steps that must run after this one, so that a driver can put itself before a milestone that does not know
// it. A milestone is a step without a function; these exist (core/init/src/kernel_only/init_steps.cpp has
// their order):
//
//   "threads"      threads, timers, work queues and sleeping locks work, as they do before any step runs
//   "interrupts"   devices' interrupts can be requested
//   "buses"        ACPI, PCI: devices are known        "drivers"   their drivers have started
//   "consoles"     the consoles that print for good    "vfs"       file systems are registered, root is
//   mounted "personality"  programs can be started             "root"      the root file system is populated
//
// Steps with equal rights run in link order, so a boot is repeatable. A cycle or an unknown name is a defect
// of ours: the boot says which and panics (the host test of the graph finds it earlier). A step that fails is
// reported, and the steps that need it are not run, which is reported as well. initcall_debug on the command
// line prints each with its time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/format.h"
#include "base/result.h"

namespace core {

class alignas(64) InitStep {
 public:
  using Function = base::Result<void> (*)();
  static constexpr std::size_t names_max = 11;

  consteval InitStep(const char* step_name, std::initializer_list<const char*> after, Function function,
                     std::initializer_list<const char*> before = {})
      : name(step_name), run(function), after_count(after.size()), before_count(before.size()) {
    std::size_t next = 0;
    for (const char* one : after) names[next++] = one;  // more than names_max: does not compile
    for (const char* one : before) names[next++] = one;
  }

  std::span<const char* const> runs_after() const { return {names, after_count}; }
  std::span<const char* const> runs_before() const { return {names + after_count, before_count}; }

  const char* name;
  Function run;
  std::uint32_t after_count;
  std::uint32_t before_count;
  const char* names[names_max] = {};
};
static_assert(sizeof(InitStep) == 128);

enum class InitOutcome : std::uint8_t { not_run, done, failed, skipped };

// Runs the graph made of `steps`; at most 256. Returns how many failed or were skipped. A defect of the graph
// is described in `defect` and gives EINVAL, and no step is run.
base::Result<std::size_t> run_init_graph(std::span<const InitStep> steps, base::TextSink& defect);
// All INIT_STEPs of the kernel. Panics on a defect.
void run_init_steps();
std::span<const InitStep> all_init_steps();

}  // namespace core

#define INIT_STEP \
  [[gnu::section("init_steps"), gnu::used, gnu::retain]] static constinit const ::core::InitStep
