# What can be left out.  Names follow the features of edgesentry-rs.  An option
# that is OFF is neither built nor are its libraries looked for.
option(EDS_TRANSPORT_HTTP "HTTP ingest server and sender (libmicrohttpd, libcurl)" ON)

option(EDS_BUILD_TESTS "build the tests (CMocka, jansson)" ON)
option(EDS_BUILD_BENCH "build the benchmarks" OFF)
option(EDS_FUZZ "build the libFuzzer targets (clang)" OFF)
set(EDS_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")
option(EDS_COVERAGE "measure test coverage" OFF)
