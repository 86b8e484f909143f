# Headers, a CMake package with one targets file a component, and pkg-config files: nothing in them depends on the machine.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/attn)

install(DIRECTORY include/attn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS attn EXPORT attn-attn-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS attn_io EXPORT attn-io-targets)
install(TARGETS attn_plot EXPORT attn-plot-targets)
install(TARGETS attn_text EXPORT attn-text-targets)
install(TARGETS attn_mpi EXPORT attn-mpi-targets)
foreach(component IN ITEMS attn io plot text mpi)
  install(EXPORT attn-${component}-targets NAMESPACE attn:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(cmake/attn-config.cmake.in cmake/attn-config.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(cmake/attn-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/cmake/attn-config.cmake ${PROJECT_BINARY_DIR}/cmake/attn-config-version.cmake
              cmake/attn-dependencies.cmake DESTINATION ${package_dir})

# attn.pc, and one file a component, from one template; it finds the headers from where it lies, so the tree can be moved.
file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_DATADIR}/pkgconfig /prefix)
function(attn_install_pkgconfig name description requires extra)
  configure_file(cmake/attn.pc.in cmake/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/cmake/${name}.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
endfunction()
attn_install_pkgconfig(attn "Attention in C++: header-only, on Eigen" "eigen3 >= 3.4.0" "Libs: -pthread")
attn_install_pkgconfig(attn-io "attn: safetensors, npy and checkpoints" "attn = ${PROJECT_VERSION}, nlohmann_json >= 3.10" "")
attn_install_pkgconfig(attn-plot "attn: heat maps and curves to PNG" "attn = ${PROJECT_VERSION}" "")
attn_install_pkgconfig(attn-text "attn: tokenizers" "attn-io = ${PROJECT_VERSION}, libutf8proc >= 2.6" "")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/attn)
