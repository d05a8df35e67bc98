#!/bin/bash
# Runs every libFuzzer target of a build, on a copy of its corpus.
#
#   scripts/fuzz.sh BUILD -max_total_time=20 | -runs=10000000
#
# What is found new stays in BUILD/corpus; an input that fails is kept in
# BUILD/findings and named at the end.
set -euo pipefail

build=$1
shift
mkdir -p "$build/findings"
failed=()
count=0
for target in "$build"/bin/fuzz_*; do
    [ -x "$target" ] || continue
    name=$(basename "$target")
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/corpus/$name
    [ ! -d "$seeds" ] || cp -n "$seeds"/* "$corpus/"
    echo "== $name"
    count=$((count + 1))
    log=$build/$name.log
    if ! "$target" "$@" -print_final_stats=1 -rss_limit_mb=4096 -max_len=16384 \
        -artifact_prefix="$build/findings/$name-" "$corpus" >"$log" 2>&1; then
        failed+=("$name")
        tail -n 40 "$log"
    fi
    grep -E 'number_of_executed_units|average_exec_per_sec' "$log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: ${failed[*]} (inputs in $build/findings)"
    exit 1
fi
[ "$count" -gt 0 ] || { echo "no fuzz targets in $build/bin" >&2; exit 1; }
echo "$count fuzz targets, no finding"
