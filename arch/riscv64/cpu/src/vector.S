// The registers of the vector unit, stored and loaded (struct VectorState).
  .attribute arch, "rv64imac_zicsr_zifencei"
  .option arch, +f, +d, +v

#define GROUP_BYTES t4  // of eight registers

.macro FOR_EACH_GROUP operation, base
  csrr GROUP_BYTES, vlenb
  slli GROUP_BYTES, GROUP_BYTES, 3
  \operation v0, (\base)
  add \base, \base, GROUP_BYTES
  \operation v8, (\base)
  add \base, \base, GROUP_BYTES
  \operation v16, (\base)
  add \base, \base, GROUP_BYTES
  \operation v24, (\base)
.endm

  .section .text.entry, "ax"

// void arch_store_vectors(VectorState*)
  .globl arch_store_vectors
  .type arch_store_vectors, @function
arch_store_vectors:
  csrr t0, vstart
  csrr t1, vl
  csrr t2, vtype
  csrr t3, vcsr
  csrr t5, vlenb
  sd t0, 0(a0)
  sd t1, 8(a0)
  sd t2, 16(a0)
  sd t3, 24(a0)
  sd t5, 32(a0)
  csrw vstart, zero
  addi a0, a0, 40
  FOR_EACH_GROUP vs8r.v, a0
  csrw vstart, t0
  ret
  .size arch_store_vectors, . - arch_store_vectors

// void arch_load_vectors(const VectorState*)
  .globl arch_load_vectors
  .type arch_load_vectors, @function
arch_load_vectors:
  ld t0, 0(a0)
  ld t1, 8(a0)
  ld t2, 16(a0)
  ld t3, 24(a0)
  csrw vstart, zero
  addi a0, a0, 40
  FOR_EACH_GROUP vl8r.v, a0
  vsetvl zero, t1, t2
  csrw vcsr, t3
  csrw vstart, t0
  ret
  .size arch_load_vectors, . - arch_load_vectors

// std::size_t arch_vector_register_bytes()
  .globl arch_vector_register_bytes
  .type arch_vector_register_bytes, @function
arch_vector_register_bytes:
  csrr a0, vlenb
  ret
  .size arch_vector_register_bytes, . - arch_vector_register_bytes

  .section .note.GNU-stack, "", @progbits
