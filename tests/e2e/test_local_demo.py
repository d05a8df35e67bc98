#!/usr/bin/env python3
# label: slow
"""scripts/local_demo.sh: shows what it says, asks for nothing where nobody is, and
leaves nothing behind; on a terminal it waits for Enter after each step."""

import os
import pathlib
import pty
import select
import subprocess
import sys
import tempfile
import time

EDS = os.environ["EDS"]
SCRIPT = os.path.join(os.environ["EDS_SOURCE"], "scripts/local_demo.sh")


def check(text):
    for expected in ("[1/7] CLOUD BACKEND: ", "[3/7] EDGE DEVICE: ", "[4/7] EDGE GATEWAY: ",
                     "[7/7] CLOUD BACKEND: ", "SEND_COMPLETE: accepted=3 duplicate=0 rejected=0",
                     "payload hash mismatch for device=lift-01 sequence=2",
                     "|Accepted|lift-01|3|ingest accepted", "|Rejected|lift-01|2|",
                     "s3://bucket/lift-01/", "LEDGER_VALID", "3 payloads",
                     "Done: 3 records accepted, 1 refused, 3 objects kept"):
        assert expected in text, f"'{expected}' is not in:\n{text}"


def on_a_terminal(environment):
    """Types Enter whenever it is asked for."""
    text, asked = "", 0
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(SCRIPT, [SCRIPT, EDS], environment)
    while True:
        assert select.select([terminal], [], [], 300)[0], f"it waits for something else:\n{text}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # it has closed its end
            break
        if not piece:
            break
        text += piece.decode()
        if text.count("Press Enter to continue: ") > asked:
            asked += 1
            os.write(terminal, b"\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert asked == 6, (asked, text)
    return text


def main():
    with tempfile.TemporaryDirectory(prefix="eds-demo-") as folder:
        os.chmod(folder, 0o755)
        environment = {**os.environ, "TMPDIR": folder}
        done = subprocess.run([SCRIPT, EDS], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=500, check=False, env=environment)
        text = done.stdout.decode()
        if done.returncode == 77:
            print("skipped:", done.stderr.decode().strip())
            return 77
        assert done.returncode == 0, (done.returncode, text, done.stderr.decode())
        check(text)
        assert "Press Enter" not in text
        check(on_a_terminal(environment).replace("\r\n", "\n"))
        assert not os.listdir(folder), os.listdir(folder)
        for _ in range(600):  # what watches over the services looks once a second
            running = [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                       if folder.encode() in read(path)]
            if not running:
                break
            time.sleep(0.1)
        assert not running, running
    return 0


def read(path):
    try:
        return path.read_bytes() + (path.parent / "environ").read_bytes()
    except OSError:
        return b""


sys.exit(main())
