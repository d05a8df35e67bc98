#!/bin/bash
# One inspection from the device to the auditor, for real: a server over HTTP that
# keeps what it accepts in SQLite, records that edgesentry-rs made, records made
# here, a tampered one, and a check of everything that was kept.
#
#   scripts/demo.sh EDS
set -euo pipefail

eds=$(realpath "${1:?usage: scripts/demo.sh EDS}")
peer=$(realpath "$(dirname "$0")/../tests/vectors/peer")
folder=$(mktemp -d "${TMPDIR:-/tmp}/edgesentry-demo.XXXXXX")
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
# Made by edgesentry-rs itself; where from: tests/vectors/peer/SOURCE.txt.
cp "$peer/demo_records.json" peer_records.json
cp "$peer/demo_payloads.json" peer_payloads.json

step() { printf '\n== %s\n' "$1"; }
# run COMMAND...: shows the command and what it says, both.
run() {
    printf '$ eds'
    printf ' %q' "$@"
    echo
    "$eds" "$@" 2>&1 | sed 's/^/  /'
}
public_key() { "$eds" audit inspect-key --key-file "$1" | sed -n 's/.*"public_key_hex": "\(.*\)".*/\1/p'; }

step "A lift inspection: door, vibration, emergency brake, signed as a chain"
run audit demo-lift-inspection --out-file records.json --payloads-file payloads.json
cmp records.json peer_records.json
cmp payloads.json peer_payloads.json
echo "  These are, byte for byte, the records that edgesentry-rs made from the same key."

step "A second device with a key of its own; its records are attested as a whole"
run audit keygen --out robot-07.key
for sequence in 1 2; do
    printf 'corridor %s: no obstacle' "$sequence" >"payload-$sequence"
    previous=()
    [ "$sequence" = 1 ] || previous=(--prev-record "record-$((sequence - 1)).json")
    run audit sign-record --device-id robot-07 --sequence "$sequence" \
        --timestamp-ms "$(date +%s%3N)" --payload-file "payload-$sequence" \
        --object-ref "file:robot-07/$sequence" "${previous[@]}" --key-file robot-07.key --attest \
        --out "record-$sequence.json"
    # One request a line: the record and its payload in hex.
    printf '{"record":%s,"raw_payload_hex":"%s"}\n' "$(tr -d '\n' <"record-$sequence.json")" \
        "$(od -An -v -tx1 "payload-$sequence" | tr -d ' \n')" >>robot.ndjson
done

step "The server: these two devices, this machine, nobody else"
lift_key=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
robot_key=$(public_key robot-07.key)
serve=(audit serve --addr 127.0.0.1:0 --allowed-sources 127.0.0.1 --data-dir data
    --device "lift-01=$lift_key" --device "robot-07=$robot_key" --port-file port)
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
echo "  listening on $url"

step "The records of edgesentry-rs, then the robot's, over HTTP"
run audit send --url "$url" --records-file peer_records.json \
    --payloads-file peer_payloads.json | tee lift.out
run audit send --url "$url" --envelopes robot.ndjson | tee robot.out

step "Someone on the way alters the robot's next measurement"
run audit sign-record --device-id robot-07 --sequence 3 --timestamp-ms "$(date +%s%3N)" \
    --payload 'corridor 3: obstacle' --object-ref file:robot-07/3 --prev-record record-2.json \
    --key-file robot-07.key --attest --out record-3.json
altered=$(printf 'corridor 3: no obstacle' | od -An -v -tx1 | tr -d ' \n')
printf '{"record":%s,"raw_payload_hex":"%s"}\n' "$(tr -d '\n' <record-3.json)" "$altered" \
    >altered.ndjson
status=0
run audit send --url "$url" --envelopes altered.ndjson >altered.out || status=$?
cat altered.out
[ "$status" = 2 ] || { echo "the server took a tampered record" >&2; exit 1; }

step "The server stops; what it acknowledged is on disk"
kill -TERM "$server"
wait "$server"
server=""
sed 's/^/  /' server.out

step "An auditor checks the whole ledger, then each chain by itself, from files alone"
run audit ledger verify --data-dir data --device "lift-01=$lift_key" \
    --device "robot-07=$robot_key"
run audit export --data-dir data --device-id lift-01 --out lift.json --payloads-file lift.payloads
run audit export --data-dir data --device-id robot-07 --out robot.json \
    --payloads-file robot.payloads
cmp lift.json peer_records.json
run audit verify-chain lift.json --device "lift-01=$lift_key" --payloads-file lift.payloads \
    >lift.check
run audit verify-chain robot.json --device "robot-07=$robot_key" --payloads-file robot.payloads \
    --full >robot.check
cat lift.check robot.check

step "In short"
grep -h -oE 'ACCEPTED: .*' lift.out robot.out
grep -h -oE 'REJECTED: .*' altered.out
grep -h -oE 'CHAIN_VALID' lift.check robot.check
