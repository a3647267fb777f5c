// What interrupts a CPU: its timer, other CPUs, the board's controller.
#pragma once

#include <cstdint>

#include "trap_frame.h"

namespace arch {

// Why one CPU interrupts another: bits of a word that the receiver takes.
enum class Request : unsigned { reschedule = 1, call = 2, non_maskable = 4 };
void send_request(unsigned cpu, Request request);

// Interrupts off. Handles the interrupt of this cause with the interrupt unit of the preemption count taken.
void dispatch_interrupt(std::uint64_t cause);

// After dispatch_interrupt() in kernel code: a back trace that another CPU asked for, or the end.
void answer_non_maskable_request(const TrapFrame& frame);

// Every CPU: which kinds of interrupt it takes.
void enable_interrupt_kinds();

}  // namespace arch
