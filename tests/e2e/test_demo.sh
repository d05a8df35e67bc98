#!/bin/bash
# The demonstration shows what it promises: records accepted, the tampered one
# refused, both chains whole.
set -euo pipefail

if "$EDS" --version --json | grep -qE '"(transport-http|store-sqlite)":"off"'; then
    echo "skipped: this build has no HTTP or no SQLite"
    exit 77
fi
out=$("$EDS_SOURCE/scripts/demo.sh" "$EDS")
wanted='ACCEPTED: device=lift-01 sequence=1
ACCEPTED: device=lift-01 sequence=2
ACCEPTED: device=lift-01 sequence=3
ACCEPTED: device=robot-07 sequence=1
ACCEPTED: device=robot-07 sequence=2
REJECTED: device=robot-07 sequence=3 reason=payload hash mismatch for device=robot-07 sequence=3
CHAIN_VALID
CHAIN_VALID'
if [ "$(tail -n 8 <<<"$out")" != "$wanted" ]; then
    printf '%s\n' "$out"
    exit 1
fi
