// The first instructions: a0 = number of this hart, a1 = physical address of the device tree, translation off, at whatever
// multiple of 2 MiB the loader chose. Only addresses relative to the program counter are right.

#include <arch_impl/asm_offsets.h>
#include "riscv64/secondary_block.h"

  .section .text.boot, "ax"
  .option norvc
  .globl image_header
image_header:
  // Linux's Documentation/arch/riscv/boot-image-header.rst
  j first_instruction
  .word 0
  .quad 0x200000                          // where in memory the loader should put it
  .quad kernel_image_size
  .quad 0                                 // flags: little endian
  .word 2                                 // version 0.2
  .word 0
  .quad 0
  .ascii "RISCV\0\0\0"
  .ascii "RSC\x05"
  .word 0

  .option rvc
first_instruction:
  csrw sie, zero
  csrci sstatus, STATUS_INTERRUPTS
  // Only the first one boots.
  lla t0, boot_hart_came
  li t1, 1
  amoswap.w.aq t1, t1, (t0)
  bnez t1, late_hart
  mv s1, a0
  mv s2, a1

  lla t0, __bss_start
  lla t1, __bss_end
1:sd zero, 0(t0)
  addi t0, t0, 8
  bltu t0, t1, 1b
  lla t0, boot_page_tables
  lla t1, boot_page_tables_end
2:sd zero, 0(t0)
  addi t0, t0, 8
  bltu t0, t1, 2b

  // early_entry(device tree, physical start of the image) -> distance from there to the final address. Comes back with
  // translation on, still at the physical address.
  lla sp, boot_stack_top
  li s0, 0
  li tp, 0
  mv a0, s2
  lla a1, image_header
  call early_entry
  lla t0, start_kernel_at_final_address
  add t0, t0, a0
  jr t0

  // A hart that should have begun in arch_secondary_entry: firmware (OpenSBI before 1.3) may let a hart go while its starting
  // address is still being written, and it comes here. It goes there once it is wanted.
late_hart:
  lla a1, arch_secondary_block
3:ld t0, SECONDARY_HART(a1)
  beq t0, a0, 4f
  .4byte 0x0100000f                       // pause
  j 3b
4:fence r, rw
  tail arch_secondary_entry

start_kernel_at_final_address:
  lla sp, boot_stack_top
  mv a0, s1
  mv a1, s2
  call arch_start
  unimp

  .section .data, "aw"
  .balign 4
boot_hart_came:
  .word 0

  .section .boot_bss, "aw", @nobits
  .balign 4096
  .globl boot_page_tables, boot_page_tables_end
boot_page_tables:
  .skip 5 * 4096                          // early.cpp
boot_page_tables_end:
  .globl boot_stack, boot_stack_top
boot_stack:
  .skip 4 * 4096
boot_stack_top:

  .section .note.GNU-stack, "", @progbits
