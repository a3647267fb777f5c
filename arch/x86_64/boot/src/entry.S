// The first instructions, in 32-bit protected mode without paging.
//
//   kernel_entry32   first byte of the image. Linux boot protocol, by way of the bzImage's loader (arch/x86_64/bzimage):
//                    %esi = boot_params, %ebp = physical address of the image (a multiple of 2 MiB)
//   pvh_entry        PVH: %ebx = hvm_start_info; the image is where its program headers say
//
// Both go on with %edi = protocol number, %esi = the loader's structure, %ebp = physical start of the image: identity map of
// the low 4 GiB, long mode, early_entry() (early.cpp), which relocates the image and maps it at its final place, and then
// start_kernel_at_final_address().

#define PAGE_PRESENT_WRITE 0x3
#define PAGE_LARGE 0x83

  .code32
  .section .text.boot, "ax"
  .globl kernel_entry32
kernel_entry32:
  cli
  cld
  movl $1, %edi
  jmp enter_long_mode

  .globl pvh_entry
pvh_entry:
  cli
  cld
  movl %ebx, %esi
  movl $0, %edi
  movl $kernel_load_physical, %ebp

enter_long_mode:
  // %ebp + (symbol - kernel_entry32) is the physical address of a symbol.
  leal (boot_stack_top - kernel_entry32)(%ebp), %esp

  // Clear the page tables.
  movl %edi, %edx
  leal (boot_page_tables - kernel_entry32)(%ebp), %edi
  movl $(9 * 4096 / 4), %ecx
  xorl %eax, %eax
  rep stosl
  movl %edx, %edi

  // Root -> directory pointer table -> four directories of 2 MiB pages: addresses 0 to 4 GiB.
  leal (boot_page_tables - kernel_entry32)(%ebp), %ebx
  leal (4096 + PAGE_PRESENT_WRITE)(%ebx), %eax
  movl %eax, (%ebx)
  leal (2 * 4096 + PAGE_PRESENT_WRITE)(%ebx), %eax
  leal 4096(%ebx), %edx
  movl $4, %ecx
1:movl %eax, (%edx)
  addl $4096, %eax
  addl $8, %edx
  loop 1b
  leal (2 * 4096)(%ebx), %edx
  movl $PAGE_LARGE, %eax
  movl $2048, %ecx
2:movl %eax, (%edx)
  addl $0x200000, %eax
  addl $8, %edx
  loop 2b

  movl %cr4, %eax
  orl $0x20, %eax                   // PAE
  movl %eax, %cr4
  movl %ebx, %cr3
  movl $0xc0000080, %ecx            // EFER: long mode, no-execute pages
  rdmsr
  orl $0x900, %eax
  wrmsr
  movl $0x80010033, %eax            // paging, write protection, native FPU errors, protection
  movl %eax, %cr0

  leal (boot_gdt - kernel_entry32)(%ebp), %eax
  leal (boot_gdt_pointer - kernel_entry32)(%ebp), %edx
  movl %eax, 2(%edx)
  lgdt (%edx)
  leal (long_mode - kernel_entry32)(%ebp), %eax
  pushl $0x10
  pushl %eax
  lretl

  .code64
long_mode:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  xorl %eax, %eax
  movl %eax, %fs
  movl %eax, %gs
  // early_entry(protocol, loader's structure, physical start of the image) -> distance from there to the final address
  movl %edi, %edi
  movl %esi, %esi
  movl %ebp, %edx
  pushq %rdi
  pushq %rsi
  xorl %ebp, %ebp
  callq early_entry
  popq %rsi
  popq %rdi
  addq %rax, %rsp
  leaq start_kernel_at_final_address(%rip), %rdx
  addq %rax, %rdx
  jmpq *%rdx

start_kernel_at_final_address:
  xorl %ebp, %ebp
  leaq boot_stack_top(%rip), %rsp
  pushq $0
  pushq $0
  movl %edi, %edi
  callq arch_start
  ud2

  .balign 16
boot_gdt:
  .quad 0
  .quad 0
  .quad 0x00af9b000000ffff          // 0x10: 64-bit code
  .quad 0x00cf93000000ffff          // 0x18: data
boot_gdt_pointer:
  .word boot_gdt_pointer - boot_gdt - 1
  .quad 0

  .section .boot_bss, "aw", @nobits
  .balign 4096
  .globl boot_page_tables
boot_page_tables:
  .skip 9 * 4096                    // root, low directory pointers, 4 directories; 3 more for early_entry
  .globl boot_stack, boot_stack_top
boot_stack:
  .skip 4 * 4096
boot_stack_top:

  .section .note.GNU-stack, "", @progbits
