# eds_room(NAME [ROOMS left...] [LIBS libraries...]) makes the target eds_NAME
# from src/NAME/*.c.  A room without sources yet is an empty interface, so that
# what stands on it can be written first.
function(eds_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  if(COMMAND eds_room_filter)
    eds_room_filter(${name} sources)
  endif()
  list(TRANSFORM ROOM_ROOMS PREPEND eds_)
  if(sources)
    add_library(eds_${name} STATIC ${sources})
    target_include_directories(eds_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(eds_${name} PUBLIC ${ROOM_ROOMS} ${ROOM_LIBS} PRIVATE eds_flags)
  else()
    add_library(eds_${name} INTERFACE)
    target_include_directories(eds_${name} INTERFACE ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(eds_${name} INTERFACE ${ROOM_ROOMS} ${ROOM_LIBS})
  endif()
endfunction()

# Sources of features that are switched off are not built.
function(eds_room_filter name sources_variable)
  set(sources ${${sources_variable}})
  if(name STREQUAL "transport" AND NOT EDS_TRANSPORT_HTTP)
    list(FILTER sources EXCLUDE REGEX "/http_[^/]*\\.c$")
  endif()
  if(name STREQUAL "cli" AND NOT EDS_TRANSPORT_HTTP)
    list(FILTER sources EXCLUDE REGEX "/(serve|send)\\.c$")
  endif()
  set(${sources_variable} ${sources} PARENT_SCOPE)
endfunction()
