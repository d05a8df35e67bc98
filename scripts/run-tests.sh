#!/bin/bash
# Runs CTest in a build folder; says of every skipped test why, and ends with
# CTest's own summary.
#
#   scripts/run-tests.sh BUILD [ctest arguments...]
set -euo pipefail

build=$1
shift
log=$build/Testing/Temporary/LastTest.log

# The reason a skipped test gave: the last line it printed.
reason_of() {
    awk -v name="$1" '
        /^[0-9]+\/[0-9]+ Testing: / { mine = ($3 == name); inside = 0; next }
        mine && /^<end of output>/ { inside = 0 }
        mine && inside && $0 !~ /^-+$/ && NF { last = $0 }
        mine && /^Output:$/ { inside = 1 }
        END { print (last == "" ? "(it printed no reason)" : last) }' "$log"
}

summary=()
status=0
# Lines are passed on as they come; from the summary on they are held back.
while IFS= read -r line; do
    if [ ${#summary[@]} -gt 0 ] || [[ $line == *"% tests passed, "* ]]; then
        summary+=("$line")
    else
        printf '%s\n' "$line"
    fi
done < <(ctest --test-dir "$build" --output-on-failure --no-tests=error "$@" 2>&1 ||
    echo "ctest-status $?")

last=$((${#summary[@]} - 1))
if [ "$last" -lt 0 ]; then
    echo "ctest ended without a summary" >&2
    exit 1
fi
if [[ ${summary[$last]} == "ctest-status "* ]]; then
    status=${summary[$last]#ctest-status }
    unset "summary[$last]"
fi

skipped=$(printf '%s\n' "${summary[@]}" | sed -n 's/^.* - \(.*\) (Skipped)$/\1/p')
# Single cases that a CMocka program skipped; why is in the line before.
cases=$(awk '
    /^[0-9]+\/[0-9]+ Testing: / { name = $3 }
    /^\[ RUN/ { before = "" }
    /^\[  SKIPPED \] [a-z]/ && !seen[name, $4]++ { printf "  %s, %s: %s\n", name, $4,
        before == "" ? "(it printed no reason)" : before; before = "" }
    !/^\[/ { before = $0 }' "$log")
if [ -n "$skipped$cases" ]; then
    echo "Skipped, and why:"
    while IFS= read -r name; do
        [ -z "$name" ] || printf '  %s: %s\n' "$name" "$(reason_of "$name")"
    done <<<"$skipped"
    [ -z "$cases" ] || printf '%s\n' "$cases"
    echo
fi
printf '%s\n' "${summary[@]}"
exit "$status"
