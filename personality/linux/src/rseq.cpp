#include "linux_abi/rseq.h"

#include "core/memory/user_pointer.h"

namespace linux_abi {

namespace {

using rseq::CriticalSection;

// Sends the thread to the abort handler if it stands inside the critical section its area names.
Result<void> abort_critical_section(Task& task) {
  UserAddress area(task.rseq_area);
  core::UserInOut<std::uint64_t> pointer(area + rseq::critical_section_offset);
  std::uint64_t address = TRY(pointer.read());
  if (!address) return {};
  CriticalSection section = TRY(core::UserIn<CriticalSection>(address).read());
  if (section.version != 0 || section.start + section.post_commit_offset < section.start)
    return error(Errno::einval);
  std::uintptr_t at = task.registers.program_counter();
  bool inside = at - section.start < section.post_commit_offset;
  TRY(pointer.write(0));
  if (!inside) return {};
  if (section.abort_address - section.start < section.post_commit_offset) return error(Errno::einval);
  // The signature in front of the handler proves that it is meant as one.
  std::uint32_t signature = TRY(core::UserIn<std::uint32_t>(section.abort_address - 4).read());
  if (signature != task.rseq_signature) return error(Errno::einval);
  task.registers.set_program_counter(section.abort_address);
  return {};
}

Result<void> write_cpu(Task& task) {
  UserAddress area(task.rseq_area);
  std::uint32_t cpu = task.thread().last_cpu();
  struct Words {
    std::uint32_t start, id;
  } words{cpu, cpu};
  TRY(core::UserOut<Words>(area + rseq::cpu_id_start_offset).write(words));
  if (task.rseq_length >= rseq::feature_size) {
    struct Ids {
      std::uint32_t node, mm_cid;
    } ids{0, cpu};
    TRY(core::UserOut<Ids>(area + rseq::node_id_offset).write(ids));
  }
  return {};
}

void fail(Task& task) { force_signal(task, SigInfo(signal::segv, si::kernel)); }

}  // namespace

void rseq_set_area(Task& task, const RseqArea& area) {
  task.rseq_area = area.address;
  task.rseq_length = area.length;
  task.rseq_signature = area.signature;
  task.thread().note_switches(area.address ? &task.work : nullptr, task_work::rseq);
  if (area.address) task.add_work(task_work::rseq);
}

void rseq_update(Task& task) {
  if (!task.rseq_area) return;
  if (!abort_critical_section(task) || !write_cpu(task)) fail(task);
}

void rseq_before_signal(Task& task) {
  if (task.rseq_area && !abort_critical_section(task)) fail(task);
}

}  // namespace linux_abi
