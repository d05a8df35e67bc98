#!/usr/bin/env python3
"""Payloads that come before their records: eds audit send brings the large ones first, a
ledger without --objects keeps them beside itself, a store of their own takes them as any
others; the server's memory does not grow with them, and what comes out is what went in."""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, Server, eds  # noqa: E402

SIZES = [10, 70_000, 3_000_000, 0, 24_000_000, 70_000]


def files(folder):
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def make_chain(directory, device):
    """Records of payloads of those sizes, and the two files that send reads."""
    payloads = [os.urandom(size) for size in SIZES]
    records = [json.loads(device.next(payload))["record"] for payload in payloads]
    with open(f"{directory}/records.json", "w", encoding="ascii") as file:
        json.dump(records, file)
    with open(f"{directory}/payloads.json", "w", encoding="ascii") as file:
        json.dump([payload.hex() for payload in payloads], file)
    return records


def send(directory, url, *more):
    return eds("audit", "send", "--url", url, "--records-file", f"{directory}/records.json",
               "--payloads-file", f"{directory}/payloads.json", *more)


def there_and_back(objects, *send_more):
    with tempfile.TemporaryDirectory() as directory:
        device = Device("lift-01", 1)
        make_chain(directory, device)
        more = ("--objects", f"file:{directory}/store") if objects else ()
        server = Server(directory, [device.argument()], *more)
        before = resident_kib(server.process.pid)
        done = send(directory, server.url, *send_more)
        assert done.returncode == 0, done.stderr
        assert f"SEND_COMPLETE: accepted={len(SIZES)} duplicate=0 rejected=0" in \
            done.stdout.decode(), done.stdout
        grown = resident_kib(server.process.pid) - before
        assert grown < 16 * 1024, f"the server grew by {grown} KiB"
        done = send(directory, server.url, *send_more)
        assert f"SEND_COMPLETE: accepted=0 duplicate={len(SIZES)} rejected=0" in \
            done.stdout.decode(), done.stdout
        server.end(15)
        # Beside the ledger are only those that came before their records.
        place = f"{directory}/store" if objects else f"{directory}/data/objects"
        kept = sorted(os.path.getsize(path) for path in files(place))
        assert kept == sorted(SIZES if objects else [3_000_000, 24_000_000]), kept
        assert all(os.stat(path).st_mode & 0o777 == 0o600 for path in files(place))
        arguments = ("--data-dir", f"{directory}/data", *more)
        done = eds("audit", "ledger", "verify", *arguments, device.argument())
        assert done.returncode == 0 and b"LEDGER_VALID" in done.stdout, done
        out = f"{directory}/out.json"
        done = eds("audit", "export", *arguments, "--device-id", "lift-01", "--out", out,
                   "--payloads-file", out + ".payloads")
        assert done.returncode == 0, done.stderr
        with open(out + ".payloads", "rb") as ours, \
                open(f"{directory}/payloads.json", "rb") as theirs:
            assert json.load(ours) == json.load(theirs)
        # One that is lost, or not what it was, is found.
        lost = next(path for path in files(place) if os.path.getsize(path) == 3_000_000)
        os.rename(lost, f"{directory}/lost")
        done = eds("audit", "ledger", "verify", *arguments)
        assert done.returncode == 2, done
        with open(lost, "wb") as file:
            file.write(b"x" * 3_000_000)
        done = eds("audit", "ledger", "verify", *arguments)
        assert done.returncode == 2, done


def put(url, record, payload, **fields):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("PUT", "/api/v1/objects/" + bytes(record["payload_hash"]).hex(), payload, {
        "EdgeSentry-Device": record["device_id"],
        "EdgeSentry-Signature": bytes(record["signature"]).hex(), **fields})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"{}")


def curl_and_limits():
    """A real client, and the limit that the configuration sets."""
    with tempfile.TemporaryDirectory() as directory:
        device, stranger = Device("lift-01", 1), Device("lift-02", 2)
        server = Server(directory, [device.argument()], "--object-size-max", "5000")
        payload = os.urandom(5000)
        envelope = json.loads(device.next(payload))
        record = envelope["record"]
        with open(f"{directory}/payload", "wb") as file:
            file.write(payload)
        path = "/api/v1/objects/" + bytes(record["payload_hash"]).hex()
        for status in b"201", b"200":
            done = subprocess.run(
                ["curl", "-sS", "-o", f"{directory}/answer", "-w", "%{http_code}",
                 "-T", f"{directory}/payload", "-H", "EdgeSentry-Device: lift-01",
                 "-H", "EdgeSentry-Signature: " + bytes(record["signature"]).hex(),
                 server.url + path], capture_output=True, check=True)
            assert done.stdout == status, done
        line = json.dumps({"record": record, "raw_payload_hex": None}).encode()
        done = eds("audit", "send", "--url", server.url, stdin=line)
        assert b"ACCEPTED: device=lift-01 sequence=1" in done.stdout, done
        large = json.loads(device.next(payload + b"x"))["record"]
        status, answer = put(server.url, large, payload + b"x")
        assert status == 413 and "5000" in answer["error"], answer
        status, answer = put(server.url, json.loads(stranger.next(b"x"))["record"], b"x")
        assert (status, answer["error"]) == \
            (422, "ingest verification failed: unknown device: lift-02"), answer
        # What the server does not take, send calls refused.
        line = json.dumps({"record": large, "raw_payload_hex": (payload + b"x").hex()}).encode()
        done = eds("audit", "send", "--url", server.url, "--upload-above", "100", stdin=line)
        assert done.returncode == 2 and b"REJECTED: device=lift-01 sequence=2" in done.stdout, done
        server.end(15)
        server = Server(directory, [device.argument()], "--object-size-max", "0")
        status, answer = put(server.url, record, payload)
        assert status == 501, answer
        server.end(15)


there_and_back(False)
there_and_back(True, "--upload-above", "60000", "--batch", "4")
curl_and_limits()
print("payloads before their records: beside the ledger, in a store, by curl")
