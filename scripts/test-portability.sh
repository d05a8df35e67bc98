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

# sources_list: the system's own Debian mirrors as one-line entries, "deb" and
# "deb-src"; other people's repositories are left out.
sources_list() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    find /etc/apt -name '*.list' -o -name '*.sources' | sort | xargs cat | awk -v codename="$codename" '
        function entry(uri, suite, signed) {
            if (suite !~ "^" codename "(-updates|-security|/updates)?$") return
            if (seen[uri, suite]++) return
            print "deb" signed, uri, suite, "main"
            print "deb-src" signed, uri, suite, "main"
        }
        function flush(    i, j, signed, uri_list, suite_list) {
            signed = by ? " [signed-by=" by "]" : ""
            split(uris, uri_list)
            split(suites, suite_list)
            for (i = 1; i in uri_list; i++)
                for (j = 1; j in suite_list; j++) entry(uri_list[i], suite_list[j], signed)
            uris = suites = by = ""
        }
        /^deb / {
            options = ""
            if ($2 ~ /^\[/) { options = " " $2; $2 = ""; $0 = $0 }
            entry($2, $3, options)
        }
        /^Types:/ { flush() }
        /^URIs:/ { $1 = ""; uris = $0 }
        /^Suites:/ { $1 = ""; suites = $0 }
        /^Signed-By:/ { by = $2 }
        END { flush() }'
}

# private_apt FOLDER ARCHITECTURE: an apt that keeps everything in FOLDER.
private_apt() {
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/sources.list.d"
    : >"$1/status"
    sources_list >"$1/sources.list"
    [ -s "$1/sources.list" ] || { echo "no Debian mirror found in /etc/apt" >&2; return 1; }
    cat >"$1/apt.conf" <<END
Dir::State "$1";
Dir::State::status "$1/status";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "$1/sources.list.d";
APT::Sandbox::User "root";
APT::Architecture "$2";
APT::Architectures { "$2"; };
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke;
END
}

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

# source_of PACKAGE FOLDER: unpacks a fetched Debian source, patches applied.
source_of() {
    local archive patches=$2.debian name
    mkdir -p "$2" "$patches"
    archive=$(find "$2/.." -maxdepth 1 -name "$1_*.orig.tar.?z")
    tar -xf "$archive" -C "$2" --strip-components=1
    tar -xf "$(find "$2/.." -maxdepth 1 -name "$1_*.debian.tar.xz")" -C "$patches"
    grep -vE '^(#|$)' "$patches/debian/patches/series" | while read -r name; do
        patch -s -p1 -d "$2" <"$patches/debian/patches/$name"
    done
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
        -DEDS_POSTGRES=OFF -DEDS_S3=OFF -DEDS_TRANSPORT_HTTP=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        "$@" >"$work/last.log" 2>&1 ||
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
            -DCMAKE_C_COMPILER=musl-gcc -DEDS_STORE_SQLITE=OFF
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
