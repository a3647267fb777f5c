# How the kernel finds rt_sigreturn: it is the image's entry point.
set(NOS_VDSO_FLAGS --target=riscv64-linux-gnu -march=rv64gc -mabi=lp64d -mno-relax -Wl,-e,__vdso_rt_sigreturn)
set(NOS_VDSO_SOURCES vdso.cpp sigreturn.S)
