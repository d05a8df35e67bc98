# What is delivered: the ABI library, the richer C library, the command.

# eds_library(NAME EXPORTS map ROOMS ... [LIBS ...]) merges whole rooms into
# libNAME.so and libNAME.a.  Of the shared one only the symbols of the map are seen;
# the static one needs nothing but libsodium and LIBS beside it.
function(eds_library name)
  cmake_parse_arguments(LIB "" "EXPORTS" "ROOMS;LIBS" ${ARGN})
  set(objects "")
  foreach(room ${LIB_ROOMS})
    list(APPEND objects $<TARGET_OBJECTS:eds_${room}>)
  endforeach()
  foreach(kind SHARED STATIC)
    string(TOLOWER ${kind} suffix)
    set(target ${name}_${suffix})
    add_library(${target} ${kind} ${objects})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
    target_include_directories(${target}
                               PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:eds_flags> PkgConfig::SODIUM ${LIB_LIBS})
  endforeach()
  set_target_properties(${name}_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
                        LINK_DEPENDS ${LIB_EXPORTS})
  target_link_options(${name}_shared PRIVATE -Wl,--version-script=${LIB_EXPORTS}
                      -Wl,-Bsymbolic-functions)
  if(EDS_SANITIZE STREQUAL "")  # a sanitizer's functions are the program's to bring
    target_link_options(${name}_shared PRIVATE -Wl,-z,defs)
  endif()
endfunction()

if(NOT EDS_FUZZ)
  file(GLOB _bridge CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/bridge/*.c)
  if(_bridge)
    eds_library(edgesentry_bridge ROOMS base core bridge
                EXPORTS ${PROJECT_SOURCE_DIR}/src/bridge/exports.map)
  endif()
  eds_library(edgesentry ROOMS base core codec update EXPORTS ${PROJECT_SOURCE_DIR}/src/codec/exports.map)
  eds_library(edgesentry_device ROOMS base core codec update device LIBS ${EDS_DEVICE_LIBS}
              EXPORTS ${PROJECT_SOURCE_DIR}/src/device/exports.map)
  file(GLOB _main CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/main.c)
  if(_main)
    add_executable(eds ${_main})
    target_link_libraries(eds PRIVATE eds_cli eds_flags)
  endif()
endif()
