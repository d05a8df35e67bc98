# libFuzzer programs: build/bin/fuzz_NAME from tests/fuzz/fuzz_NAME.c.
file(GLOB targets CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(target ${targets})
  get_filename_component(name ${target} NAME_WE)
  add_executable(${name} ${target})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE eds_ingest eds_codec eds_flags PkgConfig::JANSSON)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
