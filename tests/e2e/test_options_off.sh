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

# What each option needs, by pkg-config's name and by the library's.
declare -A packages=([EDS_STORE_SQLITE]=sqlite3 [EDS_BUFFER_SQLITE]=sqlite3 [EDS_POSTGRES]=libpq
    [EDS_S3]=libcurl [EDS_TRANSPORT_HTTP]="libmicrohttpd libcurl" [EDS_TRANSPORT_TLS]=gnutls
    [EDS_TRANSPORT_MQTT]=libmosquitto [EDS_PKCS11]=p11-kit-1)
declare -A libraries=([sqlite3]=sqlite3 [libpq]=pq [libcurl]=curl [libmicrohttpd]=microhttpd
    [gnutls]=gnutls [libmosquitto]=mosquitto [p11-kit-1]=p11-kit)

# build_without OPTIONS...: where only what the other options need can be found.
# One folder for all: what an option does not touch is not compiled again.
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
    PKG_CONFIG_LIBDIR=$work/pc PKG_CONFIG_PATH='' cmake --fresh -S "$EDS_SOURCE" -B "$work/build" \
        -G Ninja -DCMAKE_BUILD_TYPE=Debug -DEDS_BUILD_TESTS=OFF "${flags[@]}" >"$work/log" 2>&1 ||
        { echo "without $*:"; tail -n 20 "$work/log"; exit 1; }
    cmake --build "$work/build" >"$work/log" 2>&1 ||
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

optional=$(sed -n 's/^eds_feature(\([A-Z0-9_]*\).*/\1/p' "$EDS_SOURCE/cmake/options.cmake")
# shellcheck disable=SC2086 # words are wanted
build_without $optional
build_without EDS_STORE_SQLITE EDS_BUFFER_SQLITE
build_without EDS_POSTGRES EDS_TRANSPORT_MQTT EDS_PKCS11
build_without EDS_TRANSPORT_HTTP EDS_S3
build_without EDS_TRANSPORT_TLS EDS_BUFFER_SQLITE
build_without EDS_S3
refusal=$("$work/build/bin/eds" audit serve --addr 127.0.0.1:0 --store memory: --objects s3://b 2>&1) &&
    { echo "a build without S3 took an s3:// URL"; exit 1; }
[[ $refusal == *"this build has no S3 (EDS_S3)"* ]] || { echo "it says: $refusal"; exit 1; }
