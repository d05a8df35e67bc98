# Tells the code and the reader what this build can do: build/generated/ gets
# cli/features.h for `eds --version` and base/features.h for #if, and there is a
# summary.  Headers and not definitions for all: who does not ask is not compiled
# again when an option changes.
set(_rows "")
set(_macros "")
set(_summary "")
foreach(option ${EDS_FEATURES})
  string(REGEX REPLACE "^EDS_" "" _name ${option})
  string(TOLOWER ${_name} _name)
  string(REPLACE "_" "-" _name ${_name})
  string(APPEND _rows "    {\"${_name}\", \"${${option}_STATE}\"}, \\\n")
  string(APPEND _summary "\n   ${option}: ${${option}_STATE}")
  set(_on 0)
  if(${option}_STATE STREQUAL "on")
    set(_on 1)
  endif()
  string(APPEND _macros "#define ${option} ${_on}\n")
endforeach()
set(_libraries "")
foreach(package SODIUM SQLITE P11KIT LIBPQ MICROHTTPD CURL GNUTLS MOSQUITTO)
  if(${package}_FOUND)
    string(APPEND _libraries
           "    {\"${${package}_MODULE_NAME}\", \"${${package}_VERSION}\"}, \\\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/cli/features.h @ONLY CONTENT
"/* Made by CMake (cmake/features.cmake): what this build was made with. */
#ifndef EDS_CLI_FEATURES_H
#define EDS_CLI_FEATURES_H

/* Names are those of the CMake options, spelled as the original's features. */
#define EDS_FEATURES_INIT \\
@_rows@
/* What was linked, in the version that the build found. */
#define EDS_LIBRARIES_INIT \\
@_libraries@
#endif
")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/base/features.h @ONLY CONTENT
"/* Made by CMake (cmake/features.cmake): the options of this build, 1 or 0. */
#ifndef EDS_BASE_FEATURES_H
#define EDS_BASE_FEATURES_H

@_macros@
#endif
")
target_include_directories(eds_flags INTERFACE ${PROJECT_BINARY_DIR}/generated)
message(STATUS "EdgeSentry ${PROJECT_VERSION}, ${CMAKE_C_COMPILER_ID} "
               "${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}:${_summary}")
