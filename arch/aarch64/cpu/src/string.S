// memcpy, memmove and memset for the kernel. Unaligned accesses are fast on normal memory.

  .section .text.string, "ax"

  .balign 64
  .globl memcpy, memmove
  .type memcpy, @function
  .type memmove, @function
memmove:
  sub x3, x0, x1
  cmp x3, x2
  b.lo backwards                          // the target begins inside the source
memcpy:
  mov x3, x0
  cmp x2, #64
  b.lo 2f
1:ldp x4, x5, [x1]
  ldp x6, x7, [x1, #16]
  ldp x8, x9, [x1, #32]
  ldp x10, x11, [x1, #48]
  stp x4, x5, [x3]
  stp x6, x7, [x3, #16]
  stp x8, x9, [x3, #32]
  stp x10, x11, [x3, #48]
  add x1, x1, #64
  add x3, x3, #64
  sub x2, x2, #64
  cmp x2, #64
  b.hs 1b
2:tbz x2, #5, 3f
  ldp x4, x5, [x1]
  ldp x6, x7, [x1, #16]
  stp x4, x5, [x3]
  stp x6, x7, [x3, #16]
  add x1, x1, #32
  add x3, x3, #32
3:tbz x2, #4, 4f
  ldp x4, x5, [x1], #16
  stp x4, x5, [x3], #16
4:tbz x2, #3, 5f
  ldr x4, [x1], #8
  str x4, [x3], #8
5:tbz x2, #2, 6f
  ldr w4, [x1], #4
  str w4, [x3], #4
6:tbz x2, #1, 7f
  ldrh w4, [x1], #2
  strh w4, [x3], #2
7:tbz x2, #0, 8f
  ldrb w4, [x1]
  strb w4, [x3]
8:ret

backwards:
  add x1, x1, x2
  add x3, x0, x2
  cmp x2, #16
  b.lo 2f
1:ldp x4, x5, [x1, #-16]!
  stp x4, x5, [x3, #-16]!
  sub x2, x2, #16
  cmp x2, #16
  b.hs 1b
2:cbz x2, 4f
3:ldrb w4, [x1, #-1]!
  strb w4, [x3, #-1]!
  subs x2, x2, #1
  b.ne 3b
4:ret
  .size memcpy, . - memcpy
  .size memmove, . - memmove

  .balign 64
  .globl memset
  .type memset, @function
memset:
  mov x3, x0
  and w1, w1, #255
  mov x4, #0x0101010101010101
  mul x1, x1, x4
  cmp x2, #64
  b.lo 2f
1:stp x1, x1, [x3]
  stp x1, x1, [x3, #16]
  stp x1, x1, [x3, #32]
  stp x1, x1, [x3, #48]
  add x3, x3, #64
  sub x2, x2, #64
  cmp x2, #64
  b.hs 1b
2:tbz x2, #5, 3f
  stp x1, x1, [x3], #16
  stp x1, x1, [x3], #16
3:tbz x2, #4, 4f
  stp x1, x1, [x3], #16
4:tbz x2, #3, 5f
  str x1, [x3], #8
5:tbz x2, #2, 6f
  str w1, [x3], #4
6:tbz x2, #1, 7f
  strh w1, [x3], #2
7:tbz x2, #0, 8f
  strb w1, [x3]
8:ret
  .size memset, . - memset

  .section .note.GNU-stack, "", @progbits
