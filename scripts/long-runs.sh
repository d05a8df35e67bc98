#!/bin/bash
# Runs the proofs that take too long for every change: the tests that kill, cut, spoil
# and compare, with the numbers that are promised.
#
#   scripts/long-runs.sh BUILD [NAME...]      all of them, or those that are named
#   scripts/long-runs.sh --list
#
# A line for each says how it ended and what it printed last; BUILD/long-runs/NAME.log
# has the rest.  Goes on after a failure and ends with exit code 1 then.  Some need root
# (networks of their own, mounted images) and say so when they are skipped (77).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# Name, settings, program: of tests/e2e, or of the build's bin.
runs=(
    "kill9 EDS_KILL_CYCLES=1000 test_kill9.py"
    "kill9_postgres EDS_KILL_CYCLES=200 test_kill9_postgres.py"
    "power_cut EDS_POWER_CUTS=100 test_power_cut.py"
    "nodes EDS_NODES_DEVICES=200 EDS_NODES_RECORDS=50000 EDS_NODES_KILL_S=2 test_postgres_nodes.py"
    "postgres_faults EDS_TEST_FAULTS=200 test_store_ledger_postgres_faults"
    "postgres_statements EDS_TEST_FAULTS=200 test_store_ledger_postgres_sql_faults"
    "fleet EDS_TEST_TIMES=1 test_device_fleet.py"
    "buffer_sqlite_power EDS_TEST_ROUNDS=300 test_device_store_sqlite_power"
    "buffer_log_power EDS_TEST_ROUNDS=300 test_device_store_log_power"
    "bad_disk EDS_TEST_ROUNDS=100 test_agent_bad_disk.py"
    "drain EDS_TEST_DRAIN=1000000 test_agent_links.py"
    "crowd EDS_TEST_CROWD=2000 test_device_forwarder_crowd"
    "gateway_kills EDS_GATEWAY_KILLS=100 test_gateway_kills.py"
    "mqtt_restarts EDS_MQTT_RESTARTS=100 test_mqtt_restarts.py"
    "tls_renewals EDS_TLS_RENEWALS=50 test_tls_renewal.py"
    "model EDS_TEST_EVENTS=300000 test_ingest_model"
    "verifier EDS_DIFF_CASES=100000000 test_core_verifier_diff"
)

usage() {
    sed -n '5,6s/^# *//p' "$0"
    exit "${1:-64}"
}

program_of() { # its path, in the build or in tests/e2e
    case $1 in
        *.py) echo "tests/e2e/$1" ;;
        *) echo "$build/bin/$1" ;;
    esac
}

wanted() { # NAME [WANTED...]
    local name=$1
    shift
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]
}

case ${1:-} in
    --list)
        printf '%s\n' "${runs[@]}"
        exit 0
        ;;
    --help | -h) usage 0 ;;
    '') usage ;;
esac
build=$(realpath "$1") || exit 1
shift
for name in "$@"; do
    [[ " ${runs[*]%% *} " == *" $name "* ]] || {
        echo "long-runs.sh: there is no run \"$name\": see --list" >&2
        exit 64
    }
done

mkdir -p "$build/long-runs"
export EDS="$build/bin/eds" EDS_BUILD="$build" EDS_SOURCE="$PWD"
failed=()
for run in "${runs[@]}"; do
    read -r -a words <<<"$run"
    name=${words[0]}
    wanted "$name" "$@" || continue
    log=$build/long-runs/$name.log
    begun=$SECONDS
    env "${words[@]:1:${#words[@]}-2}" "$(program_of "${words[-1]}")" >"$log" 2>&1
    code=$?
    case $code in
        0) how=passed ;;
        77) how=skipped ;;
        *)
            how=FAILED
            failed+=("$name")
            ;;
    esac
    echo "$name: $how after $((SECONDS - begun)) s: $(grep -v '^\[' "$log" | tail -1 | cut -c1-200)"
done
[ ${#failed[@]} -eq 0 ] || {
    echo "FAILED: ${failed[*]}: see $build/long-runs"
    exit 1
}
