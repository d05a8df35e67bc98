#!/bin/bash
# label: slow
# Features that are switched off are neither built nor are their libraries
# needed: configures and builds where pkg-config finds nothing else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
always=(libsodium)

# show FOLDER PACKAGE: lets pkg-config find a package and what it stands on.
show() {
    local folder=$1 package=$2 needed
    [ ! -e "$folder/$package.pc" ] || return 0
    ln -s "$(pkg-config --variable=pcfiledir "$package")/$package.pc" "$folder/"
    for needed in $(pkg-config --print-requires --print-requires-private "$package" | cut -d' ' -f1); do
        show "$folder" "$needed"
    done
}

# build_without NAME PACKAGES OPTIONS...: PACKAGES are those that may be found.
build_without() {
    local name=$1 packages=$2 package option
    shift 2
    mkdir -p "$work/$name.pc"
    for package in "${always[@]}" $packages; do show "$work/$name.pc" "$package"; done
    for option in "$@"; do set -- "$@" "-D$option=OFF"; shift; done
    PKG_CONFIG_LIBDIR=$work/$name.pc PKG_CONFIG_PATH='' cmake -S "$EDS_SOURCE" -B "$work/$name" \
        -G Ninja -DCMAKE_BUILD_TYPE=Debug -DEDS_BUILD_TESTS=OFF "$@" >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log"; exit 1; }
    cmake --build "$work/$name" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
    "$work/$name/bin/eds" --version --json >"$work/$name.json"
}

# states NAME: how that build describes its features, one a line.
states() { python3 -c '
import json, sys
for name, state in json.load(open(sys.argv[1]))["features"].items():
    print(name, state)' "$work/$1.json"; }

# must_say NAME FEATURE STATE
must_say() {
    local all # not a pipe: grep would leave at its match, and python find nobody reading
    all=$(states "$1")
    grep -qx "$2 $3" <<<"$all" || { printf '%s: %s is not %s:\n%s\n' "$1" "$2" "$3" "$all"; exit 1; }
}

# must_not_link NAME LIBRARY...
must_not_link() {
    local name=$1 library
    shift
    for library in "$@"; do
        if readelf -d "$work/$name/bin/eds" | grep NEEDED | grep -q "$library"; then
            echo "$name still links $library" >&2
            exit 1
        fi
    done
}

optional=$(sed -n 's/^eds_feature(\([A-Z0-9_]*\).*/\1/p' "$EDS_SOURCE/cmake/options.cmake")
# shellcheck disable=SC2086 # words are wanted
build_without everything "" $optional
if states everything | grep ' on$'; then
    echo "all options are OFF, and yet these are on" >&2
    exit 1
fi
must_not_link everything sqlite3 microhttpd curl pq mosquitto gnutls

build_without http "sqlite3 libpq libmosquitto" EDS_TRANSPORT_HTTP EDS_S3
must_say http transport-http off
must_say http transport-tls off
must_say http store-sqlite on
must_say http transport-mqtt on
must_not_link http microhttpd curl

build_without tls "sqlite3 libpq libmicrohttpd libcurl" EDS_TRANSPORT_TLS EDS_TRANSPORT_MQTT
must_say tls transport-tls off
must_say tls transport-http on
must_say tls transport-mqtt off
must_not_link tls mosquitto

build_without sqlite "libpq libmicrohttpd libcurl libmosquitto" EDS_STORE_SQLITE EDS_BUFFER_SQLITE
must_say sqlite store-sqlite off
must_say sqlite transport-http on
must_not_link sqlite sqlite3

build_without postgres "sqlite3 libmicrohttpd libcurl libmosquitto" EDS_POSTGRES
must_say postgres postgres off
must_say postgres store-sqlite on
must_not_link postgres pq

build_without s3 "sqlite3 libpq libmicrohttpd libcurl gnutls libmosquitto" EDS_S3
must_say s3 s3 off
must_say s3 transport-http on
refusal=$("$work/s3/bin/eds" audit serve --addr 127.0.0.1:0 --store memory: --objects s3://b 2>&1) &&
    { echo "a build without S3 took an s3:// URL"; exit 1; }
[[ $refusal == *"this build has no S3 (EDS_S3)"* ]] || { echo "it says: $refusal"; exit 1; }
echo "built without: $(tr '\n' ' ' <<<"$optional")"
