# How the kernel image of this architecture is linked, and what is made from it.
set(NOS_KERNEL_LINK_OPTIONS -nostdlib -fuse-ld=lld-19 -static-pie --target=x86_64-linux-gnu
  -Wl,-T,${CMAKE_SOURCE_DIR}/arch/x86_64/boot/kernel.lds
  -Wl,--gc-sections -Wl,-z,pack-relative-relocs -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
  -Wl,--no-dynamic-linker -Wl,--build-id=none -Wl,-z,separate-code -Wl,-z,notext)
set(NOS_KERNEL_LINK_DEPENDS ${CMAKE_SOURCE_DIR}/arch/x86_64/boot/kernel.lds)
set(NOS_PLATFORM_MODULES platform_pc)

function(nos_finish_kernel_image name)
endfunction()
