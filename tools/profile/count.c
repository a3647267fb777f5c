// A plugin of QEMU: how often each instruction was executed, between marks that the guest's program sets.
//
//   qemu-system-x86_64 -plugin file=count.so,out=FILE ...
//
// Output: one block per interval, "interval NUMBER", then a line "ADDRESS COUNT" (hexadecimal, decimal) for each
// instruction executed in it. An interval ends with a mark: an instruction without effect, one of `marks`
// below (mark() in tests/benchmark/arch/*/ticks.h). Interval 0 begins with the machine. For one CPU.
//
// The few declarations of QEMU's interface are repeated here, since the packages do not have its header.
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*function)(plugin_id, struct qemu_plugin_tb*));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* block);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* block, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn* instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn* instruction);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* instruction);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn* instruction, void (*function)(unsigned, void*),
                                            int flags, void* argument);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn* instruction, int operation, void* counter,
                                                uint64_t summand);

EXPORT int qemu_plugin_version = 1;

// An instruction without effect, for each architecture.
static const struct {
  const char* target;
  size_t size;
  unsigned char bytes[8];
} marks[] = {
    {"x86_64", 7, {0x0f, 0x1f, 0x80, 0x4d, 0x53, 0x4f, 0x4e}},  // nopl 0x4e4f534d(%rax)
    {"aarch64", 4, {0xff, 0xc9, 0x89, 0xd2}},                   // movz xzr, #0x4e4f
    {"riscv64", 4, {0x37, 0x50, 0x4f, 0x4e}},                   // lui zero, 0x4e4f5
};
static size_t target;  // index into marks

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
    if (table[slot].count) fprintf(output, "%" PRIx64 " %" PRIu64 "\n", table[slot].address, table[slot].count);
    table[slot].count = 0;
  }
  fflush(output);
}

static bool is_mark(const struct qemu_plugin_insn* instruction) {
  return qemu_plugin_insn_size(instruction) == marks[target].size &&
         memcmp(qemu_plugin_insn_data(instruction), marks[target].bytes, marks[target].size) == 0;
}

static void translated(plugin_id id, struct qemu_plugin_tb* block) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
    if (is_mark(instruction))
      qemu_plugin_register_vcpu_insn_exec_cb(instruction, end_interval, 0, NULL);
    else
      qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0, counter_of(qemu_plugin_insn_vaddr(instruction)), 1);
  }
}

// The beginning of QEMU's description of itself.
struct information {
  const char* target_name;
};

EXPORT int qemu_plugin_install(plugin_id id, const struct information* qemu, int count, char** words) {
  enum { known = sizeof(marks) / sizeof(marks[0]) };
  while (target < known && strcmp(marks[target].target, qemu->target_name) != 0) ++target;
  if (target == known) return 1;
  for (int i = 0; i < count; ++i)
    if (strncmp(words[i], "out=", 4) == 0) output = fopen(words[i] + 4, "w");
  if (!output) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
