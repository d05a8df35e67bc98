#!/bin/bash
# The rooms that also run without an OS call nothing but what such a system has:
# reads the undefined symbols of their objects.
#
#   scripts/check-freestanding.sh BUILD
set -euo pipefail

build=$1
# Memory and string functions, what compilers add, libsodium, and ourselves.
allowed='^(mem(cpy|move|set|cmp|chr)|str(len|nlen|cmp|ncmp|chr|error)|__(memcpy|memmove|memset)_chk'
allowed+='|__stack_chk_fail|__assert_fail|__errno_location|__tls_get_addr|_GLOBAL_OFFSET_TABLE_'
allowed+='|__cpu_model|__cpu_indicator_init|crypto_[a-z0-9_]+|sodium_[a-z0-9_]+|eds_[a-z0-9_]+)$'
hosted='^(log|place_posix|port_posix|wipe)\.c\.o:$'

faults=0
for room in base core codec update bridge; do
    archive=$build/lib/libeds_$room.a
    [ -f "$archive" ] || continue
    found=$(nm -A --undefined-only "$archive" | sed -E 's/^[^:]*:([^:]*:) +U /\1 /; s/@.*//' |
        awk -v allowed="$allowed" -v hosted="$hosted" '$1 !~ hosted && $2 !~ allowed')
    if [ -n "$found" ]; then
        echo "$room calls what a system without an OS does not have:"
        echo "$found"
        faults=1
    fi
done
# Whoever links an archive gets all its global names: they are ours, or clash.
for archive in "$build"/lib/libedgesentry*.a; do
    [ -f "$archive" ] || continue
    found=$(nm -g --defined-only "$archive" | awk 'NF == 3 && $3 !~ /^eds_/ { print $3 }')
    if [ -n "$found" ]; then
        echo "$archive defines names that are not eds_...:"
        echo "$found"
        faults=1
    fi
done
exit $faults
