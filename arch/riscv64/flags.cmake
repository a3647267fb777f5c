# RISC-V, 64 bits. Position independent, so that the kernel can be placed at a random address (RELR relocations applied at start).
# No floating point in the kernel. No linker relaxation: filling the table of symbols must not move code (kernel_image.cmake).
set(NOS_ARCH_FLAGS --target=riscv64-unknown-none-elf -march=rv64imac_zicsr_zifencei -mabi=lp64 -fPIE -mcmodel=medany -mno-relax
    -fstack-protector-strong)
set(NOS_ARCH_LINK_FLAGS)
