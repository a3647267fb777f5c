// Where a starting CPU begins: in real mode, at the start of a page below 1 MiB into which this code has been copied
// (smp.cpp). The words from secondary_trampoline_data on are filled in for each CPU.

#include <arch_impl/asm_offsets.h>

#define AT(symbol) (symbol - secondary_trampoline)

  .section .rodata.trampoline, "a"
  .balign 16
  .globl secondary_trampoline, secondary_trampoline_data, secondary_trampoline_end
  .code16
secondary_trampoline:
  cli
  cld
  movw %cs, %ax
  movw %ax, %ds
  movl AT(trampoline_address), %ebx
  lgdtl AT(trampoline_gdt_pointer)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl *AT(trampoline_jump32)

  .code32
trampoline32:
  movw $0x18, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $0x20, %eax                  // PAE
  movl %eax, %cr4
  movl AT(trampoline_root)(%ebx), %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x900, %eax                  // long mode, no-execute
  wrmsr
  movl $0x80010033, %eax
  movl %eax, %cr0
  ljmpl *AT(trampoline_jump64)(%ebx)

  .code64
trampoline64:
  movl %ebx, %ebx
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  movq AT(trampoline_stack)(%rbx), %rsp
  movl $0xc0000101, %ecx            // GS base
  movl AT(trampoline_local)(%rbx), %eax
  movl (AT(trampoline_local) + 4)(%rbx), %edx
  wrmsr
  xorl %ebp, %ebp
  pushq $0
  pushq $0
  jmpq *AT(trampoline_entry)(%rbx)

  .balign 16
trampoline_gdt:
  .quad 0
  .quad 0x00cf9b000000ffff          // 0x08: 32-bit code
  .quad 0x00af9b000000ffff          // 0x10: 64-bit code
  .quad 0x00cf93000000ffff          // 0x18: data
trampoline_gdt_end:

  .balign 16
secondary_trampoline_data:          // struct TrampolineData
trampoline_gdt_pointer:
  .word trampoline_gdt_end - trampoline_gdt - 1
  .long AT(trampoline_gdt)          // + address
  .word 0
trampoline_jump32:
  .long AT(trampoline32)            // + address
  .word 0x08
  .word 0
trampoline_jump64:
  .long AT(trampoline64)            // + address
  .word 0x10
  .word 0
trampoline_address:
  .long 0
trampoline_root:
  .long 0
trampoline_stack:
  .quad 0
trampoline_local:
  .quad 0
trampoline_entry:
  .quad 0
secondary_trampoline_end:

  .section .note.GNU-stack, "", @progbits
