// Access to user memory. Every instruction that may fault is in the exception table with the place where it goes on.
//
// The window through which the kernel may touch user pages is open while sstatus.SUM is set; a trap shuts it and the return
// from the trap opens it again (entry.S).

#include <arch_impl/asm_offsets.h>

.macro OPEN_WINDOW
  li t6, STATUS_USER_ACCESS
  csrs sstatus, t6
.endm
.macro CLOSE_WINDOW
  li t6, STATUS_USER_ACCESS
  csrc sstatus, t6
.endm
.macro FIXUP from, to
  .pushsection exception_table, "a"
  .long \from - .
  .long \to - .
  .popsection
.endm
// A range of instructions of four bytes each that all go on at one place.
.macro FIXUP_EACH first, count, to
  .set at, 0
  .rept \count
  .pushsection exception_table, "a"
  .long \first + at - .
  .long \to - .
  .popsection
  .set at, at + 4
  .endr
.endm

  .section .text.entry, "ax"
  .option norvc

// size_t arch_copy_to_user, arch_copy_from_user(void* to, const void* from, size_t size): bytes not copied. Either side may be the user's.
  .balign 64
  .globl arch_copy_to_user, arch_copy_from_user
  .type arch_copy_to_user, @function
  .type arch_copy_from_user, @function
arch_copy_to_user:
arch_copy_from_user:
  OPEN_WINDOW
  sltiu t0, a2, 16
  bnez t0, 6f
  xor t0, a0, a1
  andi t0, t0, 7
  bnez t0, 12f
  // Both begin at the same place in a word: bytes up to its end.
1:andi t0, a0, 7
  beqz t0, 2f
10:lb t1, 0(a1)
11:sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  addi a2, a2, -1
  j 1b
  // Eight words at a time. Pointers move on only when all are done, so that a fault leaves the block to the bytes; what is left is
  // counted outside of the loop, which ends where a7 says.
2:andi a7, a2, -64
  beqz a7, 4f
  add a7, a0, a7
  andi a2, a2, 63
3:ld t0, 0(a1)
  ld t1, 8(a1)
  ld t2, 16(a1)
  ld t3, 24(a1)
  ld a3, 32(a1)
  ld a4, 40(a1)
  ld a5, 48(a1)
  ld a6, 56(a1)
31:sd t0, 0(a0)
  sd t1, 8(a0)
  sd t2, 16(a0)
  sd t3, 24(a0)
  sd a3, 32(a0)
  sd a4, 40(a0)
  sd a5, 48(a0)
  sd a6, 56(a0)
  addi a0, a0, 64
  addi a1, a1, 64
  bne a0, a7, 3b
4:sltiu t0, a2, 8
  bnez t0, 6f
40:ld t0, 0(a1)
41:sd t0, 0(a0)
  addi a0, a0, 8
  addi a1, a1, 8
  addi a2, a2, -8
  j 4b
6:beqz a2, 8f
7:lb t1, 0(a1)
71:sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  addi a2, a2, -1
  bnez a2, 7b
8:CLOSE_WINDOW
  mv a0, a2
  ret
5:sub t0, a7, a0                          // the blocks that are left
  add a2, a2, t0
  j 7b
  // They begin at different places: whole words of the target, each of two neighbours of the source. Each word that is read has
  // a byte that is asked for, and an aligned word lies in one page: it faults only where the range does.
12:andi t0, a0, 7
  beqz t0, 13f
120:lb t1, 0(a1)
121:sb t1, 0(a0)
  addi a0, a0, 1
  addi a1, a1, 1
  addi a2, a2, -1
  j 12b
13:andi a7, a2, -8
  add a7, a0, a7                          // end of the words; more than eight bytes are left
  mv a3, a0
  andi t2, a1, -8
  slli t0, a1, 3                          // shifts look at six bits
  neg t1, t0
130:ld t3, 0(t2)
131:ld t4, 8(t2)
  srl t3, t3, t0
  sll t5, t4, t1
  or t3, t3, t5
132:sd t3, 0(a0)
  mv t3, t4
  addi t2, t2, 8
  addi a0, a0, 8
  bne a0, a7, 131b
14:sub t3, a0, a3                          // what is done
  add a1, a1, t3
  sub a2, a2, t3
  j 6b
  FIXUP 120b, 8b
  FIXUP 121b, 8b
  FIXUP 130b, 14b
  FIXUP 131b, 14b
  FIXUP 132b, 14b
  FIXUP 10b, 8b
  FIXUP 11b, 8b
  FIXUP_EACH 3b, 8, 5b
  FIXUP_EACH 31b, 8, 5b
  FIXUP 40b, 6b
  FIXUP 41b, 6b
  FIXUP 7b, 8b
  FIXUP 71b, 8b
  .size arch_copy_to_user, . - arch_copy_to_user
  .size arch_copy_from_user, . - arch_copy_from_user

// size_t arch_clear_user(void* to, size_t size)
  .globl arch_clear_user
  .type arch_clear_user, @function
arch_clear_user:
  OPEN_WINDOW
1:beqz a1, 9f
  andi t0, a0, 7
  beqz t0, 2f
11:sb zero, 0(a0)
  addi a0, a0, 1
  addi a1, a1, -1
  j 1b
2:andi a7, a1, -64
  beqz a7, 4f
  add a7, a0, a7
  andi a1, a1, 63
3:sd zero, 0(a0)
  sd zero, 8(a0)
  sd zero, 16(a0)
  sd zero, 24(a0)
  sd zero, 32(a0)
  sd zero, 40(a0)
  sd zero, 48(a0)
  sd zero, 56(a0)
  addi a0, a0, 64
  bne a0, a7, 3b
4:sltiu t0, a1, 8
  bnez t0, 6f
41:sd zero, 0(a0)
  addi a0, a0, 8
  addi a1, a1, -8
  j 4b
6:beqz a1, 9f
7:sb zero, 0(a0)
  addi a0, a0, 1
  addi a1, a1, -1
  bnez a1, 7b
9:CLOSE_WINDOW
  mv a0, a1
  ret
5:sub t0, a7, a0
  add a1, a1, t0
  j 7b
  FIXUP 11b, 9b
  FIXUP_EACH 3b, 8, 5b
  FIXUP 41b, 6b
  FIXUP 7b, 9b
  .size arch_clear_user, . - arch_clear_user

// ptrdiff_t arch_copy_user_string(char* to, const char* from, size_t limit)
  .globl arch_copy_user_string
  .type arch_copy_user_string, @function
arch_copy_user_string:
  OPEN_WINDOW
  li t0, 0                                // characters done
  xor t1, a0, a1
  andi t1, t1, 7
  bnez t1, 5f
  // Words while both are aligned and the limit is not near: an aligned word lies in one page.
  li t2, 0x0101010101010101
  slli t3, t2, 7                          // 0x80 in each byte
1:add t1, a1, t0
  andi t1, t1, 7
  bnez t1, 4f
2:addi t1, t0, 8
  bgtu t1, a2, 5f
  add t4, a1, t0
3:ld t4, 0(t4)
  sub t5, t4, t2
  not a3, t4
  and t5, t5, a3
  and t5, t5, t3
  bnez t5, 5f
  add a3, a0, t0
  sd t4, 0(a3)
  mv t0, t1
  j 2b
4:bgeu t0, a2, 9f
  add t4, a1, t0
41:lb t4, 0(t4)
  add a3, a0, t0
  sb t4, 0(a3)
  beqz t4, 9f
  addi t0, t0, 1
  j 1b
5:bgeu t0, a2, 9f
  add t4, a1, t0
51:lb t4, 0(t4)
  add a3, a0, t0
  sb t4, 0(a3)
  beqz t4, 9f
  addi t0, t0, 1
  j 5b
9:CLOSE_WINDOW
  mv a0, t0
  ret
8:CLOSE_WINDOW
  li a0, -1
  ret
  FIXUP 3b, 8b
  FIXUP 41b, 8b
  FIXUP 51b, 8b
  .size arch_copy_user_string, . - arch_copy_user_string

// Atomic operations: int (1: fault) arch_user_NAME(address, value*, operand); *value gets what was there, and for compare_exchange
// holds what is expected before.
.macro BEGIN_USER_OPERATION name
  .globl arch_user_\name
  .type arch_user_\name, @function
arch_user_\name:
  OPEN_WINDOW
.endm
.macro END_USER_OPERATION name
  FIXUP 1b, user_fault
  CLOSE_WINDOW
  li a0, 0
  ret
  .size arch_user_\name, . - arch_user_\name
.endm

BEGIN_USER_OPERATION load32
1:lw t0, 0(a0)
  sw t0, 0(a1)
END_USER_OPERATION load32

BEGIN_USER_OPERATION load64
1:ld t0, 0(a0)
  sd t0, 0(a1)
END_USER_OPERATION load64

BEGIN_USER_OPERATION store32
1:sw a2, 0(a0)
END_USER_OPERATION store32

BEGIN_USER_OPERATION store64
1:sd a2, 0(a0)
END_USER_OPERATION store64

// The pair is short and without other accesses in between: the processor guarantees that it gets through.
BEGIN_USER_OPERATION compare_exchange32
  lw t1, 0(a1)
1:lr.w.aqrl t0, (a0)
  bne t0, t1, 3f
2:sc.w.aqrl t2, a2, (a0)
  bnez t2, 1b
3:sw t0, 0(a1)
  FIXUP 2b, user_fault
END_USER_OPERATION compare_exchange32

BEGIN_USER_OPERATION exchange32
1:amoswap.w.aqrl t0, a2, (a0)
  sw t0, 0(a1)
END_USER_OPERATION exchange32

BEGIN_USER_OPERATION add32
1:amoadd.w.aqrl t0, a2, (a0)
  sw t0, 0(a1)
END_USER_OPERATION add32

BEGIN_USER_OPERATION or32
1:amoor.w.aqrl t0, a2, (a0)
  sw t0, 0(a1)
END_USER_OPERATION or32

BEGIN_USER_OPERATION and_not32
  not a2, a2
1:amoand.w.aqrl t0, a2, (a0)
  sw t0, 0(a1)
END_USER_OPERATION and_not32

BEGIN_USER_OPERATION xor32
1:amoxor.w.aqrl t0, a2, (a0)
  sw t0, 0(a1)
END_USER_OPERATION xor32

user_fault:
  CLOSE_WINDOW
  li a0, 1
  ret

  .section .note.GNU-stack, "", @progbits
