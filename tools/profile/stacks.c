// A plugin of QEMU: how many instructions were executed in which calls of the kernel, in one interval between
// marks (plugin.h).
//
//   qemu-system-x86_64 -plugin file=stacks.so,out=FILE,interval=NUMBER ...
//
// Output: a line "COUNT ADDRESS;ADDRESS;..." (decimal, hexadecimal) for each chain of calls: where each
// function of it begins, the outermost first, and at last a block of instructions that was executed there.
// Programs are the chain "0".
//
// Calls are known by the word of the stack that holds the return address: it names the caller when the return
// reads it, whatever thread had the CPU in between. So this is for processors that keep return addresses
// there: x86-64. For one CPU.
#include "plugin.h"

struct block {
  uint64_t start;
  uint64_t instructions;
};

// A function, called in the chain that `parent` is the end of.
enum { most_nodes = 1 << 17, program = 0, outermost = 1 };
static struct {
  uint32_t parent;
  uint64_t function;
} nodes[most_nodes];
static uint32_t node_count = 2;
static uint32_t current;

// Hash tables by two numbers, with open addressing.
struct entry {
  uint64_t first, second;
  uint64_t value;
};
enum { entries = 1 << 18 };
static struct entry children[entries], callers[entries], samples[entries];
static bool is_full;

static struct entry* find(struct entry* table, uint64_t first, uint64_t second) {
  uint64_t at = ((first * 0x9e3779b97f4a7c15u) ^ (second * 0xc2b2ae3d27d4eb4fu)) >> 46;
  for (unsigned tries = 0; tries < entries; ++tries, at = (at + 1) % entries) {
    struct entry* found = &table[at];
    if (!found->first && !found->second) {
      found->first = first;
      found->second = second;
      return found;
    }
    if (found->first == first && found->second == second) return found;
  }
  is_full = true;
  return &table[0];
}

static uint32_t child(uint32_t parent, uint64_t function) {
  struct entry* found = find(children, parent, function);
  if (!found->value && node_count < most_nodes) {
    nodes[node_count].parent = parent;
    nodes[node_count].function = function;
    found->value = node_count++;
  }
  if (!found->value) is_full = true;
  return (uint32_t)found->value;
}

static unsigned interval, wanted;
static FILE* output;

// The last instruction was this, and where in memory it was last.
enum kind { other_kind, call_kind, return_kind };
static enum kind last;
static uint64_t word;

static void on_call(unsigned cpu, void* argument) {
  (void)cpu, (void)argument;
  last = call_kind;
}
static void on_return(unsigned cpu, void* argument) {
  (void)cpu, (void)argument;
  last = return_kind;
}
// QEMU may go on to report accesses of later instructions: those do not count. Of a call through memory the
// last one is the return address.
static void on_access(unsigned cpu, uint32_t information, uint64_t address, void* argument) {
  (void)cpu, (void)information, (void)argument;
  if (last != other_kind) word = address;
}

static void on_block(unsigned cpu, void* argument) {
  (void)cpu;
  enum kind before = last;
  last = other_kind;
  if (interval != wanted) return;
  const struct block* block = argument;
  if (!(block->start >> 63)) {
    current = program;
  } else if (current == program) {
    current = child(outermost, block->start);  // a system call or a trap
  } else if (before == call_kind) {
    find(callers, word, 0)->value = current;
    current = child(current, block->start);
  } else if (before == return_kind) {
    uint32_t caller = (uint32_t)find(callers, word, 0)->value;
    current = caller ? caller : outermost;  // none: who called did so before the interval
  }
  find(samples, current + (uint64_t)1, current == program ? 0 : block->start)->value += block->instructions;
}

static void print_chain(uint32_t node) {
  if (node == program || node == outermost) return;
  print_chain(nodes[node].parent);
  fprintf(output, "%" PRIx64 ";", nodes[node].function);
}

static void end_interval(unsigned cpu, void* argument) {
  (void)cpu, (void)argument;
  if (interval++ != wanted) return;
  for (size_t i = 0; i < entries; ++i) {
    if (!samples[i].value) continue;
    fprintf(output, "%" PRIu64 " ", samples[i].value);
    print_chain((uint32_t)samples[i].first - 1);
    fprintf(output, "%" PRIx64 "\n", samples[i].second);
  }
  if (is_full) fprintf(output, "full\n");
  fclose(output);
}

// CALL to a place or by a register or word, RET: behind the prefixes that they are seen with.
static enum kind kind_of(const struct qemu_plugin_insn* instruction) {
  const unsigned char* bytes = qemu_plugin_insn_data(instruction);
  size_t size = qemu_plugin_insn_size(instruction), at = 0;
  while (at + 1 < size &&
         (bytes[at] == 0xf2 || bytes[at] == 0xf3 || bytes[at] == 0x3e || (bytes[at] & 0xf0) == 0x40))
    ++at;
  if (bytes[at] == 0xe8) return call_kind;
  if (bytes[at] == 0xc3 || bytes[at] == 0xc2) return return_kind;
  return bytes[at] == 0xff && at + 1 < size && (bytes[at + 1] >> 3 & 7) == 2 ? call_kind : other_kind;
}

static void translated(plugin_id id, struct qemu_plugin_tb* translation) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(translation);
  struct block* block = malloc(sizeof(*block));
  if (!block) abort();
  block->start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(translation, 0));
  block->instructions = count;
  qemu_plugin_register_vcpu_tb_exec_cb(translation, on_block, 0, block);
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(translation, i);
    if (is_mark(instruction)) qemu_plugin_register_vcpu_insn_exec_cb(instruction, end_interval, 0, NULL);
    if (!(block->start >> 63)) continue;
    enum kind kind = kind_of(instruction);
    if (kind == other_kind) continue;
    qemu_plugin_register_vcpu_insn_exec_cb(instruction, kind == call_kind ? on_call : on_return, 0, NULL);
    qemu_plugin_register_vcpu_mem_cb(instruction, on_access, 0, reads_and_writes, NULL);
  }
}

EXPORT int qemu_plugin_install(plugin_id id, const struct information* qemu, int count, char** words) {
  if (!know_target(qemu) || strcmp(qemu->target_name, "x86_64") != 0) return 1;
  for (int i = 0; i < count; ++i) {
    if (strncmp(words[i], "out=", 4) == 0) output = fopen(words[i] + 4, "w");
    if (strncmp(words[i], "interval=", 9) == 0) wanted = (unsigned)atoi(words[i] + 9);
  }
  if (!output) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
