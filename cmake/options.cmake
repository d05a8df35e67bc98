# What can be left out.  Names follow the features of edgesentry-rs.  An option
# that is OFF is neither built nor are its libraries looked for.  An option that
# is ON but has no sources in this version changes nothing, and says so: in the
# summary below and in `eds --version --json`.

# eds_feature(OPTION "what it is" SOURCES patterns [USERS files]) declares the
# option and sets OPTION_STATE to "on", "off" or "not in this version".  SOURCES
# are the feature, USERS what makes no sense without it; both under src/.
set(EDS_FEATURES "")
set(EDS_SOURCES_OFF "")
function(eds_feature option description)
  cmake_parse_arguments(FEATURE "" "" "SOURCES;USERS" ${ARGN})
  option(${option} "${description}" ON)
  list(TRANSFORM FEATURE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/src/)
  list(TRANSFORM FEATURE_USERS PREPEND ${PROJECT_SOURCE_DIR}/src/)
  file(GLOB sources CONFIGURE_DEPENDS ${FEATURE_SOURCES})
  set(state on)
  if(NOT sources)
    set(state "not in this version")
  elseif(NOT ${option})
    set(state off)
  endif()
  if(NOT state STREQUAL "on")
    set(EDS_SOURCES_OFF ${EDS_SOURCES_OFF} ${sources} ${FEATURE_USERS} PARENT_SCOPE)
  endif()
  set(${option}_STATE ${state} PARENT_SCOPE)
  set(EDS_FEATURES ${EDS_FEATURES} ${option} PARENT_SCOPE)
endfunction()

eds_feature(EDS_STORE_SQLITE "ledger in a SQLite file (libsqlite3)" SOURCES store/sqlite*.c)
eds_feature(EDS_POSTGRES "ledger in PostgreSQL (libpq)" SOURCES store/postgres*.c)
eds_feature(EDS_S3 "payloads in an S3-compatible store (libcurl)" SOURCES store/s3*.c)
eds_feature(EDS_BUFFER_SQLITE "device's offline buffer in a SQLite file (libsqlite3)"
            SOURCES device/*sqlite*.c)
eds_feature(EDS_TRANSPORT_HTTP "HTTP ingest server and sender (libmicrohttpd, libcurl)"
            SOURCES transport/http_*.c USERS cli/serve.c cli/send.c)
eds_feature(EDS_TRANSPORT_TLS "TLS on the ingest server (GnuTLS)" SOURCES transport/tls*.c)
eds_feature(EDS_TRANSPORT_MQTT "ingest by MQTT (libmosquitto)" SOURCES transport/mqtt*.c)

option(EDS_BUILD_TESTS "build the tests (CMocka, jansson)" ON)
option(EDS_BUILD_BENCH "build the benchmarks" OFF)
option(EDS_FUZZ "build the libFuzzer targets (clang)" OFF)
set(EDS_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")
option(EDS_COVERAGE "measure test coverage" OFF)
