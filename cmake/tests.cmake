# A test is tests/ROOM/test_NAME.c: one program, one CTest entry "ROOM/NAME".
# Other .c files of the folder (helpers, conformance suites) are linked to all
# test programs of that folder.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
add_custom_target(room_tests)  # all test programs, and what they need

# eds_test_helpers(NAME files...) compiles once what several programs link.
function(eds_test_helpers name)
  if(ARGN)
    add_library(${name} OBJECT ${ARGN})
  else()
    add_library(${name} INTERFACE)
    return()
  endif()
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/tests
                             PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC eds_flags PkgConfig::CMOCKA PkgConfig::JANSSON
                        Threads::Threads)
  target_compile_definitions(${name} PUBLIC EDS_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors")
  # Allocations fail on demand: tests/support/alloc.h.
  target_link_options(${name} PUBLIC -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
endfunction()

file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/*.c)
eds_test_helpers(test_support ${support})

function(eds_tests room)
  file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${room}/test_*.c)
  file(GLOB helpers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${room}/*.c)
  list(FILTER helpers EXCLUDE REGEX "/test_[^/]*\\.c$")
  list(REMOVE_ITEM programs ${EDS_SOURCES_OFF})
  list(REMOVE_ITEM helpers ${EDS_SOURCES_OFF})
  eds_test_helpers(test_helpers_${room} ${helpers})
  if(helpers)
    target_link_libraries(test_helpers_${room} PRIVATE eds_${room} ${EDS_LIBS_${room}})
  endif()
  foreach(program ${programs})
    get_filename_component(name ${program} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    set(target test_${room}_${name})
    add_executable(${target} ${program})
    target_link_libraries(${target} PRIVATE test_helpers_${room} test_support eds_${room}
                          ${EDS_LIBS_${room}})
    add_dependencies(room_tests ${target})
    add_test(NAME ${room}/${name} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${room}/${name} PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77)
  endforeach()
endfunction()

set(_rooms ${EDS_TEST_ROOMS})
list(REMOVE_ITEM _rooms fuzz e2e)
foreach(room ${_rooms})
  eds_tests(${room})
endforeach()
# What the original's buffer did is replayed into real ingest.
if(TARGET test_device_peer_flush AND TARGET test_helpers_ingest)
  target_link_libraries(test_device_peer_flush PRIVATE test_helpers_ingest eds_ingest)
endif()
# A gateway is brought records as ingest is.
if(TARGET test_gateway_buffer_keeper AND TARGET test_helpers_ingest)
  target_link_libraries(test_gateway_buffer_keeper PRIVATE test_helpers_ingest eds_ingest)
endif()
# The disk that fails under the ledger also fails under the buffer.
if(TARGET test_device_store_sqlite_power AND TARGET test_helpers_store)
  target_link_libraries(test_device_store_sqlite_power PRIVATE test_helpers_store eds_store)
endif()

# A million cases for the verifier's levels next to libsodium, which takes a minute or
# two for its part.
if(TARGET test_core_verifier_diff)
  add_test(NAME core/verifier_diff_million COMMAND test_core_verifier_diff
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(core/verifier_diff_million PROPERTIES TIMEOUT 3000 LABELS slow COST 100
                       ENVIRONMENT "EDS_DIFF_CASES=1000000")
endif()

# Whole-program tests are scripts: tests/e2e/NAME.sh or .py, "e2e/NAME".  They
# get the commands in EDS, and exit 77 where they can't run, with the reason.  A
# line "# label: slow" keeps one out of the quick runs.
file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/e2e/test_*.sh
     ${PROJECT_SOURCE_DIR}/tests/e2e/test_*.py)
if(NOT "e2e" IN_LIST EDS_TEST_ROOMS)
  set(scripts "")
endif()
foreach(script ${scripts})
  get_filename_component(name ${script} NAME_WE)
  string(REGEX REPLACE "^test_" "" name ${name})
  add_test(NAME e2e/${name} COMMAND ${script} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(e2e/${name} PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77
    ENVIRONMENT "EDS=${CMAKE_BINARY_DIR}/bin/eds;EDS_BUILD=${CMAKE_BINARY_DIR};EDS_SOURCE=${PROJECT_SOURCE_DIR}")
  file(STRINGS ${script} _label REGEX "^# label: ")
  if(_label)
    string(REPLACE "# label: " "" _label "${_label}")
    set_tests_properties(e2e/${name} PROPERTIES LABELS ${_label} COST 100)  # these begin first
  endif()
endforeach()

if(TEST e2e/deb) # it compiles all of it, and installs a Debian
  set_tests_properties(e2e/deb PROPERTIES TIMEOUT 2400)
endif()

# Every fuzz target's corpus is replayed by the ordinary run.
file(GLOB targets CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
if(NOT "fuzz" IN_LIST EDS_TEST_ROOMS)
  set(targets "")
endif()
list(REMOVE_ITEM targets ${EDS_SOURCES_OFF})
foreach(target ${targets})
  get_filename_component(name ${target} NAME_WE)
  add_executable(replay_${name} ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
  target_include_directories(replay_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(replay_${name} PRIVATE eds_transport eds_fleet eds_device eds_store eds_codec eds_flags PkgConfig::JANSSON)
  add_dependencies(room_tests replay_${name})
  add_test(NAME fuzz/${name}
           COMMAND replay_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
endforeach()

# The order of the rooms, as ARCHITECTURE.md draws it.
if("e2e" IN_LIST EDS_TEST_ROOMS)
  add_test(NAME house/rooms COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-rooms.sh
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endif()
