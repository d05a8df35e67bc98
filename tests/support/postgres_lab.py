"""A PostgreSQL server of a test's own."""
import contextlib
import subprocess
import sys

from database import POSTGRES, has_postgres
from database import database as database_if_any


@contextlib.contextmanager
def database():
    """Yields the server's directory and a URL; skips the test where there is no
    PostgreSQL, in the build or on the machine."""
    if not has_postgres():
        print("skipped: this build has no PostgreSQL")
        sys.exit(77)
    with database_if_any() as (place, url):
        if url is None:
            sys.exit(77)
        yield place, url


def sql(place, text):
    """Runs statements and returns what they answer, one row a line."""
    return subprocess.run([POSTGRES, "sql", place, text], stdout=subprocess.PIPE,
                          check=True).stdout.decode().strip()


def stop(place, mode):
    subprocess.run([POSTGRES, "stop", place, mode], check=True)


def start(place):
    subprocess.run([POSTGRES, "up", place], check=True)
