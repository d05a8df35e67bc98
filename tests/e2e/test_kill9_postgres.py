#!/usr/bin/env python3
"""kill -9 of a server on PostgreSQL, EDS_KILL_CYCLES times (5): tests/support/kill9.py."""
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import kill9  # noqa: E402
from ledger_lab import Lost, PostgresTables  # noqa: E402
from postgres_lab import database  # noqa: E402


def main():
    with database() as (place, url), tempfile.TemporaryDirectory(prefix="eds-kill9-") as name:
        kill9.run(pathlib.Path(name), PostgresTables(place),
                  int(os.environ.get("EDS_KILL_CYCLES", "5")), ["--store", url])


if __name__ == "__main__":
    try:
        main()
    except Lost as lost:
        sys.exit(f"LOST: {lost}")
