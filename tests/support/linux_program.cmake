# What the programs of tests/ for Linux have in common: clang, C++20, ccache, no shared libraries. Included before
# project(); linux_program(NAME) then makes the program of all the sources in the folder.
if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  find_program(linux_program_clang NAMES clang++-19)
  if(linux_program_clang)
    set(CMAKE_CXX_COMPILER ${linux_program_clang})
  endif()
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)
find_program(linux_program_ccache ccache)
if(linux_program_ccache)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${linux_program_ccache})
endif()

function(linux_program name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..)
  target_compile_options(${name} PRIVATE -O1 -g1 -ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Werror
                         -Wno-missing-field-initializers -fmacro-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}/=)
  target_link_options(${name} PRIVATE -static -pthread -Wl,--gc-sections)
endfunction()
