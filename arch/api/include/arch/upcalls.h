// What the architecture calls in the layers above: they implement these, and include this header to be
// checked against it.
#pragma once

#include <cstdint>

#include <arch/user.h>

namespace core {
class Thread;

// core/time. The timer set with arch::set_timer() has expired. Hard interrupt context.
void timer_interrupt();

// core/sched. An interrupt of kernel code ends, the preemption count is zero and a reschedule is wanted.
// Interrupts are off on entry and on return; the function may switch threads.
void preempt_from_interrupt();
// core/sched. enter_user() found that a reschedule is wanted. Interrupts off on entry and on return; may
// switch threads.
void prepare_to_enter_user();
// core/sched. First thing on the stack of a new thread, interrupts off; `previous` is the thread that was
// left for it.
void thread_starts(Thread* previous);
// core/sched. A CPU other than the first is ready: becomes its idle thread. Interrupts off, preemption count
// as at boot. The CPU runs on a stack that will be that of the idle thread.
[[noreturn]] void secondary_cpu_main();
// core/memory. Kernel code in arch/user_copy.h touched a user address and faulted. Interrupts are enabled;
// may sleep. True: try again.
bool handle_kernel_fault_on_user_address(std::uintptr_t address, arch::Access access);
// core/memory. What lies at a kernel address that faulted, for the panic: "guard page of a stack" …; null
// when there is nothing to say.
const char* describe_kernel_address(std::uintptr_t address);

// core/init. The kernel did something that cannot be continued. `what` says so; print_registers(frame) logs
// the state of the processor.
[[noreturn]] void fatal_trap(const char* what, std::uintptr_t program_counter, std::uintptr_t frame_pointer,
                             void (*print_registers)(const void* frame), const void* frame);
// core/init. arch::send_non_maskable() arrived. Non-maskable context.
void non_maskable_request(std::uintptr_t program_counter, std::uintptr_t frame_pointer);

}  // namespace core
