# The look-up takes Eigen from 3.4.0 on and refuses what is older, whatever version file the package has.
# usage: cmake -D ATTN_DIR=… -D WORK_DIR=… -D GENERATOR=Ninja -D MAKE_PROGRAM=… -P check.cmake
cmake_minimum_required(VERSION 3.25)
include(CMakePackageConfigHelpers)

foreach(case IN ITEMS "3.4.0 SameMajorVersion serves" "3.4.1 SameMinorVersion serves" "3.4.90 ExactVersion serves" "5.0.1 SameMajorVersion serves"
                      "5.1.0 AnyNewerVersion serves" "6.0.0 SameMajorVersion serves" "3.3.9 SameMajorVersion old" "3.2.10 AnyNewerVersion old" "none - absent")
  string(REPLACE " " ";" case "${case}")
  list(GET case 0 version)
  list(GET case 1 compatibility)
  list(GET case 2 expected)
  set(prefix ${WORK_DIR}/eigen-${version})
  file(REMOVE_RECURSE ${prefix})
  if(NOT version STREQUAL "none")
    set(package ${prefix}/share/eigen3/cmake)
    write_basic_package_version_file(${package}/Eigen3ConfigVersion.cmake VERSION ${version} COMPATIBILITY ${compatibility} ARCH_INDEPENDENT)
    file(WRITE ${package}/Eigen3Config.cmake "add_library(Eigen3::Eigen INTERFACE IMPORTED)\n")
  endif()

  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${prefix}/build -D ATTN_DIR=${ATTN_DIR} -D CMAKE_PREFIX_PATH=${prefix}
            -G ${GENERATOR} -D CMAKE_MAKE_PROGRAM=${MAKE_PROGRAM} -D CMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -D CMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
    OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(serves "Eigen ${version}: \\[\\]")
  set(old "Eigen ${version} in [^\n]* is too old")
  set(absent "Eigen 3.4.0 or newer was not found")
  if(NOT output MATCHES "${${expected}}")
    message(FATAL_ERROR "Eigen ${version} (${compatibility}) must be met by \"${${expected}}\", not by:\n${output}")
  endif()
  message(STATUS "Eigen ${version} with a version file ${compatibility}: ${expected}")
endforeach()
