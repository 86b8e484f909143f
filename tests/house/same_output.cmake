# Two programs succeed and print the same. usage: cmake -D ONE=… -D OTHER=… -P same_output.cmake
execute_process(COMMAND ${ONE} OUTPUT_VARIABLE one COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${OTHER} OUTPUT_VARIABLE other COMMAND_ERROR_IS_FATAL ANY)
if(one STREQUAL "" OR NOT one STREQUAL other)
  message(FATAL_ERROR "the outputs differ:\n${one}${other}")
endif()
message(STATUS "both print ${one}")
