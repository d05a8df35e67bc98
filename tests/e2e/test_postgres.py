#!/usr/bin/env python3
"""A server on a real PostgreSQL: its tables made by db migrate, records sent over
HTTP, verified and exported; the same records to a second server are duplicates;
a changed row is found."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from postgres_lab import POSTGRES, database  # noqa: E402
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
KEY = "01" * 32


def eds(*args, code=0, url=None):
    environment = {**os.environ, **({"EDS_STORE": url} if url else {})}
    done = subprocess.run([EDS, "audit", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False, env=environment)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def walk(place, url):
    assert "schema version 5" in eds("db", "migrate", "--store", url)
    again = json.loads(eds("db", "migrate", "--store", url, "--json"))
    assert again == {"store": "postgresql", "schema_version": 5}, again
    public = json.loads(eds("inspect-key", "--private-key-hex", KEY))["public_key_hex"]
    eds("demo-lift-inspection", "--device-id", "lift-01", "--private-key-hex", KEY,
        "--object-prefix", "s3://bucket/lift-01", "--out-file", "sent.json",
        "--payloads-file", "payloads.json", "--attest")
    sent = json.loads(pathlib.Path("sent.json").read_text())
    for turn in range(2):  # a second server knows what the first one took
        with serve("unused", f"lift-01={public}", store=url) as http:
            eds("send", "--url", http, "--records-file", "sent.json",
                "--payloads-file", "payloads.json")
            eds("ledger", "verify", "--store", url, "--device", f"lift-01={public}")
        assert not pathlib.Path("unused").exists()
        rows = subprocess.run([POSTGRES, "sql", place, "SELECT decision, count(*)"
                               " FROM operation_logs GROUP BY decision ORDER BY decision"],
                              stdout=subprocess.PIPE, check=True).stdout.decode().split()
        assert rows[0] == f"Accepted|{len(sent)}", (turn, rows)
    eds("export", "--device-id", "lift-01", "--out", "got.json", "--payloads-file", "back.json",
        url=url)
    assert json.loads(pathlib.Path("got.json").read_text()) == sent
    eds("verify-chain", "--records-file", "got.json", "--payloads-file", "back.json",
        "--device", f"lift-01={public}", "--full")
    subprocess.run([POSTGRES, "sql", place,
                    "UPDATE audit_records SET timestamp_ms = 1 WHERE sequence = 2"], check=True)
    eds("ledger", "verify", "--store", url, code=2)


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    with database() as (place, url), tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        walk(place, url)
        os.chdir("/")


main()
