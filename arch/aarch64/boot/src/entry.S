// The first instructions. Start is as the boot protocol of Linux says (Documentation/arch/arm64/booting.rst): MMU off,
// x0 = physical address of the device tree, EL1 or EL2, interrupts masked.
#include <arch_impl/asm_offsets.h>

#include "aarch64/translation.h"

  .section .text.boot, "ax"
  .globl _head
_head:
  b primary_entry
  .long 0
  .quad 0                                 // distance from a multiple of 2 MiB
  .quad kernel_image_size
  .quad 0xa                               // little-endian, 4 KiB pages, anywhere in memory
  .quad 0, 0, 0
  .ascii "ARM\x64"
  .long 0

  .balign 64
primary_entry:
  mov x19, x0
  bl leave_hypervisor_level
  adrp x20, _head                         // physical start of the image

  // Tables: 0 root and 1 first level of the identity map, 2 root, 3 first and 4, 5 second level of the kernel's;
  // 6 is a root that stays empty.
  adrp x0, boot_page_tables
  add x1, x0, #7 * 4096
1:stp xzr, xzr, [x0], #16
  cmp x0, x1
  b.lo 1b
  adrp x0, boot_page_tables
  add x1, x0, #4096
  // The identity map has 512 GiB around the image in leaves of 1 GiB: normal memory where the image and the device tree
  // are, else device memory that cannot be executed.
  lsr x2, x20, #39
  and x3, x2, #511
  orr x4, x1, #3
  str x4, [x0, x3, lsl #3]
  lsl x2, x2, #39
  movz x5, #0x0c11                        // leaf, attribute 4, accessed, not global
  movk x5, #0x0060, lsl #48               // execute never
  orr x5, x5, x2
  mov x6, #0
  mov x9, #1 << 30
2:str x5, [x1, x6, lsl #3]
  add x5, x5, x9
  add x6, x6, #1
  cmp x6, #512
  b.lo 2b
  movz x7, #0x0f01                        // leaf, attribute 0, inner shareable, accessed, not global
  ubfx x6, x19, #30, #9
  and x8, x19, #~((1 << 30) - 1)
  orr x8, x8, x7
  str x8, [x1, x6, lsl #3]
  ubfx x6, x20, #30, #9
  and x8, x20, #~((1 << 30) - 1)
  orr x8, x8, x7
  str x8, [x1, x6, lsl #3]
  // Whatever the caches hold of the tables is older than what was just stored past them.
  mov x2, x0
  add x3, x0, #7 * 4096
  dmb sy
3:dc ivac, x2
  add x2, x2, #16
  cmp x2, x3
  b.lo 3b
  dsb sy

  add x1, x0, #2 * 4096
  bl translation_control
  mov x3, x2
  bl system_control
  bl enable_mmu

  adrp x21, boot_stack_top
  mov sp, x21
  mov x29, #0
  mov x0, x19
  mov x1, x20
  bl early_entry                          // -> distance to the final address
  adrp x16, start_at_final_address
  add x16, x16, :lo12:start_at_final_address
  add x16, x16, x0
  add x21, x21, x0
  br x16

start_at_final_address:
  hint #34                                // BTI c
  mov sp, x21
  mov x29, #0
  mov x30, #0
  mov x0, x19
  mov x1, x20
  b arch_start

// From EL2 to EL1; from EL1, nothing. Changes x0 to x2.
leave_hypervisor_level:
  ldr x0, =SYSTEM_CONTROL_OFF
  mrs x1, CurrentEL
  cmp x1, #8
  b.eq 1f
  msr sctlr_el1, x0
  isb
  ret
1:msr sctlr_el1, x0
  movz x0, #0x8000, lsl #16               // EL1 is AArch64
  movk x0, #0x300, lsl #32                // pointer authentication does not trap
  msr hcr_el2, x0
  isb
  mrs x0, midr_el1
  msr vpidr_el2, x0
  mrs x0, mpidr_el1
  msr vmpidr_el2, x0
  mov x0, #3                              // EL1 may read the counters and use the timer
  msr cnthctl_el2, x0
  msr cntvoff_el2, xzr
  mov x0, #0x33ff                         // floating point does not trap
  msr cptr_el2, x0
  mrs x0, id_aa64pfr0_el1
  ubfx x0, x0, #32, #4
  cbz x0, 3f
  mov x0, #0x32ff                         // nor do scalable vectors, of any length
  msr cptr_el2, x0
  isb
  mov x0, #0x1ff
  msr S3_4_C1_C2_0, x0                    // ZCR_EL2
3:msr hstr_el2, xzr
  msr vttbr_el2, xzr
  msr mdcr_el2, xzr
  mrs x0, id_aa64pfr0_el1
  ubfx x0, x0, #24, #4
  cbz x0, 2f
  mrs x0, S3_4_C12_C9_5                   // ICC_SRE_EL2: system registers of the interrupt controller, for EL1 too
  orr x0, x0, #8
  orr x0, x0, #1
  msr S3_4_C12_C9_5, x0
  isb
  msr S3_4_C12_C11_0, xzr                 // ICH_HCR_EL2
2:mov x0, #0x3c5                          // EL1 on its own stack, everything masked
  msr spsr_el2, x0
  msr elr_el2, x30
  eret

// x2 = TCR_EL1 for this CPU. Changes x3, x4.
translation_control:
  ldr x2, =TRANSLATION_CONTROL
  mrs x3, id_aa64mmfr0_el1
  and x3, x3, #15
  mov x4, #5                              // 48 bits: more need larger pages
  cmp x3, x4
  csel x3, x3, x4, lo
  bfi x2, x3, #TRANSLATION_CONTROL_SIZE_SHIFT, #3
  mrs x3, id_aa64mmfr1_el1
  and x3, x3, #15
  cbz x3, 1f
  orr x2, x2, #TRANSLATION_CONTROL_ACCESS_FLAG
  cmp x3, #2
  b.lo 1f
  orr x2, x2, #TRANSLATION_CONTROL_DIRTY_STATE
1:ret

// x4 = SCTLR_EL1 for this CPU. Changes x5.
system_control:
  ldr x4, =SYSTEM_CONTROL_ON
  mrs x5, id_aa64mmfr1_el1
  ubfx x5, x5, #20, #4
  cbz x5, 1f
  bic x4, x4, #SYSTEM_CONTROL_SPAN
1:ret

// x0, x1 = the two roots, x3 = TCR_EL1, x4 = SCTLR_EL1. Changes x5.
enable_mmu:
  ldr x5, =MEMORY_ATTRIBUTES
  msr mair_el1, x5
  msr tcr_el1, x3
  msr ttbr0_el1, x0
  msr ttbr1_el1, x1
  isb
  tlbi vmalle1
  ic iallu
  dsb nsh
  isb
  msr sctlr_el1, x4
  isb
  mov x5, #3 << 20                        // floating point for all
  msr cpacr_el1, x5
  isb
  ret

// A further CPU, started by the firmware with the MMU off. x0 = physical address of its SecondaryStart.
  .globl secondary_entry
secondary_entry:
  mov x19, x0
  bl leave_hypervisor_level
  adrp x0, boot_page_tables
  ldr x1, [x19, #SECONDARY_ROOT]
  ldr x20, [x19, #SECONDARY_STACK]
  ldr x21, [x19, #SECONDARY_LOCAL]
  ldr x16, [x19, #SECONDARY_ENTRY]
  bl translation_control
  mov x3, x2
  bl system_control
  bl enable_mmu
  mov sp, x20
  mov x18, x21
  msr tpidr_el1, x21
  mov x29, #0
  mov x30, #0
  br x16                                  // as a call would

// void arch_switch_kernel_root(root, address of this function's code in the identity map, an empty root): the tables of
// the kernel must not change under the processor's feet, so this happens where they are not used.
  .globl arch_switch_kernel_root
arch_switch_kernel_root:
  mov x9, x30
  mrs x10, daif
  msr daifset, #15
  adr x4, 1f
  adr x3, arch_switch_kernel_root
  sub x4, x4, x3
  add x1, x1, x4
  adr x11, 2f
  br x1
1:msr ttbr1_el1, x2
  isb
  tlbi vmalle1
  dsb nsh
  isb
  msr ttbr1_el1, x0
  isb
  br x11
2:hint #36                                // BTI j
  msr daif, x10
  ret x9

  .ltorg

  .section .boot_bss, "aw", @nobits
  .balign 4096
  .globl boot_page_tables
boot_page_tables:
  .skip 7 * 4096
  .globl boot_stack, boot_stack_top
boot_stack:
  .skip 4 * 4096
boot_stack_top:

  .section .note.GNU-stack, "", @progbits
