# eds_room(NAME [ROOMS left...] [LIBS libraries...]) makes the target eds_NAME
# from src/NAME/*.c.  A room without sources yet is an empty interface, so that
# what stands on it can be written first.  Its libraries are linked wherever it is,
# but only its own sources and tests see their headers.
function(eds_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  list(REMOVE_ITEM sources ${EDS_SOURCES_OFF})
  list(TRANSFORM ROOM_ROOMS PREPEND eds_)
  if(sources)
    add_library(eds_${name} STATIC ${sources})
    target_include_directories(eds_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(eds_${name} PUBLIC ${ROOM_ROOMS} PRIVATE ${ROOM_LIBS} eds_flags)
  else()
    add_library(eds_${name} INTERFACE)
    target_include_directories(eds_${name} INTERFACE ${PROJECT_SOURCE_DIR}/include
                               ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(eds_${name} INTERFACE ${ROOM_ROOMS} ${ROOM_LIBS})
  endif()
  set(EDS_LIBS_${name} ${ROOM_LIBS} PARENT_SCOPE)
endfunction()
