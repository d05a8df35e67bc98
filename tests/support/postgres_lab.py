"""A PostgreSQL server of a test's own."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

POSTGRES = os.path.join(os.environ["EDS_SOURCE"], "tests/support/postgres.sh")


@contextlib.contextmanager
def database():
    """Yields the server's directory and a URL; skips the test where there is no
    PostgreSQL, in the build or on the machine."""
    version = json.loads(subprocess.run([os.environ["EDS"], "--version", "--json"],
                                        capture_output=True, check=True).stdout)
    if version["features"]["postgres"] != "on":
        print("skipped: this build has no PostgreSQL")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        place = f"{folder}/pg"
        started = subprocess.run([POSTGRES, "start", place, str(os.getpid())],
                                 stdout=subprocess.PIPE, check=False)
        if started.returncode == 77:
            print("skipped:", started.stdout.decode().strip())
            sys.exit(77)
        assert started.returncode == 0
        try:
            yield place, f"postgresql://eds@127.0.0.1:{int(started.stdout)}/postgres"
        finally:
            subprocess.run([POSTGRES, "remove", place], check=True)


def sql(place, text):
    """Runs statements and returns what they answer, one row a line."""
    return subprocess.run([POSTGRES, "sql", place, text], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()


def stop(place, mode):
    subprocess.run([POSTGRES, "stop", place, mode], check=True)


def start(place):
    subprocess.run([POSTGRES, "up", place], check=True)
