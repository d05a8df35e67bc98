#!/usr/bin/env python3
"""The events of the original's runbook: each is made to happen once, and its line has the
level that docs/OPERATIONS.md gives, and the fields of the runbook, with the right values."""
import http.client
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from eds_lab import EDS, Connection, Device, Server, eds, skip  # noqa: E402

JSON_LOG = ("--log-format", "json", "--log-level", "debug")
PATIENCE = 120  # seconds; a busy machine needs some

# The runbook's word, the event and its level here, the runbook's fields.  What the fields
# hold is in the test of the event.
RUNBOOK = (
    ("signing record", "signing_record", "debug", ("device_id", "sequence", "payload_bytes")),
    ("ingest started", "ingest_started", "debug",
     ("device_id", "sequence", "object_ref", "payload_bytes")),
    ("payload hash mismatch - record rejected", "payload_hash_mismatch", "warn",
     ("device_id", "sequence")),
    ("integrity policy rejected record", "record_rejected", "warn",
     ("device_id", "sequence", "reason")),
    ("raw data store write failed", "raw_data_store_write_failed", "error",
     ("device_id", "sequence", "error")),
    ("audit ledger append failed", "audit_ledger_append_failed", "error",
     ("device_id", "sequence", "error")),
    ("operation log write failed", "operation_log_write_failed", "error", ("error",)),
    ("record accepted", "record_accepted", "debug", ("device_id", "sequence", "object_ref")),
    ("signature verification failed", "signature_verification_failed", "debug",
     ("device_id", "sequence")),
    ("duplicate record rejected", "duplicate_record_rejected", "debug", ("device_id", "sequence")),
    ("sequence out of order", "sequence_out_of_order", "debug", ("device_id", "expected", "actual")),
    ("prev_record_hash mismatch - chain broken", "prev_record_hash_mismatch", "debug",
     ("device_id", "sequence")),
    ("record verified and accepted", "record_verified_and_accepted", "debug",
     ("device_id", "sequence")),
    # The production deployment's guide has these two.
    ("MQTT record rejected, record rejected", "record_rejected", "warn", ("reason",)),
    ("MQTT event loop error", "mqtt_connect_failed", "warn", ("broker", "port", "reason")),
)


def lines_of(path):
    """What is whole so far of a log."""
    text = path.read_text()
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def spoilt(envelope, field):
    envelope = json.loads(envelope)
    if field == "payload":
        envelope["raw_payload_hex"] = "00"
    else:
        envelope["record"][field][0] ^= 1
    return json.dumps(envelope).encode()


def only(lines, event, **values):
    """The one line of an event; its fields must have the given values."""
    found = [line for line in lines if line["event"] == event]
    assert len(found) == 1, (event, found)
    assert {name: found[0].get(name) for name in values} == values, (found, values)


def verdicts(folder):
    """What becomes of records, and of a store of payloads that is taken away."""
    lift = Device("lift-01", 1)
    payloads = folder / "payloads"
    server = Server(folder, [lift.argument()], "--objects", f"file:{payloads}", *JSON_LOG)
    log = folder / "server.log"
    connection = Connection(server.port)
    first, second, third = lift.next(), lift.next(), lift.next()
    size = len(json.loads(third)["raw_payload_hex"]) // 2
    told = 0
    every = []
    for body, event, values in (
            (first, "record_verified_and_accepted", {"device_id": "lift-01", "sequence": 1}),
            (first, "duplicate_record_rejected", {"device_id": "lift-01", "sequence": 1}),
            (third, "sequence_out_of_order", {"device_id": "lift-01", "expected": 2, "actual": 3}),
            (spoilt(second, "signature"), "signature_verification_failed",
             {"device_id": "lift-01", "sequence": 2}),
            (spoilt(second, "prev_record_hash"), "prev_record_hash_mismatch",
             {"device_id": "lift-01", "sequence": 2}),
            (spoilt(second, "payload"), "payload_hash_mismatch",
             {"device_id": "lift-01", "sequence": 2})):
        connection.post(body)
        lines = lines_of(log)[told:]
        told += len(lines)
        every += lines
        only(lines, event, **values)
        record = json.loads(body)["record"]
        only(lines, "ingest_started", device_id="lift-01", sequence=record["sequence"],
             object_ref=record["object_ref"], payload_bytes=size if body in (first, third)
             else lines[-1]["payload_bytes"])
        if event == "record_verified_and_accepted":
            only(lines, "record_accepted", device_id="lift-01", sequence=1,
                 object_ref="lab://lift-01/1")
        elif event == "sequence_out_of_order":
            only(lines, "record_rejected", device_id="lift-01", sequence=3,
                 reason="invalid sequence for device=lift-01: expected=2 actual=3")
    payloads.rename(folder / "away")
    payloads.touch()
    assert connection.post(lift.next())[0] == 503  # its payload is not there yet
    lines = lines_of(log)[told:]
    only(lines, "raw_data_store_write_failed", device_id="lift-01", sequence=4)
    connection.close()
    server.end(signal.SIGTERM)
    return every + lines


def limit_files(server, size):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def failing_ledger(folder):
    """The ledger takes nothing: neither a record, nor the sum of rejections that have no
    lines of their own."""
    lift, robot = Device("lift-01", 1), Device("robot-07", 2)
    server = Server(folder, [lift.argument(), robot.argument()], "--log-format", "json")
    log, wal = folder / "server.log", folder / "data/edgesentry.db-wal"
    connection = Connection(server.port)
    assert connection.post(lift.next())[0] == 202
    body = lift.next()
    limit_files(server, 4096)
    assert connection.post(body)[0] == 503
    only(lines_of(log), "audit_ledger_append_failed", device_id="lift-01", sequence=2)
    limit_files(server, resource.RLIM_INFINITY)
    connection.close()

    bad = b"\n".join([spoilt(robot.next(), "signature")] * 300)  # a source gets 100 lines a second
    deadline = time.monotonic() + PATIENCE
    while not [line for line in lines_of(log) if line["event"] == "operation_log_write_failed"]:
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        limit_files(server, resource.RLIM_INFINITY)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.request("POST", "/api/v1/ingest/batch", bad,
                       {"Content-Type": "application/x-ndjson"})
        answer = client.getresponse()
        assert answer.status in (200, 207) and b'"rejected":300' in answer.read(), answer.status
        client.close()
        # The sum is told within a second, or was just before.  The database's log is written
        # beyond the middle of its file; ours is shorter.
        limit_files(server, wal.stat().st_size // 2)
        until = time.monotonic() + 3
        while time.monotonic() < until and "operation_log_write_failed" not in log.read_text():
            time.sleep(0.05)
    limit_files(server, resource.RLIM_INFINITY)
    server.end(signal.SIGTERM)
    return lines_of(log)


def signing(folder):
    """The agent's own line."""
    eds("keygen", "--out", str(folder / "key.json"))
    done = subprocess.run([EDS, "audit", "agent", "--device-id", "lift-01", "--key-file",
                           str(folder / "key.json"), "--buffer", str(folder / "buffer.db"),
                           *JSON_LOG], input=b"door closed\n", capture_output=True, check=True,
                          timeout=PATIENCE)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    only(lines, "signing_record", device_id="lift-01", sequence=1, payload_bytes=11)
    quiet = subprocess.run([EDS, "audit", "agent", "--device-id", "lift-01", "--key-file",
                            str(folder / "key.json"), "--buffer", str(folder / "buffer.db")],
                           input=b"door open\n", capture_output=True, check=True, timeout=PATIENCE)
    assert b"signing_record" not in quiet.stderr, quiet
    return lines


def without_broker(folder):
    """A broker that is not there; None: this build speaks no MQTT."""
    if eds("serve-mqtt", "--help").returncode != 0:
        return None
    log = folder / "mqtt.log"
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            [EDS, "serve-mqtt", "--config", "off", "--broker", "127.0.0.1", "--port", "1",
             "--store", "memory:", Device("lift-01", 1).argument(), "--admin-addr", "off",
             *JSON_LOG], stdout=subprocess.DEVNULL, stderr=stderr)
    deadline = time.monotonic() + PATIENCE
    while "mqtt_connect_failed" not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    return lines_of(log)


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in ("verdicts", "ledger"):
            (folder / part).mkdir()
        lines = verdicts(folder / "verdicts") + failing_ledger(folder / "ledger") + signing(folder)
        of_mqtt = without_broker(folder)
    document = (SOURCE / "docs/OPERATIONS.md").read_text()
    for words, event, level, fields in RUNBOOK:
        assert f"`{event}`" in document, f"docs/OPERATIONS.md has no {event}"
        if of_mqtt is None and event.startswith("mqtt_"):
            continue
        found = [line for line in lines + (of_mqtt or [])
                 if line["event"] == event and line.get("verdict") != "duplicate"]
        assert found, f"{words}: no line of {event}"
        for line in found:
            missing = {"ts", "level", *fields} - set(line)
            assert not missing and line["level"] == level, (words, line)
    print(f"{len(RUNBOOK)} events of the runbook come, with their fields")


main()
