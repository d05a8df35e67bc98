# The short names of common work.  CMake does it (CMakePresets.json); whatever a
# target misses it first installs (scripts/install-deps.sh).
#
#   make CMAKE_FLAGS=-DEDS_TRANSPORT_HTTP=OFF    leave something out
#   make EDS_INSTALL_DEPS=no                     install nothing, only say what is missing
PREFIX      ?= /usr/local
DESTDIR     ?=
RUNS        ?= 10000000
FUZZ_TIME   ?= 20
JOBS        ?= $(shell nproc 2>/dev/null || echo 2)
CMAKE_FLAGS ?=
CTEST_FLAGS ?=
export EDS_INSTALL_DEPS DESTDIR

# $(call build,PRESET,FOLDER,SETTINGS)
define build
@scripts/configure.sh $(1) $(2) $(3) $(CMAKE_FLAGS)
@cmake --build $(2) -j$(JOBS) $(if $(MAKE_TERMOUT),,-- --quiet)
endef
# Data races and memory errors show in the programs made of our own code; the
# scripts around the release build and the long tests run in `make test`.
sanitized = -LE slow -E '^e2e/'

.PHONY: all
all: ## build the command and the libraries in release form: build/bin, build/lib
	@scripts/install-deps.sh build
	$(call build,release,build,$(if $(wildcard build/build.ninja),,-DEDS_BUILD_TESTS=OFF))

.PHONY: demo
demo: all ## a signed inspection over HTTP, a tampered one refused, the chain verified
	@scripts/demo.sh build/bin/eds

.PHONY: local-demo
local-demo: ## the three roles with a real PostgreSQL and a real S3 service, step by step
	@scripts/install-deps.sh s3
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/local_demo.sh build/bin/eds

.PHONY: test
test: ## build and run every test
	@scripts/install-deps.sh test
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/run-tests.sh build -j$(JOBS) $(CTEST_FLAGS)

.PHONY: test-all
test-all: ## the same, where those that need an S3 service are not skipped; installs one (206 MB)
	@scripts/install-deps.sh s3
	@$(MAKE) --no-print-directory test

.PHONY: test-s3
test-s3: ## the tests that need an S3 service; installs Ceph's object gateway (206 MB)
	@scripts/install-deps.sh s3
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/run-tests.sh build -R '/s3_|_s3$$|/local_demo' $(CTEST_FLAGS)

.PHONY: deb
deb: ## Debian packages, held to lintian: build/deb
	@scripts/install-deps.sh deb
	@scripts/deb.sh build/deb

.PHONY: test-deb
test-deb: ## the packages installed, run, upgraded and purged under a systemd of their own
	@scripts/install-deps.sh deb
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@EDS_TEST_DEB=1 scripts/run-tests.sh build -R '^e2e/deb$$' $(CTEST_FLAGS)

.PHONY: test-front
test-front: ## the tests behind HAProxy and nginx and with TLS scanners; installs them (6 MB)
	@scripts/install-deps.sh front
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/run-tests.sh build -R '/proxies|/tls_scan' $(CTEST_FLAGS)

.PHONY: test-browser
test-browser: ## the test with a real browser's fetch; installs one (80 MB)
	@scripts/install-deps.sh browser
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/run-tests.sh build -R '/browser' $(CTEST_FLAGS)

.PHONY: test-asan
test-asan: ## the tests of the rooms under AddressSanitizer and UBSan
	@scripts/install-deps.sh test
	$(call build,asan,build-asan)
	@scripts/run-tests.sh build-asan -j$(JOBS) $(sanitized) $(CTEST_FLAGS)

.PHONY: test-tsan
test-tsan: ## the tests of the rooms that have threads under ThreadSanitizer
	@scripts/install-deps.sh test
	$(call build,tsan,build-tsan)
	@scripts/run-tests.sh build-tsan -j$(JOBS) $(sanitized) $(CTEST_FLAGS)

.PHONY: test-portability
test-portability: ## core and codec tests for aarch64 and big-endian s390x (qemu), and with musl
	@scripts/install-deps.sh portability
	@scripts/test-portability.sh

.PHONY: check
check: ## format, warnings of gcc and clang, clang-tidy, cppcheck, room order, house rules
	@scripts/install-deps.sh check
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	$(call build,clang,build-clang)
	@scripts/check.sh build

.PHONY: check-quick
check-quick: ## the part of `make check` that takes seconds
	@scripts/install-deps.sh check
	@scripts/check.sh

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_TIME=20 seconds
	@scripts/install-deps.sh fuzz
	$(call build,fuzz,build-fuzz)
	@scripts/fuzz.sh build-fuzz -max_total_time=$(FUZZ_TIME)

.PHONY: fuzz-long
fuzz-long: ## every fuzz target for RUNS=10000000 executions
	@scripts/install-deps.sh fuzz
	$(call build,fuzz,build-fuzz)
	@scripts/fuzz.sh build-fuzz -runs=$(RUNS)

.PHONY: bench
bench: ## measure: a table, and build/bench.json
	@scripts/install-deps.sh bench
	$(call build,release,build,-DEDS_BUILD_BENCH=ON)
	@scripts/bench.sh build

.PHONY: long-runs
long-runs: ## the proofs with the numbers that are promised: kills, power cuts, faults (hours)
	@scripts/install-deps.sh test
	$(call build,release,build,-DEDS_BUILD_TESTS=ON)
	@scripts/long-runs.sh build

.PHONY: profile
profile: ## where the time goes, per room: checks of a chain and a ledger, ingest (perf)
	@scripts/install-deps.sh profile
	$(call build,release,build,-DEDS_BUILD_BENCH=ON)
	@scripts/profile.py build

.PHONY: coverage
coverage: ## lines and branches that the tests reach, per room
	@scripts/install-deps.sh coverage
	$(call build,coverage,build-coverage)
	@scripts/coverage.sh build-coverage

.PHONY: amalgamation
amalgamation: ## the library in one file: build/amalgamation/edgesentry.c and .h
	@scripts/amalgamate.py build/amalgamation
	@wc -c build/amalgamation/edgesentry.c build/amalgamation/edgesentry.h

.PHONY: mcu
mcu: ## the library on a Cortex-M4: golden vectors under qemu, and what it takes
	@scripts/install-deps.sh mcu
	@scripts/mcu.sh build-mcu

.PHONY: install
install: all ## install to PREFIX=/usr/local (DESTDIR is respected)
	@cmake --install build --prefix $(PREFIX)

.PHONY: format
format: ## put every C file into the house's format
	@scripts/install-deps.sh check
	@git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: clean
clean: ## remove all build folders
	@rm -rf build build-*

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
