#!/bin/bash
# Holds every #include to the order of the rooms (ARCHITECTURE.md): an include
# may go leftwards, never the other way and never sideways.  And each library
# has its room: SQL is the store's, HTTP the
# transport's (and S3, which is spoken over HTTP, the store's).
set -euo pipefail

# The rooms that a room may include, besides itself.
declare -A left=(
    [base]=""
    [core]="base"
    [bridge]="base core"
    [codec]="base core"
    [update]="base core"
    [registry]="base core"
    [store]="base core"
    [fleet]="base core codec registry store"
    [ingest]="base core codec registry store"
    [device]="base core codec"
    [gateway]="base core codec registry store ingest device"
    [transport]="base core codec registry store ingest"
    [evidence]="base core codec store"
    [cli]="base core codec registry store ingest device gateway transport evidence fleet"
)
# The room of each public header.
declare -A public=(
    [edgesentry_bridge.h]=base
    [edgesentry/error.h]=base
    [edgesentry/blake3.h]=core
    [edgesentry/ed25519.h]=core
    [edgesentry/record.h]=core
    [edgesentry/attest.h]=core
    [edgesentry/command.h]=core
    [edgesentry/chain.h]=core
    [edgesentry/verifier.h]=core
    [edgesentry/json.h]=codec
    [edgesentry/update.h]=update
    [edgesentry/agent.h]=device
    [edgesentry/commander.h]=device
    [edgesentry/buffer.h]=device
    [edgesentry/buffer_store.h]=device
    [edgesentry/flash.h]=device
    [edgesentry/forwarder.h]=device
    [edgesentry/sender.h]=device
    [edgesentry/signer.h]=device
)
# Which rooms may know a library.  (sodium: registry, store and ingest hash ids
# from outside with its keyed SipHash.)
declare -A library=(
    [sodium.h]="base core registry store ingest device cli"
    [sqlite3.h]="store device"
    [microhttpd.h]="transport"
    [curl/curl.h]="store transport"
    [jansson.h]="tests"
)
# Rooms that also run without an OS, and the only headers of C they may use.
freestanding=" core codec update bridge base "
freestanding_headers=" assert.h limits.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h string.h errno.h "
# Of base, these are for systems with an OS.
hosted=" src/base/latch.h src/base/log.c src/base/lock.h src/base/place_posix.c src/base/port_posix.c src/base/wipe.c "

faults=0
fault() {
    echo "$1:$2: $3"
    faults=$((faults + 1))
}

# check FILE ROOM: FILE stands in ROOM.
check() {
    local file=$1 room=$2 line text name target
    while IFS=: read -r line text; do
        [[ $text =~ [\"\<]([^\"\>]*)[\"\>] ]] || continue
        name=${BASH_REMATCH[1]}
        if [[ $text == *"<"* ]]; then
            if [ -n "${library[$name]:-}" ]; then
                [[ " ${library[$name]} " == *" $room "* ]] ||
                    fault "$file" "$line" "<$name> belongs to: ${library[$name]}"
            elif [[ $freestanding == *" $room "* && $hosted != *" $file "* ]]; then
                [[ $freestanding_headers == *" $name "* || $name == *intrin.h || $name == cpuid.h ]] ||
                    fault "$file" "$line" "$room runs without an OS and may not use <$name>"
            fi
            continue
        fi
        target=${public[$name]:-}
        if [ -z "$target" ]; then
            target=${name%%/*}
            if [[ $name != */* || -z ${left[$target]+known} ]]; then
                fault "$file" "$line" "\"$name\" does not name its room"
                continue
            fi
        fi
        [ "$target" = "$room" ] || [[ " ${left[$room]} " == *" $target "* ]] ||
            fault "$file" "$line" "$room may not include \"$name\" of $target"
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file")
}

count=0
for file in src/*/*.c src/*/*.h src/*.c; do
    [ -e "$file" ] || continue
    room=${file%/*}
    room=${room##*/}
    [ "$room" != src ] || room=cli
    if [ -z "${left[$room]+known}" ]; then
        fault "$file" 1 "no such room: $room"
        continue
    fi
    check "$file" "$room"
    count=$((count + 1))
done
for file in include/*.h include/*/*.h; do
    name=${file#include/}
    if [ -z "${public[$name]:-}" ]; then
        fault "$file" 1 "public header without a room: add it to this script"
        continue
    fi
    check "$file" "${public[$name]}"
    count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no sources found: run from the project's top folder"; exit 1; }
[ "$faults" -eq 0 ] || { echo "$faults includes against the order of the rooms"; exit 1; }
echo "$count files keep the order of the rooms"
