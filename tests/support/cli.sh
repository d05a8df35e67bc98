# shellcheck shell=bash
# cli.sh - what the command's own tests share.  Sourced; needs EDS.
#
#   expect CODE COMMAND...   runs it: standard output in $out, error in $err
#   says TEXT, silent_on TEXT, prints TEXT    about $err, $err and $out
#   fail WHY                 ends the test
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset DEVICE_PRIVATE_KEY_HEX EDS_PASSPHRASE
count=0
out='' err='' last=''

fail() {
    echo "FAIL after: $last" >&2
    echo "  $1" >&2
    echo "  standard output: ${out:0:600}" >&2
    echo "  standard error: ${err:0:600}" >&2
    exit 1
}

expect() {
    local wanted=$1 code=0
    shift
    last="$*"
    "$@" >"$work/.out" 2>"$work/.err" || code=$?
    out=$(cat "$work/.out") err=$(cat "$work/.err")
    rm -f "$work/.out" "$work/.err"
    [ "$code" = "$wanted" ] || fail "exit $code, not $wanted"
    count=$((count + 1))
}

says() { case $err in *"$1"*) ;; *) fail "standard error does not say '$1'" ;; esac; }
silent_on() { case $err in *"$1"*) fail "standard error says '$1'" ;; esac; }
prints() { case $out in *"$1"*) ;; *) fail "standard output does not have '$1'" ;; esac; }
prints_exactly() { [ "$out" = "$1" ] || fail "standard output is not '$1'"; }
mode_is() { [ "$(stat -c %a "$2")" = "$1" ] || fail "$2 has mode $(stat -c %a "$2"), not $1"; }
# Nothing but what is named may lie in the directory: no temporary files.
only_files() {
    local there
    there=$(ls -A | sort | tr '\n' ' ')
    [ "$there" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ] || fail "files: $there"
}
# field FILE NAME: a string of a JSON object on several lines
field() { sed -n "s/^ *\"$2\": \"\(.*\)\",\{0,1\}$/\1/p" "$1"; }
