# How the kernel finds rt_sigreturn: it is the image's entry point.
set(NOS_VDSO_FLAGS --target=aarch64-linux-gnu -mbranch-protection=standard -Wl,-e,__kernel_rt_sigreturn)
set(NOS_VDSO_SOURCES vdso.cpp sigreturn.S)
