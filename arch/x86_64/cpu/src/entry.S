// The ways into the kernel and out of it.
//
// User code runs "inside" arch_enter_user(): its registers are stored in a UserRegisters, and the kernel stack stays where
// arch_enter_user() left it. TSS.RSP0 is the end of that UserRegisters, so the processor itself stores the interrupted
// program counter, flags and stack pointer at their place; the code here pushes the rest below them, then returns to the
// kernel stack as if arch_enter_user() had been an ordinary call.
//
// Kernel code that traps keeps its stack: a frame of the same form is pushed on it.
//
// NMI, double fault, machine check and debug traps run on stacks of their own, because they may come at any instruction,
// also where GS or the stack pointer are still the user's. The word above their stack's hardware frame is the address of
// the CPU's area.

#include <arch_impl/asm_offsets.h>

#define FRAME_ERROR USER_REGISTERS_ORIGINAL_RAX

// Pushes everything below original_rax except rdi, which the caller has stored.
.macro PUSH_REGISTERS_BELOW_RDI path
  pushq %rsi
  pushq %rdx
  pushq %rcx
  pushq %rax
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushq $\path
.endm

// From r15 on; the stack pointer is at r15.
.macro POP_REGISTERS
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rax
  popq %rcx
  popq %rdx
  popq %rsi
  popq %rdi
.endm

// A trap keeps the user access window (or the program's own AC flag) open: shut it.
.macro CLOSE_USER_WINDOW
779:clac
  .pushsection smap_sites, "a"
  .long 779b - .
  .popsection
.endm

  .section .text.entry, "ax"

// UserEvent in %ecx: arch_enter_user(UserRegisters* registers in %rdi). Changes every register but %rbp and %rsp. The switch to
// this thread, or arch_enter_user_slow() in its first call, has set TSS.RSP0.
  .balign 64
  .globl arch_enter_user
  .type arch_enter_user, @function
arch_enter_user:
  pushq %rbp
  cli
  cmpl $0, %gs:CPU_LOCAL_PREEMPT_COUNT
  jns 2f                                  // a reschedule is wanted
  movq %gs:CPU_LOCAL_CURRENT_STATE, %rax
  cmpb $0, THREAD_STATE_USER_INTERRUPTION(%rax)
  jne 2f                                  // signals and the like
  movq %rsp, %gs:CPU_LOCAL_KERNEL_STACK
  cmpb $1, USER_REGISTERS_PATH(%rdi)
  leaq USER_REGISTERS_R15(%rdi), %rsp
  jne 1f
  POP_REGISTERS                           // %rcx and %r11 hold what SYSCALL put there: path says so
  movq 32(%rsp), %rsp
  swapgs
  sysretq

1:movq USER_REGISTERS_RIP(%rdi), %rax     // IRETQ must not trap: here is the last chance to refuse the address
  shrq $47, %rax
  jnz 3f
  POP_REGISTERS
  addq $8, %rsp
  swapgs
  iretq

2:movq %rsp, %rbp
  andq $-16, %rsp
  callq arch_enter_user_slow
  movl %eax, %ecx
  movq %rbp, %rsp
  popq %rbp
  retq

3:movq %gs:CPU_LOCAL_KERNEL_STACK, %rsp
  movq %rsp, %rbp
  andq $-16, %rsp
  callq arch_bad_program_counter
  movl %eax, %ecx
  movq %rbp, %rsp
  popq %rbp
  retq
  .size arch_enter_user, . - arch_enter_user

// SYSCALL: %rcx = return address, %r11 = flags; interrupts are off.
  .balign 64
  .globl arch_system_call_entry
  .type arch_system_call_entry, @function
arch_system_call_entry:
  swapgs
  movq %rsp, %gs:CPU_LOCAL_USER_STACK
  movq %gs:CPU_LOCAL_USER_FRAME, %rsp     // at rip; the selectors above it are as they always are
  movq %rcx, (%rsp)
  movq %r11, USER_REGISTERS_FLAGS-USER_REGISTERS_RIP(%rsp)
  pushq %rax
  pushq %rdi
  movq %gs:CPU_LOCAL_USER_STACK, %rdi
  movq %rdi, USER_REGISTERS_RSP-USER_REGISTERS_RIP+16(%rsp)
  PUSH_REGISTERS_BELOW_RDI 1
  movq %gs:CPU_LOCAL_KERNEL_STACK, %rsp
  xorl %ecx, %ecx                         // UserEvent::system_call
  popq %rbp
  sti
  retq
  .size arch_system_call_entry, . - arch_system_call_entry

// One stub for each vector: stores a missing error code and the vector.
  .balign 64
  .globl arch_trap_stubs
arch_trap_stubs:
  vector = 0
  .rept 256
  .balign 16
  .if vector == 8 || vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17 || vector == 21
  .else
  pushq $-1
  .endif
  pushq $vector
  .if vector == 2 || vector == 8 || vector == 18
  jmp special_trap
  .elseif vector == 1
  jmp debug_trap
  .else
  jmp trap
  .endif
  vector = vector + 1
  .endr
  .balign 16

// Stack: vector, error code, rip, cs, flags, rsp, ss
  .type trap, @function
trap:
  cld
  CLOSE_USER_WINDOW
  testb $3, 24(%rsp)
  jz 1f
  swapgs
trap_of_user:
  xchgq %rdi, (%rsp)
  PUSH_REGISTERS_BELOW_RDI 0
  movq FRAME_ERROR(%rsp), %rsi
  movq $-1, FRAME_ERROR(%rsp)
  movq %rsp, %rdx
  movq %gs:CPU_LOCAL_KERNEL_STACK, %rsp
  movq %rsp, %rbp
  andq $-16, %rsp
  callq arch_handle_user_trap
  movl %eax, %ecx
  movq %rbp, %rsp
  popq %rbp
  retq

1:xchgq %rdi, (%rsp)
  PUSH_REGISTERS_BELOW_RDI 0
  movq FRAME_ERROR(%rsp), %rsi
  movq %rsp, %rdx
  callq arch_handle_kernel_trap
  .globl arch_kernel_trap_return
arch_kernel_trap_return:
  addq $8, %rsp
  POP_REGISTERS
  addq $8, %rsp
  iretq
  .size trap, . - trap

// Debug traps of user code go the common way: the frame is moved to where the processor would have put it.
debug_trap:
  testb $3, 24(%rsp)
  jz special_trap
  cld
  CLOSE_USER_WINDOW
  swapgs
  pushq %rax
  movq %gs:CPU_LOCAL_TASK_RSP0, %rax
  subq $56, %rax
  popq 48-48(%rax)                        // user rax, for the moment where the vector goes
  addq $8, %rsp                           // vector
  popq 8(%rax)
  popq 16(%rax)
  popq 24(%rax)
  popq 32(%rax)
  popq 40(%rax)
  popq 48(%rax)
  movq %rax, %rsp
  popq %rax
  pushq $1
  jmp trap_of_user

  .type special_trap, @function
special_trap:
  cld
  CLOSE_USER_WINDOW
  CLOSE_USER_WINDOW
  xchgq %rdi, (%rsp)
  PUSH_REGISTERS_BELOW_RDI 0
  movq USER_REGISTERS_SIZE(%rsp), %rbx    // the CPU's area
  movl $0xc0000101, %ecx                  // GS base
  rdmsr
  movl %eax, %r12d
  movl %edx, %r13d
  movl %ebx, %eax
  movq %rbx, %rdx
  shrq $32, %rdx
  wrmsr
  movq FRAME_ERROR(%rsp), %rsi
  movq %rsp, %rdx
  callq arch_handle_special_trap
  movl $0xc0000101, %ecx
  movl %r12d, %eax
  movl %r13d, %edx
  wrmsr
  addq $8, %rsp
  POP_REGISTERS
  addq $8, %rsp
  iretq
  .size special_trap, . - special_trap

// core::Thread* arch_switch_stacks(ThreadState* from, ThreadState* to, core::Thread* previous)
  .globl arch_switch_stacks
  .type arch_switch_stacks, @function
arch_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  movq %rdx, %rax
  retq
  .size arch_switch_stacks, . - arch_switch_stacks

// First code of a thread: %rbx = entry, %r12 = argument, %rax = the thread that was left.
  .globl arch_thread_start
  .type arch_thread_start, @function
arch_thread_start:
  movq %rax, %rdi
  callq arch_thread_started
  sti
  movq %r12, %rdi
  callq *%rbx
  ud2
  .size arch_thread_start, . - arch_thread_start

  .section .note.GNU-stack, "", @progbits
