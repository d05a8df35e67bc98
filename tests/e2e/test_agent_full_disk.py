#!/usr/bin/env python3
# label: slow
"""An agent whose disk has one megabyte and nothing left: it records nothing more, loses
nothing, goes on as soon as there is room, and a server that takes what waits is room.

In a mount namespace of its own: as root, or where users may have namespaces.
EDS_TEST_ROUNDS says how often (1)."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import own_mounts  # noqa: E402
from agent_lab import PATIENCE_S, Lab  # noqa: E402
from ports import free_port  # noqa: E402
from server import has_server  # noqa: E402

LINE = "x" * 1500


class Agent:
    """An agent with lines at its standard input."""

    def __init__(self, lab, lines, *more):
        self.path = lab.root / "lines"
        self.path.write_text("".join(f"{number} {LINE}\n" for number in lines))
        self.out = lab.root / "out"
        self.err = lab.root / "err"
        with open(self.path) as stdin, open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = lab.agent(lab.buffer, *more, stdin=stdin, stdout=out, stderr=err)

    def recorded(self):
        return self.out.read_text().count("RECORDED:")

    def wait(self, what, holds):
        begin = time.monotonic()
        while not holds():
            if self.process.poll() is not None and not holds():
                sys.exit(f"{what}: the agent ended: {self.err.read_text()[-600:]}")
            if time.monotonic() - begin > PATIENCE_S:
                sys.exit(f"{what}: not after {PATIENCE_S} s, {self.recorded()} recorded: "
                         f"{self.err.read_text()[-600:]}")
            time.sleep(0.02)
        return time.monotonic() - begin

    def until_full(self):
        self.wait("full", lambda: "trying again" in self.err.read_text())
        return self.recorded()

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)


class SmallDisk(Lab):
    """A device whose buffer is on a disk of one megabyte."""

    def __init__(self, root, url):
        super().__init__(root)
        self.disk = self.root / "disk"
        self.disk.mkdir()
        own_mounts.small_disk(self.disk)
        self.buffer = url.format(disk=self.disk)
        self.port = free_port()
        self.url = ["--url", f"http://127.0.0.1:{self.port}", "--wait", str(PATIENCE_S)]
        self.ballast = self.disk / "ballast"

    def fill(self, size):
        """As much of the disk as there is, up to size bytes."""
        try:
            with open(self.ballast, "wb", buffering=0) as file:
                while size > 0:
                    size -= file.write(b"b" * min(size, 4096)) or sys.maxsize
        except OSError:
            pass

    def serve(self):
        return super().serve(port=self.port)

    def check(self, count):
        """All lines are with the server: each once, in order, in a chain that holds."""
        self.stop()
        numbers = [int(payload.split()[0]) for payload in self.payloads()]
        if numbers != list(range(count)):
            sys.exit(f"the server has {len(numbers)} of {count} lines, or in another order")

    def close(self):
        subprocess.run(["umount", self.disk], check=True)


def drained(url):
    """The buffer itself fills the disk; then a server comes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        lab = SmallDisk(root, url)
        count = 900
        agent = Agent(lab, range(count))
        full = agent.until_full()
        agent.end()
        if agent.recorded() != full or full == 0:
            sys.exit(f"{url}: {full} records were told, then {agent.recorded()}")
        # The last line read was not told and is not there: it comes again.
        lab.serve()
        agent = Agent(lab, range(full, count), *lab.url)
        agent.wait("drained", lambda: agent.process.poll() is not None)
        if agent.process.returncode != 0 or agent.recorded() != count - full:
            sys.exit(f"{url}: exit {agent.process.returncode}: {agent.err.read_text()[-600:]}")
        lab.check(count)
        lab.close()
        print(f"{url.split(':')[0]}: full after {full} records, then {count} of {count} delivered")


def drained_alive(url):
    """The same while the agent lives on, and the server comes late."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        lab = SmallDisk(root, url)
        count = 700
        agent = Agent(lab, range(count), *lab.url)
        full = agent.until_full()
        lab.serve()
        agent.wait("drained", lambda: agent.process.poll() is not None)
        if agent.process.returncode != 0 or agent.recorded() != count:
            sys.exit(f"{url}: exit {agent.process.returncode}: {agent.err.read_text()[-600:]}")
        lab.check(count)
        lab.close()
        print(f"{url.split(':')[0]}: full after {full} records, and went on by itself")


def freed(url):
    """Somebody else fills the disk and frees it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        lab = SmallDisk(root, url)
        count = 120
        agent = Agent(lab, range(2))
        agent.wait("begin", lambda: agent.recorded() == 2)
        agent.process.wait(timeout=PATIENCE_S)
        lab.fill(sys.maxsize)
        agent = Agent(lab, range(2, count))
        before = agent.until_full()
        lab.ballast.unlink()
        seconds = agent.wait("freed", lambda: agent.recorded() > before)
        agent.wait("all", lambda: agent.process.poll() is not None)
        lab.serve()
        agent = Agent(lab, range(0), *lab.url)
        agent.wait("delivered", lambda: agent.process.poll() is not None)
        lab.check(count)
        lab.close()
        print(f"{url.split(':')[0]}: went on {seconds:.2f} s after there was room")


def does_not_matter(url):
    """A log has its file in full from the beginning: nobody takes its room."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        lab = SmallDisk(root, url)
        agent = Agent(lab, range(1))
        agent.wait("begin", lambda: agent.process.poll() is not None)
        lab.fill(sys.maxsize)
        agent = Agent(lab, range(1, 100))
        agent.wait("recorded", lambda: agent.process.poll() is not None)
        if agent.recorded() != 99:
            sys.exit(f"{url}: {agent.recorded()} of 99: {agent.err.read_text()[-600:]}")
        other = Agent(lab, range(1), "--buffer", f"log:{lab.disk}/other?size=262144")
        if other.process.wait(timeout=PATIENCE_S) == 0 or (lab.disk / "other").exists():
            sys.exit("a log was made on a full disk")
        lab.ballast.unlink()
        lab.serve()
        agent = Agent(lab, range(0), *lab.url)
        agent.wait("delivered", lambda: agent.process.poll() is not None)
        lab.check(100)
        lab.close()
        print(f"{url.split(':')[0]}: 99 records on a full disk")


def main():
    if not has_server():
        print("skipped: this build has no server")
        sys.exit(77)
    sqlite, log = "sqlite:{disk}/buffer.db", "log:{disk}/buffer.log?size=786432"
    for _ in range(int(os.environ.get("EDS_TEST_ROUNDS", "1"))):
        for url in (sqlite, log):
            drained(url)
            drained_alive(url)
        freed(sqlite)
        does_not_matter(log)


own_mounts.enter()
main()
