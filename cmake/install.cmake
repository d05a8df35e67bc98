# cmake --install: the command, the libraries, and three ways to find them:
# plain -ledgesentry_bridge, pkg-config, and find_package(edgesentry).  What goes
# with the command is in install-service.cmake.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/edgesentry)
set(_libraries "")
foreach(name edgesentry edgesentry_bridge edgesentry_device)
  if(TARGET ${name}_shared)
    string(REPLACE "edgesentry_" "" _short ${name})
    set_target_properties(${name}_shared PROPERTIES EXPORT_NAME ${_short})
    set_target_properties(${name}_static PROPERTIES EXPORT_NAME ${_short}_static)
    list(APPEND _libraries ${name}_shared ${name}_static)
  endif()
endforeach()
if(_libraries)
  install(TARGETS ${_libraries} EXPORT edgesentry
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
          FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
  install(EXPORT edgesentry NAMESPACE edgesentry:: FILE edgesentry-targets.cmake
          DESTINATION ${_package})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/edgesentry-config.cmake.in
                                ${PROJECT_BINARY_DIR}/generated/edgesentry-config.cmake
                                INSTALL_DESTINATION ${_package} NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/edgesentry-config-version.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/generated/edgesentry-config.cmake
                ${PROJECT_BINARY_DIR}/generated/edgesentry-config-version.cmake
          DESTINATION ${_package})

  # Paths relative to the .pc file itself: the tree may be moved as a whole.
  file(RELATIVE_PATH _up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" EDS_PC_PREFIX "\${pcfiledir}/${_up}")
  foreach(pc edgesentry edgesentry-bridge edgesentry-device)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/${pc}.pc.in ${PROJECT_BINARY_DIR}/generated/${pc}.pc
                   @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/generated/${pc}.pc
            DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endforeach()
endif()
if(TARGET eds)
  install(TARGETS eds RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  include(${PROJECT_SOURCE_DIR}/cmake/install-service.cmake)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE-MIT ${PROJECT_SOURCE_DIR}/LICENSE-APACHE
              ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
