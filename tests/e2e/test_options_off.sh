#!/bin/bash
# label: slow
# Features that are switched off are neither built nor are their libraries
# needed: configures and builds where pkg-config finds nothing else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
always=(libsodium)
launcher=()
if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    export CCACHE_BASEDIR=$work # a folder of another name has the same objects
fi

# show FOLDER PACKAGE: lets pkg-config find a package and what it stands on.
show() {
    local folder=$1 package=$2 needed
    [ ! -e "$folder/$package.pc" ] || return 0
    ln -s "$(pkg-config --variable=pcfiledir "$package")/$package.pc" "$folder/"
    for needed in $(pkg-config --print-requires --print-requires-private "$package" | cut -d' ' -f1); do
        show "$folder" "$needed"
    done
}

# What each option needs, by pkg-config's name and by the library's.
declare -A packages=([EDS_STORE_SQLITE]=sqlite3 [EDS_BUFFER_SQLITE]=sqlite3 [EDS_POSTGRES]=libpq
    [EDS_S3]=libcurl [EDS_TRANSPORT_HTTP]="libmicrohttpd libcurl" [EDS_TRANSPORT_TLS]=gnutls
    [EDS_TRANSPORT_MQTT]=libmosquitto [EDS_PKCS11]=p11-kit-1)
declare -A libraries=([sqlite3]=sqlite3 [libpq]=pq [libcurl]=curl [libmicrohttpd]=microhttpd
    [gnutls]=gnutls [libmosquitto]=mosquitto [p11-kit-1]=p11-kit)

more=() # flags of every build

# build_without OPTIONS...: where only what the other options need can be found.
# One folder for all: what an option does not touch is not compiled again.  So only
# the cache is forgotten, with the packages that were found for the build before;
# cmake --fresh takes the objects away too.
build_without() {
    local off=" $* " option package wanted="" flags=()
    [[ $off != *" EDS_TRANSPORT_HTTP "* ]] || off+="EDS_TRANSPORT_TLS " # it is HTTP's
    rm -rf "$work/pc"
    mkdir "$work/pc"
    for option in $optional; do
        if [[ $off == *" $option "* ]]; then
            flags+=("-D$option=OFF")
        else
            wanted+=" ${packages[$option]}"
        fi
    done
    for package in "${always[@]}" $wanted; do show "$work/pc" "$package"; done
    rm -f "$work/build/CMakeCache.txt"
    PKG_CONFIG_LIBDIR=$work/pc PKG_CONFIG_PATH='' cmake -S "$EDS_SOURCE" -B "$work/build" \
        -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O1 -DEDS_BUILD_TESTS=OFF \
        "${launcher[@]}" "${flags[@]}" "${more[@]}" >"$work/log" 2>&1 ||
        { echo "without $*:"; tail -n 20 "$work/log"; exit 1; }
    cmake --build "$work/build" --target eds >"$work/log" 2>&1 ||
        { echo "without $*:"; tail -n 40 "$work/log"; exit 1; }
    must_be "$off"
    for package in "${!libraries[@]}"; do
        [[ " $wanted " == *" $package "* ]] || must_not_link "${libraries[$package]}" "$*"
    done
    echo "built without $*"
}

# must_be OFF: the command says of each option whether it is off.
must_be() {
    local option name state all
    all=$("$work/build/bin/eds" --version --json | python3 -c '
import json, sys
for name, state in json.load(sys.stdin)["features"].items():
    print(name, state)')
    for option in $optional; do
        name=$(tr 'A-Z_' 'a-z-' <<<"${option#EDS_}")
        state=on
        [[ $1 != *" $option "* ]] || state=off
        grep -qx "$name $state" <<<"$all" ||
            { printf '%s is not %s:\n%s\n' "$name" "$state" "$all"; exit 1; }
    done
}

# must_not_link LIBRARY OPTIONS
must_not_link() {
    if readelf -d "$work/build/bin/eds" | grep NEEDED | grep -q "lib$1[.-]"; then
        echo "without $2 it still links $1" >&2
        exit 1
    fi
}

# all_apart: a new option has to be put into some of the builds.
all_apart() {
    local one other build
    for one in $optional; do
        for other in $optional; do
            [[ $one != "$other" && $one/$other != EDS_TRANSPORT_HTTP/EDS_TRANSPORT_TLS ]] || continue
            for build in "${builds[@]}"; do
                [[ " $build " != *" $one "* || " $build " == *" $other "* ]] || continue 2
            done
            echo "no build is without $one and has $other"
            exit 1
        done
    done
}

optional=$(sed -n 's/^eds_feature(\([A-Z0-9_]*\).*/\1/p' "$EDS_SOURCE/cmake/options.cmake")
# Besides the build without any: of two options each is left out of one build that has
# the other, so that a source of one that needs the other without saying so is found.
builds=("EDS_TRANSPORT_HTTP EDS_TRANSPORT_TLS EDS_STORE_SQLITE EDS_BUFFER_SQLITE"
    "EDS_STORE_SQLITE EDS_POSTGRES EDS_PKCS11"
    "EDS_TRANSPORT_TLS EDS_PKCS11 EDS_TRANSPORT_MQTT"
    "EDS_TRANSPORT_HTTP EDS_TRANSPORT_TLS EDS_POSTGRES EDS_S3"
    "EDS_BUFFER_SQLITE EDS_TRANSPORT_MQTT EDS_S3")
all_apart
# shellcheck disable=SC2086 # words are wanted
build_without $optional
for build in "${builds[@]}"; do
    # shellcheck disable=SC2086
    build_without $build
done
refusal=$("$work/build/bin/eds" audit serve --addr 127.0.0.1:0 --store memory: --objects s3://b 2>&1) &&
    { echo "a build without S3 took an s3:// URL"; exit 1; }
[[ $refusal == *"this build has no S3 (EDS_S3)"* ]] || { echo "it says: $refusal"; exit 1; }

# The verdicts are the same where every signature is libsodium's to verify.
eds=$work/build/bin/eds
public=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
more=(-DEDS_VERIFY_LIBSODIUM_ONLY=ON)
# shellcheck disable=SC2086
build_without $optional
"$eds" --version --json | grep -q '"verify_level":"libsodium"' ||
    { echo "it does not verify with libsodium alone"; exit 1; }
(umask 077 && printf '01%.0s' {1..32} >"$work/key")
"$eds" audit sign-record --key-file "$work/key" --device-id lift-01 --sequence 1 \
    --timestamp-ms 1 --payload open --object-ref lift-01/1 --attest >"$work/record"
"$eds" audit verify-record --record-file "$work/record" --public-key-hex "$public"
sed -i 's/"timestamp_ms": *1\b/"timestamp_ms": 2/' "$work/record"
if "$eds" audit verify-record --record-file "$work/record" --public-key-hex "$public"; then
    echo "with libsodium alone a record with another time is good"
    exit 1
fi
