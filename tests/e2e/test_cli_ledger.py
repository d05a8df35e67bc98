#!/usr/bin/env python3
"""From the server's ledger to an auditor: ledger verify finds every change in
the database and touches nothing; an exported chain is the file that was sent
and stands on its own."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
KEYS = {"lift-01": "01" * 32, "lift-02": "02" * 32}
PUBLIC = {}
failures = 0
count = 0


def eds(*args):
    return subprocess.run([EDS, "audit", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False)


def expect(what, code, *args, out=None, said=""):
    global failures, count
    count += 1
    done = eds(*args)
    wrong = done.returncode != code or said not in done.stderr.decode()
    if wrong or (out is not None and done.stdout != out):
        failures += 1
        print(f"FAIL {what}: exit {done.returncode}, {done.stdout[:200]!r}, "
              f"{done.stderr.decode()[:600]}")
    return done


def devices():
    return [f"{name}={key}" for name, key in PUBLIC.items()]


def device_options():
    return [word for device in devices() for word in ("--device", device)]


def make_chains():
    """lift-01 attests its records, lift-02 does not."""
    for name, key in KEYS.items():
        done = eds("inspect-key", "--private-key-hex", key)
        PUBLIC[name] = json.loads(done.stdout)["public_key_hex"]
        eds("demo-lift-inspection", "--device-id", name, "--private-key-hex", key,
            "--object-prefix", f"s3://bucket/{name}", "--out-file", f"{name}.json",
            "--payloads-file", f"{name}.payloads.json",
            *(["--attest"] if name == "lift-01" else []))


def fill_ledger():
    with serve("data", *devices()) as url:
        for name in KEYS:
            expect(f"send {name}", 0, "send", "--url", url, "--records-file", f"{name}.json",
                   "--payloads-file", f"{name}.payloads.json")
        expect("beside the server", 0, "ledger", "verify", "--data-dir", "data",
               *device_options(), out=b"LEDGER_VALID\n")


def digest():
    """Of the database; SQLite may put empty files for its log beside it."""
    assert sum(path.stat().st_size for path in pathlib.Path("data").glob("*-wal")) == 0
    return hashlib.sha256(pathlib.Path("data/edgesentry.db").read_bytes()).hexdigest()


def test_good_ledger():
    before = digest()
    verify = ("ledger", "verify", "--data-dir", "data")
    expect("with keys", 0, *verify, *device_options(), out=b"LEDGER_VALID\n",
           said="6 records of 2 devices, 6 payloads")
    expect("without keys", 0, *verify, said="not checked: the signatures of 6 records")
    expect("one key", 0, *verify, "--device", devices()[0],
           said="not checked: the signatures of 3 records")
    expect("by URL", 0, "ledger", "verify", "--store", "sqlite:data/edgesentry.db",
           *device_options(), out=b"LEDGER_VALID\n")
    os.environ["EDS_STORE"] = "sqlite:nothing/edgesentry.db"
    expect("a flag before the environment", 0, *verify)
    expect("the environment", 1, "ledger", "verify", said="there is no ledger")
    os.environ["EDS_STORE"] = "sqlite:data/edgesentry.db?mode=ro"
    expect("the environment", 0, "ledger", "verify")
    del os.environ["EDS_STORE"]
    expect("a password in the open", 1, "ledger", "verify", "--store",
           "postgresql://me:secret@127.0.0.1:1/x", said="warning: a password on the command line")
    expect("another key", 2, *verify, "--device", "lift-02=" + PUBLIC["lift-01"],
           out=b"LEDGER_INVALID\n", said="device=lift-02 sequence=1: invalid signature")
    got = json.loads(expect("json", 0, *verify, *device_options(), "--json").stdout)
    assert got["valid"] and got["verified_count"] == 6 and got["attested_count"] == 3, got
    assert digest() == before, "reading changed the ledger"


def test_exports():
    for name in KEYS:
        export = ("export", "--data-dir", "data", "--device-id", name)
        strong = ["--device", devices()[0 if name == "lift-01" else 1], "--payloads-file", "p"]
        for form in ("array", "ndjson", "compact"):
            expect(f"export {form}", 0, *export, "--out", "r", "--payloads-file", "p", "--format",
                   form)
            expect(f"verify {form}", 0, "verify-chain", "r", "--format", form, *strong,
                   *(["--full"] if name == "lift-01" else []), out=b"CHAIN_VALID\n")
        # What was sent as a file comes back as that file.
        expect("export again", 0, *export, "--out", "r", "--payloads-file", "p")
        for sent, got in ((f"{name}.json", "r"), (f"{name}.payloads.json", "p")):
            if pathlib.Path(sent).read_bytes() != pathlib.Path(got).read_bytes():
                expect(f"{got} is not {sent}", -1, "export", "--help")
        done = expect("to standard output", 0, *export, "--out", "-")
        assert done.stdout == pathlib.Path("r").read_bytes()
        got = json.loads(expect("json", 0, *export, "--out", "r", "--json").stdout)
        assert got["record_count"] == 3 and got["last_sequence"] == 3, got
    expect("nobody's chain", 1, "export", "--data-dir", "data", "--device-id", "lift-03", "--out",
           "never", said="no record of device lift-03 is in this ledger")
    assert not os.path.exists("never")
    expect("no ledger", 1, "export", "--data-dir", "nothing", "--device-id", "x", "--out", "never",
           said="there is no ledger")
    assert not os.path.exists("nothing") and not os.path.exists("never")
    expect("two stores", 64, "export", "--data-dir", "data", "--store", "memory:", "--device-id",
           "x", "--out", "never")
    expect("two streams", 64, "export", "--data-dir", "data", "--device-id", "lift-01", "--out",
           "-", "--payloads-file", "-")
    expect("a stream and json", 64, "export", "--data-dir", "data", "--device-id", "lift-01",
           "--out", "-", "--json")


# One change in the database, and what must be found.  What a change of one row
# breaks elsewhere is found as well; the named finding is the first cause.
EDITS = [
    ("UPDATE audit_records SET timestamp_ms = timestamp_ms + 1 "
     "WHERE device_id = 'lift-02' AND sequence = 3",
     "device=lift-02 sequence=3: the stored hash is not the record's"),
    ("UPDATE audit_records SET object_ref = 's3://bucket/lift-01/inspection-1.bin' "
     "WHERE device_id = 'lift-01' AND sequence = 3",
     "device=lift-01 sequence=3: its reference stands for another payload"),
    ("UPDATE audit_records SET signature = zeroblob(64) "
     "WHERE device_id = 'lift-01' AND sequence = 2",
     "device=lift-01 sequence=2: invalid signature at index 1"),
    ("UPDATE audit_records SET attest_signature = zeroblob(64) "
     "WHERE device_id = 'lift-01' AND sequence = 3",
     "device=lift-01 sequence=3: invalid attestation at index 2"),
    ("UPDATE audit_records SET attest_signature = NULL, attest_key_id = NULL "
     "WHERE device_id = 'lift-01' AND sequence = 3",
     "device=lift-01 sequence=3: no attestation at index 2"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 1",
     "device=lift-01 sequence=2: invalid previous hash at index 0"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 2",
     "device=lift-01 sequence=3: invalid previous hash at index 1"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 3",
     "device=lift-01 sequence=3: the chain's head names this record, and it is not there"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-02'",
     "device=lift-02 sequence=3: the chain's head names this record, and it is not there"),
    ("UPDATE chain_heads SET record_hash = zeroblob(32) WHERE device_id = 'lift-02'",
     "device=lift-02 sequence=3: the chain's head does not agree with the records"),
    ("UPDATE chain_heads SET sequence = 2, record_hash = (SELECT record_hash FROM audit_records "
     "WHERE device_id = 'lift-02' AND sequence = 2) WHERE device_id = 'lift-02'",
     "device=lift-02 sequence=3: the chain's head does not agree with the records"),
    ("DELETE FROM chain_heads WHERE device_id = 'lift-02'",
     "device=lift-02 sequence=3: the chain's head does not agree with the records"),
    ("UPDATE raw_objects SET payload = CAST(payload || 'x' AS BLOB) WHERE object_ref LIKE '%lift-01%-2.bin'",
     "device=lift-01 sequence=2: the payload kept here has another hash"),
    ("DELETE FROM raw_objects WHERE object_ref LIKE '%lift-01%-2.bin'",
     "device=lift-01 sequence=2: its reference stands for nothing"),
    ("UPDATE audit_records SET payload_hash = X'00' WHERE device_id = 'lift-01' AND sequence = 2",
     "payload_hash"),
]


def test_edits():
    for statement, finding in EDITS:
        shutil.rmtree("bent", ignore_errors=True)
        shutil.copytree("data", "bent")
        with contextlib.closing(sqlite3.connect("bent/edgesentry.db")) as db, db:
            if db.execute(statement).rowcount < 1:
                sys.exit(f"changes nothing: {statement}")
        expect(statement, 2, "ledger", "verify", "--data-dir", "bent", *device_options(),
               out=b"LEDGER_INVALID\n", said=finding)
    got = json.loads(expect("json", 2, "ledger", "verify", "--data-dir", "bent", "--json").stdout)
    assert got["valid"] is False and got["findings"][0]["text"], got
    pathlib.Path("bent/edgesentry.db").write_bytes(b"no database at all" * 100)
    expect("no database", 1, "ledger", "verify", "--data-dir", "bent")


def test_dropped_payload():
    """A payload that is kept elsewhere is no fault, but it is said."""
    shutil.rmtree("bent")
    shutil.copytree("data", "bent")
    with contextlib.closing(sqlite3.connect("bent/edgesentry.db")) as db, db:
        db.execute("UPDATE raw_objects SET payload = NULL WHERE object_ref LIKE '%lift-01%-2.bin'")
    expect("a payload elsewhere", 0, "ledger", "verify", "--data-dir", "bent", *device_options(),
           out=b"LEDGER_VALID\n", said="1 payload")
    expect("its export", 1, "export", "--data-dir", "bent", "--device-id", "lift-01", "--out",
           "never", "--payloads-file", "never.payloads",
           said="the payload of sequence 2 is not kept in this ledger")
    assert not os.path.exists("never") and not os.path.exists("never.payloads")


def test_objects():
    """Payloads in a directory of their own, from the server to the auditor."""
    objects = "file:payloads"
    with serve("outside", *devices(), objects=objects) as url:
        for name in KEYS:
            expect(f"send {name}", 0, "send", "--url", url, "--records-file", f"{name}.json",
                   "--payloads-file", f"{name}.payloads.json")
            expect(f"send {name} again", 0, "send", "--url", url, "--records-file",
                   f"{name}.json", "--payloads-file", f"{name}.payloads.json")
    with contextlib.closing(sqlite3.connect("outside/edgesentry.db")) as db:
        if db.execute("SELECT count(*) FROM raw_objects WHERE payload IS NULL").fetchone() != (6,):
            sys.exit("payloads are in the ledger")
    verify = ("ledger", "verify", "--data-dir", "outside")
    given = ("--objects", objects)
    expect("no store is given", 0, *verify, said="not checked: 6 payloads that are not kept")
    expect("objects", 0, *verify, *given, *device_options(), out=b"LEDGER_VALID\n",
           said="6 records of 2 devices, 6 payloads")
    os.environ["EDS_OBJECTS"] = objects
    expect("by the environment", 0, *verify, said="6 records of 2 devices, 6 payloads")
    del os.environ["EDS_OBJECTS"]
    export = ("export", "--data-dir", "outside", "--device-id", "lift-01", "--out", "r",
              "--payloads-file", "p")
    expect("export with payloads", 0, *export, *given)
    assert pathlib.Path("p").read_bytes() == pathlib.Path("lift-01.payloads.json").read_bytes()
    expect("export without their store", 1, *export, said="is not kept in this ledger")
    expect("no such store", 1, *verify, "--objects", "file:nowhere", said="there is no directory")
    expect("no store at all", 64, *verify, "--objects", "nowhere", said="unknown store of payloads")
    record = json.loads(pathlib.Path("lift-01.json").read_bytes())[1]
    digits = bytes(record["payload_hash"]).hex()
    path = pathlib.Path("payloads") / digits[:2] / digits[2:]
    good = path.read_bytes()
    path.write_bytes(good.replace(b"o", b"0"))
    expect("a changed payload", 2, *verify, *given, *device_options(), out=b"LEDGER_INVALID\n",
           said="device=lift-01 sequence=2: the payload kept here has another hash")
    path.unlink()
    expect("a missing payload", 2, *verify, *given, out=b"LEDGER_INVALID\n",
           said="device=lift-01 sequence=2: its payload is not there")
    expect("its export", 1, *export, *given, said="is not kept anywhere that is given")


def main():
    if not has_server():
        print("skipped: this build has no server to fill a ledger")
        return 77
    with tempfile.TemporaryDirectory(prefix="eds-ledger-") as directory:
        os.chdir(directory)
        make_chains()
        fill_ledger()
        test_good_ledger()
        test_exports()
        test_edits()
        test_dropped_payload()
        test_objects()
        left_over = [name for name in os.listdir(".") if name.startswith(".eds")]
        os.chdir("/")
    if left_over:
        print("FAIL: files left over", left_over)
    print(f"{count} commands, {failures} not as expected")
    return 1 if failures or left_over else 0


if __name__ == "__main__":
    sys.exit(main())
