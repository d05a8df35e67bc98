# One set of compiler flags for every room: warnings are errors.
# What a library shows is said by its exports.map alone, not by attributes.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # POSIX; core and base use nothing beyond C11
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g")  # asserts stay on: a wrong program stops
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

add_library(eds_flags INTERFACE)
target_compile_options(eds_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
                       -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Werror -fstack-protector-strong
                       -fno-semantic-interposition)
target_compile_definitions(eds_flags INTERFACE _GNU_SOURCE EDS_VERSION="${PROJECT_VERSION}")
target_link_options(eds_flags INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
if(NOT EDS_SANITIZE STREQUAL "" OR EDS_FUZZ)
  set(_sanitizers "${EDS_SANITIZE}")
  if(_sanitizers STREQUAL "")
    set(_sanitizers "address,undefined")
  endif()
  target_compile_options(eds_flags INTERFACE -fsanitize=${_sanitizers} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(eds_flags INTERFACE -fsanitize=${_sanitizers})
  if(EDS_FUZZ)
    target_compile_options(eds_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
  if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND _sanitizers MATCHES "undefined")
    # Clang needs a quarter of an hour for UBSan's checks in straight-line code of
    # vectors; gcc's, in the sanitizer builds, takes seconds and covers it.
    file(GLOB _vectors CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/core/*_avx*.c
         ${PROJECT_SOURCE_DIR}/src/core/*_ifma.c ${PROJECT_SOURCE_DIR}/src/core/*_sse41.c)
    set_source_files_properties(${_vectors} PROPERTIES COMPILE_OPTIONS -fno-sanitize=undefined)
  endif()
else()
  target_compile_options(eds_flags INTERFACE $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
if(EDS_VERIFY_LIBSODIUM_ONLY)
  target_compile_definitions(eds_flags INTERFACE EDS_VERIFY_LIBSODIUM_ONLY=1)
endif()
# Every claim about a limb is asserted where speed does not count.
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR NOT EDS_SANITIZE STREQUAL "" OR EDS_FUZZ)
  target_compile_definitions(eds_flags INTERFACE EDS_CHECK_LIMBS=1)
endif()
if(EDS_COVERAGE)
  target_compile_options(eds_flags INTERFACE --coverage -fprofile-update=atomic -O0)
  target_link_options(eds_flags INTERFACE --coverage)
endif()
