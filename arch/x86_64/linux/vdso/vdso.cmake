set(NOS_VDSO_FLAGS --target=x86_64-linux-gnu)
set(NOS_VDSO_SOURCES vdso.cpp)
