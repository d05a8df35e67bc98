#!/usr/bin/env python3
# label: slow
"""PostgreSQL and a real S3 service together: demo-ingest as edgesentry-rs shows
it; a server whose gateway is killed while records come, which stores each of
them once; what was changed or removed in the bucket is found."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import await_that  # noqa: E402
from postgres_lab import POSTGRES, database  # noqa: E402
from s3_lab import gateway  # noqa: E402
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"  # of the demo
DEVICE_COUNT, RECORD_COUNT = 8, 25


def eds(*args, code=0):
    done = subprocess.run([EDS, "audit", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=300, check=False)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def sql(place, statement):
    return subprocess.run([POSTGRES, "sql", place, statement], stdout=subprocess.PIPE,
                          check=True).stdout.decode().split()


def test_demo_ingest(place, url, s3):
    eds("demo-lift-inspection", "--out-file", "r.json", "--payloads-file", "p.json")
    records = json.loads(pathlib.Path("r.json").read_text())
    payloads = [bytes.fromhex(text) for text in json.loads(pathlib.Path("p.json").read_text())]
    tampered = json.loads(json.dumps(records))
    tampered[1]["payload_hash"][0] ^= 1
    pathlib.Path("t.json").write_text(json.dumps(tampered))
    demo = ("demo-ingest", "--records-file", "r.json", "--payloads-file", "p.json", "--device-id",
            "lift-01", "--pg-url", url, "--minio-endpoint", s3.endpoint, "--minio-bucket", "demo")
    accepted = "".join(f"ACCEPTED: device=lift-01 sequence={n}\n" for n in (1, 2, 3))
    refused = "ingest verification failed: duplicate record for device=lift-01 sequence="
    assert eds(*demo) == accepted + "INGEST_COMPLETE: accepted=3 rejected=0\n"
    for record, payload in zip(records, payloads):  # where its reference says
        assert s3.get("demo", record["object_ref"]) == payload
    assert len(s3.keys("demo")) == 3
    assert sql(place, "SELECT count(*) FROM raw_objects WHERE payload IS NULL") == ["3"]

    got = eds(*demo, "--tampered-records-file", "t.json")
    expected = "".join(f"REJECTED: device=lift-01 sequence={n} reason={refused}{n}\n"
                       for n in (1, 2, 3))
    expected += (f"REJECTED (expected): device=lift-01 sequence=1 reason={refused}1\n"
                 "REJECTED (expected): device=lift-01 sequence=2 reason="
                 "payload hash mismatch for device=lift-01 sequence=2\n"
                 f"REJECTED (expected): device=lift-01 sequence=3 reason={refused}3\n"
                 "INGEST_COMPLETE: accepted=0 rejected=6\n")
    assert got == expected, got
    got = eds(*demo, "--reset")
    assert got == ("RESET: audit_records and operation_logs truncated\n" + accepted +
                   "INGEST_COMPLETE: accepted=3 rejected=0\n"), got
    assert sql(place, "SELECT count(*) FROM operation_logs") == ["3"]
    assert json.loads(eds(*demo, "--reset", "--json")) == {"accepted": 3, "rejected": 0}
    eds("ledger", "verify", "--store", url, "--objects",
        f"s3://demo?keys=ref&endpoint={s3.endpoint}")
    # A device that is registered there is judged by its state there.
    eds("device", "add", "lift-01", "--public-key-hex", KEY, "--attest", "optional", "--store", url)
    eds("device", "quarantine", "lift-01", "--store", url)
    got = eds(*demo, "--reset")
    assert got.endswith("".join(f"QUARANTINED: device=lift-01 sequence={n}\n" for n in (1, 2, 3))
                        + "INGEST_COMPLETE: accepted=0 rejected=0 quarantined=3\n"), got
    eds("device", "release", "lift-01", "--store", url)
    assert sql(place, "SELECT count(*) FROM audit_records") == ["3"]
    # Another's identity, and services that are not there.
    got = eds(*(word if word != "lift-01" else "lift-02" for word in demo))
    assert "auth/device mismatch: cert_identity=lift-02 device_id=lift-01" in got, got
    eds(*demo, "--reset", "--minio-bucket", "nowhere", code=64)  # twice the same flag
    eds(*(word if word != "demo" else "nowhere" for word in demo), "--reset", code=1)
    assert sql(place, "SELECT count(*) FROM audit_records") == ["0"]
    eds("demo-ingest", "--records-file", "r.json", "--payloads-file", "p.json", "--pg-url",
        "sqlite:x", code=64)


def make_envelopes():
    """Per device the lines to send, and its public key."""
    envelopes, devices = {}, []
    for n in range(DEVICE_COUNT):
        name, seed = f"robot-{n}", f"{n + 1:02x}" * 32
        devices.append(name + "=" + json.loads(
            eds("inspect-key", "--private-key-hex", seed))["public_key_hex"])
        lines = []
        for sequence in range(1, RECORD_COUNT + 1):
            payload = f"{name} saw event {sequence}"
            eds("sign-record", "--device-id", name, "--sequence", str(sequence), "--timestamp-ms",
                str(1000 + sequence), "--payload", payload, "--object-ref",
                f"file:{name}/{sequence}", "--private-key-hex", seed, "--out",
                f"{name}.{sequence}", "--attest",
                *(["--prev-record", f"{name}.{sequence - 1}"] if sequence > 1 else []))
            lines.append('{"record":%s,"raw_payload_hex":"%s"}' % (
                pathlib.Path(f"{name}.{sequence}").read_text().replace("\n", ""),
                payload.encode().hex()))
        envelopes[name] = lines
    return envelopes, devices


def send_until_in(url, name, lines):
    """Sends a device's records, again and again, until none is missing."""
    path = f"{name}.ndjson"
    pathlib.Path(path).write_text("\n".join(lines) + "\n")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        done = subprocess.run([EDS, "audit", "send", "--url", url, "--envelopes", path],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300,
                              check=False)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise AssertionError(f"{name}: {done.stdout[-500:]} {done.stderr[-500:]}")


def test_gateway_dies(place, url, s3):
    envelopes, devices = make_envelopes()
    count = DEVICE_COUNT * RECORD_COUNT
    objects = f"s3://ledger/payloads?endpoint={s3.endpoint}&attempts=2&timeout=3&connections=4"
    keys = [word for device in devices for word in ("--device", device)]
    with serve("unused", *devices, store=url, objects=objects) as http, \
            concurrent.futures.ThreadPoolExecutor(DEVICE_COUNT) as pool:
        s3.do("kill")  # it is away when they begin
        senders = [pool.submit(send_until_in, http, name, lines)
                   for name, lines in envelopes.items()]
        log = pathlib.Path("unused.log")
        await_that(lambda: "event=raw_data_store_write_failed call=put" in log.read_text(),
                   "the first failure")
        for _ in range(2):
            s3.do("up")
            time.sleep(0.1)
            s3.do("kill")
        s3.do("up")
        for sender in senders:
            sender.result()
    assert sql(place, "SELECT count(*), count(DISTINCT (device_id, sequence)) FROM audit_records"
               ) == [f"{count}|{count}"]
    accepted = sql(place, "SELECT count(*) FROM operation_logs WHERE decision = 'Accepted'")
    assert accepted == [str(count)], accepted
    assert len(s3.keys("ledger", "payloads/")) == count
    got = json.loads(eds("ledger", "verify", "--store", url, "--objects", objects, *keys, "--json"))
    assert got["valid"] and got["payload_count"] == count and got["verified_count"] == count, got
    return objects


def test_changes_in_the_bucket(url, s3, objects):
    record = json.loads(pathlib.Path("robot-3.7").read_text())
    key = "payloads/" + bytes(record["payload_hash"]).hex()
    good = s3.get("ledger", key)
    assert good == b"robot-3 saw event 7"
    s3.put("ledger", key, good + b"!")
    verify = [EDS, "audit", "ledger", "verify", "--store", url, "--objects", objects]
    done = subprocess.run(verify, capture_output=True, check=False)
    assert done.returncode == 2 and done.stdout == b"LEDGER_INVALID\n", done
    assert b"device=robot-3 sequence=7: the payload kept here has another hash" in done.stderr, done
    s3.put("ledger", key, good)
    eds(*verify[2:])
    eds("export", "--store", url, "--objects", objects, "--device-id", "robot-3", "--out", "c.json",
        "--payloads-file", "cp.json")
    payloads = json.loads(pathlib.Path("cp.json").read_text())
    assert bytes.fromhex(payloads[6]) == good, payloads


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    if subprocess.run([EDS, "audit", "demo-ingest", "--help"], capture_output=True,
                      check=False).returncode != 0:
        print("skipped: this build has not both PostgreSQL and S3")
        sys.exit(77)
    with gateway("demo", "ledger") as s3, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with database() as (place, url):
            test_demo_ingest(place, url, s3)
        with database() as (place, url):
            objects = test_gateway_dies(place, url, s3)
            test_changes_in_the_bucket(url, s3, objects)
        os.chdir("/")


main()
