# nos_module(NAME [USES module...] [INCLUDE folder...] [FLAT folder] [KERNEL_ONLY] [NO_SANITIZE])
#
# One folder of the tree as one module:
#   include/**.h        public headers (included as <path/below/include.h>)
#   src/*.cpp, *.S, *.h sources and private headers
#   src/kernel_only/    the part of a module with host tests that only the kernel can have
#   src/host_only/      what the unit tests have in its place
#   tests/host/*.cpp    GoogleTest programs, built by the `host` preset only
#   tests/kernel/*.cpp  suites that run in the booted kernel
#
# Layering is a compile error: clang's strict declared-use check knows, through a generated module map, which headers
# belong to which module, and refuses an include of a module that USES does not name. Nothing is inherited: a module
# names each module whose headers it includes.
#
# INCLUDE names further folders of public headers (arch/api has those of the chosen architecture).
# FLAT folder: headers and sources lie side by side in the module's own folder, and the headers are included by their path
# below `folder`. For modules of many small files (system calls).
# KERNEL_ONLY modules (assembly, hardware) are left out of the host preset.
set_property(GLOBAL PROPERTY nos_modules "")

# The part of the standard library that kernel code may include.
set(NOS_STD_HEADERS algorithm array atomic bit charconv compare concepts cstddef cstdint cstring cstdarg expected
    functional initializer_list iterator limits memory new numeric optional span string_view tuple type_traits utility
    variant coroutine ranges)
set(NOS_STD_MAP ${CMAKE_BINARY_DIR}/modulemaps/std_allowed.modulemap)
set(lines "module std_allowed [system] {\n")
foreach(header ${NOS_STD_HEADERS})
  string(APPEND lines "  header \"/usr/lib/llvm-19/include/c++/v1/${header}\"\n")
endforeach()
string(APPEND lines "  export *\n}\n")
file(CONFIGURE OUTPUT ${NOS_STD_MAP} CONTENT "${lines}" @ONLY)

function(nos_write_module_map name)
  cmake_parse_arguments(M "" "" "PUBLIC;PRIVATE;USES" ${ARGN})
  set(text "extern module std_allowed \"${NOS_STD_MAP}\"\n")
  foreach(used ${M_USES})
    string(APPEND text "extern module ${used} \"${CMAKE_BINARY_DIR}/modulemaps/${used}.modulemap\"\n")
  endforeach()
  string(APPEND text "module ${name} {\n")
  foreach(header ${M_PUBLIC})
    string(APPEND text "  header \"${header}\"\n")
  endforeach()
  foreach(header ${M_PRIVATE})
    string(APPEND text "  private header \"${header}\"\n")
  endforeach()
  string(APPEND text "  export *\n  use std_allowed\n")
  foreach(used ${M_USES})
    string(APPEND text "  use ${used}\n")
  endforeach()
  string(APPEND text "}\n")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/modulemaps/${name}.modulemap CONTENT "${text}" @ONLY)
endfunction()

function(nos_module name)
  cmake_parse_arguments(M "KERNEL_ONLY;NO_SANITIZE" "FLAT" "USES;INCLUDE" ${ARGN})
  set(here ${CMAKE_CURRENT_SOURCE_DIR})
  set(includes ${here}/include ${M_INCLUDE})
  set(public)
  foreach(folder ${includes})
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${folder}/*.h)
    list(APPEND public ${headers})
  endforeach()
  if(M_FLAT)
    set(includes ${M_FLAT})
    file(GLOB public CONFIGURE_DEPENDS ${here}/*.h)
    file(GLOB flat_sources CONFIGURE_DEPENDS ${here}/*.cpp)
  endif()
  file(GLOB private CONFIGURE_DEPENDS ${here}/src/*.h ${here}/src/kernel_only/*.h)
  file(GLOB sources CONFIGURE_DEPENDS ${here}/src/*.cpp ${here}/src/*.S)
  list(APPEND sources ${flat_sources})
  file(GLOB kernel_sources CONFIGURE_DEPENDS ${here}/src/kernel_only/*.cpp ${here}/src/kernel_only/*.S)
  file(GLOB kernel_tests CONFIGURE_DEPENDS ${here}/tests/kernel/*.cpp)
  file(GLOB host_tests CONFIGURE_DEPENDS ${here}/tests/host/*.cpp)
  nos_write_module_map(${name} PUBLIC ${public} PRIVATE ${private} USES ${M_USES})

  if(NOS_FLAVOUR STREQUAL "host")
    file(GLOB host_sources CONFIGURE_DEPENDS ${here}/src/host_only/*.cpp)
    list(APPEND sources ${host_sources})
    if(M_KERNEL_ONLY)
      return()
    endif()
    # Kernel-only modules do not exist here.
    list(TRANSFORM M_USES REPLACE "(.+)" "$<TARGET_NAME_IF_EXISTS:\\1>")
    if(sources)
      add_library(${name} STATIC ${sources})
      target_include_directories(${name} PUBLIC ${includes} PRIVATE ${here}/src)
      target_compile_options(${name} PRIVATE ${NOS_COMPILE_FLAGS})
      target_link_libraries(${name} PUBLIC ${M_USES})
    else()
      add_library(${name} INTERFACE)
      target_include_directories(${name} INTERFACE ${includes})
      target_link_libraries(${name} INTERFACE ${M_USES})
    endif()
    if(host_tests)
      add_executable(${name}_tests ${host_tests})
      target_include_directories(${name}_tests PRIVATE ${here}/src)
      target_compile_options(${name}_tests PRIVATE ${NOS_COMPILE_FLAGS})
      target_link_options(${name}_tests PRIVATE ${NOS_LINK_FLAGS})
      target_link_libraries(${name}_tests PRIVATE ${name} GTest::gtest_main GTest::gmock)
      add_test(NAME ${name} COMMAND ${name}_tests)
    endif()
    return()
  endif()

  list(APPEND sources ${kernel_sources})
  if(NOT sources AND NOT kernel_tests)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${includes})
    target_link_libraries(${name} INTERFACE ${M_USES})
    return()
  endif()
  add_library(${name} OBJECT ${sources} ${kernel_tests})
  target_include_directories(${name} PUBLIC ${includes} PRIVATE ${here}/src)
  set(cxx_flags ${NOS_COMPILE_FLAGS}
      "SHELL:-Xclang -fno-cxx-modules" "SHELL:-Xclang -fmodules-strict-decluse" -Wprivate-header
      -fmodule-name=${name} -fmodule-map-file=${CMAKE_BINARY_DIR}/modulemaps/${name}.modulemap)
  if(NOT M_NO_SANITIZE)
    list(APPEND cxx_flags ${NOS_SANITIZE_FLAGS})
  endif()
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${cxx_flags}>"
    "$<$<COMPILE_LANGUAGE:ASM>:${NOS_ARCH_FLAGS};-g>")
  foreach(used ${M_USES})
    target_link_libraries(${name} PUBLIC ${used})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY nos_modules ${name})
endfunction()
