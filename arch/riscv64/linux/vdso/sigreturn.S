// Where signal handlers return to. Debuggers know the frame by these two instructions.
  .option norvc
  .text
  .globl __vdso_rt_sigreturn
  .type __vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
  .cfi_startproc
  .cfi_signal_frame
  li a7, 139
  ecall
  .cfi_endproc
  .size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn

  .section .note.GNU-stack, "", @progbits
