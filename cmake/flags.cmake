# Compiler flags. Warnings are errors everywhere; the kernel is freestanding C++23 without exceptions, RTTI or
# global constructors, on the headers of libc++ 19 with the configuration in cmake/libcxx-config.
set(NOS_WARNINGS
  -Wall -Wextra -Wshadow -Werror -Wthread-safety -Wthread-safety-beta -Wno-missing-field-initializers
  -Wimplicit-fallthrough -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unused-parameter)

if(NOS_FLAVOUR STREQUAL "host")
  # Unit tests: the pure parts of the tree as ordinary programs, under the sanitizers.
  set(NOS_COMPILE_FLAGS ${NOS_WARNINGS} -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined
      -fno-sanitize-recover=all -DNOS_HOST=1 -DNOS_DEBUG=1)
  set(NOS_LINK_FLAGS -fsanitize=address,undefined -fuse-ld=lld-19)
else()
  include(arch/${NOS_ARCH}/flags.cmake)  # sets NOS_ARCH_FLAGS, NOS_ARCH_LINK_FLAGS
  set(NOS_COMPILE_FLAGS
    ${NOS_WARNINGS} -Wglobal-constructors -Wexit-time-destructors
    -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-c++-static-destructors -fno-asynchronous-unwind-tables
    -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fvisibility=hidden -fdirect-access-external-data
    -fno-strict-aliasing -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks
    -ffunction-sections -fdata-sections
    -nostdinc++ -nostdlibinc
    -isystem${CMAKE_SOURCE_DIR}/cmake/libcxx-config
    -isystem/usr/lib/llvm-19/include/c++/v1
    -isystem${CMAKE_SOURCE_DIR}/cmake/libc-shim
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
    -g ${NOS_ARCH_FLAGS})
  if(NOS_FLAVOUR STREQUAL "debug")
    list(APPEND NOS_COMPILE_FLAGS -O1 -DNOS_DEBUG=1)
  elseif(NOS_FLAVOUR STREQUAL "release")
    # Optimised as a whole: modules are small and call each other through headers without bodies.
    list(APPEND NOS_COMPILE_FLAGS -O2 -DNOS_DEBUG=0 -flto=thin)
  elseif(NOS_FLAVOUR STREQUAL "kasan")
    list(APPEND NOS_COMPILE_FLAGS -O1 -DNOS_DEBUG=1 -DNOS_KASAN=1)
  elseif(NOS_FLAVOUR STREQUAL "coverage")
    list(APPEND NOS_COMPILE_FLAGS -O1 -DNOS_DEBUG=1)
  else()
    message(FATAL_ERROR "unknown NOS_FLAVOUR '${NOS_FLAVOUR}'")
  endif()
  # Sanitizer instrumentation: everything but the modules that say NO_SANITIZE (they run before the shadow stands
  # or implement the checks).
  set(NOS_SANITIZE_FLAGS)
  if(NOS_FLAVOUR STREQUAL "kasan")
    # The driver refuses kernel-address for bare targets; the compiler behind it does not. Every access becomes a call
    # (core/sanitizer), so nothing depends on where the shadow lies.
    set(NOS_SANITIZE_FLAGS
      "SHELL:-Xclang -fsanitize=kernel-address" "SHELL:-Xclang -fsanitize-recover=kernel-address"
      "SHELL:-mllvm -asan-instrumentation-with-call-threshold=0" "SHELL:-mllvm -asan-stack=0"
      "SHELL:-mllvm -asan-globals=0" "SHELL:-mllvm -asan-kernel-mem-intrinsic-prefix=1"
      "SHELL:-mllvm -asan-constructor-kind=none" -fsanitize-recover=all
      -fsanitize=alignment,array-bounds,bool,enum,integer-divide-by-zero,null,pointer-overflow,returns-nonnull-attribute,shift,signed-integer-overflow,unreachable,vla-bound)
  endif()
  if(NOS_FLAVOUR STREQUAL "coverage")
    # Counters only, no run-time library: whoever runs the guest reads them from its memory (tools/nos/coverage.py).
    set(NOS_SANITIZE_FLAGS -fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic)
  endif()
  set(NOS_LINK_FLAGS ${NOS_ARCH_LINK_FLAGS})
  if(NOS_FLAVOUR STREQUAL "release")
    # The cache makes the second link (cmake/kernel_image.cmake), and later ones, mostly one of unchanged modules.
    list(APPEND NOS_LINK_FLAGS -flto=thin -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/lto-cache)
  endif()
endif()
