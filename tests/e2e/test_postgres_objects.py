#!/usr/bin/env python3
"""Large payloads with two servers on one PostgreSQL ledger and no --objects: what one was
brought the other one knows, both may be brought the same, the server's memory does not
grow with them, and what comes out is what went in."""
import concurrent.futures
import http.client
import json
import os
import signal
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, Server, bridge, eds  # noqa: E402
from postgres_lab import database, sql  # noqa: E402

SIZES = [10, 3_000_000, 0, 24_000_000]


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def put(port, record, payload):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("PUT", "/api/v1/objects/" + bytes(record["payload_hash"]).hex(), payload, {
        "EdgeSentry-Device": record["device_id"],
        "EdgeSentry-Signature": bytes(record["signature"]).hex()})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def main():
    bridge()
    with database() as (place, url), tempfile.TemporaryDirectory() as folder:
        device, other = Device("lift-01", 1), Device("lift-02", 2)
        known = [device.argument(), other.argument()]
        nodes = []
        for name in "ab":
            os.mkdir(f"{folder}/{name}")
            nodes.append(Server(f"{folder}/{name}", known, "--store", url))
        payloads = [os.urandom(size) for size in SIZES]
        records = [json.loads(device.next(payload))["record"] for payload in payloads]
        with open(f"{folder}/records", "w", encoding="ascii") as file:
            json.dump(records, file)
        with open(f"{folder}/payloads", "w", encoding="ascii") as file:
            json.dump([payload.hex() for payload in payloads], file)

        # No tables before the first one, and an answer that says so.
        assert sql(place, "SELECT to_regclass('payload_objects')") == ""
        before = [resident_kib(node.process.pid) for node in nodes]
        # The same payload to both at once: one of them stores it.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            tries = [pool.submit(put, nodes[i % 2].port, records[3], payloads[3])
                     for i in range(4)]
            statuses = sorted(one.result() for one in tries)
        assert statuses == [200, 200, 200, 201], statuses
        assert sql(place, "SELECT count(*) FROM payload_parts") == "23"
        for node, kib in zip(nodes, before):
            grown = resident_kib(node.process.pid) - kib
            assert grown < 16 * 1024, f"a server grew by {grown} KiB"

        # A payload by one server, its record by the other.
        body = os.urandom(2_000_000)
        record = json.loads(other.next(body))["record"]
        line = json.dumps({"record": record, "raw_payload_hex": None}).encode()
        done = eds("audit", "send", "--url", nodes[1].url, stdin=line)
        assert done.returncode == 2 and b"REJECTED: device=lift-02" in done.stdout, done
        assert put(nodes[0].port, record, body) == 201
        done = eds("audit", "send", "--url", nodes[1].url, stdin=line)
        assert b"ACCEPTED: device=lift-02 sequence=1" in done.stdout, done

        done = eds("audit", "send", "--url", nodes[0].url, "--records-file", f"{folder}/records",
                   "--payloads-file", f"{folder}/payloads")
        assert b"SEND_COMPLETE: accepted=4 duplicate=0 rejected=0" in done.stdout, done
        for node in nodes:
            assert node.end(signal.SIGTERM)[0] == 0
        done = eds("audit", "ledger", "verify", "--store", url, *known)
        assert done.returncode == 0 and b"LEDGER_VALID" in done.stdout, done
        done = eds("audit", "export", "--store", url, "--device-id", "lift-01", "--out",
                   f"{folder}/out", "--payloads-file", f"{folder}/out.payloads")
        assert done.returncode == 0, done.stderr
        with open(f"{folder}/out.payloads", "rb") as ours, \
                open(f"{folder}/payloads", "rb") as theirs:
            assert json.load(ours) == json.load(theirs)
        # One byte changed in the database is found.
        sql(place, "UPDATE payload_parts SET bytes = set_byte(bytes, 7, get_byte(bytes, 7) # 1)"
                   " WHERE part = 1 AND length(bytes) = 1048576 AND payload_hash = "
                   "(SELECT payload_hash FROM payload_objects WHERE size = 3000000)")
        done = eds("audit", "ledger", "verify", "--store", url, *known)
        assert done.returncode == 2, done
    print("large payloads in PostgreSQL: on both servers, whole, and in bounded memory")


main()
