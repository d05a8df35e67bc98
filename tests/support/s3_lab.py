"""s3_lab.py - an S3 service of a test's own, by rgw.sh and s3.py."""

import contextlib
import os
import subprocess
import sys
import tempfile

import s3

RGW = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rgw.sh")


class Gateway:
    def __init__(self, place, port):
        self.place, self.port = place, port
        self.endpoint = f"http://127.0.0.1:{port}"

    def do(self, command):
        """kill, pause, resume or up: see rgw.sh."""
        subprocess.run([RGW, command, self.place], check=True)

    def keys(self, bucket, prefix=""):
        return s3.list_keys(self.port, bucket, prefix)

    def get(self, bucket, key):
        status, _, content = s3.request(self.port, "GET", f"/{bucket}/{key}")
        assert status == 200, (status, content)
        return content

    def put(self, bucket, key, content):
        """Replaces what is there."""
        status, _, answer = s3.request(self.port, "PUT", f"/{bucket}/{key}", body=content)
        assert status == 200, (status, answer)


@contextlib.contextmanager
def gateway(*buckets):
    """Yields a service with these buckets, and lets our own client find its keys.
    Ends the program with 77 and a reason where there is none."""
    with tempfile.TemporaryDirectory(prefix="eds-s3-") as place:
        done = subprocess.run([RGW, "start", place, str(os.getpid())], stdout=subprocess.PIPE,
                              check=False)
        if done.returncode == 77:
            print("skipped:", done.stdout.decode().strip())
            sys.exit(77)
        done.check_returncode()
        os.environ.update(AWS_ACCESS_KEY_ID=s3.ACCESS, AWS_SECRET_ACCESS_KEY=s3.SECRET)
        try:
            here = Gateway(place, int(done.stdout))
            for bucket in buckets:
                s3.make(here.port, bucket)
            yield here
        finally:
            subprocess.run([RGW, "remove", place], check=True)
            os.makedirs(place, exist_ok=True)  # for the one who takes it away
