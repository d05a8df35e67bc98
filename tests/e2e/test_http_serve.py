#!/usr/bin/env python3
"""serve and send as a person runs them: records that edgesentry-rs made go over
HTTP into a ledger, tampered ones are refused, a restart forgets nothing, and a
stop under load loses nothing."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import (BUILD, EDS, VECTORS, Connection, Device, Sender, Server, await_that,  # noqa: E402
                     bridge, eds)
from ports import free_port  # noqa: E402

RECORDS = VECTORS / "peer/demo_records.json"
PAYLOADS = VECTORS / "peer/demo_payloads.json"
DEMO_KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
DEMO = [f"--device=lift-01={DEMO_KEY}"]

ALL_ACCEPTED = ("ACCEPTED: device=lift-01 sequence=1\nACCEPTED: device=lift-01 sequence=2\n"
                "ACCEPTED: device=lift-01 sequence=3\n"
                "SEND_COMPLETE: accepted=3 duplicate=0 rejected=0\n")
ALL_DUPLICATE = (ALL_ACCEPTED.replace("ACCEPTED", "DUPLICATE")
                 .replace("accepted=3 duplicate=0", "accepted=0 duplicate=3"))


def send(server, *words, stdin=b""):
    return eds("audit", "send", "--url", server.url, *words, stdin=stdin)


def send_files(server, records=RECORDS, payloads=PAYLOADS, *more):
    return send(server, "--records-file", str(records), "--payloads-file", str(payloads), *more)


def expect(done, code, out=None, says=""):
    text = done.stdout.decode()
    assert done.returncode == code, (done.returncode, text, done.stderr.decode())
    assert out is None or text == out, text
    assert says in done.stderr.decode(), done.stderr.decode()
    return text


def envelopes():
    return [json.dumps({"record": record, "raw_payload_hex": payload})
            for record, payload in zip(json.loads(RECORDS.read_text()),
                                       json.loads(PAYLOADS.read_text()))]


def peer_records(folder):
    """The way of the original's records through a server and out again."""
    server = Server(folder, DEMO)
    expect(send_files(server), 0, ALL_ACCEPTED)
    expect(send_files(server), 0, ALL_DUPLICATE)
    code, out = server.end(signal.SIGTERM)
    assert (code, out) == (0, "SERVE_COMPLETE: accepted=3 duplicate=3 rejected=0\n"), (code, out)

    server = Server(folder, DEMO)  # it knows the chain's end
    expect(send_files(server), 0, ALL_DUPLICATE)
    code, out = server.end(signal.SIGINT)
    assert (code, out) == (0, "SERVE_COMPLETE: accepted=0 duplicate=3 rejected=0\n"), (code, out)

    data = str(folder / "data")
    done = eds("export", "--data-dir", data, "--device-id", "lift-01", "--out", "-")
    assert done.stdout == RECORDS.read_bytes()
    expect(eds("ledger", "verify", "--data-dir", data, *DEMO), 0)
    assert oct((folder / "data/edgesentry.db").stat().st_mode & 0o777) == "0o600"


def tampered(folder):
    """Each file is one edit away from a good one."""
    good = json.loads(RECORDS.read_text())
    payloads = json.loads(PAYLOADS.read_text())
    server = Server(folder, DEMO)

    def try_edit(index, field, value, payload=None, reason=None):
        records = json.loads(json.dumps(good))
        if field:
            records[index][field] = value
        (folder / "records.json").write_text(json.dumps(records))
        (folder / "payloads.json").write_text(json.dumps(
            [payload if payload and i == index else p for i, p in enumerate(payloads)]))
        done = send_files(server, folder / "records.json", folder / "payloads.json")
        line = expect(done, 2).splitlines()[index]
        assert line.startswith("REJECTED: ") and reason in line, line

    try_edit(0, "payload_hash", [0] * 32,
             reason="reason=payload hash mismatch for device=lift-01 sequence=1")
    try_edit(0, None, None, payload=payloads[1], reason="payload hash mismatch")
    try_edit(0, "signature", good[1]["signature"], reason="invalid signature for device=lift-01")
    try_edit(0, "device_id", "lift-02", reason="unknown device: lift-02")
    try_edit(0, "sequence", 2, reason="invalid sequence for device=lift-01: expected=1 actual=2")
    try_edit(0, "prev_record_hash", [1] * 32, reason="invalid previous hash for device=lift-01")
    assert not json.loads(eds("ledger", "verify", "--data-dir", str(folder / "data"), "--json")
                          .stdout)["record_count"]
    expect(send_files(server), 0, ALL_ACCEPTED)
    try_edit(2, "timestamp_ms", 1700000999999, reason="conflicting record for device=lift-01")
    code, out = server.end(signal.SIGTERM)
    assert code == 0 and out.startswith("SERVE_COMPLETE: accepted=3 duplicate=2 rejected="), out


def lines_of_json(folder):
    """Envelopes from standard input, verdicts and log as JSON."""
    server = Server(folder, DEMO, "--store", "memory:", "--log-format", "json", "--log-level",
                    "debug", "--json")
    text = "\n\n".join(envelopes()) + "\n"
    out = expect(send(server, "-", "--json", stdin=text.encode()), 0)
    assert [json.loads(line) for line in out.splitlines()] == [
        {"result": "accepted", "device_id": "lift-01", "sequence": n, "status": 202, "attempts": 1}
        for n in (1, 2, 3)] + [{"result": "complete", "accepted": 3, "duplicate": 0, "rejected": 0}]
    file = folder / "envelopes.ndjson"
    file.write_text(envelopes()[0])  # no newline at its end
    out = expect(send(server, str(file)), 0)
    assert out.splitlines()[0] == "DUPLICATE: device=lift-01 sequence=1", out
    expect(send(server, stdin=b""), 0, "SEND_COMPLETE: accepted=0 duplicate=0 rejected=0\n")

    text = envelopes()[0] + "\n" + envelopes()[1] + "\n{\"record\":\n"
    out = expect(send(server, stdin=text.encode()), 1, says="error: -: line 3: ")
    assert out.endswith("SEND_COMPLETE: accepted=0 duplicate=2 rejected=0\n"), out

    code, out = server.end(signal.SIGTERM)
    assert code == 0 and json.loads(out)["accepted"] == 3, out
    events = [json.loads(line)["event"]
              for line in (folder / "server.log").read_text().splitlines()]
    for event in ("listening", "record_accepted", "record_rejected", "stopping", "stopped"):
        assert event in events, (event, events)


def denied(folder):
    server = Server(folder, DEMO, "--allowed-sources", "10.0.0.0/8,fd00::/8")
    out = expect(send_files(server), 2)
    assert out.count("reason=source 127.0.0.1 is not in the allowlist") == 3, out
    server.end(signal.SIGTERM)


def mistakes(folder):
    """What cannot work says so, and leaves nothing behind."""
    server = Server(folder, DEMO)
    rows = [
        (1, "more payloads than records", RECORDS, '["00"]', "[]"),
        (1, "there is no payload for the record at 1", RECORDS, None, '["00"]'),
        (1, "No such file or directory (os error 2)", folder / "nothing", None, "[]"),
    ]
    for code, says, records, new_records, new_payloads in rows:
        if new_records:
            records = folder / "none.json"
            records.write_text("[]")
            new_payloads = new_records
        (folder / "p.json").write_text(new_payloads)
        expect(send_files(server, records, folder / "p.json"), code, says=says)
    for words, says in ((["--records-file", "x"], "need each other"),
                        (["--attempts", "0"], "1 to 1000"), (["--connections", "65"], "1 to 64"),
                        (["--url", "x"], "cannot be used multiple times")):
        expect(send(server, *words), 64, "", says)
    expect(eds("send", "--url", "ftp://x", stdin=b""), 64, "", "bad URL")
    busy = eds("serve", "--addr", f"127.0.0.1:{server.port}", "--data-dir", str(folder / "other"))
    expect(busy, 1, "", "error: server error: Address already in use (os error 98)")
    assert not (folder / "other").exists()
    server.end(signal.SIGTERM)
    done = send_files(server, RECORDS, PAYLOADS, "--attempts", "2")
    expect(done, 1, "", f"cannot reach {server.url}/api/v1/ingest")
    assert b"(2 attempts)" in done.stderr and b"device=lift-01 sequence=1" in done.stderr


def second_signal(folder):
    """The first signal waits for an upload, the second does not."""
    server = Server(folder, DEMO)
    connection = Connection(server.port)
    connection.socket.sendall(b"POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: "
                              b"application/json\r\nContent-Length: 100\r\n"
                              b"Expect: 100-continue\r\n\r\n")
    assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"  # it knows of the upload
    connection.socket.sendall(b"{")
    server.process.send_signal(signal.SIGTERM)
    await_that(lambda: "event=stopping" in (folder / "server.log").read_text(), "the stop")
    time.sleep(0.2)
    assert server.process.poll() is None
    code, _ = server.end(signal.SIGTERM)
    assert code == -signal.SIGTERM, code
    connection.close()


def stop_under_load(folder):
    devices = [Device(f"lift-{n}", n) for n in range(6)]
    arguments = [device.argument() for device in devices]
    sent = [0] * len(devices)
    for _ in range(5):
        server = Server(folder, arguments)
        senders = [Sender(device, server.port) for device in devices]
        for sender in senders:
            sender.start()
        await_that(lambda: all(sender.acknowledged > 2 or not sender.is_alive()
                               for sender in senders), "some records")
        code, out = server.end(signal.SIGTERM)
        assert code == 0, out
        for index, sender in enumerate(senders):
            sender.join()
            assert sender.fault is None, sender.fault
            sent[index] += sender.acknowledged
        server = Server(folder, arguments)
        for index, sender in enumerate(senders):
            if sender.unsure is None:
                continue
            connection = Connection(server.port)
            status, answer = connection.post(sender.unsure)
            connection.close()
            assert status == 202 or "duplicate record" in answer, answer
            sent[index] += 1
        server.end(signal.SIGTERM)
    done = eds("ledger", "verify", "--data-dir", str(folder / "data"), "--json", *arguments)
    expect(done, 0)
    stored = json.loads(done.stdout)["record_count"]
    assert stored == sum(sent) and stored > 30, (stored, sent)


def side_by_side(folder):
    """Eight devices over four connections, their lines mixed: each in order."""
    devices = [Device(f"lift-{n}", n) for n in range(8)]
    server = Server(folder, [device.argument() for device in devices])
    lines = [device.next() for _ in range(25) for device in devices]
    out = expect(send(server, "--connections", "4", stdin=b"\n".join(lines)), 0)
    assert out.endswith("SEND_COMPLETE: accepted=200 duplicate=0 rejected=0\n"), out
    for device in devices:
        got = [line for line in out.splitlines() if f"device={device.name} " in line]
        assert got == [f"ACCEPTED: device={device.name} sequence={n}" for n in range(1, 26)]
    server.end(signal.SIGTERM)


def server_dies_and_returns(folder):
    """The sender bridges the time without a server, and nothing is lost."""
    device = Device("lift-1", 1)
    server = Server(folder, [device.argument()], port=free_port())
    lines = [device.next() for _ in range(1500)]
    sender = subprocess.Popen([EDS, "send", "--url", server.url, "--attempts", "100"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    for line in lines[:300]:
        sender.stdin.write(line + b"\n")
    sender.stdin.flush()
    server.end(signal.SIGKILL)
    time.sleep(0.2)
    server = Server(folder, [device.argument()], port=server.port)
    out, err = sender.communicate(b"\n".join(lines[300:]), timeout=120)
    assert sender.returncode == 0, err.decode()
    verdicts = out.decode().splitlines()
    assert [line.split(": ")[1] for line in verdicts[:-1]] == [
        f"device=lift-1 sequence={n}" for n in range(1, 1501)]
    assert verdicts[-1].endswith(" rejected=0"), verdicts[-1]
    server.end(signal.SIGTERM)
    done = eds("ledger", "verify", "--data-dir", str(folder / "data"), "--json",
               device.argument())
    expect(done, 0)
    assert json.loads(done.stdout)["record_count"] == 1500


def main():
    cases = [peer_records, tampered, lines_of_json, denied, mistakes, second_signal]
    if "EDS_SANITIZE:STRING=\n" in (BUILD / "CMakeCache.txt").read_text():
        bridge()
        cases += [stop_under_load, side_by_side, server_dies_and_returns]
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="eds-serve-") as folder:
            case(pathlib.Path(folder))
        print("ok", case.__name__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
