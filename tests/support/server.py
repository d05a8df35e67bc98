"""server.py - a server of our own for a test, on a free port."""

import contextlib
import os
import signal
import subprocess
import time

EDS = os.environ["EDS"]


@contextlib.contextmanager
def serve(data_dir, *devices, store=None, objects=None):
    """Runs eds audit serve; yields its URL and ends it as an operator would.
    With a store's URL data_dir only names the files of this function."""
    port_file = os.path.abspath(data_dir) + ".port"
    log = open(os.path.abspath(data_dir) + ".log", "wb")
    process = subprocess.Popen(
        [EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--port-file", port_file,
         "--admin-addr", "off",
         *(["--store", store] if store else ["--data-dir", data_dir]), *(["--objects", objects] if objects else []),
         *(word for device in devices for word in ("--device", device))],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not os.path.exists(port_file):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start: " + open(log.name).read())
            time.sleep(0.02)
        with open(port_file, encoding="ascii") as file:
            yield "http://127.0.0.1:" + file.read().strip()
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=120) != 0:
            raise RuntimeError("the server failed: " + open(log.name).read())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()
        for path in (port_file, log.name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def has_server():
    return subprocess.run([EDS, "audit", "serve", "--help"], capture_output=True,
                          check=False).returncode == 0
