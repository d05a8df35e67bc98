#!/usr/bin/env python3
"""kill -9 of a server on SQLite, EDS_KILL_CYCLES times (10): tests/support/kill9.py."""
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import kill9  # noqa: E402
from ledger_lab import Ledger, Lost, SqliteTables  # noqa: E402


def check_the_check(folder, device):
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
        Ledger(SqliteTables(copy / "edgesentry.db")).check([(device, device.sequence, 0)])
    except Lost:
        return
    raise AssertionError("the check does not see a lost record")


def main():
    with tempfile.TemporaryDirectory(prefix="eds-kill9-") as name:
        folder = pathlib.Path(name)
        devices = kill9.run(folder, SqliteTables(folder / "data" / "edgesentry.db"),
                            int(os.environ.get("EDS_KILL_CYCLES", "10")), [])
        check_the_check(folder, devices[0])


if __name__ == "__main__":
    try:
        main()
    except Lost as lost:
        sys.exit(f"LOST: {lost}")
