#!/usr/bin/env python3
"""A device that lost its storage: its chain goes on behind a gap that an operator has
signed, on every server at once, and everybody who verifies is told.  On SQLite with one
server, on PostgreSQL with two; then everything that can be done to a gap behind the
program's back is found."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from database import database, has_postgres  # noqa: E402
from eds_lab import EDS, Connection, Device, Server, skip  # noqa: E402
from server import has_server  # noqa: E402

ZERO = "00" * 32


def audit(*words, code=0, stdin=None):
    done = subprocess.run([EDS, "audit", *words], input=stdin, capture_output=True, timeout=120,
                          check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode(), done.stderr.decode()


class Operator:
    """An operator, his key in a file and in the registry."""

    def __init__(self, url, name, number, registered=True):
        self.name = name
        self.device = Device(name, number)  # for the key
        self.key = f"{name}.key"
        pathlib.Path(self.key).write_text(self.device.seed.hex() + "\n")
        os.chmod(self.key, 0o600)
        if registered:
            audit("operator", "add", name, "--public-key-hex", self.device.public_key, "--store",
                  url)

    def close(self, url, device, *words, code=0, reason="flash replaced", key=None):
        return audit("device", "close-gap", device, "--operator", self.name, "--key-file",
                     key or self.key, "--reason", reason, "--store", url, *words, code=code)


def lose(device, sequence, last=None):
    """The device goes on with a sequence, behind a record that nobody has."""
    device.sequence = sequence - 1
    device.hashes.append(last if last is not None else bytes([sequence % 251]) * 32)


def record_file(body, path):
    pathlib.Path(path).write_text(json.dumps(json.loads(body)["record"]))
    return path


class Place:
    """Servers on one ledger."""

    def __init__(self, url, servers):
        self.url = url
        self.connections = [Connection(server.port) for server in servers]

    def post(self, body, status=202, words=""):
        for i, connection in enumerate(self.connections):
            got, answer = connection.post(body)
            assert got == (status if i == 0 or status != 202 else 422), (got, answer)
            assert words in answer or (i > 0 and "duplicate" in answer), answer

    def add(self, name, number):
        device = Device(name, number)
        audit("device", "add", name, "--public-key-hex", device.public_key, "--attest",
              "optional", "--store", self.url)
        return device

    def verify(self, gap_count, missing, code=0, more=()):
        out, err = audit("ledger", "verify", "--store", self.url, *more, code=code)
        assert out.startswith("LEDGER_VALID\n" if code == 0 else "LEDGER_INVALID\n"), out
        assert out.count("\nGAP ") == gap_count, out
        if gap_count > 0:
            assert f"{gap_count} gaps closed by operators: {missing} records are missing" in err, err
        found = json.loads(audit("ledger", "verify", "--store", self.url, "--json", *more,
                                 code=code)[0])
        assert found["gap_count"] == gap_count == len(found["gaps"]), found
        return out, err


def wait_for_device(place, body):
    """Registered just now: a server hears of it within a second."""
    for connection in place.connections:
        while "unknown device" in connection.post(body)[1]:
            pass


def walk(place):
    url = place.url
    alice = Operator(url, "alice", 201)
    lift = place.add("lift-01", 1)
    place.verify(0, 0)

    first = lift.next()
    wait_for_device(place, first)
    for _ in range(3):
        place.post(lift.next())
    lose(lift, 9)
    refused = lift.next()
    record = record_file(refused, "refused.json")
    place.post(refused, 422, "expected=5 actual=9")

    # What is refused, and leaves everything as it was.
    bob = Operator(url, "bob", 202, registered=False)
    bob.close(url, "lift-01", "--record", record, code=1)
    alice.close(url, "lift-01", "--record", record, key=bob.key, code=1)
    alice.close(url, "lift-02", "--record", record, code=1)
    alice.close(url, "nobody", "--resume-sequence", "9", "--resume-hash", ZERO, code=1)
    alice.close(url, "lift-01", "--record", record, reason="", code=64)
    alice.close(url, "lift-01", "--record", record, reason="x" * 512, code=1)
    alice.close(url, "lift-01", "--resume-sequence", "9", code=64)
    for sequence in ("0", "4"):
        _, err = alice.close(url, "lift-01", "--resume-sequence", sequence, "--resume-hash", ZERO,
                             code=1)
        assert "at sequence 4 already" in err, err
    _, err = alice.close(url, "lift-01", "--resume-sequence", "5", "--resume-hash",
                         lift.hashes[4].hex(), code=1)
    assert "nothing is missing" in err, err
    forged = Device("lift-01", 77)
    lose(forged, 9)
    _, err = alice.close(url, "lift-01", "--record", record_file(forged.next(), "forged.json"),
                         code=1)
    assert "signed by no key" in err, err
    place.post(refused, 422, "expected=5 actual=9")

    # A rehearsal, the thing itself, and once more.
    out, _ = alice.close(url, "lift-01", "--record", record, "--dry-run")
    assert "sequences 5 to 8 are missing; the gap would be closed" in out, out
    place.post(refused, 422, "expected=5 actual=9")
    out, _ = alice.close(url, "lift-01", "--record", record)
    assert out == ("device lift-01: sequences 5 to 8 are missing; the gap is closed, and "
                   "sequence 9 comes next\n"), out
    out, err = alice.close(url, "lift-01", "--record", record)
    assert out == "" and "closed already, by operator alice: nothing was changed" in err, err
    place.verify(1, 4)
    place.post(refused)
    place.post(lift.next())
    out, _ = place.verify(1, 4)
    assert "\nGAP device=lift-01: sequences 5 to 8 are missing; closed 20" in out, out
    assert "by operator alice: flash replaced\n" in out, out
    _, err = alice.close(url, "lift-01", "--record", record)
    assert "closed already" in err, err
    assert place.connections[0].post(first)[0] == 422  # still a duplicate

    # A wrong end, and another gap that corrects it.
    lose(lift, 20, bytes(32))
    refused = lift.next()
    alice.close(url, "lift-01", "--resume-sequence", "20", "--resume-hash", "11" * 32)
    place.post(refused, 422, "invalid previous hash")
    out, _ = alice.close(url, "lift-01", "--record", record_file(refused, "refused2.json"),
                         reason="mistyped")
    assert "sequence 20 does not follow 19" in out, out
    place.post(refused)
    place.verify(3, 13)

    # A device whose first records are lost, and one that has sent nothing yet.
    crane = place.add("crane-07", 3)
    lose(crane, 7)
    refused = crane.next()
    wait_for_device(place, refused)
    place.post(refused, 422, "expected=1 actual=7")
    alice.close(url, "crane-07", "--record", record_file(refused, "crane.json"))
    place.verify(4, 19)
    place.post(refused)
    place.add("crane-08", 4)
    alice.close(url, "crane-08", "--resume-sequence", "3", "--resume-hash", "22" * 32)
    place.verify(5, 21)

    # Quarantined: what is apart follows when the gap is closed.
    audit("device", "quarantine", "crane-07", "--store", url)
    lose(crane, 12)
    apart = crane.next()
    while '"quarantined"' not in place.connections[0].post(apart)[1]:
        pass
    audit("device", "release", "crane-07", "--store", url, code=2)
    alice.close(url, "crane-07", "--record", record_file(apart, "crane2.json"))
    audit("device", "release", "crane-07", "--store", url)
    place.verify(6, 25)

    # Ended for good, the device or the operator.
    audit("device", "retire", "crane-08", "--store", url)
    _, err = alice.close(url, "crane-08", "--resume-sequence", "30", "--resume-hash", ZERO, code=1)
    assert "retired" in err, err
    audit("operator", "revoke", "alice", "--store", url)
    _, err = alice.close(url, "lift-01", "--resume-sequence", "30", "--resume-hash", ZERO, code=1)
    assert "operator alice is revoked" in err, err
    place.verify(6, 25)  # what she signed before stays good
    place.verify(6, 25, more=("--operator", f"alice={alice.device.public_key}"))
    _, err = place.verify(6, 25, code=2, more=("--operator", f"alice={bob.device.public_key}"))
    assert "device=lift-01 sequence=9: the gap before it is signed by no key" in err, err
    listed = json.loads(audit("device", "gaps", "lift-01", "--store", url, "--json")[0])
    assert [gap["resume_sequence"] for gap in listed["gaps"]] == [9, 20, 20], listed
    assert audit("device", "gaps", "--store", url)[0].count("GAP device=") == 6
    assert "gaps closed 3\n" in audit("device", "show", "lift-01", "--store", url)[0]
    check_files(place, lift, alice, bob)


def check_files(place, lift, alice, bob):
    url = place.url
    device = ("--device", f"lift-01={lift.public_key}")
    operator = ("--operator", f"alice={alice.device.public_key}")
    for form in ("array", "ndjson", "compact"):
        _, err = audit("export", "--store", url, "--device-id", "lift-01", "--out", "chain",
                       "--format", form)
        assert "the chain has gaps" in err, err
        chain = ("verify-chain", "chain", "--format", form)
        _, err = audit(*chain, code=1)
        assert "invalid previous hash at index 4" in err, err
        _, err = audit(*chain, *device, code=2)
        assert "invalid previous hash at index 4" in err, err
        out, err = audit("export", "--store", url, "--device-id", "lift-01", "--out", "chain",
                         "--gaps-file", "gaps.json", "--format", form)
        assert "warning" not in err, err
        for keys in ((), device, ("--store", url)):
            out, _ = audit(*chain, "--gaps-file", "gaps.json", *operator, *keys)
            assert out.startswith("CHAIN_VALID\nGAP device=lift-01: sequences 5 to 8 "), out
            assert out.count("\nGAP ") == 3, out
        audit(*chain, "--gaps-file", "gaps.json", "--store", url)  # both from the registry
        found = json.loads(audit(*chain, "--gaps-file", "gaps.json", *operator, *device,
                                 "--json")[0])
        assert found["valid"] and found["gap_count"] == 3, found
        assert found["record_count"] == 7 and found["last_sequence"] == 20, found
    whole = json.loads(pathlib.Path("gaps.json").read_text())
    chain = ("verify-chain", "chain", "--format", "compact", "--gaps-file", "edited.json", *device)

    def edited(gaps, words, keys=operator, code=2):
        pathlib.Path("edited.json").write_text(json.dumps(gaps))
        out, err = audit(*chain, *keys, code=code)
        assert (code == 0 or "CHAIN_VALID" not in out) and words in out + err, (out, err)

    def change(at, **fields):
        return [dict(gap, **fields) if i == at else gap for i, gap in enumerate(whole)]

    edited(whole, "CHAIN_VALID", code=0)
    edited(whole, "gap record 0 is signed by no key", ("--operator",
           f"alice={bob.device.public_key}"))
    edited(whole, "gap record 0 is signed by no key", ("--operator",
           f"bob={alice.device.public_key}"))
    edited(change(0, reason="nothing happened"), "gap record 0 is signed by no key")
    edited(change(2, operator="bob"), "gap record 2 is signed by no key")
    edited(change(1, signature="00" * 64), "gap record 1 is signed by no key")
    edited(change(0, last_sequence=5), "gap record 0 is signed by no key")
    edited([], "invalid previous hash at index 4")
    edited(whole[1:], "invalid previous hash at index 4")
    edited(whole[:1], "invalid previous hash at index 6")
    edited(whole[:2], "invalid previous hash at index 6")
    edited([whole[0], whole[2], whole[1]], "invalid previous hash at index 6")
    edited(whole + whole[2:], "gap record without a place in the chain at index 3")
    edited(change(0, resume_sequence=3), "must be above last_sequence", code=1)
    edited({"gaps": whole}, "expected an array", code=1)
    audit("verify-chain", "chain", "--gaps-file", "gaps.json", code=64)
    audit("verify-chain", "chain", *operator, code=64)
    audit("verify-chain", "chain", "--gaps-file", "absent.json", *operator, code=1)

    # A chain without gaps: the same file as ever, and an empty list beside it.
    plain = place.add("plain-01", 9)
    body = plain.next()
    wait_for_device(place, body)
    _, err = audit("export", "--store", url, "--device-id", "plain-01", "--out", "plain.json",
                   "--gaps-file", "none.json")
    assert pathlib.Path("none.json").read_text() == "[]", err
    out, _ = audit("verify-chain", "plain.json", "--gaps-file", "none.json", *operator)
    assert out == "CHAIN_VALID\n", out


TAMPERINGS = [  # what is done to the tables, and what must be found
    ("UPDATE chain_gaps SET reason = 'nothing' WHERE id = 1", "lift-01 sequence=9: the gap"),
    ("UPDATE chain_gaps SET operator = 'bob' WHERE id = 1", "lift-01 sequence=9: the gap"),
    ("UPDATE chain_gaps SET closed_ms = closed_ms + 1 WHERE id = 2", "lift-01 sequence=20: the gap"),
    ("UPDATE chain_gaps SET last_sequence = 3 WHERE id = 1", "lift-01 sequence=9: the gap"),
    ("UPDATE chain_gaps SET resume_sequence = 8 WHERE id = 1", "lift-01 sequence=8: the gap"),
    ("UPDATE chain_gaps SET resume_hash = zeroblob(32) WHERE id = 1", "lift-01 sequence=9: "),
    ("UPDATE chain_gaps SET device_id = 'crane-07' WHERE id = 1", "lift-01 sequence=9: "),
    ("UPDATE chain_gaps SET device_id = 'crane-09' WHERE id = 1", "crane-09 sequence=9: "),
    ("UPDATE chain_gaps SET signature = zeroblob(64) WHERE id = 4", "crane-07 sequence=7: the gap"),
    ("UPDATE chain_gaps SET signature = zeroblob(63) WHERE id = 4", "chain_gaps"),
    ("UPDATE chain_gaps SET id = 99 WHERE id = 1", "lift-01 sequence=9: the gap"),
    ("DELETE FROM chain_gaps WHERE id = 1", "lift-01 sequence=9: invalid previous hash"),
    ("DELETE FROM chain_gaps WHERE id = 3", "lift-01 sequence=20: invalid previous hash"),
    ("DELETE FROM chain_gaps WHERE id = 4", "crane-07 sequence=7: invalid previous hash"),
    ("DELETE FROM chain_gaps WHERE id = 5", "crane-08 sequence=2: the chain's head names"),
    ("DELETE FROM chain_heads WHERE device_id = 'crane-08'", "crane-08 sequence=2: the chain's"),
    ("UPDATE chain_heads SET sequence = 1 WHERE device_id = 'crane-08'",
     "crane-08 sequence=2: the chain's head does not agree"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 4",
     "lift-01 sequence=9: the gap before it does not begin where the chain ends"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 9",
     "lift-01 sequence=10: invalid previous hash"),
    ("DELETE FROM audit_records WHERE device_id = 'lift-01' AND sequence = 20",
     "lift-01 sequence=20: "),
    ("INSERT INTO chain_gaps SELECT 100, device_id, last_sequence, last_record_hash, "
     "resume_sequence, resume_hash, closed_ms, operator, reason, key_id, signature "
     "FROM chain_gaps WHERE id = 1", "lift-01 sequence=9: the gap before it does not begin"),
    ("DELETE FROM registry_keys WHERE role = 'operator'", "lift-01 sequence=9: the gap"),
    ("UPDATE registry_keys SET not_after_ms = 5 WHERE role = 'operator'",
     "lift-01 sequence=9: the gap before it is signed by a key of its operator that was not valid"),
]


def tamper(path):
    """Each row: one statement, on a copy of the ledger."""
    for statement, words in TAMPERINGS:
        shutil.copy(path, "copy.db")
        connection = sqlite3.connect("copy.db")
        changed = connection.execute(statement).rowcount
        connection.commit()
        connection.close()
        assert changed == 1, statement
        done = subprocess.run([EDS, "audit", "ledger", "verify", "--store", "sqlite:copy.db"],
                              capture_output=True, timeout=120, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "LEDGER_VALID" not in out, (statement, out)
        assert done.returncode == 2 and words in err, (statement, done.returncode, err)


def play(url, server_count):
    servers = []
    for i in range(server_count):
        os.mkdir(f"node{i}")
        servers.append(Server(f"node{i}", [], "--store", url))
    walk(Place(url, servers))
    for server in servers:
        assert server.end(signal.SIGTERM)[0] == 0
    print(f"{server_count} server(s): good")


def main():
    if not has_server():
        skip("this build has no server")
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        play(f"sqlite:{directory}/ledger.db", 1)
        tamper("ledger.db")
    if has_postgres():
        with database() as (_, url), tempfile.TemporaryDirectory() as directory, \
                contextlib.chdir(directory):
            if url is not None:
                play(url, 2)


main()
