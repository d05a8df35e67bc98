# What can be left out.  Names follow the features of edgesentry-rs.  An option
# that is OFF is neither built nor are its libraries looked for.  An option that
# is ON but has no sources in this version changes nothing, and says so: in the
# summary below and in `eds --version --json`.

# eds_feature(OPTION "what it is" ROOM/PREFIX [USERS files]) declares the option
# and sets OPTION_STATE to "on", "off" or "not in this version".  The feature is
# src/ROOM/PREFIX*.c, with its tests tests/ROOM/test_PREFIX*.c and their helpers
# tests/ROOM/PREFIX*.c; USERS are sources under src/ that make no sense without it,
# one a line and in order, so that two who add one do not meet.
set(EDS_FEATURES "")
set(EDS_SOURCES_OFF "")
function(eds_feature option description prefix)
  cmake_parse_arguments(FEATURE "" "" "USERS" ${ARGN})
  option(${option} "${description}" ON)
  list(TRANSFORM FEATURE_USERS PREPEND ${PROJECT_SOURCE_DIR}/src/)
  string(REPLACE "/" "/test_" test_prefix ${prefix})
  string(REGEX REPLACE ".*/" "fuzz/fuzz_" fuzz_prefix ${prefix})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${prefix}*.c)
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${test_prefix}*.c
       ${PROJECT_SOURCE_DIR}/tests/${prefix}*.c ${PROJECT_SOURCE_DIR}/tests/${fuzz_prefix}*.c)
  set(state on)
  if(NOT sources)
    set(state "not in this version")
  elseif(NOT ${option})
    set(state off)
  endif()
  if(NOT state STREQUAL "on")
    set(EDS_SOURCES_OFF ${EDS_SOURCES_OFF} ${sources} ${tests} ${FEATURE_USERS} PARENT_SCOPE)
  endif()
  set(${option}_STATE ${state} PARENT_SCOPE)
  set(EDS_FEATURES ${EDS_FEATURES} ${option} PARENT_SCOPE)
endfunction()

eds_feature(EDS_STORE_SQLITE "ledger in a SQLite file (libsqlite3)" store/ledger_sqlite)
eds_feature(EDS_POSTGRES "ledger in PostgreSQL (libpq)" store/ledger_postgres
            USERS
              cli/demo_ingest.c)
eds_feature(EDS_S3 "payloads in an S3-compatible store (libcurl)" store/s3
            USERS
              cli/demo_ingest.c)
eds_feature(EDS_BUFFER_SQLITE "device's offline buffer in a SQLite file (libsqlite3)"
            device/store_sqlite)
eds_feature(EDS_PKCS11 "device keys in PKCS#11 tokens (p11-kit)" device/signer_pkcs11)
eds_feature(EDS_TRANSPORT_HTTP "HTTP ingest server and sender (libmicrohttpd, libcurl)"
            transport/http
            USERS
              cli/admin.c
              cli/agent.c
              cli/agent_class.c
              cli/agent_delivery.c
              cli/agent_job.c
              cli/agent_door.c
              cli/agent_spool.c
              cli/client_arg.c
              cli/drill_alert.c
              cli/drill_device.c
              cli/drill_outage.c
              cli/drill_outage_after.c
              cli/drill_prometheus.c
              cli/drill_shell.c
              cli/drill_watch.c
              cli/gateway.c
              cli/gateway_upstream.c
              cli/http_front.c
              cli/http_sender.c
              cli/send.c
              cli/send_input.c
              cli/send_lanes.c
              cli/sender.c
              cli/serve.c
              transport/curl_identity.c)
if(NOT EDS_TRANSPORT_HTTP_STATE STREQUAL "on")
  list(APPEND EDS_SOURCES_OFF ${PROJECT_SOURCE_DIR}/tests/cli/test_http_sender.c)
endif()
if(NOT EDS_TRANSPORT_HTTP)
  set(EDS_TRANSPORT_TLS OFF) # it is HTTP's
endif()
eds_feature(EDS_TRANSPORT_TLS "TLS on the ingest server (GnuTLS)" transport/tls
            USERS
              cli/serve_tls.c
              cli/tls_front.c)
eds_feature(EDS_TRANSPORT_MQTT "ingest by MQTT (libmosquitto)" transport/mqtt
            USERS
              cli/mqtt_front.c
              cli/mqtt_password.c
              cli/mqtt_sender.c
              cli/mqtt_url.c
              cli/serve_mqtt.c)

option(EDS_VERIFY_LIBSODIUM_ONLY "verify every signature with libsodium, no tables" OFF)
option(EDS_BUILD_TESTS "build the tests (CMocka, jansson)" ON)
set(EDS_TEST_ROOMS "base;core;bridge;codec;update;registry;store;fleet;ingest;device;gateway;transport;evidence;cli;fuzz;e2e"
    CACHE STRING "folders of tests/ to build and run")
option(EDS_BUILD_BENCH "build the benchmarks (jansson)" OFF)
option(EDS_FUZZ "build the libFuzzer targets (clang)" OFF)
set(EDS_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")
option(EDS_COVERAGE "measure test coverage" OFF)
