// Access to user memory. Every instruction that may fault is in the exception table with the place where it goes on.
//
// Copies use the unprivileged loads and stores, which are checked as if user code made them and need no window. Atomic
// operations have no such form: for them PAN is off for a moment, on processors that have it.

#define PAN_OFF .inst 0xd500409f
#define PAN_ON .inst 0xd500419f

.macro FIXUP from, to
  .pushsection exception_table, "a"
  .long \from - .
  .long \to - .
  .popsection
.endm

  .section .text.entry, "ax"

// The copies take 64 bytes at a time, then a piece for each bit of the rest. Pointers move on only when a piece is done, so that
// after a fault the piece is done again byte by byte, to stop exactly where access ends. FIXUP_PIECE: so many instructions in a row.
.macro FIXUP_PIECE first, count, to
  .set at, 0
  .rept \count
  .pushsection exception_table, "a"
  .long \first + at - .
  .long \to - .
  .popsection
  .set at, at + 4
  .endr
.endm

// What is left when the piece of `bit` faults.
.macro LEFT_AT bit, bytes
  and x2, x2, #(2 << \bit) - 1
  b \bytes
.endm

// size_t arch_copy_to_user(void* to x0, const void* from x1, size_t size x2): bytes not copied.
  .balign 64
  .globl arch_copy_to_user
  .type arch_copy_to_user, @function
arch_copy_to_user:
  subs x2, x2, #64
  b.lo 2f
1:ldp x3, x4, [x1]
  ldp x5, x6, [x1, #16]
  ldp x7, x8, [x1, #32]
  ldp x9, x10, [x1, #48]
11:sttr x3, [x0]
  sttr x4, [x0, #8]
  sttr x5, [x0, #16]
  sttr x6, [x0, #24]
  sttr x7, [x0, #32]
  sttr x8, [x0, #40]
  sttr x9, [x0, #48]
  sttr x10, [x0, #56]
  add x1, x1, #64
  add x0, x0, #64
  subs x2, x2, #64
  b.hs 1b
  // x2 is 64 less than what is left: the same in the bits that count.
2:tbz x2, #5, 3f
  ldp x3, x4, [x1]
  ldp x5, x6, [x1, #16]
21:sttr x3, [x0]
  sttr x4, [x0, #8]
  sttr x5, [x0, #16]
  sttr x6, [x0, #24]
  add x1, x1, #32
  add x0, x0, #32
3:tbz x2, #4, 4f
  ldp x3, x4, [x1]
31:sttr x3, [x0]
  sttr x4, [x0, #8]
  add x1, x1, #16
  add x0, x0, #16
4:tbz x2, #3, 5f
  ldr x3, [x1]
41:sttr x3, [x0]
  add x1, x1, #8
  add x0, x0, #8
5:tbz x2, #2, 6f
  ldr w3, [x1]
51:sttr w3, [x0]
  add x1, x1, #4
  add x0, x0, #4
6:tbz x2, #1, 7f
  ldrh w3, [x1]
61:sttrh w3, [x0]
  add x1, x1, #2
  add x0, x0, #2
7:tbz x2, #0, 8f
  ldrb w3, [x1]
71:sttrb w3, [x0]
8:mov x0, #0
  ret
12:add x2, x2, #64
  b 9f
22:LEFT_AT 5, 9f
32:LEFT_AT 4, 9f
42:LEFT_AT 3, 9f
52:LEFT_AT 2, 9f
62:LEFT_AT 1, 9f
72:and x2, x2, #1
9:ldrb w3, [x1], #1
91:sttrb w3, [x0]
  add x0, x0, #1
  subs x2, x2, #1
  b.ne 9b
92:mov x0, x2
  ret
  FIXUP_PIECE 11b, 8, 12b
  FIXUP_PIECE 21b, 4, 22b
  FIXUP_PIECE 31b, 2, 32b
  FIXUP 41b, 42b
  FIXUP 51b, 52b
  FIXUP 61b, 62b
  FIXUP 71b, 72b
  FIXUP 91b, 92b
  .size arch_copy_to_user, . - arch_copy_to_user

// size_t arch_copy_from_user(void* to x0, const void* from x1, size_t size x2): bytes not copied.
  .balign 64
  .globl arch_copy_from_user
  .type arch_copy_from_user, @function
arch_copy_from_user:
  subs x2, x2, #64
  b.lo 2f
1:ldtr x3, [x1]
  ldtr x4, [x1, #8]
  ldtr x5, [x1, #16]
  ldtr x6, [x1, #24]
  ldtr x7, [x1, #32]
  ldtr x8, [x1, #40]
  ldtr x9, [x1, #48]
  ldtr x10, [x1, #56]
  stp x3, x4, [x0]
  stp x5, x6, [x0, #16]
  stp x7, x8, [x0, #32]
  stp x9, x10, [x0, #48]
  add x1, x1, #64
  add x0, x0, #64
  subs x2, x2, #64
  b.hs 1b
2:tbz x2, #5, 3f
21:ldtr x3, [x1]
  ldtr x4, [x1, #8]
  ldtr x5, [x1, #16]
  ldtr x6, [x1, #24]
  stp x3, x4, [x0], #16
  stp x5, x6, [x0], #16
  add x1, x1, #32
3:tbz x2, #4, 4f
31:ldtr x3, [x1]
  ldtr x4, [x1, #8]
  stp x3, x4, [x0], #16
  add x1, x1, #16
4:tbz x2, #3, 5f
41:ldtr x3, [x1]
  str x3, [x0], #8
  add x1, x1, #8
5:tbz x2, #2, 6f
51:ldtr w3, [x1]
  str w3, [x0], #4
  add x1, x1, #4
6:tbz x2, #1, 7f
61:ldtrh w3, [x1]
  strh w3, [x0], #2
  add x1, x1, #2
7:tbz x2, #0, 8f
71:ldtrb w3, [x1]
  strb w3, [x0]
8:mov x0, #0
  ret
12:add x2, x2, #64
  b 9f
22:LEFT_AT 5, 9f
32:LEFT_AT 4, 9f
42:LEFT_AT 3, 9f
52:LEFT_AT 2, 9f
62:LEFT_AT 1, 9f
72:and x2, x2, #1
9:ldtrb w3, [x1]
  strb w3, [x0], #1
  add x1, x1, #1
  subs x2, x2, #1
  b.ne 9b
92:mov x0, x2
  ret
  FIXUP_PIECE 1b, 8, 12b
  FIXUP_PIECE 21b, 4, 22b
  FIXUP_PIECE 31b, 2, 32b
  FIXUP 41b, 42b
  FIXUP 51b, 52b
  FIXUP 61b, 62b
  FIXUP 71b, 72b
  FIXUP 9b, 92b
  .size arch_copy_from_user, . - arch_copy_from_user

// size_t arch_clear_user(void* to x0, size_t size x1)
  .globl arch_clear_user
  .type arch_clear_user, @function
arch_clear_user:
  subs x1, x1, #64
  b.lo 7f
6:sttr xzr, [x0]
  sttr xzr, [x0, #8]
  sttr xzr, [x0, #16]
  sttr xzr, [x0, #24]
  sttr xzr, [x0, #32]
  sttr xzr, [x0, #40]
  sttr xzr, [x0, #48]
  sttr xzr, [x0, #56]
  add x0, x0, #64
  subs x1, x1, #64
  b.hs 6b
7:add x1, x1, #64
1:cmp x1, #8
  b.lo 3f
2:sttr xzr, [x0]
  add x0, x0, #8
  sub x1, x1, #8
  b 1b
3:cbz x1, 5f
4:sttrb wzr, [x0]
  add x0, x0, #1
  sub x1, x1, #1
  b 3b
5:mov x0, x1
  ret
8:add x1, x1, #64
  b 3b
  FIXUP_PIECE 6b, 8, 8b
  FIXUP 2b, 3b
  FIXUP 4b, 5b
  .size arch_clear_user, . - arch_clear_user

// ptrdiff_t arch_copy_user_string(char* to x0, const char* from x1, size_t limit x2)
  .globl arch_copy_user_string
  .type arch_copy_user_string, @function
arch_copy_user_string:
  mov x3, #0
  mov x8, #0x0101010101010101
1:cmp x3, x2
  b.hs 5f
  // Eight at a time once the address is a multiple of eight: they lie in one page then.
  tst x1, #7
  b.ne 3f
  add x4, x3, #8
  cmp x4, x2
  b.hi 3f
2:ldtr x4, [x1]
  sub x5, x4, x8
  bic x5, x5, x4
  tst x5, #0x8080808080808080
  b.ne 3f
  str x4, [x0], #8
  add x1, x1, #8
  add x3, x3, #8
  b 1b
3:ldtrb w4, [x1]
  strb w4, [x0], #1
  cbz w4, 5f
  add x1, x1, #1
  add x3, x3, #1
  b 1b
5:mov x0, x3
  ret
6:mov x0, #-1
  ret
  FIXUP 2b, 6b
  FIXUP 3b, 6b
  .size arch_copy_user_string, . - arch_copy_user_string

// bool (fault) arch_user_NAME(address x0, value* x1, operand x2); *value gets what was there, and for compare_exchange
// holds what is expected before.
.macro BEGIN_USER_OPERATION name
  .globl arch_user_\name
  .type arch_user_\name, @function
arch_user_\name:
.endm
.macro END_USER_OPERATION name
  mov x0, #0
  ret
  .size arch_user_\name, . - arch_user_\name
.endm

BEGIN_USER_OPERATION load32
1:ldtr w3, [x0]
  str w3, [x1]
  FIXUP 1b, user_fault
END_USER_OPERATION load32

BEGIN_USER_OPERATION load64
1:ldtr x3, [x0]
  str x3, [x1]
  FIXUP 1b, user_fault
END_USER_OPERATION load64

BEGIN_USER_OPERATION store32
1:sttr w2, [x0]
  FIXUP 1b, user_fault
END_USER_OPERATION store32

BEGIN_USER_OPERATION store64
1:sttr x2, [x0]
  FIXUP 1b, user_fault
END_USER_OPERATION store64

// Changes x9.
.macro OPEN_WINDOW
  adrp x9, arch_has_pan
  ldrb w9, [x9, :lo12:arch_has_pan]
  cbz w9, 771f
  PAN_OFF
771:
.endm
.macro CLOSE_WINDOW
  cbz w9, 772f
  PAN_ON
772:
.endm

// A program can make a store-exclusive fail as often as it likes, so the number of attempts is bounded: 2 says so.
.macro USER_UPDATE name, update:vararg
BEGIN_USER_OPERATION \name
  OPEN_WINDOW
  mov w10, #128
1:ldxr w3, [x0]
  \update
2:stlxr w5, w4, [x0]
  cbz w5, 3f
  subs w10, w10, #1
  b.ne 1b
  CLOSE_WINDOW
  mov x0, #2
  ret
3:CLOSE_WINDOW
  dmb ish
  str w3, [x1]
  FIXUP 1b, user_fault_in_window
  FIXUP 2b, user_fault_in_window
END_USER_OPERATION \name
.endm

USER_UPDATE exchange32, mov w4, w2
USER_UPDATE add32, add w4, w3, w2
USER_UPDATE or32, orr w4, w3, w2
USER_UPDATE and_not32, bic w4, w3, w2
USER_UPDATE xor32, eor w4, w3, w2

BEGIN_USER_OPERATION compare_exchange32
  OPEN_WINDOW
  ldr w4, [x1]
  mov w10, #128
1:ldxr w3, [x0]
  cmp w3, w4
  b.ne 3f
2:stlxr w5, w2, [x0]
  cbz w5, 3f
  subs w10, w10, #1
  b.ne 1b
  CLOSE_WINDOW
  mov x0, #2
  ret
3:CLOSE_WINDOW
  dmb ish
  str w3, [x1]
  FIXUP 1b, user_fault_in_window
  FIXUP 2b, user_fault_in_window
END_USER_OPERATION compare_exchange32

user_fault_in_window:
  CLOSE_WINDOW
user_fault:
  mov x0, #1
  ret

  .section .note.GNU-stack, "", @progbits
