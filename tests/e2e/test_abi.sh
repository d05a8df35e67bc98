#!/bin/bash
# What the libraries export is what their lists say, no symbol more or less; and
# each public header compiles alone, as C99 and newer and as C++17, with all
# warnings being errors.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if grep -qE '^EDS_(SANITIZE:STRING=.+|COVERAGE:BOOL=ON)' "$EDS_BUILD/CMakeCache.txt"; then
    echo "skipped: the libraries of this build export a sanitizer's or gcov's symbols"
    exit 77
fi

# exports LIBRARY LIST
exports() {
    sed -n '/global:/,/local:/p' "$2" | grep -oE '\beds_[a-z0-9_]+;' | tr -d ';' | sort >"$work/listed"
    nm -D --defined-only "$1" | awk '{print $3}' | sort >"$work/exported"
    diff "$work/listed" "$work/exported" || { echo "$1 exports other symbols than $2" >&2; exit 1; }
    [ -s "$work/listed" ] || { echo "$2 lists nothing" >&2; exit 1; }
    echo "$(basename "$1"): $(wc -l <"$work/exported") symbols, as listed"
}

exports "$EDS_BUILD/lib/libedgesentry_bridge.so" "$EDS_SOURCE/src/bridge/exports.map"
exports "$EDS_BUILD/lib/libedgesentry.so" "$EDS_SOURCE/src/codec/exports.map"

# The bridge's functions are those of its header, too.
grep -oE '\beds_[a-z_]+\(' "$EDS_SOURCE/include/edgesentry_bridge.h" | tr -d '(' | sort -u >"$work/declared"
sed -n '/global:/,/local:/p' "$EDS_SOURCE/src/bridge/exports.map" | grep -oE '\beds_[a-z_]+' |
    sort >"$work/listed"
comm -13 "$work/declared" "$work/listed" >"$work/undeclared"
[ ! -s "$work/undeclared" ] || { echo "not in the header:"; cat "$work/undeclared"; exit 1; }
[ "$(wc -l <"$work/listed")" -eq 7 ] || { echo "the ABI has seven functions" >&2; exit 1; }

warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-align
    -Wcast-qual -Wpadded -Werror)
count=0
for header in edgesentry_bridge.h $(cd "$EDS_SOURCE/include" && echo edgesentry/*.h); do
    for compiler in gcc:g++ clang:clang++; do
        command -v "${compiler%%:*}" >/dev/null || continue
        # Only the ABI's record promises to have no padding, and a function named
        # as a struct shadows its constructor in C++.
        more=()
        [ "$header" = edgesentry_bridge.h ] || more=(-Wno-padded -Wno-shadow)
        for standard in c99 c11 c17; do
            printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$work/alone.c"
            "${compiler%%:*}" "-std=$standard" "${warnings[@]}" -Wstrict-prototypes \
                -Wmissing-prototypes "${more[@]}" -I"$EDS_SOURCE/include" -fsyntax-only "$work/alone.c"
            count=$((count + 1))
        done
        command -v "${compiler#*:}" >/dev/null || continue
        for standard in c++17 c++20; do
            cp "$work/alone.c" "$work/alone.cpp"
            "${compiler#*:}" "-std=$standard" "${warnings[@]}" "${more[@]}" -I"$EDS_SOURCE/include" \
                -fsyntax-only "$work/alone.cpp"
            count=$((count + 1))
        done
    done
done
[ "$count" -gt 0 ] || { echo "skipped: no compiler here"; exit 77; }
echo "headers compiled alone $count times"
