#!/usr/bin/env python3
"""eds audit db backup beside a server that goes on, and eds drill restore on what comes
of it: good copies, and copies with one fault each."""
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import EDS, Connection, Device, Sender, Server, eds, skip  # noqa: E402
from drill_lab import failed, report_of  # noqa: E402

DEVICES = ("crane-01", "lift-01", "lift-02")


def restore(copy, *more):
    """copy: a path of a SQLite file."""
    return report_of([EDS, "drill", "restore", "--store", f"sqlite:{copy}", "--json", *more])


def register(devices, folder):
    for device in devices:
        done = eds("device", "add", device.name, "--public-key-hex", device.public_key, "--attest",
                   "optional", "--data-dir", str(folder / "data"))
        assert done.returncode == 0, done.stderr


def post(server, device, count):
    connection = Connection(server.port)
    for _ in range(count):
        status, answer = connection.post(device.next())
        assert status == 202, answer
    connection.close()


def beside_a_server(folder):
    """While records come and come: each copy is one whole state, and holds what was
    acknowledged before it was begun."""
    devices = [Device(name, number) for number, name in enumerate(DEVICES)]
    register(devices, folder)
    server = Server(folder, [])
    senders = [Sender(device, server.port) for device in devices]
    for sender in senders:
        sender.start()
    while any(sender.acknowledged < 3 and sender.is_alive() for sender in senders):
        time.sleep(0.01)
    for number in range(3):
        acknowledged = {sender.device.name: sender.acknowledged for sender in senders}
        copy = folder / f"copy-{number}.db"
        done = eds("db", "backup", "--data-dir", str(folder / "data"), "--to", str(copy))
        assert done.returncode == 0 and done.stdout == f"BACKUP_WRITTEN:{copy}\n".encode(), done
        assert copy.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in folder.glob("copy-*")] and not list(folder.glob(".eds-*"))
        assert not list(folder.glob("copy-*-*")), "it needs no file beside it"
        with contextlib.closing(sqlite3.connect(copy)) as db:
            stored = dict(db.execute("SELECT device_id, sequence FROM chain_heads"))
        assert all(stored.get(name, 0) >= count for name, count in acknowledged.items())
    server.end(signal.SIGTERM)
    for sender in senders:
        sender.join()
        assert sender.fault is None, sender.fault
    code, report, log = restore(folder / "copy-0.db", "--against",
                                f"sqlite:{folder}/data/edgesentry.db")
    assert code == 0 and report["missing_before_count"] == 0, (report, log)
    assert report["missing_after_count"] > 0, "the server did not go on"


def known(folder):
    """Ten records a device: five in the copy, five behind it; and five chains exported."""
    devices = [Device(name, number) for number, name in enumerate(DEVICES)]
    register(devices, folder)
    server = Server(folder, [])
    for device in devices:
        post(server, device, 5)
    done = eds("db", "backup", "--data-dir", str(folder / "data"), "--to", str(folder / "copy.db"),
               "--json")
    assert json.loads(done.stdout) == {
        "file": str(folder / "copy.db"), "verified": True, "record_count": 15, "device_count": 3,
        "payload_absent_count": 0}
    for name in ("early.json", "late.json"):
        if name == "late.json":
            for device in devices:
                post(server, device, 5)
        assert eds("export", "--data-dir", str(folder / "data"), "--device-id", "lift-01", "--out",
                   str(folder / name)).returncode == 0
    server.end(signal.SIGTERM)


def good_copy(folder):
    live = f"sqlite:{folder}/data/edgesentry.db"
    code, report, log = restore(folder / "copy.db", "--against", live, "--tolerance-ms", "0",
                                "--chain", str(folder / "early.json"), "--rpo", "3600")
    assert code == 0 and report["skipped_count"] == 0 and report["step_count"] == 8, (report, log)
    assert report["missing"] == [{"device_id": name, "first_sequence": 6, "last_sequence": 10}
                                 for name in DEVICES], report
    assert report["missing_after_count"] == 15 and report["record_count"] == 15, report
    text = subprocess.run([EDS, "drill", "restore", "--store", f"sqlite:{folder}/copy.db",
                           "--against", live], capture_output=True, check=True).stdout.decode()
    assert text.count("MISSING device=") == 3, text
    assert "MISSING device=lift-02 sequences 6 to 10\n" in text, text


def faulty_copies(folder):
    """Each with one fault, and the steps that find it."""
    live = f"sqlite:{folder}/data/edgesentry.db"
    forget = "".join(f"DELETE FROM {table} WHERE device_id = 'crane-01';" for table in
                     ("audit_records", "chain_heads", "operation_logs", "record_places",
                      "place_groups"))
    rows = (
        ("a device is not there", forget, ["--against", live, "--tolerance-ms", "0"],
         {"complete"}),
        ("an older time", "UPDATE audit_records SET timestamp_ms = 5 WHERE device_id = 'lift-01' "
         "AND sequence = 3", [], {"ledger-whole"}),
        ("the end was cut", "DELETE FROM audit_records WHERE device_id = 'lift-01' AND "
         "sequence = 5", [], {"ledger-whole"}),
        ("another payload", "UPDATE raw_objects SET payload = x'00' WHERE id = 1", [],
         {"payloads-kept"}),
        ("a chain from later", "", ["--chain", str(folder / "late.json")], {"chain-kept"}),
        ("more in the copy", "", ["--against", f"sqlite:{folder}/empty.db"], {"nothing-else"}),
        ("too much is missing", "", ["--against", live, "--rpo", "0"], {"within-rpo"}))
    assert eds("db", "migrate", "--store", f"sqlite:{folder}/empty.db").returncode == 0
    for name, change, words, steps in rows:
        copy = folder / "changed.db"
        shutil.copyfile(folder / "copy.db", copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            db.executescript(change)
        code, report, log = restore(copy, *words)
        assert code == 2 and failed(report) == steps, (name, report, log)
    code, report, log = restore(folder / "empty.db")
    assert code == 2 and failed(report) == {"recovery-point"}, (report, log)


def undone(folder):
    """What was registered, revoked or rotated behind the recovery point is told."""
    data = ["--data-dir", str(folder / "data")]
    names = ["quiet", "stolen", "rotated", "labelled"]
    keys = {name: Device(name, number).public_key for number, name in
            enumerate([*names, "new", "operator", "next"], 1)}

    def do(*words):
        done = eds(*words, *data)
        assert done.returncode == 0, (words, done)

    for name in names:
        do("device", "add", name, "--public-key-hex", keys[name])
    do("db", "backup", "--to", str(folder / "copy.db"))
    live = ["--against", f"sqlite:{folder}/data/edgesentry.db"]
    assert restore(folder / "copy.db", *live)[1]["undone"] == []
    do("device", "revoke", "stolen", "--reason", "test")
    do("device", "rotate", "rotated", "--public-key-hex", keys["next"], "--reason", "test")
    do("device", "set", "labelled", "--site", "harbour")
    do("device", "add", "new", "--public-key-hex", keys["new"])
    do("operator", "add", "alice", "--public-key-hex", keys["operator"])
    report = restore(folder / "copy.db", *live)[1]
    assert report["undone_count"] == 4, report
    assert {(row["role"], row["id"]): row["what"] for row in report["undone"]} == {
        ("device", "stolen"): "revoked, in the copy active",
        ("device", "rotated"): "in the copy with its keys of before",
        ("device", "new"): "active, in the copy not registered",
        ("operator", "alice"): "active, in the copy not registered"}, report
    text = eds("drill", "restore", "--store", f"sqlite:{folder}/copy.db", *live).stdout.decode()
    assert "UNDONE device=stolen: revoked, in the copy active\n" in text, text


def elsewhere(folder):
    """Payloads in a store of their own: without it they are not checked, and one that
    is gone is missed."""
    lift = Device("lift-01", 1)
    register([lift], folder)
    server = Server(folder, [], "--objects", f"file:{folder}/payloads")
    post(server, lift, 3)
    server.end(signal.SIGTERM)
    done = eds("db", "backup", "--data-dir", str(folder / "data"), "--to", str(folder / "copy.db"))
    assert done.returncode == 0 and b"3 payloads are kept elsewhere" in done.stderr, done
    code, report, _ = restore(folder / "copy.db")
    assert code == 0 and report["skipped_count"] == 1, report
    objects = ["--objects", f"file:{folder}/payloads"]
    assert restore(folder / "copy.db", *objects)[1]["skipped_count"] == 0
    lost = next(path for path in (folder / "payloads").glob("??/*") if path.is_file())
    shutil.move(lost, folder / "lost")
    code, report, log = restore(folder / "copy.db", *objects)
    assert code == 2 and failed(report) == {"payloads-kept"}, (report, log)
    shutil.move(folder / "lost", lost)  # the object recovery of the runbook
    assert restore(folder / "copy.db", *objects)[0] == 0


def refused(folder):
    """No copy where one cannot be, must not be, or is faulty; and nothing half done."""
    data = ["--data-dir", str(folder / "data")]
    copy = folder / "copy.db"
    before = copy.read_bytes()
    for words, code, says in (
            ([*data, "--to", str(copy)], 1, "File exists"),
            ([*data, "--to", "-"], 64, "into a file"),
            ([*data, "--to", "/dev/stdout"], 64, "into a file"),
            ([*data, "--to", str(folder / "no/copy.db")], 1, "No such file"),
            (["--data-dir", str(folder / "no"), "--to", str(folder / "x.db")], 1, "no ledger"),
            (["--store", "memory:", "--to", str(folder / "x.db")], 1, "of kind memory")):
        done = eds("db", "backup", *words)
        assert done.returncode == code and says in done.stderr.decode(), (words, done)
    assert copy.read_bytes() == before
    damaged = folder / "damaged"
    damaged.mkdir()
    shutil.copyfile(copy, damaged / "edgesentry.db")
    with contextlib.closing(sqlite3.connect(damaged / "edgesentry.db")) as db:
        db.executescript("UPDATE audit_records SET timestamp_ms = 5 WHERE id = 2")
    words = ["db", "backup", "--data-dir", str(damaged), "--to", str(folder / "x.db")]
    done = eds(*words)
    assert done.returncode == 2 and done.stdout == b"BACKUP_INVALID\n", done
    assert not (folder / "x.db").exists() and not list(folder.glob(".eds-*"))
    assert json.loads(eds(*words, "--json").stdout)["valid"] is False
    assert eds(*words, "--skip-verify").returncode == 0 and (folder / "x.db").exists()
    # A disk that gets full (here: a limit for files, whose signal Python has us ignore).
    done = subprocess.run(
        [EDS, "db", "backup", *data, "--to", str(folder / "y.db")], capture_output=True,
        check=False, restore_signals=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    assert done.returncode == 1 and b"cannot copy the ledger to" in done.stderr, done
    assert not (folder / "y.db").exists() and not list(folder.glob(".eds-*"))
    done = eds("drill", "restore", "--rpo", "5", *data)
    assert done.returncode == 64 and b"--rpo needs --against" in done.stderr, done
    done = eds("drill", "restore", "--data-dir", str(folder / "nothing"))
    assert done.returncode == 1, done


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with tempfile.TemporaryDirectory() as name:
        for part in ("busy", "known", "elsewhere", "undone"):
            (pathlib.Path(name) / part).mkdir()
        beside_a_server(pathlib.Path(name) / "busy")
        folder = pathlib.Path(name) / "known"
        known(folder)
        good_copy(folder)
        faulty_copies(folder)
        refused(folder)
        undone(pathlib.Path(name) / "undone")
        elsewhere(pathlib.Path(name) / "elsewhere")
    print("copies of a ledger in use are whole, and what a copy lacks is found")


if __name__ == "__main__":
    main()
