# nos_kernel_image(NAME [LINK_OPTIONS option...] [DEPENDS file...])
#
# Links all modules (and the sources added to the target afterwards) into the executable NAME, with the table of function
# names in the section .kernel_symbols. The table describes the linked kernel, so there are two links: the first with
# an empty table, the second with the one made from the first. That only works if the size of the table does not move any code:
# the linker script puts .kernel_symbols behind .text. The build checks that the result and its table agree.
function(nos_kernel_image name)
  cmake_parse_arguments(K "" "" "LINK_OPTIONS;DEPENDS" ${ARGN})
  set(tool ${CMAKE_SOURCE_DIR}/tools/symbols/make_table.py)
  get_property(modules GLOBAL PROPERTY nos_modules)
  set(objects)
  foreach(module ${modules})
    list(APPEND objects $<TARGET_OBJECTS:${module}>)
  endforeach()
  set(no_table ${CMAKE_CURRENT_BINARY_DIR}/${name}.no_symbols.S)
  set(table ${CMAKE_CURRENT_BINARY_DIR}/${name}.symbols.S)
  add_custom_command(OUTPUT ${no_table} COMMAND ${tool} ${no_table} DEPENDS ${tool})
  add_custom_command(OUTPUT ${table} COMMAND ${tool} $<TARGET_FILE:${name}.first> ${table} DEPENDS ${tool} ${name}.first
    COMMENT "Naming the functions of ${name}")
  foreach(pass ${name}.first ${name})
    add_executable(${pass} ${objects})
    set_target_properties(${pass} PROPERTIES LINKER_LANGUAGE CXX LINK_DEPENDS "${K_DEPENDS}"
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    target_compile_options(${pass} PRIVATE ${NOS_ARCH_FLAGS})
    target_link_options(${pass} PRIVATE ${NOS_LINK_FLAGS} ${K_LINK_OPTIONS})
  endforeach()
  target_sources(${name}.first PRIVATE ${no_table})
  target_sources(${name} PRIVATE ${table})
  add_custom_command(TARGET ${name} POST_BUILD COMMAND ${tool} --check ${table} $<TARGET_FILE:${name}>)
endfunction()
