#!/bin/bash
# Runs CMake for a preset, but only if it has not been run with these settings:
# afterwards the build itself sees what changed.
#
#   scripts/configure.sh PRESET FOLDER [-DNAME=VALUE...]
set -euo pipefail

preset=$1
folder=$2
shift 2
cache=$folder/CMakeCache.txt

needed=no
[ -f "$folder/build.ninja" ] && [ ! CMakePresets.json -nt "$folder/build.ninja" ] || needed=yes
for setting in "$@"; do
    name=${setting%%=*}
    grep -q "^${name#-D}:[A-Z]*=${setting#*=}\$" "$cache" 2>/dev/null || needed=yes
done
[ "$needed" = yes ] || exit 0
cmake --preset "$preset" "$@"
