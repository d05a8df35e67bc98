#!/usr/bin/env python3
# label: slow
"""An agent whose disk fails: for a while every block that is read or written ends with
EIO.  What the agent has told to be recorded is there when the disk is well again, goes on
in the same chain, and reaches a server once and in order.

As root, with nbdkit and nbdfuse, which make such a disk; in a mount namespace of its own.
EDS_TEST_ROUNDS says how often (1)."""
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import own_mounts  # noqa: E402
from agent_lab import PATIENCE_S, Lab  # noqa: E402
from eds_lab import await_that  # noqa: E402
from server import has_server  # noqa: E402

BEFORE, AFTER = 300, 1000  # lines, at least


class Disk:
    """64 MiB that fail while there is a file `inject`."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.place = self.root / "disk"
        self.inject = self.root / "inject"
        self.loop = None
        self.helpers = []

    def make(self):
        """Ends the test where a machine has no such disks."""
        front = self.root / "front"
        for folder in (self.place, front):
            folder.mkdir()
        socket = self.root / "socket"
        self.start("nbdkit", "-f", "-U", socket, "--filter=error", "memory", "64M", "error=EIO",
                   "error-rate=100%", f"error-file={self.inject}")
        await_that(socket.exists, "nbdkit")
        self.start("nbdfuse", front / "block", f"nbd+unix:///?socket={socket}")
        await_that(lambda: (front / "block").exists() or self.helpers[-1].poll() is not None,
                   "nbdfuse")
        made = subprocess.run(["losetup", "--show", "-f", front / "block"], check=False,
                              capture_output=True, text=True)
        if made.returncode != 0:
            print(f"skipped: no loop device: {made.stderr.strip()} "
                  f"{(self.root / 'helpers.log').read_text().strip()}")
            sys.exit(77)
        self.loop = made.stdout.strip()
        subprocess.run(["mkfs.ext4", "-q", self.loop], check=True)
        self.mount()

    def start(self, *words):
        with open(self.root / "helpers.log", "ab") as log:
            self.helpers.append(subprocess.Popen(words, stdout=log, stderr=log))

    def mount(self):
        subprocess.run(["mount", self.loop, self.place], check=True)

    def fail(self):
        self.inject.touch()

    def heal(self):
        self.inject.unlink()
        subprocess.run(["umount", self.place], check=True)
        # The journal is read by e2fsck; 1: it has mended something.
        code = subprocess.run(["e2fsck", "-p", self.loop], capture_output=True,
                              check=False).returncode
        if code not in (0, 1):
            sys.exit(f"e2fsck: exit {code}")
        self.mount()

    def close(self):
        self.inject.unlink(missing_ok=True)
        subprocess.run(["umount", "-l", self.place], check=False, stderr=subprocess.DEVNULL)
        if self.loop is not None:
            subprocess.run(["losetup", "-d", self.loop], check=False)
        for helper in reversed(self.helpers):
            helper.terminate()
            helper.wait(timeout=PATIENCE_S)


class Agent:
    """One that gets lines while somebody looks at what it has told."""

    def __init__(self, lab, buffer, *more):
        self.out, self.err = lab.root / "out", lab.root / "err"
        with open(self.out, "w", encoding="utf-8") as out, \
                open(self.err, "w", encoding="utf-8") as err:
            self.process = lab.agent(buffer, *more, stdin=subprocess.PIPE, stdout=out, stderr=err)

    def give(self, numbers):
        """False if the agent has gone."""
        try:
            for number in numbers:
                self.process.stdin.write(f"line {number}\n".encode())
                self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def told(self):
        return self.out.read_text(encoding="utf-8").count("RECORDED:")

    def has_complained(self):
        return self.process.poll() is not None or "error" in self.err.read_text(encoding="utf-8")


def bad_disk(url):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        lab = Lab(root)
        disk = Disk(root)
        try:
            disk.make()
            buffer = url.format(disk=disk.place)
            agent = Agent(lab, buffer)
            giver = threading.Thread(target=agent.give, args=(itertools.count(),), daemon=True)
            giver.start()
            await_that(lambda: agent.told() >= BEFORE, "the lines before")
            assert not agent.has_complained(), agent.err.read_text()
            disk.fail()
            await_that(agent.has_complained, "a complaint about the disk")
            agent.process.kill()
            agent.process.wait()
            giver.join()
            told = agent.told()
            count = told + AFTER
            disk.heal()
            port = lab.serve()
            agent = Agent(lab, buffer, "--url", f"http://127.0.0.1:{port}", "--wait",
                          str(PATIENCE_S))
            assert agent.give(range(told, count)), agent.err.read_text()
            agent.process.communicate(timeout=PATIENCE_S)
            assert agent.process.returncode == 0, agent.err.read_text()[-600:]
            lab.stop()
            numbers = [int(payload.split()[1]) for payload in lab.payloads()]
            # What was stored and could not be told any more comes twice: once as it was.
            kept = len(numbers) - count
            assert 0 <= kept and numbers == [*range(told + kept), *range(told, count)], (
                told, kept, numbers[:told + kept + 3])
            print(f"{url.split(':')[0]}: {told} told when the disk failed, {kept} kept untold, "
                  f"{count} of {count} delivered")
        finally:
            disk.close()


def main():
    if not has_server():
        print("skipped: this build has no server")
        sys.exit(77)
    for _ in range(int(os.environ.get("EDS_TEST_ROUNDS", "1"))):
        for url in ("sqlite:{disk}/buffer.db", "log:{disk}/buffer.log?size=8388608"):
            bad_disk(url)


if os.geteuid() != 0 or not os.path.exists("/dev/fuse") or \
        any(shutil.which(name) is None for name in ("nbdkit", "nbdfuse", "losetup", "mkfs.ext4")):
    print("skipped: a disk that fails needs root, /dev/fuse, nbdkit and nbdfuse "
          "(apt-get install nbdkit libnbd-bin fuse3)")
    sys.exit(77)
own_mounts.enter()
main()
