# Installs the library, moves it to where it was not made for, and looks for paths of this machine in it.
# usage: cmake -D BUILD_DIR=… -D SOURCE_DIR=… -D PREFIX=… -P install.cmake
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${PREFIX} ${PREFIX}.before)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${PREFIX}.before OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${PREFIX}.before ${PREFIX})

file(GLOB_RECURSE files ${PREFIX}/*)
foreach(file IN LISTS files)
  file(READ ${file} text)
  foreach(path IN ITEMS ${BUILD_DIR} ${SOURCE_DIR} ${PREFIX})
    string(FIND "${text}" "${path}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names a path of this machine: ${path}")
    endif()
  endforeach()
endforeach()
