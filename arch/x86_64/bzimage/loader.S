// The protected-mode part of the bzImage begins with this page; the kernel image follows it. Moves the image up to the next
// multiple of 2 MiB and enters it (kernel_entry32, arch/x86_64/boot/src/entry.S). Position independent.
//   offset 0      32-bit entry: %esi = boot_params
//   offset 0x200  64-bit entry: %rsi = boot_params, paging on, the first gigabytes mapped one to one

#define SCRATCH_END 0x1e8           // boot_params.scratch: four bytes that may be used as a stack

  .section .text, "ax"
  .globl _start
  .code32
_start:
  cli
  cld
  leal SCRATCH_END(%esi), %esp
  calll 1f
1:popl %ebp
  subl $(1b - _start), %ebp
  movl %esi, %edx
  // Backwards: the two ranges overlap.
  leal (image - _start)(%ebp), %esi
  leal 0x1fffff(%esi), %edi
  andl $0xffe00000, %edi
  movl %edi, %ebx
  movl (image_size - _start)(%ebp), %ecx
  leal -4(%esi,%ecx), %esi
  leal -4(%edi,%ecx), %edi
  shrl $2, %ecx
  std
  rep movsl
  cld
  movl %edx, %esi
  movl %ebx, %ebp
  jmpl *%ebx

  .org 0x200
  .code64
  cli
  leaq SCRATCH_END(%rsi), %rsp
  leaq gdt(%rip), %rax
  movq %rax, gdt_pointer + 2(%rip)
  lgdt gdt_pointer(%rip)
  leaq compatible(%rip), %rax
  movl %eax, far_jump(%rip)
  ljmpl *far_jump(%rip)

  .code32
compatible:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %cr0, %eax
  andl $0x7fffffff, %eax            // paging off
  movl %eax, %cr0
  movl $0xc0000080, %ecx
  rdmsr
  andl $0xfffffeff, %eax            // long mode off
  wrmsr
  jmp _start

  .balign 8
gdt:
  .quad 0
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .quad 0
far_jump:
  .long 0
  .word 0x10
  .org 0xff8
image_size:
  .long 0                           // filled in: bytes, a multiple of four
  .org 0x1000
image:
