// The registers of the floating-point unit, stored and loaded (struct FloatingPointState).
  .attribute arch, "rv64imafdc_zicsr_zifencei"
  .option arch, +f, +d

.macro FOR_EACH_FLOAT operation, base
  .set number, 0
  .irp register, f0,f1,f2,f3,f4,f5,f6,f7,f8,f9,f10,f11,f12,f13,f14,f15,f16,f17,f18,f19,f20,f21,f22,f23,f24,f25,f26,f27,f28,f29,f30,f31
  \operation \register, number(\base)
  .set number, number + 8
  .endr
.endm

  .section .text.entry, "ax"

// void arch_store_unit(FloatingPointState*)
  .globl arch_store_unit
  .type arch_store_unit, @function
arch_store_unit:
  FOR_EACH_FLOAT fsd, a0
  frcsr t0
  sw t0, 256(a0)
  ret
  .size arch_store_unit, . - arch_store_unit

// void arch_load_unit(const FloatingPointState*)
  .globl arch_load_unit
  .type arch_load_unit, @function
arch_load_unit:
  FOR_EACH_FLOAT fld, a0
  lw t0, 256(a0)
  fscsr t0
  ret
  .size arch_load_unit, . - arch_load_unit

  .section .note.GNU-stack, "", @progbits
