#!/usr/bin/env python3
"""Power cuts under load on SQLite, on a real file system: the server is stopped
where it stands, ext4 in a file of its own shut down without another write, the
server killed, the file system mounted again.  What was acknowledged is there:
tests/support/kill9.py.

The server is stopped first because a power cut stops it too: a process that runs
on beside the shutdown was told of syncs that the aborted journal never held.

EDS_POWER_CUTS says how often (3).  Needs root and loop devices."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import kill9  # noqa: E402
from eds_lab import skip  # noqa: E402
from ledger_lab import Lost, SqliteTables  # noqa: E402

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2
SIZE = 256 << 20  # bytes
MKFS = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Disk:
    """A file system in a file, mounted at folder/data."""

    def __init__(self, folder):
        self.image = folder / "disk"
        self.place = folder / "data"
        self.place.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(SIZE)
        subprocess.run([MKFS, "-q", "-F", str(self.image)], check=True)

    def mount(self):
        return subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)],
                              capture_output=True, check=False)

    def unmount(self):
        subprocess.run(["umount", str(self.place)], check=True)

    def cut(self):
        """From now on nothing reaches the disk, and nothing more is in its journal."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def strike(self, server):
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.03)  # its last calls come back before the disk goes
        self.cut()
        server.end(signal.SIGKILL)
        self.unmount()
        done = self.mount()
        if done.returncode != 0:
            raise Lost("the file system does not come back: " + done.stderr.decode())


def main():
    if MKFS is None:
        skip("mkfs.ext4 is not installed")
    if os.geteuid() != 0:
        skip("only root can mount a file system")
    with tempfile.TemporaryDirectory(prefix="eds-power-") as name:
        folder = pathlib.Path(name)
        disk = Disk(folder)
        done = disk.mount()
        if done.returncode != 0:
            skip("no loop device: " + done.stderr.decode().strip())
        try:
            kill9.run(folder, SqliteTables(disk.place / "edgesentry.db"),
                      int(os.environ.get("EDS_POWER_CUTS", "3")), [], disk.strike)
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                disk.unmount()


if __name__ == "__main__":
    try:
        main()
    except Lost as lost:
        sys.exit(f"LOST: {lost}")
