# attn_program(name SOURCES … LIBRARIES …): a program of this project, under the warnings that the headers promise to pass.
add_library(attn_warnings INTERFACE)
target_compile_options(attn_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wdouble-promotion
                                               $<$<BOOL:${ATTN_WERROR}>:-Werror>)

function(attn_program name)
  cmake_parse_arguments(PARSE_ARGV 1 program "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${program_SOURCES})
  target_link_libraries(${name} PRIVATE ${program_LIBRARIES} attn_warnings)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
