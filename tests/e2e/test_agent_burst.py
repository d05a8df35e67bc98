#!/usr/bin/env python3
"""Lines that come to eds audit agent together are recorded together, and each is still
answered for itself: in its place, refused or kept, also where only some have room."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import EDS, await_that  # noqa: E402


class Agent:
    """An agent that listens to a socket."""

    def __init__(self, folder, name, *more):
        self.socket = folder / f"{name}.socket"
        self.log = open(folder / f"{name}.log", "ab")
        self.process = subprocess.Popen(
            [EDS, "audit", "agent", "--device-id", "lift-01", "--key-file", folder / "key.json",
             "--buffer", folder / f"{name}.db", "--listen", self.socket, "--json", *more],
            stdout=subprocess.PIPE, stderr=self.log)
        await_that(lambda: self.listens() or self.process.poll() is not None, "the socket")
        assert self.process.poll() is None, "it ended"

    def listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def ask(self, lines):
        """Gives it the lines at once; its answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(120)
            client.connect(str(self.socket))
            client.sendall(b"".join(line + b"\n" for line in lines))
            client.shutdown(socket.SHUT_WR)
            said = b""
            while piece := client.recv(65536):
                said += piece
        return said.decode().splitlines()

    def writes(self):
        io = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(io.split("syscw: ")[1].split()[0])

    def end(self):
        self.process.terminate()
        out, _ = self.process.communicate(timeout=120)
        self.log.close()
        return json.loads(out.splitlines()[-1])


def test_each_is_answered(folder):
    lines = [b"normal reading %d" % n for n in range(600)]
    lines[0] = b"nonsense in front"
    lines[100] = b"nonsense in the middle"
    lines[101] = b"alarm " + b"x" * (1 << 20)  # too long with its class
    lines[300] = b"alarm door forced"
    lines[599] = b"noclass"
    lines.insert(200, b"")
    agent = Agent(folder, "classes", "--class", "line")
    said = agent.ask(lines)
    expected, sequence = [], 0
    for line in lines:
        if not line:
            continue
        is_kept = line.startswith((b"normal ", b"alarm ")) and len(line) < (1 << 20)
        sequence += is_kept
        expected.append(f"OK {sequence}" if is_kept else "ERROR ")
    assert len(said) == len(expected), (len(said), len(expected))
    for number, (got, wanted) in enumerate(zip(said, expected)):
        assert got == wanted or (wanted == "ERROR " and got.startswith(wanted)), (number, got)
    done = agent.end()
    assert done["recorded"] == done["waiting"] == sequence == 596, done


def test_no_room_for_all(folder):
    agent = Agent(folder, "full", "--buffer-size-max", "65536")
    said = agent.ask([b"reading %d" % n for n in range(500)])
    kept = [line for line in said if line.startswith("OK ")]
    assert kept == [f"OK {n + 1}" for n in range(len(kept))], kept[-3:]
    assert said[:len(kept)] == kept and len(said) == 500
    assert all("full" in line for line in said[len(kept):]), said[-1]
    assert 100 < len(kept) < 400, len(kept)
    assert agent.end()["waiting"] == len(kept)


def test_fewer_writes(folder):
    agent = Agent(folder, "many")
    assert agent.ask([b"first"]) == ["OK 1"]
    begun = agent.writes()
    said = agent.ask([b"reading"] * 2000)
    count = agent.writes() - begun
    assert said == [f"OK {n + 2}" for n in range(2000)], said[-1]
    assert count < 2000, count  # one by one each takes several
    agent.end()
    return count


def main():
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        subprocess.run([EDS, "keygen", "--out", folder / "key.json"], check=True,
                       stderr=subprocess.DEVNULL)
        test_each_is_answered(folder)
        test_no_room_for_all(folder)
        print(f"2000 records with {test_fewer_writes(folder)} writes")


main()
