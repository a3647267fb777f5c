# x86-64. Position independent, so that the kernel can be placed at a random address (RELR relocations applied at start).
set(NOS_ARCH_FLAGS --target=x86_64-unknown-none-elf -march=x86-64 -mno-red-zone -fPIE -mcmodel=small
    -mno-mmx -mno-sse -mno-avx "SHELL:-Xclang -target-feature -Xclang +soft-float"
    -fstack-protector-strong)
set(NOS_ARCH_LINK_FLAGS)
