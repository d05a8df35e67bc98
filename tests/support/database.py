"""database.py - a PostgreSQL server of a test's own, on a free port."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile

POSTGRES = os.path.join(os.environ["EDS_SOURCE"], "tests/support/postgres.sh")


def has_postgres():
    done = subprocess.run([os.environ["EDS"], "--version", "--json"], capture_output=True,
                          check=True)
    return json.loads(done.stdout)["features"]["postgres"] == "on"


@contextlib.contextmanager
def database():
    """Yields its place (for postgres.sh) and its URL; None if there is no PostgreSQL here."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = f"{folder}/pg"
        started = subprocess.run([POSTGRES, "start", place, str(os.getpid())],
                                 stdout=subprocess.PIPE, check=False)
        if started.returncode == 77:
            print("no PostgreSQL:", started.stdout.decode().strip())
            yield None, None
            return
        if started.returncode != 0:
            sys.exit("PostgreSQL did not start")
        try:
            yield place, f"postgresql://eds@127.0.0.1:{int(started.stdout)}/postgres"
        finally:
            subprocess.run([POSTGRES, "remove", place], check=True)
