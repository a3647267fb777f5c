// The ways into the kernel and out of it.
//
// User code runs "inside" arch_enter_user(): SP_EL1 is the address of its UserRegisters, where the trap stores the
// registers; then the code here returns to the kernel stack as if arch_enter_user() had been an ordinary call.
//
// Kernel code that traps keeps its stack: a frame of the same form is pushed on it. SP_EL0, which the kernel does not
// use, is the scratch register of that path.
//
// Return addresses are signed with key A (aarch64/pointer_keys.h): the program's between the end of arch_enter_user() and
// LEAVE_USER, the kernel's everywhere else. C++ that runs on either side of such a change must not be left on the other.

#include <arch_impl/asm_offsets.h>

#include "thread_offsets.h"

#define FRAME_SIZE USER_REGISTERS_SIZE

#define BTI_C hint #34
#define PACIASP hint #25
#define AUTIASP hint #29
#define APIA_KEY_LOW S3_0_C2_C1_0
#define APIA_KEY_HIGH S3_0_C2_C1_1
#define SIGN_WITH_KEY_A 31                // bit of SCTLR_EL1

.macro STORE_REGISTERS_0_TO_29
  stp x0, x1, [sp, #0]
  stp x2, x3, [sp, #16]
  stp x4, x5, [sp, #32]
  stp x6, x7, [sp, #48]
  stp x8, x9, [sp, #64]
  stp x10, x11, [sp, #80]
  stp x12, x13, [sp, #96]
  stp x14, x15, [sp, #112]
  stp x16, x17, [sp, #128]
  stp x18, x19, [sp, #144]
  stp x20, x21, [sp, #160]
  stp x22, x23, [sp, #176]
  stp x24, x25, [sp, #192]
  stp x26, x27, [sp, #208]
  stp x28, x29, [sp, #224]
.endm

// All but x18, which differs: see the users.
.macro LOAD_REGISTERS_0_TO_29
  ldp x0, x1, [sp, #0]
  ldp x2, x3, [sp, #16]
  ldp x4, x5, [sp, #32]
  ldp x6, x7, [sp, #48]
  ldp x8, x9, [sp, #64]
  ldp x10, x11, [sp, #80]
  ldp x12, x13, [sp, #96]
  ldp x14, x15, [sp, #112]
  ldp x16, x17, [sp, #128]
  ldr x19, [sp, #152]
  ldp x20, x21, [sp, #160]
  ldp x22, x23, [sp, #176]
  ldp x24, x25, [sp, #192]
  ldp x26, x27, [sp, #208]
  ldp x28, x29, [sp, #224]
.endm

  .section .text.entry, "ax"

// ---- The vectors: sixteen of 128 bytes ----

.macro VECTOR target
  .balign 128
  b \target
.endm

  .balign 2048
  .globl arch_vectors
arch_vectors:
  // Kernel code on SP_EL0: never.
  VECTOR bad_trap
  VECTOR bad_trap
  VECTOR bad_trap
  VECTOR bad_trap
  VECTOR kernel_synchronous
  VECTOR kernel_interrupt
  VECTOR bad_trap
  VECTOR kernel_error
  VECTOR user_synchronous
  VECTOR user_interrupt
  VECTOR bad_user_trap
  VECTOR user_error
  // 32-bit user code: never.
  VECTOR bad_user_trap
  VECTOR bad_user_trap
  VECTOR bad_user_trap
  VECTOR bad_user_trap

// ---- User code ----

// UserEvent arch_enter_user(UserRegisters* registers in x0). Changes every register but x29 and sp.
  .balign 64
  .globl arch_enter_user
  .type arch_enter_user, @function
arch_enter_user:
  PACIASP
  stp x29, x30, [sp, #-16]!
  mov x29, sp
  msr daifset, #2
  ldr w1, [x18, #CPU_LOCAL_NO_RESCHEDULE]
  cbz w1, 1f
  ldr x2, [x18, #CPU_LOCAL_CURRENT_STATE]
  ldrb w1, [x2, #THREAD_STATE_USER_INTERRUPTION]
  cbnz w1, 1f                             // interrupt_user(): stays until it is answered here
  mov x3, sp
  str x3, [x18, #CPU_LOCAL_KERNEL_STACK]
  ldr x3, [x18, #CPU_LOCAL_KERNEL_KEY + 8]
  cbz x3, 2f
  ldp x3, x4, [x2, #THREAD_STATE_KEYS]
  ldrb w5, [x2, #THREAD_STATE_ENABLED_KEYS]
  msr APIA_KEY_LOW, x3
  msr APIA_KEY_HIGH, x4
  tbz w5, #0, 3f
2:ldp x1, x2, [x0, #USER_REGISTERS_SP]
  ldr x3, [x0, #USER_REGISTERS_PSTATE]
  msr sp_el0, x1
  msr elr_el1, x2
  msr spsr_el1, x3
  mov sp, x0
  LOAD_REGISTERS_0_TO_29
  ldr x18, [sp, #144]
  ldr x30, [sp, #USER_REGISTERS_X30]
  eret
1:bl arch_enter_user_slow
  ldp x29, x30, [sp], #16
  AUTIASP
  ret
3:mrs x3, sctlr_el1
  bic x3, x3, #1 << SIGN_WITH_KEY_A
  msr sctlr_el1, x3                       // from the ERET on
  b 2b
  .size arch_enter_user, . - arch_enter_user

// Registers into UserRegisters, then to the kernel stack; x0 = UserRegisters.
.macro LEAVE_USER
  STORE_REGISTERS_0_TO_29
  mrs x1, sp_el0
  stp x30, x1, [sp, #USER_REGISTERS_X30]
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x2, x3, [sp, #USER_REGISTERS_PC]
  mrs x18, tpidr_el1
  mov x0, sp
  ldr x1, [x18, #CPU_LOCAL_KERNEL_STACK]
  mov sp, x1
  mov x29, sp
  ldp x2, x3, [x18, #CPU_LOCAL_KERNEL_KEY]
  cbz x3, 771f
  msr APIA_KEY_LOW, x2
  msr APIA_KEY_HIGH, x3
  mrs x2, sctlr_el1
  tbnz x2, #SIGN_WITH_KEY_A, 772f
  orr x2, x2, #1 << SIGN_WITH_KEY_A
  msr sctlr_el1, x2
772:isb
771:
.endm

.macro RETURN_FROM_ENTER_USER
  ldp x29, x30, [sp], #16
  AUTIASP
  ret
.endm

  .balign 64
user_synchronous:
  LEAVE_USER
  mrs x1, esr_el1
  lsr x2, x1, #26
  cmp x2, #0x15                           // SVC
  b.ne 1f
  ldr x2, [x0, #0]
  ldrsw x3, [x0, #64]                     // w8
  stp x2, x3, [x0, #USER_REGISTERS_ORIGINAL_X0]
  ldr w4, [x18, #CPU_LOCAL_VECTORS_ALLOWED]
  cbnz w4, 2f
3:msr daifclr, #2
  mov x0, #0                              // UserEvent::system_call
  RETURN_FROM_ENTER_USER
2:bl arch_drop_vectors
  b 3b
1:bl arch_handle_user_trap
  RETURN_FROM_ENTER_USER

user_interrupt:
  LEAVE_USER
  bl arch_handle_user_interrupt
  RETURN_FROM_ENTER_USER

user_error:
  LEAVE_USER
  mrs x1, esr_el1
  bl arch_handle_error
  RETURN_FROM_ENTER_USER

bad_user_trap:
  LEAVE_USER
  mrs x1, esr_el1
  bl arch_bad_trap

// ---- Kernel code ----

.macro ENTER_FROM_KERNEL
  // The stack first: when it is full, storing would trap again.
  msr sp_el0, x0
  sub sp, sp, #FRAME_SIZE
  ldr x0, [x18, #CPU_LOCAL_STACK_LIMIT]
  sub x0, sp, x0
  tbnz x0, #63, stack_overflow
  mrs x0, sp_el0
  STORE_REGISTERS_0_TO_29
  add x1, sp, #FRAME_SIZE
  stp x30, x1, [sp, #USER_REGISTERS_X30]
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x2, x3, [sp, #USER_REGISTERS_PC]
  // A frame for back traces, in the words that only system calls use.
  stp x29, x2, [sp, #USER_REGISTERS_ORIGINAL_X0]
  add x29, sp, #USER_REGISTERS_ORIGINAL_X0
  mov x0, sp
.endm

// x18 stays: it is this CPU's, and the thread may have come from another.
.macro RETURN_TO_KERNEL
  ldp x2, x3, [sp, #USER_REGISTERS_PC]
  msr elr_el1, x2
  msr spsr_el1, x3
  LOAD_REGISTERS_0_TO_29
  ldr x30, [sp, #USER_REGISTERS_X30]
  add sp, sp, #FRAME_SIZE
  eret
.endm

kernel_synchronous:
  ENTER_FROM_KERNEL
  mrs x1, esr_el1
  bl arch_handle_kernel_trap
  RETURN_TO_KERNEL

kernel_interrupt:
  ENTER_FROM_KERNEL
  bl arch_handle_kernel_interrupt
  RETURN_TO_KERNEL

kernel_error:
  ENTER_FROM_KERNEL
  mrs x1, esr_el1
  bl arch_handle_error
  RETURN_TO_KERNEL

bad_trap:
  ENTER_FROM_KERNEL
  mrs x1, esr_el1
  bl arch_bad_trap

stack_overflow:
  add x0, sp, #FRAME_SIZE                 // what the stack pointer was
  msr tpidrro_el0, x0
  movz x0, #0xffff, lsl #48               // no limit on this stack
  str x0, [x18, #CPU_LOCAL_STACK_LIMIT]
  ldr x0, [x18, #CPU_LOCAL_EMERGENCY_STACK]
  sub sp, x0, #FRAME_SIZE
  mrs x0, sp_el0
  STORE_REGISTERS_0_TO_29
  mrs x1, tpidrro_el0
  stp x30, x1, [sp, #USER_REGISTERS_X30]
  mrs x2, elr_el1
  mrs x3, spsr_el1
  stp x2, x3, [sp, #USER_REGISTERS_PC]
  mov x0, sp
  mrs x1, esr_el1
  bl arch_stack_overflow

// ---- Threads ----

// core::Thread* arch_switch_stacks(ThreadState* from, ThreadState* to, core::Thread* previous)
  .globl arch_switch_stacks
  .type arch_switch_stacks, @function
arch_switch_stacks:
  PACIASP
  stp x29, x30, [sp, #-96]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  mov x9, sp
  str x9, [x0, #THREAD_STATE_STACK_POINTER]
  ldp x9, x10, [x1, #THREAD_STATE_STACK_POINTER]
  str x10, [x18, #CPU_LOCAL_STACK_LIMIT]
  mov sp, x9
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #96
  mov x0, x2
  AUTIASP
  ret
  .size arch_switch_stacks, . - arch_switch_stacks

// First code of a thread: x19 = entry, x20 = argument, x0 = the thread that was left.
  .globl arch_thread_start
  .type arch_thread_start, @function
arch_thread_start:
  bl arch_thread_started
  msr daifclr, #2
  mov x0, x20
  blr x19
  brk #1
  .size arch_thread_start, . - arch_thread_start

// void arch_start_signing(low x0, high x1): this CPU signs from now on with that key. Whoever calls it must never return.
  .globl arch_start_signing
  .type arch_start_signing, @function
arch_start_signing:
  BTI_C
  msr APIA_KEY_LOW, x0
  msr APIA_KEY_HIGH, x1
  mrs x0, sctlr_el1
  orr x0, x0, #1 << SIGN_WITH_KEY_A
  msr sctlr_el1, x0
  isb
  ret
  .size arch_start_signing, . - arch_start_signing

// uint64_t arch_sign(address x0, modifier x1)
  .globl arch_sign
  .type arch_sign, @function
arch_sign:
  BTI_C
  mov x17, x0
  mov x16, x1
  hint #8                                 // PACIA1716
  mov x0, x17
  ret
  .size arch_sign, . - arch_sign

// void arch_save_floating_point(FloatingPointState*), arch_load_floating_point(const FloatingPointState*)
  .arch_extension fp
  .arch_extension simd
  .globl arch_save_floating_point
arch_save_floating_point:
  stp q0, q1, [x0, #0]
  stp q2, q3, [x0, #32]
  stp q4, q5, [x0, #64]
  stp q6, q7, [x0, #96]
  stp q8, q9, [x0, #128]
  stp q10, q11, [x0, #160]
  stp q12, q13, [x0, #192]
  stp q14, q15, [x0, #224]
  stp q16, q17, [x0, #256]
  stp q18, q19, [x0, #288]
  stp q20, q21, [x0, #320]
  stp q22, q23, [x0, #352]
  stp q24, q25, [x0, #384]
  stp q26, q27, [x0, #416]
  stp q28, q29, [x0, #448]
  stp q30, q31, [x0, #480]
  mrs x1, fpsr
  mrs x2, fpcr
  str w1, [x0, #512]
  str w2, [x0, #516]
  ret

  .globl arch_load_floating_point
arch_load_floating_point:
  ldp q0, q1, [x0, #0]
  ldp q2, q3, [x0, #32]
  ldp q4, q5, [x0, #64]
  ldp q6, q7, [x0, #96]
  ldp q8, q9, [x0, #128]
  ldp q10, q11, [x0, #160]
  ldp q12, q13, [x0, #192]
  ldp q14, q15, [x0, #224]
  ldp q16, q17, [x0, #256]
  ldp q18, q19, [x0, #288]
  ldp q20, q21, [x0, #320]
  ldp q22, q23, [x0, #352]
  ldp q24, q25, [x0, #384]
  ldp q26, q27, [x0, #416]
  ldp q28, q29, [x0, #448]
  ldp q30, q31, [x0, #480]
  ldr w1, [x0, #512]
  ldr w2, [x0, #516]
  msr fpsr, x1
  msr fpcr, x2
  ret

  .section .note.GNU-stack, "", @progbits
