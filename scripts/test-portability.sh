#!/bin/bash
# Runs the tests of the rooms that need no network where bytes and libraries
# differ: 64-bit ARM and big-endian s390x (cross-built, under qemu's user mode),
# and natively on musl instead of glibc.
#
#   scripts/test-portability.sh [aarch64] [s390x] [musl]     default: all three
#
# The libraries come from Debian without touching the system: an apt
# configuration of our own fetches the foreign packages (or, for musl, the
# sources, built here; without SQLite) into build-portability/.
set -euo pipefail

rooms="base;core;codec;update;bridge;registry;store;ingest;fuzz"
top=$PWD
work=$top/build-portability
jobs=$(nproc)
[ $# -gt 0 ] || set -- aarch64 s390x musl

. scripts/debian-sources.sh

quietly() {
    local log=$work/last.log
    "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
}

# foreign_sysroot FOLDER DEBIAN-ARCHITECTURE
foreign_sysroot() {
    local folder=$1 architecture=$2 package
    [ ! -e "$folder/.made" ] || return 0
    echo "Fetching libsodium, jansson, SQLite and CMocka for $architecture from Debian"
    rm -rf "$folder"
    private_apt "$folder.apt" "$architecture"
    APT_CONFIG=$folder.apt/apt.conf quietly apt-get -q update
    mkdir -p "$folder"
    (cd "$folder.apt/cache" && APT_CONFIG=$folder.apt/apt.conf quietly apt-get -q download \
        libsodium23 libsodium-dev libjansson4 libjansson-dev libsqlite3-0 libsqlite3-dev \
        zlib1g libcmocka0 libcmocka-dev)
    for package in "$folder.apt"/cache/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    touch "$folder/.made"
}

# musl_sysroot FOLDER: the three libraries, built with musl-gcc.
musl_sysroot() {
    local folder=$1 sources=$1.apt/sources
    [ ! -e "$folder/.made" ] || return 0
    echo "Building libsodium, jansson and CMocka with musl from Debian's sources"
    rm -rf "$folder" "$sources"
    private_apt "$folder.apt" "$(dpkg --print-architecture)"
    APT_CONFIG=$folder.apt/apt.conf quietly apt-get -q update
    mkdir -p "$sources" "$folder"
    (cd "$sources" && APT_CONFIG=$folder.apt/apt.conf quietly apt-get -q source --download-only \
        libsodium jansson cmocka)

    source_of libsodium "$sources/libsodium"
    (
        cd "$sources/libsodium"
        quietly autoreconf -if
        quietly ./configure CC=musl-gcc --prefix="$folder" --disable-static \
            --disable-dependency-tracking
        quietly make -j"$jobs" install
    )
    source_of jansson "$sources/jansson"
    quietly cmake -S "$sources/jansson" -B "$sources/jansson/b" -G Ninja \
        -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_INSTALL_PREFIX="$folder" -DCMAKE_INSTALL_LIBDIR=lib \
        -DJANSSON_BUILD_SHARED_LIBS=ON -DJANSSON_BUILD_DOCS=OFF -DJANSSON_WITHOUT_TESTS=ON -DJANSSON_EXAMPLES=OFF
    quietly cmake --build "$sources/jansson/b" --target install
    source_of cmocka "$sources/cmocka"
    quietly cmake -S "$sources/cmocka" -B "$sources/cmocka/b" -G Ninja \
        -DCMAKE_C_COMPILER=musl-gcc -DCMAKE_INSTALL_PREFIX="$folder" -DCMAKE_INSTALL_LIBDIR=lib \
        -DWITH_EXAMPLES=OFF
    quietly cmake --build "$sources/cmocka/b" --target install
    touch "$folder/.made"
}

# run_tests NAME CMAKE-SETTINGS...
run_tests() {
    local name=$1 build=$work/$1
    shift
    cmake -S "$top" -B "$build" -G Ninja -DEDS_TEST_ROOMS="$rooms" \
        -DEDS_POSTGRES=OFF -DEDS_S3=OFF -DEDS_TRANSPORT_HTTP=OFF -DEDS_TRANSPORT_MQTT=OFF \
        -DEDS_PKCS11=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >"$work/last.log" 2>&1 ||
        { tail -n 40 "$work/last.log" >&2; return 1; }
    cmake --build "$build" -j"$jobs" --target room_tests
    scripts/run-tests.sh "$build" -j"$jobs" -LE slow
}

# cross NAME DEBIAN-ARCHITECTURE: cross-built, run under qemu-NAME.
cross() {
    local name=$1 sysroot=$work/sysroot-$1 triple=$1-linux-gnu
    foreign_sysroot "$sysroot" "$2"
    PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$triple/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot \
        run_tests "$name" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$name" \
        -DCMAKE_C_COMPILER="$triple-gcc" \
        -DCMAKE_CROSSCOMPILING_EMULATOR="qemu-$name;-L;/usr/$triple;-E;LD_LIBRARY_PATH=$sysroot/usr/lib/$triple"
}

mkdir -p "$work"
if [ $# -eq 1 ]; then
    case "$1" in
    aarch64) cross aarch64 arm64 ;;
    s390x) cross s390x s390x ;;
    musl)
        musl_sysroot "$work/sysroot-musl"
        PKG_CONFIG_LIBDIR=$work/sysroot-musl/lib/pkgconfig run_tests musl \
            -DCMAKE_C_COMPILER=musl-gcc -DEDS_STORE_SQLITE=OFF -DEDS_BUFFER_SQLITE=OFF
        ;;
    *)
        echo "test-portability.sh: aarch64, s390x or musl, not $1" >&2
        exit 2
        ;;
    esac
    exit 0
fi

# Each in a shell of its own, so that one that fails stops there, and only there.
failed=()
for name in "$@"; do
    echo "== $name"
    scripts/test-portability.sh "$name" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED on: ${failed[*]}"
    exit 1
fi
echo "The same tests pass on: $*"
