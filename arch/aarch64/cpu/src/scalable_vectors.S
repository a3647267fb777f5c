// The registers of SVE, between the processor and a thread's memory: Z0 to Z31, P0 to P15, FFR without gaps.
  .arch armv8-a+sve

  .section .text.entry, "ax"

.macro FOR_EACH_Z operation, base
  .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  \operation z\number, [\base, #\number, mul vl]
  .endr
.endm
.macro FOR_EACH_P operation, base
  .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  \operation p\number, [\base, #\number, mul vl]
  .endr
.endm

.macro FUNCTION name
  .globl \name
  .type \name, @function
\name:
  hint #34                                // BTI c
.endm

// void arch_save_vectors(std::byte* to)
FUNCTION arch_save_vectors
  FOR_EACH_Z str, x0
  addvl x0, x0, #16
  addvl x0, x0, #16
  FOR_EACH_P str, x0
  rdffr p0.b
  str p0, [x0, #16, mul vl]
  ldr p0, [x0, #0, mul vl]
  ret
  .size arch_save_vectors, . - arch_save_vectors

// void arch_load_vectors(const std::byte* from)
FUNCTION arch_load_vectors
  FOR_EACH_Z ldr, x0
  addvl x0, x0, #16
  addvl x0, x0, #16
  ldr p0, [x0, #16, mul vl]
  wrffr p0.b
  FOR_EACH_P ldr, x0
  ret
  .size arch_load_vectors, . - arch_load_vectors

// void arch_clear_vectors(): all but the V registers.
FUNCTION arch_clear_vectors
  .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
  mov v\number\().16b, v\number\().16b
  .endr
  .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
  pfalse p\number\().b
  .endr
  wrffr p0.b
  ret
  .size arch_clear_vectors, . - arch_clear_vectors

// std::uint64_t arch_vector_length(): in bytes, as ZCR_EL1 now allows it.
FUNCTION arch_vector_length
  rdvl x0, #1
  ret
  .size arch_vector_length, . - arch_vector_length

  .section .note.GNU-stack, "", @progbits
