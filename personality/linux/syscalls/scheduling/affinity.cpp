// sched_setaffinity(2), sched_getaffinity(2), getcpu(2)
#include <arch/cpu.h>

#include "syscalls/scheduling/rows.h"

namespace linux_abi {

namespace {

constexpr unsigned mask_words = arch::max_cpus / 64;

Result<void> may_change(Context& context, Task& target) {
  auto other = credentials_of(target);
  const auto& own = context.task.credentials();
  if (!other) return error(Errno::esrch);
  if (own.euid == other->euid || own.euid == other->uid || own.can(vfs::Capability::sys_nice)) return {};
  return error(Errno::eperm);
}

}  // namespace

Result<long> sys_sched_setaffinity(Context& context, int id, unsigned size, UserBuffer in) {
  if (id < 0) return error(Errno::esrch);
  std::uint64_t words[mask_words] = {};
  std::size_t bytes = size < sizeof(words) ? size : sizeof(words);
  TRY(in.read(std::as_writable_bytes(std::span(words)).first(bytes)));
  auto target = TRY(task_by_id(context, id));
  TRY(may_change(context, *target));
  core::CpuMask mask;
  bool any = false;
  for (unsigned cpu = 0; cpu < arch::cpu_count(); ++cpu) {
    if (!(words[cpu / 64] >> (cpu % 64) & 1)) continue;
    mask.set(cpu);
    any = true;
  }
  if (!any) return error(Errno::einval);
  TRY(target->thread().set_affinity(mask));
  return 0;
}

Result<long> sys_sched_getaffinity(Context& context, int id, unsigned size, UserBuffer out) {
  unsigned cpus = arch::cpu_count();
  if (id < 0) return error(Errno::esrch);
  if (size * 8 < cpus || (size & 7)) return error(Errno::einval);
  auto target = TRY(task_by_id(context, id));
  core::CpuMask mask = target->thread().affinity();
  std::uint64_t words[mask_words] = {};
  for (unsigned cpu = 0; cpu < cpus; ++cpu)
    if (mask.test(cpu)) words[cpu / 64] |= std::uint64_t{1} << (cpu % 64);
  std::size_t used = (cpus + 63) / 64 * 8;
  std::size_t bytes = size < used ? size : used;
  TRY(out.write(std::as_bytes(std::span(words)).first(bytes)));
  return static_cast<long>(bytes);
}

Result<long> sys_getcpu(Context& context, UserOut<std::uint32_t> cpu, UserOut<std::uint32_t> node) {
  if (cpu) TRY(cpu.write(context.task.thread().last_cpu()));
  if (node) TRY(node.write(0));
  return 0;
}

}  // namespace linux_abi
