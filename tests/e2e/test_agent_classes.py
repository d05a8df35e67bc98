#!/usr/bin/env python3
"""How urgent what an agent records is: by option, line and spool; what a full buffer
keeps room for; and payloads that were given up, from the device to ledger verify."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from agent_lab import DEVICE, EDS, PATIENCE_S, Lab, check, end  # noqa: E402
from eds_lab import await_that  # noqa: E402
from server import has_server, serve  # noqa: E402



def start(lab, buffer, *more):
    return lab.agent(lab.root / buffer, *more, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Door:
    """An agent that takes lines at a socket."""

    def __init__(self, lab, buffer, *more):
        self.path = lab.root / "socket"
        self.process = start(lab, buffer, "--listen", self.path, *more)
        self.client = socket.socket(socket.AF_UNIX)
        await_that(lambda: self.client.connect_ex(str(self.path)) == 0, "the socket")
        self.answers = self.client.makefile("rb")

    def say(self, line):
        self.client.sendall(line.encode() + b"\n")
        return self.answers.readline().decode().rstrip("\n")

    def fill(self, front, size):
        """Says lines until one is refused: how many were taken, and the refusal."""
        for count in range(10000):
            answer = self.say(front + "x" * size)
            if not answer.startswith("OK "):
                return count, answer
        raise AssertionError("it is never full")

    def end(self):
        self.client.close()
        self.process.terminate()
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return out.decode().splitlines()[-1]


def test_reserve(lab):
    """Each class has room of its own when the ones below it have none."""
    door = Door(lab, "reserve.db", "--class", "line", "--buffer-size-max", "100000", "--reserve",
                "10")
    counts = []
    for name in ("low", "normal", "high", "alarm"):
        count, answer = door.fill(name + " ", 800)
        counts.append(count)
        check(f"{name} is refused", f"priority {name}" in answer or name == "alarm", True)
    check("low has the most", counts[0] > 60, True)
    check("each has a tenth", [8 <= count <= 12 for count in counts[1:]], [True] * 3)
    for line in ("urgent x", "alarm", "", " x"):
        if line:
            check(f"line {line!r}", door.say(line)[:35], "ERROR a line begins with its class ")
    door.end()


def test_dropped(lab):
    """A payload that found no room is a note, which the server takes and verify tells."""
    door = Door(lab, "dropped.db", "--drop-payloads-below", "high", "--buffer-size-max", "40000",
                "--reserve", "10")
    count, answer = door.fill("", 3000)
    check("the end", answer.startswith("ERROR the offline buffer is full"), True)
    check("summary", door.end().startswith(f"AGENT_COMPLETE: recorded={count} delivered=0 "), True)
    with serve(str(lab.root / "data"), lab.key) as url:
        agent = start(lab, "dropped.db", "--url", url, "--wait", str(PATIENCE_S))
        out, _ = agent.communicate(b"", timeout=2 * PATIENCE_S)
        check("delivered", (agent.returncode, out.decode().splitlines()[-1]),
              (0, f"AGENT_COMPLETE: recorded=0 delivered={count} waiting=0 dead=0"))
    verify = subprocess.run([EDS, "audit", "ledger", "verify", "--data-dir", lab.root / "data",
                             "--device", lab.key], capture_output=True, check=False)
    check("valid", (verify.returncode, verify.stdout), (0, b"LEDGER_VALID\n"))
    told = re.findall(r"note: device=lift-01 sequence=(\d+) stands for a payload that is not kept: "
                      r"BLAKE3 ([0-9a-f]{64}), 3000 bytes, priority normal: the buffer was full\n",
                      verify.stderr.decode())
    check("some were given up", 0 < len(told) < count, True)
    check("in order", [int(sequence) for sequence, _ in told],
          list(range(count - len(told) + 1, count + 1)))
    subprocess.run([EDS, "audit", "export", "--data-dir", lab.root / "data", "--device-id", DEVICE,
                    "--out", lab.root / "records.json"], check=True, stderr=subprocess.DEVNULL)
    first = json.loads((lab.root / "records.json").read_text())[0]
    check("the hash is the payload's", {digits for _, digits in told},
          {bytes(first["payload_hash"]).hex()})  # all payloads were the same
    verify = subprocess.run([EDS, "audit", "ledger", "verify", "--data-dir", lab.root / "data",
                             "--device", lab.key, "--json"], capture_output=True, check=True)
    check("counted", json.loads(verify.stdout)["payload_dropped_count"], len(told))


def test_spool(lab):
    """Files of urgent classes first, and the older ones of those."""
    spool = lab.root / "spool"
    for name in ("low/old", "reading", "alarm/second", "alarm/first", "high/.part", "other/x"):
        (spool / name).parent.mkdir(parents=True, exist_ok=True)
        (spool / name).write_text(name)
    for age, name in enumerate(("alarm/second", "alarm/first", "reading", "low/old")):
        os.utime(spool / name, (1700000000 - age, 1700000000 - age))
    agent = start(lab, "spool.db", "--spool", spool)
    lines = [agent.stdout.readline().decode().split("file=")[-1].strip() for _ in range(4)]
    check("order", lines, ["alarm/first", "alarm/second", "reading", "low/old"])
    (spool / "high/late").write_text("late")
    check("later", agent.stdout.readline().decode().split("file=")[-1].strip(), "high/late")
    agent.terminate()
    agent.communicate(timeout=PATIENCE_S)
    left = sorted(str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file())
    check("left alone", left, ["high/.part", "other/x"])


def test_usage(lab):
    for words in (("--class", "urgent"), ("--reserve", "31"), ("--reserve", "x"),
                  ("--drop-payloads-below", "line"), ("--class", "line", "--spool", "/tmp")):
        agent = start(lab, "usage.db", *words)
        agent.communicate(b"", timeout=PATIENCE_S)
        check(f"usage of {words}", agent.returncode, 64)


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as root:
        lab = Lab(root)
        for test in (test_usage, test_reserve, test_dropped, test_spool):
            test(lab)
    end()


main()
