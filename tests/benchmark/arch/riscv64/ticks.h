// What the guest's CPU has counted since the machine was switched on. Under `-icount shift=0` that is
// executed instructions, in steps of the counter's period.
#pragma once
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Only the kernel knows the counter's rate.
inline uint64_t ticks_per_second() {
  struct {
    int64_t key = 8;  // RISCV_HWPROBE_KEY_TIME_CSR_FREQ
    uint64_t value = 0;
  } question;
  constexpr long riscv_hwprobe = 258;
  syscall(riscv_hwprobe, &question, 1, 0, nullptr, 0);
  constexpr uint64_t usual_rate = 10'000'000;  // of QEMU's machine, for kernels that do not tell
  return question.key == 8 && question.value ? question.value : usual_rate;
}

inline uint64_t ticks() {
  static const uint64_t period_ns = 1'000'000'000 / ticks_per_second();
  uint64_t value;
  // SAFETY: reads a counter that user programs may read; no memory is touched.
  asm volatile("fence\n rdtime %0" : "=r"(value)::"memory");
  return value * period_ns;
}

// An instruction without effect that tools/profile knows: its counts begin anew here.
inline void mark() {
  // SAFETY: loads a constant into the register that is always zero.
  asm volatile("lui zero, 0x4e4f5" ::: "memory");
}
