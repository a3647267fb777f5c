# How the kernel image of this architecture is linked, and what is made from it.
set(NOS_KERNEL_LINK_OPTIONS -nostdlib -fuse-ld=lld-19 -static-pie --target=riscv64-linux-gnu
  -Wl,-T,${CMAKE_SOURCE_DIR}/arch/riscv64/boot/kernel.lds
  -Wl,--gc-sections -Wl,-z,pack-relative-relocs -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
  -Wl,--no-dynamic-linker -Wl,--build-id=none -Wl,-z,separate-code -Wl,-z,notext)
set(NOS_KERNEL_LINK_DEPENDS ${CMAKE_SOURCE_DIR}/arch/riscv64/boot/kernel.lds)
set(NOS_PLATFORM_MODULES platform_board platform_aia)

# Image: the kernel's bytes, which begin with Linux's header for RISC-V.
function(nos_finish_kernel_image name)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/Image DEPENDS ${name}
    COMMAND llvm-objcopy-19 -O binary $<TARGET_FILE:${name}> ${CMAKE_BINARY_DIR}/Image
    COMMENT "Making Image")
  add_custom_target(Image ALL DEPENDS ${CMAKE_BINARY_DIR}/Image)
endfunction()
