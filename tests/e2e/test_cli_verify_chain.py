#!/usr/bin/env python3
"""verify-chain: three strengths, three formats, files and streams.

The chain is three attested records; every row of the tables is one edit away
from it, and says what each strength makes of the edit."""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

EDS = os.environ["EDS"]
SEED = "01" * 32
KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
OTHER_KEY = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
DEVICE = "lift-01=" + KEY
VALID, FAILED, INVALID, USAGE = 0, 1, 2, 64

failures = 0
count = 0


def eds(*args, stdin=b""):
    return subprocess.run([EDS, "audit", *args], input=stdin, capture_output=True, timeout=120)


def fail(what, done):
    global failures
    failures += 1
    print(f"FAIL {what}: exit {done.returncode}, {done.stdout[:200]!r}, "
          f"{done.stderr.decode()[:400]}")


def expect(what, code, said, *args, stdin=b"", out=None):
    """Runs verify-chain; said must stand on standard error."""
    global count
    count += 1
    done = eds("verify-chain", *args, stdin=stdin)
    if done.returncode != code or said not in done.stderr.decode():
        fail(f"{what} (wanted {code}, '{said}')", done)
    if out is None:
        out = {VALID: b"CHAIN_VALID\n", INVALID: b"CHAIN_INVALID\n"}.get(code, b"")
    if done.stdout != out and out != b"any":
        fail(f"{what}: standard output", done)
    return done


def flip(value):
    value[0] ^= 1


def edit_signature(chain):
    flip(chain[1]["signature"])


def edit_attestation(chain):
    digits = chain[2]["attest"]["signature"]
    chain[2]["attest"]["signature"] = ("1" if digits[0] == "0" else "0") + digits[1:]


def drop_attestation(chain):
    del chain[1]["attest"]


def edit_payload_hash(chain):
    flip(chain[2]["payload_hash"])


def edit_time(chain):
    chain[2]["timestamp_ms"] += 1


def edit_reference(chain):
    chain[2]["object_ref"] += "x"


def edit_sequence(chain):
    chain[2]["sequence"] = 9


def edit_first_sequence(chain):
    chain[:] = [dict(chain[0], sequence=2)]


def edit_prev_hash(chain):
    flip(chain[1]["prev_record_hash"])


def edit_device(chain):
    chain[2]["device_id"] = "lift-02"


def drop_first(chain):
    del chain[0]


def drop_middle(chain):
    del chain[1]


def drop_last(chain):
    del chain[2]


# What is wrong, and what links, signatures and full say of it.  The last
# record is covered by nothing but its own signatures: that is what the two
# stronger checks are for.
EDITS = [
    (edit_signature, (FAILED, "invalid previous hash at index 2"),
     (INVALID, "invalid signature at index 1"), (INVALID, "invalid signature at index 1")),
    (edit_attestation, (VALID, ""), (INVALID, "invalid attestation at index 2"),
     (INVALID, "invalid attestation at index 2")),
    (drop_attestation, (VALID, ""), (VALID, ""), (INVALID, "no attestation at index 1")),
    (edit_payload_hash, (VALID, ""), (INVALID, "at index 2"), (INVALID, "at index 2")),
    (edit_time, (VALID, ""), (INVALID, "invalid attestation at index 2"),
     (INVALID, "invalid attestation at index 2")),
    (edit_reference, (VALID, ""), (INVALID, "invalid attestation at index 2"),
     (INVALID, "invalid attestation at index 2")),
    (edit_sequence, (FAILED, "invalid sequence at index 2: expected 3, actual 9"),
     (INVALID, "invalid sequence at index 2: expected 3, actual 9"),
     (INVALID, "invalid sequence at index 2")),
    (edit_first_sequence, (VALID, ""), (INVALID, "invalid sequence at index 0"),
     (INVALID, "invalid sequence at index 0")),
    (edit_prev_hash, (FAILED, "invalid previous hash at index 1"),
     (INVALID, "invalid previous hash at index 1"),
     (INVALID, "invalid previous hash at index 1")),
    (edit_device, (VALID, ""), (INVALID, "record of another device at index 2"),
     (INVALID, "record of another device at index 2")),
    (drop_first, (FAILED, "invalid previous hash at index 0"),
     (INVALID, "invalid previous hash at index 0"),
     (INVALID, "invalid previous hash at index 0")),
    (drop_middle, (FAILED, "invalid previous hash at index 1"),
     (INVALID, "invalid previous hash at index 1"),
     (INVALID, "invalid previous hash at index 1")),
    (drop_last, (VALID, "after the last one are missing"),
     (VALID, "after the last one are missing"),
     (INVALID, "there are more payloads than records")),
]


def test_strengths(chain):
    strengths = [(), ("--device", DEVICE),
                 ("--device", DEVICE, "--full", "--payloads-file", "p.json")]
    for strength in strengths:
        expect(f"whole chain {strength}", VALID, "not checked", "c.json", *strength)
    for edit, *verdicts in EDITS:
        edited = copy.deepcopy(chain)
        edit(edited)
        pathlib.Path("x.json").write_text(json.dumps(edited))
        for strength, (code, said) in zip(strengths, verdicts):
            expect(f"{edit.__name__} {strength}", code, said, "x.json", *strength)


def compact(chain):
    """The compact form, written here a second time: docs/SPEC.md."""
    def varint(n):
        out = bytearray()
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        return bytes(out) + bytes([n])

    def text(s):
        return varint(len(s.encode())) + s.encode()

    out = b""
    for r in chain:
        out += (text(r["device_id"]) + varint(r["sequence"]) + varint(r["timestamp_ms"])
                + bytes(r["payload_hash"]) + b"\x40" + bytes(r["signature"])
                + bytes(r["prev_record_hash"]) + text(r["object_ref"]))
        if "attest" in r:
            out += (b"\x01" + bytes.fromhex(r["attest"]["key_id"])
                    + bytes.fromhex(r["attest"]["signature"]))
        else:
            out += b"\x00"
    return out


def test_formats(chain):
    ndjson = "".join(json.dumps(r) + "\n" for r in chain).encode()
    forms = {"array": json.dumps(chain).encode(), "ndjson": ndjson, "compact": compact(chain)}
    for name, data in forms.items():
        pathlib.Path("f").write_bytes(data)
        for args in (("f",), ("--records-file=f",), ("--records-file", "-"), ("-",)):
            stdin = data if "-" in args else b""
            expect(f"{name} {args}", VALID, "3 records", *args, "--format", name, stdin=stdin)
            expect(f"{name} {args} signed", VALID, "3 signatures, 3 attestations", *args,
                   "--format", name, "--device", DEVICE, stdin=stdin)
        expect(f"{name} cut", FAILED, "error", "-", "--format", name, stdin=data[:-1]
               if name != "ndjson" else data[:-2])
        for other in forms:
            if other != name:
                expect(f"{name} as {other}", FAILED, "error", "f", "--format", other)
    expect("an unknown format", USAGE, "possible values: array, ndjson, compact", "f",
           "--format", "xml")


def test_keys(chain):
    one = ("--public-key-hex", KEY)
    other = ("--public-key-hex", OTHER_KEY)
    expect("the key", VALID, "", "c.json", *one)
    expect("another key", INVALID, "invalid signature at index 0", "c.json", *other)
    expect("two keys, one of them right", VALID, "", "c.json", *other, *one)
    expect("device under another key", INVALID, "invalid signature at index 0", "c.json",
           "--device", "lift-01=" + OTHER_KEY)
    # The right key under another device's name must not speak for lift-01.
    expect("key of another device", INVALID, "the chain is of device lift-01", "c.json",
           "--device", "lift-02=" + KEY)
    expect("two devices", VALID, "", "c.json", "--device", "lift-02=" + OTHER_KEY, "--device",
           DEVICE)
    expect("wrong key of the device, right key of another", INVALID, "invalid signature",
           "c.json", "--device", "lift-02=" + KEY, "--device", "lift-01=" + OTHER_KEY)
    expect("bad hex", FAILED, "Invalid character 'z' at position 0", "c.json",
           "--public-key-hex", "zz")
    expect("off the curve", FAILED, "invalid public key for lift-01: signature error: Cannot "
           "decompress Edwards point", "c.json", "--device", "lift-01=02" + "00" * 31)
    expect("small order", FAILED, "small order", "c.json", "--public-key-hex", "01" + "00" * 31)
    expect("device without =", FAILED, "--device must be ID=PUBKEY_HEX, got: x", "c.json",
           "--device", "x")
    expect("empty chain", VALID, "no records", "-", *one, stdin=b"[]")


def test_payloads(payloads):
    keyed = ("c.json", "--device", DEVICE)

    def give(what, code, said, list_of_hex, *more):
        text = list_of_hex if isinstance(list_of_hex, str) else json.dumps(list_of_hex)
        expect(what, code, said, *keyed, "--payloads-file", "-", *more, stdin=text.encode())

    for more in ((), ("--full",)):
        give("payloads", VALID, "3 payloads", payloads, *more)
        give("another payload", INVALID, "payload hash mismatch at index 1",
             [payloads[0], payloads[0], payloads[2]], *more)
        give("a payload too few", INVALID, "no payload at index 2", payloads[:2], *more)
        give("a payload too many", INVALID, "more payloads than records", payloads + [""], *more)
    give("upper case", VALID, "", [p.upper() for p in payloads])
    give("odd digits", FAILED, "Odd number of digits at byte 2 (payload 0)", ["abc"])
    give("bad digit", FAILED, "Invalid character 'x' at position 2", ["00x0"])
    give("no array", FAILED, "expected '['", "{}")
    give("cut", FAILED, "ends too early", json.dumps(payloads)[:-1])
    give("no strings", FAILED, "expected a hex string", "[1]")
    give("behind the end", FAILED, "nothing after ']'", json.dumps(payloads) + "x")
    expect("payloads without a key", USAGE, "needs a key", "c.json", "--payloads-file", "p.json")
    expect("full without payloads", USAGE, "--payloads-file", *keyed, "--full")
    expect("full without a key", USAGE, "a key", "c.json", "--full", "--payloads-file", "p.json")
    expect("two streams", USAGE, "only one input", "-", "--device", DEVICE, "--payloads-file", "-")
    expect("no payloads file", FAILED, "No such file", *keyed, "--payloads-file", "nothing")


def test_last_hash():
    done = expect("json", VALID, "", "c.json", "--json", out=b"any")
    last = json.loads(done.stdout)["last_record_hash"]
    expect("expected end", VALID, "", "c.json", "--expect-last-hash", last)
    expect("expected end, upper case", VALID, "", "c.json", "--expect-last-hash", last.upper())
    expect("another end", FAILED, "another hash than the expected one", "c.json",
           "--expect-last-hash", "00" * 32)
    expect("another end, signed", INVALID, "another hash than the expected one", "c.json",
           "--expect-last-hash", "00" * 32, "--device", DEVICE)
    expect("no hash", FAILED, "invalid byte length: expected 32, actual 1", "c.json",
           "--expect-last-hash", "00")


def test_json():
    done = expect("json", VALID, "", "c.json", "--device", DEVICE, "--json", out=b"any")
    got = json.loads(done.stdout)
    assert got["valid"] is True and got["strength"] == "signatures", got
    assert got["record_count"] == 3 and got["attested_count"] == 3, got
    assert got["device_id"] == "lift-01" and got["last_sequence"] == 3, got
    done = expect("json, broken", FAILED, "", "x.json", "--json", out=b"any")
    assert json.loads(done.stdout)["valid"] is False, done.stdout
    done = expect("json, invalid", INVALID, "", "x.json", "--device", DEVICE, "--json",
                  out=b"any")
    got = json.loads(done.stdout)
    assert got["reason"] == "invalid previous hash at index 0", got
    done = expect("json, error", FAILED, "", "nothing", "--json", out=b"any")
    got = json.loads(done.stdout)
    assert got["code"] == "EDS_ERR_IO" and "nothing" in got["error"], got


def sanitized():
    """Sanitizers map terabytes of address space for their own use."""
    cache = pathlib.Path(os.environ["EDS_BUILD"], "CMakeCache.txt").read_text()
    return "\nEDS_SANITIZE:STRING=\n" not in cache


def test_stream_in_constant_memory():
    """42 MB of records go through a process that may map 256 MiB in all."""
    record = json.dumps({
        "device_id": "d", "sequence": 1, "timestamp_ms": 1, "payload_hash": [0] * 32,
        "signature": [0] * 64, "prev_record_hash": [0] * 32, "object_ref": "r"}).encode()
    limit = "exec " if sanitized() else "ulimit -v 262144; exec "
    done = subprocess.run(
        ["bash", "-c", limit + '"$0" audit verify-chain - --format ndjson', EDS],
        input=(b" " * 60000 + record + b"\n") * 700, capture_output=True, timeout=120)
    if done.returncode != FAILED or b"invalid previous hash at index 1" not in done.stderr:
        fail("a long stream", done)
    done = eds("verify-chain", "-", stdin=b"[{" + b" " * (70 * 1024) + record[1:] + b"]")
    if done.returncode != FAILED or b"65536" not in done.stderr:
        fail("a record's text over the limit", done)


def main():
    with tempfile.TemporaryDirectory(prefix="eds-chain-") as directory:
        os.chdir(directory)
        done = eds("demo-lift-inspection", "--attest", "--out-file", "c.json", "--payloads-file",
                   "p.json")
        if done.returncode != 0:
            sys.exit(done.stderr.decode())
        chain = json.loads(pathlib.Path("c.json").read_text())
        payloads = json.loads(pathlib.Path("p.json").read_text())
        test_strengths(chain)
        test_formats(chain)
        test_keys(chain)
        test_payloads(payloads)
        test_last_hash()
        pathlib.Path("x.json").write_text(json.dumps(chain[1:]))
        test_json()
        test_stream_in_constant_memory()
        os.chdir("/")
    print(f"{count} chains checked, {failures} not as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
