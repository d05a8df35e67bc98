#!/bin/sh
# The examples print what they promise: two ways through the same story.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
examples=$EDS_BUILD/examples

expect() { # expect WANTED-LINE < output
    grep -qxF "$1" "$directory/out" || {
        echo "missing: $1" >&2
        cat "$directory/out" >&2
        exit 1
    }
}

"$examples/lift_inspection_flow" >"$directory/out"
expect 'ACCEPTED: device=lift-01 sequence=1'
expect 'ACCEPTED: device=lift-01 sequence=3'
expect 'REJECTED: device=lift-01 sequence=3 reason=payload hash mismatch'
expect '  record   device=lift-01 sequence=3 object_ref=s3://bucket/lift-01/inspection-3.bin'
expect '  decision Accepted sequence=3 message=ingest accepted'
expect '  decision Rejected sequence=3 message=payload hash mismatch'

"$examples/edge_device" "$directory" >"$directory/out"
expect 'SIGNED: device=lift-01 sequence=3'
"$examples/edge_gateway" "$directory" >"$directory/out"
expect 'FORWARDED: device=lift-01 sequence=3'
cmp "$directory/eds_envelopes.ndjson" "$directory/eds_fwd_envelopes.ndjson"
for store in memory: "sqlite:$directory/cloud/ledger.db"; do
    "$examples/cloud_backend" "$directory" "$store" >"$directory/out"
    expect 'ACCEPTED: device=lift-01 sequence=1'
    expect 'ACCEPTED: device=lift-01 sequence=3'
    expect 'REJECTED: device=lift-01 sequence=3 reason=payload hash mismatch'
    expect 'REJECTED: device=lift-01 sequence=1 reason=source 203.0.113.9 is not in the allowlist'
    expect 'INGEST_COMPLETE: accepted=3 rejected=4'
done

# What SQLite kept is still known after a restart: everything is a duplicate.
"$examples/cloud_backend" "$directory" "sqlite:$directory/cloud/ledger.db" >"$directory/out"
expect 'REJECTED: device=lift-01 sequence=2 reason=duplicate record for device=lift-01 sequence=2'
expect 'INGEST_COMPLETE: accepted=0 rejected=7'
echo 'examples: all lines as promised'
