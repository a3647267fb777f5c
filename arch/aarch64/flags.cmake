# AArch64, from version 8.0 of the architecture on. Position independent, so that the kernel can be placed at a random
# address (RELR relocations applied at start). x18 holds the address of the CPU's area (arch_impl/cpu.h). Return addresses are
# signed and branches go to marked targets alone; processors that know neither take those instructions for no operation.
set(NOS_ARCH_FLAGS --target=aarch64-unknown-none-elf -march=armv8-a -mgeneral-regs-only -ffixed-x18 -fPIE -mcmodel=small
    -mno-outline-atomics -mbranch-protection=standard -fstack-protector-strong)
set(NOS_ARCH_LINK_FLAGS)
