#!/bin/bash
# The three roles on real services: a device signs, a gateway forwards, a cloud
# backend checks and keeps records in PostgreSQL and payloads in an S3 service
# (Ceph's object gateway).  Everything is started here, on free ports of
# 127.0.0.1, and gone at the end.  On a terminal it waits for Enter after each
# step.
#
#   scripts/local_demo.sh [EDS]     make local-demo builds and installs what it needs
set -euo pipefail

top=$(realpath "$(dirname "$0")/..")
eds=$(realpath "${1:-$top/build/bin/eds}")
support=$top/tests/support
folder=$(mktemp -d "${TMPDIR:-/tmp}/edgesentry-local-demo.XXXXXX")
chmod 755 "$folder" # PostgreSQL does not run as root
server=""
cleanup() {
    trap - EXIT INT TERM
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ ! -d "$folder/s3" ] || "$support/rgw.sh" remove "$folder/s3" || true
    [ ! -d "$folder/pg" ] || "$support/postgres.sh" remove "$folder/pg" || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

number=0
# step ROLE WHAT: the next step; pauses before it, if somebody is there to read.
step() {
    if [ "$number" -gt 0 ] && [ -t 0 ] && [ -t 1 ]; then
        read -r -p "[$number/7] Press Enter to continue: " _
    fi
    number=$((number + 1))
    printf '\n[%s/7] %s: %s\n' "$number" "$1" "$2"
}
# run COMMAND...: shows an eds command and what it says, both.
run() {
    printf '$ eds'
    printf ' %q' "$@"
    echo
    "$eds" "$@" 2>&1 | sed 's/^/  /'
}
# service SCRIPT ARGUMENTS...: starts one, prints its port; says what is missing.
service() {
    local answer status=0
    answer=$("$@") || status=$?
    [ "$status" = 0 ] || { echo "$answer" >&2; exit "$status"; }
    echo "$answer"
}

cd "$folder"
export AWS_ACCESS_KEY_ID=AKEDSTEST AWS_SECRET_ACCESS_KEY='SKEDSTEST/with+odd=signs'
step "CLOUD BACKEND" "a PostgreSQL server and an S3 service, both new and empty"
pg_port=$(service "$support/postgres.sh" start "$folder/pg" $$)
echo "  PostgreSQL listens on 127.0.0.1:$pg_port"
s3_port=$(service "$support/rgw.sh" start "$folder/s3" $$)
"$support/s3.py" "$s3_port" make bucket
echo "  S3 listens on 127.0.0.1:$s3_port; there is a bucket named 'bucket'"
export EDS_STORE=postgresql://eds@127.0.0.1:$pg_port/postgres
export EDS_OBJECTS="s3://bucket?keys=ref&endpoint=http://127.0.0.1:$s3_port"

step "CLOUD BACKEND" "the server: it knows the device's public key, and this machine may send"
key=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
serve=(audit serve --addr 127.0.0.1:0 --allowed-sources 127.0.0.1 --device "lift-01=$key"
    --port-file port)
echo "\$ EDS_STORE=$EDS_STORE"
echo "\$ EDS_OBJECTS='$EDS_OBJECTS'"
echo "\$ eds ${serve[*]} &"
"$eds" "${serve[@]}" >server.out 2>server.log &
server=$!
for _ in $(seq 2400); do # two minutes: a machine may be busy
    [ ! -s port ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
done
[ -s port ] || { echo "the server did not start:"; cat server.log; exit 1; } >&2
url=http://127.0.0.1:$(cat port)

step "EDGE DEVICE" "lift-01 signs three inspections, each with the hash of the one before"
run audit demo-lift-inspection --out-file records.json --payloads-file payloads.json

step "EDGE GATEWAY" "forwards what it got, and checks nothing: that is not its to do"
run audit send --url "$url" --records-file records.json --payloads-file payloads.json | tee sent.out

step "CLOUD BACKEND" "somebody on the way has changed a payload, or sends records again: refused"
sed '3s/"../"00/' payloads.json >changed.json
for file in changed.json payloads.json; do
    run audit send --url "$url" --records-file records.json --payloads-file $file || true
done | tee refused.out
kill -TERM "$server"
wait "$server"
server=""
sed 's/^/  /' server.out

step "CLOUD BACKEND" "what is kept: rows in PostgreSQL, payloads in the bucket"
for query in \
    "SELECT id, device_id, sequence, object_ref, ingested_at FROM audit_records ORDER BY sequence" \
    "SELECT id, decision, device_id, sequence, message FROM operation_logs ORDER BY id"; do
    echo "$query;"
    "$support/postgres.sh" sql "$folder/pg" "$query" | sed 's/^/  /' # a pipe: no pager
done
echo "The bucket's objects:"
"$support/s3.py" "$s3_port" list bucket | tee objects.out | sed 's/^/  /'
run audit ledger verify --device "lift-01=$key" | tee verify.out

step "CLOUD BACKEND" "the services stop"
accepted=$(grep -c 'ACCEPTED: ' sent.out)
refused=$(grep -c 'REJECTED: ' refused.out)
objects=$(wc -l <objects.out)
cd /
cleanup
echo "Done: $accepted records accepted, $refused refused, $objects objects kept, and all of it verified."
