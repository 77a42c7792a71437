# libhyperstep-rules: the VM-entry checks for C and what can call C; with header, pkg-config and CMake package files.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(hyperstep-rules SHARED embed/rules.cpp)
target_link_libraries(hyperstep-rules PRIVATE hs_vmx_rules hs_warnings)
target_link_options(hyperstep-rules PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
target_include_directories(hyperstep-rules PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/embed/include>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(hyperstep-rules PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 1 CXX_VISIBILITY_PRESET hidden)

configure_file(cmake/hyperstep-rules.pc.in hyperstep-rules.pc @ONLY)
configure_package_config_file(cmake/hyperstep-rules-config.cmake.in hyperstep-rules-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hyperstep-rules)
write_basic_package_version_file(hyperstep-rules-config-version.cmake COMPATIBILITY SameMajorVersion)

install(TARGETS hyperstep-rules EXPORT hyperstep-rules LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS hyperstep RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY embed/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY embed/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES ${PROJECT_BINARY_DIR}/hyperstep-rules.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(EXPORT hyperstep-rules NAMESPACE hyperstep:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hyperstep-rules)
install(FILES ${PROJECT_BINARY_DIR}/hyperstep-rules-config.cmake ${PROJECT_BINARY_DIR}/hyperstep-rules-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hyperstep-rules)
