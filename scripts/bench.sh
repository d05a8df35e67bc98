#!/bin/bash
# Runs the benchmarks of a build, prints their tables and writes BUILD/bench.json,
# a list of {name, value, unit, reference, ratio}.
#
#   scripts/bench.sh BUILD [NAME...]      NAME: core, chain, http, ...; default all
#
# EDS_BENCH_CHAIN=N makes the chain file N records long (default 1,000,000).
set -euo pipefail

build=${1:?usage: scripts/bench.sh BUILD [NAME...]}
shift
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export EDS="$build/bin/eds" EDS_BENCH_JSON="$lines"

programs=("${@/#/$build/bin/bench_}")
[ $# -gt 0 ] || programs=("$build"/bin/bench_*)
grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) processors, $(uname -sr), load $(cut -d' ' -f1 /proc/loadavg)"
for program in "${programs[@]}"; do
    "$program" || {
        echo "bench.sh: $program failed" >&2
        exit 1
    }
done

{
    echo '['
    sed '$!s/$/,/' "$lines"
    echo ']'
} >"$build/bench.json"
echo
echo "Written: $build/bench.json ($(wc -l <"$lines") figures)"
