#!/bin/bash
# The C example builds by its own Makefile, with all warnings being errors, and
# says what its README promises; linked to the shared and to the static library.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if grep -qE '^EDS_(SANITIZE:STRING=.+|COVERAGE:BOOL=ON)' "$EDS_BUILD/CMakeCache.txt"; then
    echo "skipped: the libraries of this build need a sanitizer's or gcov's runtime"
    exit 77
fi

cp "$EDS_SOURCE"/examples/c_integration/* "$work/"
make -s -C "$work" c_integration c_integration_static EDGESENTRY_INCLUDE="$EDS_SOURCE/include" \
    EDGESENTRY_LIB="$EDS_BUILD/lib" \
    CFLAGS="-O2 -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

# The README's block, less what differs each time.
mask() {
    sed -E 's/^(public key|head of the chain): .*/\1/'
}
sed -n '/^public key/,/^```/p' "$EDS_SOURCE/examples/c_integration/README.md" | grep -v '^```' |
    mask >"$work/promised"
[ "$(wc -l <"$work/promised")" -eq 13 ]
for program in c_integration c_integration_static; do
    "$work/$program" >"$work/said" || { cat "$work/said"; echo "$program: exit $?" >&2; exit 1; }
    grep -qE '^public key: [0-9a-f]{64}$' "$work/said"
    grep -qE '^head of the chain: [0-9a-f]{64}$' "$work/said"
    mask <"$work/said" | diff "$work/promised" - || { echo "$program says other things" >&2; exit 1; }
done
# Of our libraries, the first needs the bridge alone, the second none.
needed=$(readelf -d "$work/c_integration" | grep NEEDED)
[[ $needed == *libedgesentry_bridge.so.0* && $needed != *libedgesentry.so* ]]
[[ $(readelf -d "$work/c_integration_static" | grep NEEDED) != *edgesentry* ]]
echo "the C example works, shared and static"
