// The ways into the kernel and out of it.
//
// User code runs "inside" arch_enter_user(): its registers are stored in a UserRegisters, and the kernel stack stays where
// arch_enter_user() left it. The trap entry stores them there and then returns to the kernel stack as if arch_enter_user() had
// been an ordinary call.
//
// Kernel code that traps keeps its stack: a frame of the same form is put on it.
//
// tp is the address of the CPU's area while the kernel runs. sscratch is zero then, and holds that address while user code
// runs: this is how the one trap entry tells the two apart.

#include <arch_impl/asm_offsets.h>

// Register n lies at 8 * n. All but x0, sp, tp.
.macro FOR_EACH_REGISTER operation, base
  \operation x1, 8(\base)
  \operation x3, 24(\base)
  \operation x5, 40(\base)
  \operation x6, 48(\base)
  \operation x7, 56(\base)
  \operation x8, 64(\base)
  \operation x9, 72(\base)
  \operation x11, 88(\base)
  \operation x12, 96(\base)
  \operation x13, 104(\base)
  \operation x14, 112(\base)
  \operation x15, 120(\base)
  \operation x16, 128(\base)
  \operation x17, 136(\base)
  \operation x18, 144(\base)
  \operation x19, 152(\base)
  \operation x20, 160(\base)
  \operation x21, 168(\base)
  \operation x22, 176(\base)
  \operation x23, 184(\base)
  \operation x24, 192(\base)
  \operation x25, 200(\base)
  \operation x26, 208(\base)
  \operation x27, 216(\base)
  \operation x28, 224(\base)
  \operation x29, 232(\base)
  \operation x30, 240(\base)
  \operation x31, 248(\base)
.endm

// Faults from 1 KiB below the stack pointer to 7 KiB above it are the stack's own.
#define STACK_FAULT_BELOW 1024
#define STACK_FAULT_SHIFT 13

.macro PUSH_FRAME
  addi sp, sp, -16
  sd ra, 8(sp)
  sd s0, 0(sp)
  addi s0, sp, 16
.endm
.macro POP_FRAME
  ld ra, 8(sp)
  ld s0, 0(sp)
  addi sp, sp, 16
.endm

  .section .text.entry, "ax"

// UserEvent arch_enter_user(UserRegisters* registers). Changes every register but sp, s0 and tp.
  .balign 64
  .globl arch_enter_user
  .type arch_enter_user, @function
arch_enter_user:
  PUSH_FRAME
  csrci sstatus, STATUS_INTERRUPTS
  lw t0, CPU_LOCAL_PREEMPT_COUNT(tp)
  bgez t0, 1f                             // the highest bit is off: a reschedule is wanted
  ld t0, CPU_LOCAL_CURRENT_STATE(tp)
  lbu t0, THREAD_STATE_USER_INTERRUPTION(t0)
  bnez t0, 1f                             // signals and the like
  sd sp, CPU_LOCAL_KERNEL_STACK(tp)
  sd a0, CPU_LOCAL_USER_REGISTERS(tp)
  li t0, STATUS_PREVIOUS_SUPERVISOR
  csrc sstatus, t0
  li t0, STATUS_PREVIOUS_INTERRUPTS
  csrs sstatus, t0
  ld t0, USER_REGISTERS_PC(a0)
  csrw sepc, t0
  // A reservation that the program, or another one, made before must not survive.
  sc.d zero, t0, (a0)
  csrw sscratch, tp
  FOR_EACH_REGISTER ld, a0
  ld sp, USER_REGISTERS_SP(a0)
  ld tp, USER_REGISTERS_TP(a0)
  ld a0, USER_REGISTERS_A0(a0)
  sret

1:call arch_enter_user_slow
  POP_FRAME
  ret
  .size arch_enter_user, . - arch_enter_user

  .balign 64
  .globl arch_trap_entry
  .type arch_trap_entry, @function
arch_trap_entry:
  csrrw tp, sscratch, tp
  beqz tp, trap_of_kernel

  sd sp, CPU_LOCAL_INTERRUPTED_STACK(tp)
  ld sp, CPU_LOCAL_USER_REGISTERS(tp)
  FOR_EACH_REGISTER sd, sp
  sd a0, USER_REGISTERS_A0(sp)
  ld t0, CPU_LOCAL_INTERRUPTED_STACK(tp)
  csrrw t1, sscratch, zero
  csrr t2, sepc
  csrr t3, scause
  sd t0, USER_REGISTERS_SP(sp)
  sd t1, USER_REGISTERS_TP(sp)
  sd a0, USER_REGISTERS_ORIGINAL_A0(sp)
  li t4, 8                                // environment call
  bne t3, t4, 1f

  addi t2, t2, 4
  sd t2, USER_REGISTERS_PC(sp)
  sd a7, USER_REGISTERS_NUMBER(sp)
  ld sp, CPU_LOCAL_KERNEL_STACK(tp)
  li a0, 0                                // UserEvent::system_call
  POP_FRAME
  csrsi sstatus, STATUS_INTERRUPTS
  ret

1:sd t2, USER_REGISTERS_PC(sp)
  li t4, -1
  sd t4, USER_REGISTERS_NUMBER(sp)
  mv a0, t3
  csrr a1, stval
  mv a2, sp
  ld sp, CPU_LOCAL_KERNEL_STACK(tp)
  addi s0, sp, 16
  call arch_handle_user_trap
  POP_FRAME
  ret

trap_of_kernel:
  csrrw tp, sscratch, zero
  sd t0, CPU_LOCAL_SCRATCH(tp)
  sd sp, CPU_LOCAL_INTERRUPTED_STACK(tp)
  // The stack has overflowed if what faulted lies near its pointer: then nothing may be pushed there.
  csrr t0, stval
  sub t0, t0, sp
  addi t0, t0, STACK_FAULT_BELOW
  srli t0, t0, STACK_FAULT_SHIFT
  bnez t0, 1f
  ld sp, CPU_LOCAL_EMERGENCY_STACK(tp)
1:ld t0, CPU_LOCAL_SCRATCH(tp)
  addi sp, sp, -USER_REGISTERS_SIZE
  FOR_EACH_REGISTER sd, sp
  sd a0, USER_REGISTERS_A0(sp)
  ld t0, CPU_LOCAL_INTERRUPTED_STACK(tp)
  sd t0, USER_REGISTERS_SP(sp)
  sd tp, USER_REGISTERS_TP(sp)
  csrr t1, sepc
  sd t1, USER_REGISTERS_PC(sp)
  // The user access window may have been open.
  li t2, STATUS_USER_ACCESS
  csrrc t2, sstatus, t2
  sd t2, USER_REGISTERS_STATUS(sp)
  csrr a0, scause
  csrr a1, stval
  mv a2, sp
  call arch_handle_kernel_trap
  .globl arch_kernel_trap_return
arch_kernel_trap_return:
  // The thread may be on another CPU now: tp is not taken from the frame.
  ld t0, USER_REGISTERS_STATUS(sp)
  ld t1, USER_REGISTERS_PC(sp)
  csrw sstatus, t0
  csrw sepc, t1
  sc.d zero, t1, (sp)
  FOR_EACH_REGISTER ld, sp
  ld a0, USER_REGISTERS_A0(sp)
  ld sp, USER_REGISTERS_SP(sp)
  sret
  .size arch_trap_entry, . - arch_trap_entry

// core::Thread* arch_switch_stacks(ThreadState* from, ThreadState* to, core::Thread* previous)
  .globl arch_switch_stacks
  .type arch_switch_stacks, @function
arch_switch_stacks:
  addi sp, sp, -112
  sd ra, 104(sp)
  sd s0, 96(sp)
  sd s1, 88(sp)
  sd s2, 80(sp)
  sd s3, 72(sp)
  sd s4, 64(sp)
  sd s5, 56(sp)
  sd s6, 48(sp)
  sd s7, 40(sp)
  sd s8, 32(sp)
  sd s9, 24(sp)
  sd s10, 16(sp)
  sd s11, 8(sp)
  sd sp, 0(a0)
  ld sp, 0(a1)
  ld ra, 104(sp)
  ld s0, 96(sp)
  ld s1, 88(sp)
  ld s2, 80(sp)
  ld s3, 72(sp)
  ld s4, 64(sp)
  ld s5, 56(sp)
  ld s6, 48(sp)
  ld s7, 40(sp)
  ld s8, 32(sp)
  ld s9, 24(sp)
  ld s10, 16(sp)
  ld s11, 8(sp)
  addi sp, sp, 112
  mv a0, a2
  ret
  .size arch_switch_stacks, . - arch_switch_stacks

// First code of a thread: s1 = entry, s2 = argument, a0 = the thread that was left.
  .globl arch_thread_start
  .type arch_thread_start, @function
arch_thread_start:
  call arch_thread_started
  csrsi sstatus, STATUS_INTERRUPTS
  mv a0, s2
  jalr s1
  unimp
  .size arch_thread_start, . - arch_thread_start

// A hart that begins: a0 = its number, a1 = physical address of its SecondaryStart, translation off. Loading satp makes the next
// fetch fault, since nothing is mapped where this code lies physically; the trap goes to where we want to be.
  .balign 4
  .globl arch_secondary_entry
  .type arch_secondary_entry, @function
arch_secondary_entry:
  csrw sie, zero
  csrci sstatus, STATUS_INTERRUPTS
  ld t0, SECONDARY_SATP(a1)
  ld t1, SECONDARY_ENTRY(a1)
  ld tp, SECONDARY_LOCAL(a1)
  ld sp, SECONDARY_STACK(a1)
  csrw stvec, t1
  sfence.vma
  csrw satp, t0
  .balign 4
  .globl arch_secondary_mapped
arch_secondary_mapped:
  sfence.vma
  li s0, 0
  call arch_secondary_start
  unimp
  .size arch_secondary_entry, . - arch_secondary_entry

  .section .note.GNU-stack, "", @progbits
