#!/bin/bash
# Runs the benchmarks of a build, prints their tables and writes BUILD/bench.json,
# a list of {name, value, unit, reference, ratio}.
#
#   scripts/bench.sh BUILD [NAME...]      NAME: core, chain, http, ...; default all
#
# EDS_BENCH_CHAIN=N makes the chain file N records long (default 1,000,000),
# EDS_BENCH_LEDGER=N the ledger, EDS_BENCH_HTTP=N the records sent to each server,
# EDS_BENCH_ROWS=N the largest table.  EDS_BENCH_SHORT=1 sets them so that all of it
# takes some minutes on a busy machine; EDS_BENCH_POSTGRES=none leaves PostgreSQL out.
set -euo pipefail

build=${1:?usage: scripts/bench.sh BUILD [NAME...]}
shift
if [ -n "${EDS_BENCH_SHORT:-}" ]; then
    : "${EDS_BENCH_CHAIN:=200000}" "${EDS_BENCH_LEDGER:=50000}" "${EDS_BENCH_HTTP:=8000}"
    : "${EDS_BENCH_ROWS:=100000}" "${EDS_BENCH_DEVICES:=10000}"
    export EDS_BENCH_CHAIN EDS_BENCH_LEDGER EDS_BENCH_HTTP EDS_BENCH_ROWS EDS_BENCH_DEVICES
fi
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export EDS="$build/bin/eds" EDS_BENCH_JSON="$lines"

programs=("${@/#/$build/bin/bench_}")
[ $# -gt 0 ] || programs=("$build"/bin/bench_*)
grep -m1 'model name' /proc/cpuinfo || true
echo "$(nproc) processors, $(uname -sr), load $(cut -d' ' -f1 /proc/loadavg)"
for program in "${programs[@]}"; do
    begun=$SECONDS
    "$program" || {
        echo "bench.sh: $program failed" >&2
        exit 1
    }
    echo "$(basename "$program") took $((SECONDS - begun)) s"
done

{
    echo '['
    sed '$!s/$/,/' "$lines"
    echo ']'
} >"$build/bench.json"
echo
echo "Written: $build/bench.json ($(wc -l <"$lines") figures)"
