// Where signal handlers return to. No unwind table on purpose: unwinders know the frame by these two instructions, and take
// all registers from it, which a table could not say.
  .section .text.sigreturn, "ax"
  nop                                     // unwinders look one instruction back
  .globl __kernel_rt_sigreturn
  .type __kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
  mov x8, #139
  svc #0
  .size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn
  .section .note.GNU-stack, "", @progbits
