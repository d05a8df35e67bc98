#!/usr/bin/env python3
"""kill -9 of the server under load, again and again on the same ledger.

After each kill the server starts again, and then: what it had acknowledged is in
the ledger, once, as it was sent; the chains hold; of what it had not acknowledged
at most the one record in flight is there, and sending that again is either
accepted or a duplicate.  EDS_KILL_CYCLES says how often (10)."""
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Connection, Device, Record, Sender, Server, bridge, eds  # noqa: E402

CYCLES = int(os.environ.get("EDS_KILL_CYCLES", "10"))
DEVICES = 6


class Lost(Exception):
    """The ledger does not hold what it must."""


class Ledger:
    """Reads what has come to the ledger since the last look."""

    def __init__(self, path):
        self.path = path
        self.checked = {}  # device: (sequence, hash) up to which its chain was checked

    def query(self, text, *values):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def check(self, device, acknowledged, in_flight):
        count, most, different = self.query(
            "SELECT count(*), coalesce(max(sequence), 0), count(DISTINCT sequence) "
            "FROM audit_records WHERE device_id = ?", device.name)[0]
        if most < acknowledged:
            raise Lost(f"{device.name}: {acknowledged} acknowledged, {most} stored")
        if most > acknowledged + in_flight:
            raise Lost(f"{device.name}: {acknowledged} sent, {most} stored")
        if count != most or different != most:
            raise Lost(f"{device.name}: {count} rows for {most} records")
        self.check_links(device)
        heads = self.query("SELECT sequence, record_hash FROM chain_heads WHERE device_id = ?",
                           device.name)
        if heads != ([(most, device.hashes[most])] if most else []):
            raise Lost(f"{device.name}: the head is not the last record")
        return most

    def check_links(self, device):
        last, last_hash = self.checked.get(device.name, (0, bytes(32)))
        for row in self.query(
                "SELECT sequence, timestamp_ms, payload_hash, signature, prev_record_hash, "
                "object_ref, record_hash FROM audit_records WHERE device_id = ? AND sequence > ? "
                "ORDER BY sequence", device.name, last):
            record = Record(sequence=row[0], timestamp_ms=row[1], device_id=device.name.encode(),
                            object_ref=row[5].encode())
            record.payload_hash[:] = row[2]
            record.signature[:] = row[3]
            record.prev_record_hash[:] = row[4]
            if row[0] != last + 1 or row[4] != last_hash:
                raise Lost(f"{device.name}: the chain breaks at {row[0]}")
            last, last_hash = row[0], record.hash()
            if last_hash != row[6] or last_hash != device.hashes[last]:
                raise Lost(f"{device.name}: {row[0]} is not what was sent")
        self.checked[device.name] = (last, last_hash)

    def check_log(self):
        """Each record has its line in the operation log, from the same commit."""
        records = self.query("SELECT count(*) FROM audit_records")[0][0]
        lines = self.query("SELECT count(*) FROM operation_logs WHERE decision = 'Accepted'")[0][0]
        objects = self.query("SELECT count(*) FROM raw_objects WHERE payload IS NOT NULL")[0][0]
        if not records == lines == objects:
            raise Lost(f"{records} records, {lines} lines, {objects} payloads")
        return records


def send_again(port, sender):
    """The record whose fate was open: it is or becomes the device's last one."""
    connection = Connection(port)
    status, answer = connection.post(sender.unsure)
    connection.close()
    if status != 202 and "duplicate record" not in answer:
        raise Lost(f"{sender.device.name}: sent again: {status} {answer}")
    return "accepted" if status == 202 else "duplicate"


def check_the_check(folder, ledger, device):
    """A ledger that lost its last acknowledged record is found out."""
    copy = folder / "copy"
    shutil.copytree(folder / "data", copy)
    connection = sqlite3.connect(copy / "edgesentry.db")
    for table in ("audit_records", "chain_heads"):
        connection.execute(f"DELETE FROM {table} WHERE device_id = ? AND sequence = ?",
                           (device.name, device.sequence))
    connection.commit()
    connection.close()
    try:
        Ledger(copy / "edgesentry.db").check(device, device.sequence, 0)
    except Lost:
        return
    raise AssertionError("the check does not see a lost record")


def main():
    bridge()
    chance = random.Random(int(os.environ.get("EDS_SEED", "1")))
    devices = [Device(f"lift-{n}", n) for n in range(DEVICES)]
    arguments = [device.argument() for device in devices]
    fates = {"accepted": 0, "duplicate": 0}
    acknowledged_in_all = 0
    with tempfile.TemporaryDirectory(prefix="eds-kill9-") as name:
        folder = pathlib.Path(name)
        ledger = Ledger(folder / "data" / "edgesentry.db")
        server = Server(folder, arguments)
        for cycle in range(CYCLES):
            senders = [Sender(device, server.port) for device in devices]
            before = [device.sequence for device in devices]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.01, 0.2))
            server.end(signal.SIGKILL)
            for sender in senders:
                sender.join()
                if sender.fault:
                    raise Lost(sender.fault)
            server = Server(folder, arguments)
            for sender, start in zip(senders, before):
                acknowledged_in_all += sender.acknowledged
                in_flight = 1 if sender.unsure else 0
                ledger.check(sender.device, start + sender.acknowledged, in_flight)
                if sender.unsure:
                    fates[send_again(server.port, sender)] += 1
                    ledger.check(sender.device, sender.device.sequence, 0)
            records = ledger.check_log()
        code, out = server.end(signal.SIGTERM)
        assert code == 0, out
        done = eds("ledger", "verify", "--data-dir", str(folder / "data"), *arguments)
        if done.returncode != 0:
            raise Lost(done.stdout.decode() + done.stderr.decode())
        check_the_check(folder, ledger, devices[0])
    assert acknowledged_in_all > CYCLES, "there was no load"
    print(f"{CYCLES} kills: {acknowledged_in_all} records acknowledged, {records} stored, 0 lost; "
          f"of those in flight {fates['duplicate']} were stored and {fates['accepted']} were not")


if __name__ == "__main__":
    try:
        main()
    except Lost as lost:
        sys.exit(f"LOST: {lost}")
