# How the kernel image of this architecture is linked, and what is made from it.
set(NOS_KERNEL_LINK_OPTIONS -nostdlib -fuse-ld=lld-19 -static-pie --target=x86_64-linux-gnu
  -Wl,-T,${CMAKE_SOURCE_DIR}/arch/x86_64/boot/kernel.lds
  -Wl,--gc-sections -Wl,-z,pack-relative-relocs -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
  -Wl,--no-dynamic-linker -Wl,--build-id=none -Wl,-z,separate-code -Wl,-z,notext)
set(NOS_KERNEL_LINK_DEPENDS ${CMAKE_SOURCE_DIR}/arch/x86_64/boot/kernel.lds)
set(NOS_PLATFORM_MODULES platform_pc)

# bzImage: the same kernel for loaders that speak the Linux boot protocol.
function(nos_finish_kernel_image name)
  set(source ${CMAKE_SOURCE_DIR}/arch/x86_64/bzimage)
  set(out ${CMAKE_CURRENT_BINARY_DIR})
  foreach(part setup loader)
    add_custom_command(OUTPUT ${out}/${part}.bin DEPENDS ${source}/${part}.S
      COMMAND ${CMAKE_ASM_COMPILER} --target=x86_64-unknown-none-elf -c ${source}/${part}.S -o ${out}/${part}.o
      COMMAND ld.lld-19 --oformat=binary -Ttext=0 --image-base=0 -o ${out}/${part}.bin ${out}/${part}.o)
  endforeach()
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/bzImage
    DEPENDS ${name} ${source}/make_bzimage.py ${out}/setup.bin ${out}/loader.bin
    COMMAND llvm-objcopy-19 -O binary $<TARGET_FILE:${name}> ${out}/kernel.bin
    COMMAND ${source}/make_bzimage.py ${out}/setup.bin ${out}/loader.bin $<TARGET_FILE:${name}> ${out}/kernel.bin
      ${CMAKE_BINARY_DIR}/bzImage
    COMMENT "Making bzImage")
  add_custom_target(bzImage ALL DEPENDS ${CMAKE_BINARY_DIR}/bzImage)
endfunction()
