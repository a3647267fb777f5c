// Access to user memory. Every instruction that may fault is in the exception table with the place where it goes on.
//
// The window through which ring 0 may touch user pages (SMAP) is open between STAC and CLAC. On processors without it the
// two are overwritten at boot (section smap_sites lists them).

.macro OPEN_WINDOW
771:stac
  .pushsection smap_sites, "a"
  .long 771b - .
  .popsection
.endm
.macro CLOSE_WINDOW
772:clac
  .pushsection smap_sites, "a"
  .long 772b - .
  .popsection
.endm
.macro MAY_FAULT instruction:vararg
773:\instruction
.endm
.macro FIXUP from, to
  .pushsection exception_table, "a"
  .long \from - .
  .long \to - .
  .popsection
.endm

  .section .text.entry, "ax"

// size_t arch_copy_to_user, arch_copy_from_user(void* to %rdi, const void* from %rsi, size_t size %rdx): bytes not copied. Either side may be the user's.
  .balign 64
  .globl arch_copy_to_user, arch_copy_from_user
  .type arch_copy_to_user, @function
  .type arch_copy_from_user, @function
arch_copy_to_user:
arch_copy_from_user:
  OPEN_WINDOW
  cmpq $8, %rdx
  jb 2f
  cmpq $64, %rdx
  jae 5f
  // Small: eight bytes at a time, then the rest.
  movl %edx, %ecx
  shrl $3, %ecx
1:movq (%rsi), %rax
11:movq %rax, (%rdi)
  addq $8, %rsi
  addq $8, %rdi
  subl $8, %edx
  decl %ecx
  jnz 1b
2:testl $4, %edx
  jz 3f
21:movl (%rsi), %eax
22:movl %eax, (%rdi)
  addq $4, %rsi
  addq $4, %rdi
  subl $4, %edx
3:subl $1, %edx
  jb 4f
31:movb (%rsi), %al
32:movb %al, (%rdi)
  jz 4f                                   // of the subtraction: that was the last one
  incq %rsi
  incq %rdi
  jmp 3b
4:CLOSE_WINDOW
  xorl %eax, %eax
  retq

5:movq %rdx, %rcx
  cmpb $0, arch_fast_string_bytes(%rip)
  jne 6f
  shrq $3, %rcx
  andl $7, %edx
51:rep movsq
  testl %edx, %edx
  jz 4b
  cmpl $4, %edx
  jb 3b
  jmp 2b
6:rep movsb
  CLOSE_WINDOW
  xorl %eax, %eax
  retq

  // After a fault: %rsi and %rdi are at the piece that faulted; bytes one by one, to stop exactly where access ends.
7:leaq (%rdx,%rcx,8), %rcx                // from 51: whole words left plus the rest
  jmp 8f
71:movl %edx, %ecx                        // from the small path: %edx bytes are left
  jmp 8f
72:leaq 1(%rdx), %rcx                     // one at a time: and the one that was on its way
  jmp 9f
8:rep movsb
9:CLOSE_WINDOW
  movq %rcx, %rax
  retq
  FIXUP 1b, 71b
  FIXUP 11b, 71b
  FIXUP 21b, 71b
  FIXUP 22b, 71b
  FIXUP 31b, 72b
  FIXUP 32b, 72b
  FIXUP 51b, 7b
  FIXUP 6b, 9b
  FIXUP 8b, 9b
  .size arch_copy_to_user, . - arch_copy_to_user
  .size arch_copy_from_user, . - arch_copy_from_user

// size_t arch_clear_user(void* to %rdi, size_t size %rsi)
  .globl arch_clear_user
  .type arch_clear_user, @function
arch_clear_user:
  OPEN_WINDOW
  xorl %eax, %eax
  movq %rsi, %rcx
  cmpb $0, arch_fast_string_bytes(%rip)
  jne 2f
  movl %ecx, %edx
  andl $7, %edx
  shrq $3, %rcx
1:rep stosq
  movl %edx, %ecx
2:rep stosb
3:CLOSE_WINDOW
  movq %rcx, %rax
  retq
4:leaq (%rdx,%rcx,8), %rcx
5:rep stosb
  jmp 3b
  FIXUP 1b, 4b
  FIXUP 2b, 3b
  FIXUP 5b, 3b
  .size arch_clear_user, . - arch_clear_user

// ptrdiff_t arch_copy_user_string(char* to %rdi, const char* from %rsi, size_t limit %rdx)
  .globl arch_copy_user_string
  .type arch_copy_user_string, @function
arch_copy_user_string:
  OPEN_WINDOW
  xorl %ecx, %ecx
  movabsq $0x0101010101010101, %r8
  movabsq $0x8080808080808080, %r9
1:leaq 8(%rcx), %rax
  cmpq %rdx, %rax
  ja 3f
  // Eight at a time while they lie in one page.
  leaq (%rsi,%rcx), %rax
  andl $4095, %eax
  cmpl $4088, %eax
  ja 3f
2:movq (%rsi,%rcx), %rax
  movq %rax, %r10
  subq %r8, %rax
  movq %r10, %r11
  notq %r11
  andq %r11, %rax
  testq %r9, %rax
  jnz 3f
  movq %r10, (%rdi,%rcx)
  addq $8, %rcx
  jmp 1b
3:cmpq %rdx, %rcx
  jae 5f
4:movb (%rsi,%rcx), %al
  movb %al, (%rdi,%rcx)
  testb %al, %al
  jz 5f
  incq %rcx
  testb $7, %cl
  jnz 3b
  jmp 1b
5:CLOSE_WINDOW
  movq %rcx, %rax
  retq
6:CLOSE_WINDOW
  movq $-1, %rax
  retq
  FIXUP 2b, 6b
  FIXUP 4b, 6b
  .size arch_copy_user_string, . - arch_copy_user_string

// Atomic operations: int (1: fault) arch_user_NAME(address %rdi, value* %rsi, operand %rdx); *value gets what was there, and for
// compare_exchange holds what is expected before. Written out: a semicolon would end a macro's argument.
.macro BEGIN_USER_OPERATION name
  .globl arch_user_\name
  .type arch_user_\name, @function
arch_user_\name:
  OPEN_WINDOW
.endm
.macro END_USER_OPERATION name
  FIXUP 1b, user_fault
  CLOSE_WINDOW
  xorl %eax, %eax
  retq
  .size arch_user_\name, . - arch_user_\name
.endm

BEGIN_USER_OPERATION load32
1:movl (%rdi), %eax
  movl %eax, (%rsi)
END_USER_OPERATION load32

BEGIN_USER_OPERATION load64
1:movq (%rdi), %rax
  movq %rax, (%rsi)
END_USER_OPERATION load64

BEGIN_USER_OPERATION store32
1:movl %edx, (%rdi)
END_USER_OPERATION store32

BEGIN_USER_OPERATION store64
1:movq %rdx, (%rdi)
END_USER_OPERATION store64

BEGIN_USER_OPERATION compare_exchange32
  movl (%rsi), %eax
1:lock cmpxchgl %edx, (%rdi)
  movl %eax, (%rsi)
END_USER_OPERATION compare_exchange32

BEGIN_USER_OPERATION exchange32
1:xchgl %edx, (%rdi)
  movl %edx, (%rsi)
END_USER_OPERATION exchange32

BEGIN_USER_OPERATION add32
1:lock xaddl %edx, (%rdi)
  movl %edx, (%rsi)
END_USER_OPERATION add32

user_fault:
  CLOSE_WINDOW
  movl $1, %eax
  retq

  .section .note.GNU-stack, "", @progbits
