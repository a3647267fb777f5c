// What the plugins of QEMU in this folder share: the declarations of QEMU's interface that they use, since
// the packages do not have its header, and the marks that the guest's program sets (mark() in
// tests/benchmark/arch/*/ticks.h).
#pragma once

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
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn* instruction,
                                            void (*function)(unsigned, void*), int flags, void* argument);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn* instruction, int operation,
                                                void* counter, uint64_t summand);

enum { reads_and_writes = 3 };
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn* instruction,
                                      void (*function)(unsigned, uint32_t, uint64_t, void*), int flags,
                                      int accesses, void* argument);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* block, void (*function)(unsigned, void*),
                                          int flags, void* argument);

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

static bool is_mark(const struct qemu_plugin_insn* instruction) {
  return qemu_plugin_insn_size(instruction) == marks[target].size &&
         memcmp(qemu_plugin_insn_data(instruction), marks[target].bytes, marks[target].size) == 0;
}

// The beginning of QEMU's description of itself.
struct information {
  const char* target_name;
};

// Whether the guest is one whose marks are known.
static bool know_target(const struct information* qemu) {
  enum { known = sizeof(marks) / sizeof(marks[0]) };
  while (target < known && strcmp(marks[target].target, qemu->target_name) != 0) ++target;
  return target < known;
}
