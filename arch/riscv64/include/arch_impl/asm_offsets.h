// Numbers that C++ and assembly share; static_assert ties each to the structure it comes from.
#pragma once

// CpuLocal. The preemption count is first: atomic instructions take no offset.
#define CPU_LOCAL_PREEMPT_COUNT 0
#define CPU_LOCAL_CPU_INDEX 4
#define CPU_LOCAL_OFFSET 8
#define CPU_LOCAL_CURRENT_THREAD 16
#define CPU_LOCAL_KERNEL_STACK 24
#define CPU_LOCAL_INTERRUPTED_STACK 32
#define CPU_LOCAL_USER_REGISTERS 40
#define CPU_LOCAL_CURRENT_STATE 48
#define CPU_LOCAL_SCRATCH 56
#define CPU_LOCAL_EMERGENCY_STACK 64

#define PREEMPT_NO_RESCHEDULE 0x80000000

// UserRegisters: register n lies at 8 * n, the program counter in the place of x0.
#define USER_REGISTERS_PC 0
#define USER_REGISTERS_SP 16
#define USER_REGISTERS_TP 32
#define USER_REGISTERS_A0 80
#define USER_REGISTERS_ORIGINAL_A0 256
#define USER_REGISTERS_NUMBER 264
#define USER_REGISTERS_STATUS 272
#define USER_REGISTERS_SIZE 288

// ThreadState
#define THREAD_STATE_USER_INTERRUPTION 20

// sstatus
#define STATUS_INTERRUPTS 0x2
#define STATUS_PREVIOUS_INTERRUPTS 0x20
#define STATUS_PREVIOUS_SUPERVISOR 0x100
#define STATUS_UNIT_CLEAN 0x4000
#define STATUS_UNIT_DIRTY 0x6000
#define STATUS_USER_ACCESS 0x40000

// What the hart that starts finds in memory (cpu/src/smp.cpp).
#define SECONDARY_SATP 0
#define SECONDARY_ENTRY 8
#define SECONDARY_LOCAL 16
#define SECONDARY_STACK 24
