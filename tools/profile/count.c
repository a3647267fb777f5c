// A plugin of QEMU: how often each instruction was executed, between marks that the guest's program sets.
//
//   qemu-system-x86_64 -plugin file=count.so,out=FILE ...
//
// Output: one block per interval, "interval NUMBER", then a line "ADDRESS COUNT" (hexadecimal, decimal) for
// each instruction executed in it. An interval ends with a mark (plugin.h). Interval 0 begins with the
// machine. For one CPU.
#include "plugin.h"

// Open addressing; large enough for every instruction of a kernel and its programs.
enum { slots = 1 << 22 };
static struct {
  uint64_t address;
  uint64_t count;
} table[slots];
static unsigned interval;
static FILE* output;

static uint64_t* counter_of(uint64_t address) {
  uint64_t slot = (address * 0x9e3779b97f4a7c15u) >> 42;
  while (table[slot].address && table[slot].address != address) slot = (slot + 1) % slots;
  table[slot].address = address;
  return &table[slot].count;
}

static void end_interval(unsigned cpu, void* argument) {
  (void)cpu, (void)argument;
  fprintf(output, "interval %u\n", interval++);
  for (size_t slot = 0; slot < slots; ++slot) {
    if (table[slot].count)
      fprintf(output, "%" PRIx64 " %" PRIu64 "\n", table[slot].address, table[slot].count);
    table[slot].count = 0;
  }
  fflush(output);
}

static void translated(plugin_id id, struct qemu_plugin_tb* block) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    if (is_mark(instruction))
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, end_interval, 0, NULL);
    else
      qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0,
                                                 counter_of(qemu_plugin_insn_vaddr(instruction)), 1);
  }
}

EXPORT int qemu_plugin_install(plugin_id id, const struct information* qemu, int count, char** words) {
  if (!know_target(qemu)) return 1;
  for (int i = 0; i < count; ++i)
    if (strncmp(words[i], "out=", 4) == 0) output = fopen(words[i] + 4, "w");
  if (!output) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
