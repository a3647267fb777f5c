// The real-mode part of the bzImage: what a PC boot loader loads below 1 MiB and calls. It asks the BIOS for the memory map,
// fills a boot_params structure and enters the protected-mode part. Header and structure are those of the Linux boot
// protocol, version 2.15 (Documentation/arch/x86/boot.rst in Linux's sources).

#define BOOT_PARAMS 0x2000          // offset in the segment, behind the code
#define STACK_TOP 0x8ff0

#define PARAMS_MAP_COUNT 0x1e8
#define PARAMS_MAP 0x2d0
#define MOST_MAP_ENTRIES 128

  .code16
  .section .text, "ax"
  .globl _start
_start:
  // Started as a boot sector: say so and stop.
  ljmpw $0x7c0, $1f
1:movw %cs, %ax
  movw %ax, %ds
  movw $sector_message, %si
2:lodsb
  testb %al, %al
  jz 3f
  movb $0xe, %ah
  movw $7, %bx
  int $0x10
  jmp 2b
3:hlt
  jmp 3b
sector_message:
  .asciz "NOS needs a boot loader.\r\n"

  .org 0x1f1
  .byte 0                           // setup_sects: filled in by make_bzimage.py
  .word 1                           // root_flags: read-only
  .long 0                           // syssize: filled in
  .word 0
  .word 0xffff                      // vid_mode: as it is
  .word 0                           // root_dev
  .word 0xaa55
header:
  .byte 0xeb, start - 1f            // short jump; its distance is also the length of the header
1:.ascii "HdrS"
  .word 0x020f
  .long 0                           // realmode_swtch
  .word 0x1000
  .word version - 0x200
  .byte 0                           // type_of_loader
  .byte 1                           // loadflags: the protected-mode part is loaded high
  .word 0x8000
code32_start:
  .long 0x100000
  .long 0, 0                        // initial RAM disk
  .long 0
  .word STACK_TOP                   // heap_end_ptr
  .byte 0, 0
  .long 0                           // cmd_line_ptr
  .long 0x7fffffff                  // initrd_addr_max
  .long 0x200000                    // kernel_alignment
  .byte 1                           // relocatable_kernel
  .byte 21                          // min_alignment
  .word 1                           // xloadflags: has a 64-bit entry at 0x200
  .long 2047                        // cmdline_size
  .long 0
  .quad 0
  .long 0, 0                        // payload
  .quad 0                           // setup_data
  .quad 0x1000000                   // pref_address
  .long 0                           // init_size: filled in
  .long 0                           // handover_offset
  .long 0                           // kernel_info_offset

start:
  // One segment for everything, beginning at the boot sector.
  movw %cs, %ax
  subw $0x20, %ax
  movw %ss, %dx
  movw %ax, %ds
  movw %ax, %es
  cmpw %ax, %dx
  je 1f
  cli
  movw %ax, %ss
  movw $STACK_TOP, %sp
  sti
1:pushw %ax
  pushw $2f
  lretw
2:cld

  // Clear boot_params, copy the header into it.
  movw $BOOT_PARAMS, %di
  xorw %ax, %ax
  movw $2048, %cx
  rep stosw
  movw $0x1f1, %si
  movw $(BOOT_PARAMS + 0x1f1), %di
  movw $(start - 0x1f1), %cx
  rep movsb

  // Memory map.
  xorl %ebx, %ebx
  movw $(BOOT_PARAMS + PARAMS_MAP), %di
3:movl $0xe820, %eax
  movl $0x534d4150, %edx            // "SMAP"
  movl $20, %ecx
  int $0x15
  jc 4f
  cmpl $0x534d4150, %eax
  jne 4f
  addw $20, %di
  incb BOOT_PARAMS + PARAMS_MAP_COUNT
  cmpb $MOST_MAP_ENTRIES, BOOT_PARAMS + PARAMS_MAP_COUNT
  jae 4f
  testl %ebx, %ebx
  jnz 3b
4:

  // Address line 20, by the BIOS and by the fast gate.
  movw $0x2401, %ax
  int $0x15
  inb $0x92, %al
  testb $2, %al
  jnz 5f
  orb $2, %al
  andb $0xfe, %al
  outb %al, $0x92
5:

  cli
  xorl %ebx, %ebx
  movw %ds, %bx
  shll $4, %ebx                     // linear address of the segment
  leal gdt(%ebx), %eax
  movl %eax, gdt_pointer + 2
  leal protected(%ebx), %eax
  movl %eax, protected_jump
  lgdtl gdt_pointer
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl *protected_jump

  .code32
protected:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %fs
  movl %eax, %gs
  movl %eax, %ss
  leal BOOT_PARAMS(%ebx), %esi
  movl code32_start(%ebx), %eax
  xorl %ebp, %ebp
  xorl %edi, %edi
  xorl %ebx, %ebx
  jmpl *%eax

  .balign 8
gdt:
  .quad 0
  .quad 0
  .quad 0x00cf9b000000ffff          // 0x10: code
  .quad 0x00cf93000000ffff          // 0x18: data
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long 0
protected_jump:
  .long 0
  .word 0x10
version:
  .asciz "6.12.0-nos"
