// memcpy, memmove and memset. Small sizes are moved in one or two overlapping pieces; large ones by string instructions.

  .section .text.entry, "ax"

  .balign 64
  .globl memcpy, memmove
  .type memcpy, @function
  .type memmove, @function
// memmove: if the destination begins inside the source, backwards.
memmove:
  cmpq $32, %rdx
  jbe memcpy                              // loads everything before it stores
  movq %rdi, %rax
  subq %rsi, %rax
  cmpq %rdx, %rax
  jb 8f
memcpy:
  movq %rdi, %rax
  cmpq $16, %rdx
  jb 2f
  cmpq $64, %rdx
  ja 4f
  cmpq $32, %rdx
  ja 1f
  movq (%rsi), %rcx
  movq 8(%rsi), %r8
  movq -16(%rsi,%rdx), %r9
  movq -8(%rsi,%rdx), %r10
  movq %rcx, (%rdi)
  movq %r8, 8(%rdi)
  movq %r9, -16(%rdi,%rdx)
  movq %r10, -8(%rdi,%rdx)
  retq
1:pushq %rbx
  movq (%rsi), %rcx
  movq 8(%rsi), %r8
  movq 16(%rsi), %r9
  movq 24(%rsi), %r10
  movq -32(%rsi,%rdx), %r11
  movq -24(%rsi,%rdx), %rbx
  movq %rcx, (%rdi)
  movq %r8, 8(%rdi)
  movq -16(%rsi,%rdx), %rcx
  movq -8(%rsi,%rdx), %r8
  movq %r9, 16(%rdi)
  movq %r10, 24(%rdi)
  movq %r11, -32(%rdi,%rdx)
  movq %rbx, -24(%rdi,%rdx)
  movq %rcx, -16(%rdi,%rdx)
  movq %r8, -8(%rdi,%rdx)
  popq %rbx
  retq
2:cmpl $8, %edx
  jb 3f
  movq (%rsi), %rcx
  movq -8(%rsi,%rdx), %r8
  movq %rcx, (%rdi)
  movq %r8, -8(%rdi,%rdx)
  retq
3:cmpl $4, %edx
  jb 31f
  movl (%rsi), %ecx
  movl -4(%rsi,%rdx), %r8d
  movl %ecx, (%rdi)
  movl %r8d, -4(%rdi,%rdx)
  retq
31:testl %edx, %edx
  jz 32f
  movzbl (%rsi), %ecx
  movzbl -1(%rsi,%rdx), %r8d
  cmpl $3, %edx
  jb 33f
  movzbl 1(%rsi), %r9d
  movb %r9b, 1(%rdi)
33:movb %cl, (%rdi)
  movb %r8b, -1(%rdi,%rdx)
32:retq
4:movq %rdx, %rcx
  cmpb $0, arch_fast_string_bytes(%rip)
  jne 5f
  // The last eight bytes first would break overlapping moves downwards: keep them in a register.
  movq -8(%rsi,%rdx), %r8
  leaq -8(%rdi,%rdx), %r9
  shrq $3, %rcx
  rep movsq
  movq %r8, (%r9)
  retq
5:rep movsb
  retq

8:movq %rdi, %rax
  movq %rdx, %rcx
  testq %rdx, %rdx
  jz 9f
  std
  movq %rdx, %r8
  shrq $3, %rcx
  leaq -8(%rsi,%rdx), %rsi
  leaq -8(%rdi,%rdx), %rdi
  rep movsq
  addq $7, %rsi
  addq $7, %rdi
  movl %r8d, %ecx
  andl $7, %ecx
  rep movsb
  cld
9:retq
  .size memmove, . - memmove

  .balign 64
  .globl memset
  .type memset, @function
memset:
  movq %rdi, %r9
  movzbl %sil, %eax
  movabsq $0x0101010101010101, %r8
  imulq %r8, %rax
  cmpq $64, %rdx
  ja 3f
  cmpl $8, %edx
  jb 2f
  movq %rax, -8(%rdi,%rdx)
1:movq %rax, (%rdi)
  addq $8, %rdi
  subl $8, %edx
  cmpl $8, %edx
  jae 1b
  movq %r9, %rax
  retq
2:testl %edx, %edx
  jz 22f
21:movb %al, (%rdi)
  incq %rdi
  decl %edx
  jnz 21b
22:movq %r9, %rax
  retq
3:movq %rdx, %rcx
  cmpb $0, arch_fast_string_bytes(%rip)
  jne 4f
  movq %rax, -8(%rdi,%rdx)
  shrq $3, %rcx
  rep stosq
  movq %r9, %rax
  retq
4:rep stosb
  movq %r9, %rax
  retq
  .size memset, . - memset

  .section .note.GNU-stack, "", @progbits
