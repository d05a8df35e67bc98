#!/usr/bin/env python3
"""A PostgreSQL database that edgesentry-rs has written to: db migrate takes its
tables over, the old records verify and are exported as they were sent, and the
device goes on where it was.  Whatever is in the way leaves all as it was."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from postgres_lab import database, sql  # noqa: E402
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
PEER = pathlib.Path(os.environ["EDS_SOURCE"]) / "tests/vectors/peer"
KEY = "01" * 32
TABLES = """
CREATE TABLE {0}.audit_records (id BIGSERIAL PRIMARY KEY, device_id TEXT NOT NULL,
  sequence BIGINT NOT NULL, timestamp_ms BIGINT NOT NULL, payload_hash BYTEA NOT NULL,
  signature BYTEA NOT NULL, prev_record_hash BYTEA NOT NULL, object_ref TEXT NOT NULL,
  ingested_at TIMESTAMPTZ DEFAULT now(), UNIQUE (device_id, sequence));
CREATE TABLE {0}.operation_logs (id BIGSERIAL PRIMARY KEY, decision TEXT NOT NULL,
  device_id TEXT NOT NULL, sequence BIGINT NOT NULL, message TEXT NOT NULL,
  created_at TIMESTAMPTZ DEFAULT now());
CREATE INDEX idx_audit_device_seq ON {0}.audit_records (device_id, sequence DESC);
"""


def eds(*args, code=0):
    done = subprocess.run([EDS, "audit", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode() + done.stderr.decode()


def column(record, name):
    value = record[name]
    if isinstance(value, list):
        return f"'\\x{bytes(value).hex()}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


def fill(place, schema, records):
    """The tables and rows of edgesentry-rs."""
    names = ["device_id", "sequence", "timestamp_ms", "payload_hash", "signature",
             "prev_record_hash", "object_ref"]
    text = f"CREATE SCHEMA {schema};" + TABLES.format(schema)
    for record in records:
        values = ", ".join(column(record, name) for name in names)
        text += (f"INSERT INTO {schema}.audit_records({', '.join(names)}) VALUES({values});"
                 f"INSERT INTO {schema}.operation_logs(decision, device_id, sequence, message)"
                 f" VALUES('Accepted', '{record['device_id']}', {record['sequence']},"
                 " 'ingest accepted');")
    sql(place, text)


def take_over(place, url, device, records):
    fill(place, "old", records)
    url += "?options=-csearch_path%3Dold"
    said = eds("export", "--store", url, "--device-id", "lift-01", "--out", "-", code=1)
    assert "schema version 0" in said, said
    with tempfile.TemporaryDirectory() as folder:
        refused = subprocess.run([EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--store", url,
                                  "--port-file", f"{folder}/port", "--device", device],
                                 capture_output=True, timeout=120, check=False)
    assert refused.returncode == 1 and b"eds audit db migrate" in refused.stderr, refused.stderr

    eds("db", "migrate", "--store", url)
    eds("db", "migrate", "--store", url)  # a second time changes nothing
    assert "LEDGER_VALID" in eds("ledger", "verify", "--store", url, "--device", device)
    eds("export", "--store", url, "--device-id", "lift-01", "--out", "got.json")
    assert json.loads(pathlib.Path("got.json").read_text()) == records
    assert sql(place, "SELECT count(*) FROM old.operation_logs") == "3"
    assert sql(place, "SELECT count(*) FROM old.raw_objects WHERE payload IS NULL") == "3"

    # What it has is a duplicate; what follows it is accepted.
    pathlib.Path("last.json").write_text(json.dumps(records[-1]))
    eds("sign-record", "--device-id", "lift-01", "--sequence", "4", "--timestamp-ms",
        "1700000300000", "--payload", "after the move", "--object-ref", "s3://bucket/lift-01/4",
        "--prev-record", "last.json", "--private-key-hex", KEY, "--out", "next.json")
    following = json.loads(pathlib.Path("next.json").read_text())
    pathlib.Path("all.json").write_text(json.dumps(records + [following]))
    payloads = json.loads((PEER / "demo_payloads.json").read_text())
    pathlib.Path("payloads.json").write_text(
        json.dumps(payloads + [b"after the move".hex()]))
    with serve("unused", device, store=url) as http:
        said = eds("send", "--url", http, "--records-file", "all.json",
                   "--payloads-file", "payloads.json")
    assert "SEND_COMPLETE: accepted=1 duplicate=3 rejected=0" in said, said
    assert "LEDGER_VALID" in eds("ledger", "verify", "--store", url, "--device", device)


def stay_away(place, url, records):
    """What cannot be taken over is left as it is."""
    for number, (change, said) in enumerate([
            ("ALTER TABLE {0}.audit_records DROP COLUMN signature", "not those of edgesentry-rs"),
            ("ALTER TABLE {0}.audit_records ALTER sequence TYPE NUMERIC",
             "not those of edgesentry-rs"),
            ("DROP TABLE {0}.operation_logs", "not those of edgesentry-rs"),
            ("UPDATE {0}.audit_records SET payload_hash = '' WHERE sequence = 2",
             "row 2 of audit_records has no valid payload_hash"),
            ("UPDATE {0}.audit_records SET device_id = repeat('x', 256) WHERE sequence = 3",
             "row 3 of audit_records has no valid device_id"),
            ("CREATE TABLE {0}.chain_heads(n INT)", "already exists")]):
        schema = f"bad{number}"
        fill(place, schema, records)
        sql(place, change.format(schema))
        before = sql(place, "SELECT table_name, column_name FROM information_schema.columns"
                            f" WHERE table_schema = '{schema}' ORDER BY 1, 2")
        told = eds("db", "migrate", "--store", f"{url}?options=-csearch_path%3D{schema}", code=1)
        assert said in told, (change, told)
        assert before == sql(place, "SELECT table_name, column_name"
                                    " FROM information_schema.columns"
                                    f" WHERE table_schema = '{schema}' ORDER BY 1, 2"), change


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    public = json.loads(subprocess.run([EDS, "audit", "inspect-key", "--key-file", "-"],
                                       input=KEY.encode(), stdout=subprocess.PIPE,
                                       check=True).stdout)["public_key_hex"]
    records = json.loads((PEER / "demo_records.json").read_text())
    with database() as (place, url), tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        take_over(place, url, f"lift-01={public}", records)
        stay_away(place, url, records)
        os.chdir("/")


main()
