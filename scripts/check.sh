#!/bin/bash
# Everything that can be said of the sources without running them.
#
#   scripts/check.sh          format, room order, house rules, scripts: seconds
#   scripts/check.sh BUILD    and clang-tidy and cppcheck, by BUILD's commands
set -uo pipefail

build=${1:-}
failed=()

# step NAME COMMAND...: runs it; remembers a failure, goes on.
step() {
    local name=$1
    shift
    printf '%-16s' "$name"
    local output start=$SECONDS
    if output=$("$@" 2>&1); then
        printf 'ok (%d s)\n' $((SECONDS - start))
    else
        printf 'FAILED\n%s\n' "$output"
        failed+=("$name")
    fi
}

files() { git ls-files --cached --others --exclude-standard -- "$@"; }

check_format() { files '*.c' '*.h' | xargs clang-format --dry-run --Werror; }
check_shell() { files '*.sh' .ci/run | xargs shellcheck --severity=warning; }
check_python() {
    files '*.py' | xargs -r python3 -c \
        'import sys; [compile(open(path).read(), path, "exec") for path in sys.argv[1:]]'
}
check_cppcheck() {
    cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
        --inline-suppr --suppressions-list=.cppcheck --library=posix \
        -Iinclude -Isrc -I"$build/generated" -D__GNUC__=12 -j "$(nproc)" src
}

step format check_format
step rooms scripts/check-rooms.sh
step rules scripts/check-rules.py
step shellcheck check_shell
step python check_python
if [ -n "$build" ]; then
    step freestanding scripts/check-freestanding.sh "$build"
    step cppcheck check_cppcheck
    step clang-tidy scripts/tidy.py "$build"
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "make check: FAILED: ${failed[*]}"
    exit 1
fi
echo "make check: all good"
