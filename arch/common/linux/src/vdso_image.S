// The vDSO as built with the tree, on pages of its own.
  .section .rodata.vdso_image, "a"
  .balign 4096
  .globl vdso_image, vdso_image_end
vdso_image:
  .incbin VDSO_FILE
vdso_image_end:
  .balign 4096

  .section .note.GNU-stack, "", @progbits
