#!/bin/bash
# The reference's lift inspection, step by step as a reader would type it: make
# a chain, verify it, tamper with the file, see it refused; the same for one
# record.  The tampering is done by another program, in Python.
. "$EDS_SOURCE/tests/support/cli.sh"
secret=0101010101010101010101010101010101010101010101010101010101010101
public=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
ln -s "$EDS" eds
PATH=$work:$PATH

tamper() { # FILE PYTHON-STATEMENT on "data"
    python3 - "$1" "$2" <<'PY'
import json, sys
path, statement = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    data = json.load(file)
exec(statement)
with open(path, "w", encoding="utf-8") as file:
    json.dump(data, file, indent=2)
PY
}

# 1 and 2: a chain, and its verification from the file.
expect 0 eds audit demo-lift-inspection --device-id lift-01 --out-file lift_inspection_records.json
prints_exactly $'DEMO_CREATED:lift_inspection_records.json\nCHAIN_VALID'
expect 0 eds audit verify-chain --records-file lift_inspection_records.json
prints_exactly CHAIN_VALID
cp lift_inspection_records.json genuine.json

# 2.1: one bit of the first record's payload hash.
tamper lift_inspection_records.json 'data[0]["payload_hash"][0] ^= 0x01'
expect 1 eds audit verify-chain --records-file lift_inspection_records.json
says "chain verification failed: invalid previous hash at index 1"
prints_exactly ""

# Undone by the same tool, the file is good again: only content counts, not form.
tamper lift_inspection_records.json 'data[0]["payload_hash"][0] ^= 0x01'
expect 0 eds audit verify-chain --records-file lift_inspection_records.json

# What links alone cannot see, signatures do: the last record.
tamper lift_inspection_records.json 'data[2]["payload_hash"][0] ^= 0x01'
expect 0 eds audit verify-chain --records-file lift_inspection_records.json
says "not checked: signatures"
expect 2 eds audit verify-chain --records-file lift_inspection_records.json --public-key-hex $public
prints_exactly CHAIN_INVALID
says "invalid signature at index 2"

# 3: a single event.
single=(eds audit sign-record --device-id lift-01 --sequence 1 --timestamp-ms 1700000000000
    --payload "scenario=lift-inspection,check=door,status=ok"
    --object-ref "s3://bucket/lift-01/door-check-1.bin" --out lift_single_record.json)
check=(eds audit verify-record --record-file lift_single_record.json --public-key-hex "$public")
expect 0 "${single[@]}" --private-key-hex $secret
expect 0 "${check[@]}"
prints_exactly VALID

# 3.1: one bit of its signature.
tamper lift_single_record.json 'data["signature"][0] ^= 0x01'
expect 2 "${check[@]}"
prints_exactly INVALID

# Beyond the reference: the time is not covered by the original's signature,
# but by an attestation it is.
DEVICE_PRIVATE_KEY_HEX=$secret expect 0 "${single[@]}"
tamper lift_single_record.json 'data["timestamp_ms"] += 1'
expect 0 "${check[@]}"
says "not checked: time, reference and place in the chain"
DEVICE_PRIVATE_KEY_HEX=$secret expect 0 "${single[@]}" --attest
expect 0 "${check[@]}"
[ "$err" = "" ] || fail "something is left unchecked"
tamper lift_single_record.json 'data["timestamp_ms"] += 1'
expect 2 "${check[@]}"
says "the attestation is not this key's for this record"
printf 'scenario=lift-inspection,check=door,status=ok' >payload.bin
DEVICE_PRIVATE_KEY_HEX=$secret expect 0 "${single[@]}"
expect 0 "${check[@]}" --payload-file payload.bin
printf '!' >>payload.bin
expect 2 "${check[@]}" --payload-file payload.bin
says "the payload has another hash"

# A payload larger than memory needs to hold, by many threads: the same hash.
head -c 5300000 /dev/zero >large.bin
large=(eds audit sign-record --device-id lift-01 --sequence 1 --timestamp-ms 1700000000000
    --payload-file large.bin --object-ref "s3://bucket/lift-01/large.bin")
DEVICE_PRIVATE_KEY_HEX=$secret expect 0 "${large[@]}" --out large_1.json
DEVICE_PRIVATE_KEY_HEX=$secret expect 0 "${large[@]}" --out large_3.json --hash-threads 3
cmp large_1.json large_3.json || fail "threads changed a hash"
check_large=(eds audit verify-record --record-file large_1.json --public-key-hex "$public"
    --payload-file large.bin --hash-threads)
expect 0 "${check_large[@]}" 2
printf '!' >>large.bin
expect 2 "${check_large[@]}" 0
says "the payload has another hash"
expect 64 "${check_large[@]}" many
says "hash-threads"

# A chain by hand, each record following the file of the one before.
export DEVICE_PRIVATE_KEY_HEX=$secret
next=(eds sign-record --device-id lift-01 --timestamp-ms 1700000000000 --payload x --attest
    --object-ref)
expect 0 "${next[@]}" a/1 --sequence 1 --out 1.json
expect 0 "${next[@]}" a/2 --sequence 2 --prev-record 1.json --out 2.json
expect 0 "${next[@]}" a/3 --sequence 3 --prev-record 2.json --out 3.json --json
prints '"attested":true'
expect 1 "${next[@]}" a/4 --sequence 5 --prev-record 3.json --out 4.json
says "sequence 5 does not follow 3, that of 3.json"
expect 1 "${next[@]/lift-01/lift-02}" a/4 --sequence 4 --prev-record 3.json --out 4.json
says "3.json is a record of another device"
[ ! -e 4.json ] || fail "a record that breaks its own chain was written"
cat 1.json 2.json 3.json | python3 -c '
import json, sys
decoder, text = json.JSONDecoder(), sys.stdin.read()
while text:
    record, end = decoder.raw_decode(text)
    print(json.dumps(record))
    text = text[end:].lstrip()
' >chain.ndjson
expect 0 eds verify-chain chain.ndjson --format ndjson --device lift-01=$public
says "3 signatures, 3 attestations"
echo "$count commands, all as expected"
