#!/bin/bash
# Runs the tests in a coverage build and prints lines and branches per room.
#
#   scripts/coverage.sh BUILD
set -euo pipefail

build=$1
lcov=(lcov --quiet --rc lcov_branch_coverage=1)
capture=(--capture --directory "$build" --no-external --base-directory .)
"${lcov[@]}" --zerocounters --directory "$build"
status=0
scripts/run-tests.sh "$build" -j"$(nproc)" -LE slow || status=$?
# First everything there is, so that a file no test reaches counts as well.  (On
# Debian 12 lcov's own perl warns of subroutines that it defines twice.)
{
    "${lcov[@]}" "${capture[@]}" --initial --output-file "$build/none.info"
    "${lcov[@]}" "${capture[@]}" --output-file "$build/run.info"
} 2> >(grep -v '^Subroutine .* redefined' >&2)
"${lcov[@]}" -a "$build/none.info" -a "$build/run.info" --output-file "$build/all.info"
"${lcov[@]}" --extract "$build/all.info" "$PWD/src/*" --output-file "$build/coverage.info"

echo
awk -F: '
    function room_of(path, parts, count) {
        sub(/.*\/src\//, "", path)
        count = split(path, parts, "/")
        return count > 1 ? parts[1] : "main"
    }
    $1 == "SF" { room = room_of($2); rooms[room] = 1 }
    $1 == "LF" { lines[room] += $2; lines[" all"] += $2 }
    $1 == "LH" { lines_hit[room] += $2; lines_hit[" all"] += $2 }
    $1 == "BRF" { branches[room] += $2; branches[" all"] += $2 }
    $1 == "BRH" { branches_hit[room] += $2; branches_hit[" all"] += $2 }
    function share(part, whole) { return whole ? sprintf("%5.1f %%", 100 * part / whole) : "-" }
    function row(name, key) {
        printf "%-10s %6d/%-6d %8s %8d/%-6d %8s\n", name, lines_hit[key], lines[key],
            share(lines_hit[key], lines[key]), branches_hit[key], branches[key],
            share(branches_hit[key], branches[key])
    }
    END {
        printf "%-10s %13s %8s %15s %8s\n", "room", "lines", "", "branches", ""
        count = split("base core bridge codec update registry store ingest transport evidence fleet device cli main", order, " ")
        for (i = 1; i <= count; i++)
            if (order[i] in rooms) row(order[i], order[i])
        row("all", " all")
    }' "$build/coverage.info"
echo "In detail: genhtml --branch-coverage -o $build/html $build/coverage.info"
exit "$status"
