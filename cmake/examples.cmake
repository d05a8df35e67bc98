# The examples: examples/NAME.c, one program each, run by tests/e2e/test_examples.sh.
file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
foreach(program ${programs})
  get_filename_component(name ${program} NAME_WE)
  add_executable(example_${name} ${program})
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  target_link_libraries(example_${name} PRIVATE eds_ingest eds_flags)
endforeach()
