#!/usr/bin/env python3
"""eds audit agent while its clock is wrong: 1970 after the start, then right, 30 days
ahead, set back by years and put right again, and the power cut in between.  Records flow
to a real server meanwhile: each once, in order, none before the one before it, and notes
in the chain say what the clock did."""
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import BUILD, EDS, Server, skip  # noqa: E402
from server import has_server  # noqa: E402

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
DEVICE = "lift-01"
DAY_MS = 86400 * 1000
FLOOR_MS = int(re.search(r"EDS_BUILD_FLOOR_MS (\d+)u",
                         (SOURCE / "src/device/agent_clock.h").read_text()).group(1))


def now_ms():
    return int(time.time() * 1000)


class Clock:
    """The agent's: the machine's and an offset."""

    def __init__(self, folder):
        self.path = folder / "clock"
        self.library = folder / "clock_shim.so"
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", self.library,
                        SOURCE / "tests/e2e/clock_shim.c"], check=True)
        self.path.write_bytes(struct.pack("qq", 0, 0))

    def step(self, offset_ms, is_synchronized):
        with open(self.path, "r+b", buffering=0) as file:  # in place: the agent has it mapped
            file.write(struct.pack("qq", offset_ms, is_synchronized))

    def environment(self):
        return {**os.environ, "LD_PRELOAD": str(self.library), "CLOCK_SHIM": str(self.path)}


class Agent:
    def __init__(self, folder, url, clock):
        self.log = open(folder / "agent.log", "ab")
        self.process = subprocess.Popen(
            [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file", folder / "key.json",
             "--buffer", folder / "buffer.db", "--url", url, "--wait", "120"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env=clock.environment())

    def record(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        assert said.startswith(b"RECORDED: "), (text, said)

    def kill(self):
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def finish(self):
        self.process.communicate(timeout=180)
        self.log.close()
        return self.process.returncode


# What the clock does, and what the chain has to say of it: how good the clock is from
# then on, and by how many days it stepped (None: the agent is new and knows of no step).
# Each step is told with the first record after it.
STEPS = [
    ("1970", lambda: -now_ms(), False, "held", None),
    ("the network's time", lambda: 0, True, "synchronized", lambda: now_ms() // DAY_MS),
    ("30 days ahead", lambda: 30 * DAY_MS, False, "free", lambda: 30),
    ("40 days back", lambda: -10 * DAY_MS, False, "held", lambda: -40),
    ("power cut, 1970", lambda: -now_ms(), False, "held", None),
    ("right again", lambda: 0, True, "held", lambda: now_ms() // DAY_MS),
    ("60 days ahead", lambda: 60 * DAY_MS, True, "synchronized", lambda: 60),
]
RECORDS_EACH = 20


def run(folder, clock, url):
    """Records and delivers through all the steps; the payloads in order, and for each step
    its note's expected text."""
    payloads, notes = [], []
    agent = None
    for name, offset, is_synchronized, quality, days in STEPS:
        clock.step(offset(), is_synchronized)
        if agent is None or name.startswith("power cut"):
            if agent is not None:
                agent.kill()
            agent = Agent(folder, url, clock)
        for number in range(RECORDS_EACH):
            payloads.append(f"{name}: {number}")
            agent.record(payloads[-1])
        notes.append((name, len(payloads) - RECORDS_EACH, quality,
                      days() if days is not None else None))
    code = agent.finish()
    assert code == 0, (code, (folder / "agent.log").read_text()[-2000:])
    return payloads, notes


def exported(folder):
    words = ["--device-id", DEVICE, "--out", folder / "records.json", "--payloads-file",
             folder / "payloads.json"]
    subprocess.run([EDS, "audit", "export", "--data-dir", folder / "data", *words], check=True,
                   stderr=subprocess.DEVNULL)
    records = json.loads((folder / "records.json").read_text())
    payloads = json.loads((folder / "payloads.json").read_text())
    return [(record, bytes.fromhex(digits).decode())
            for record, digits in zip(records, payloads, strict=True)]


def check_notes(chain, notes):
    """In front of the first record of each step stands the note that tells of it, and
    there is no other."""
    found, count = {}, 0
    for record, payload in chain:
        if record["object_ref"].startswith("edgesentry:note/"):
            note = json.loads(payload)
            assert note["note"] == "clock", note
            assert count not in found, (found[count], note)
            found[count] = note["text"]
        else:
            count += 1
    assert sorted(found) == [at for _, at, _, _ in notes], (sorted(found), notes)
    for name, at, quality, days in notes:
        said = re.fullmatch(r"(\w+), reads (\d+) ms, stepped by (-?\d+) ms", found[at])
        assert said is not None and said.group(1) == quality, (name, found[at])
        stepped_ms = int(said.group(3))
        if days is None:
            assert stepped_ms == 0, (name, found[at])
        else:  # within a day: the test takes a while
            assert abs(stepped_ms - days * DAY_MS) <= DAY_MS, (name, found[at])


def check_times(chain, begun_ms):
    times = [record["timestamp_ms"] for record, _ in chain]
    assert times == sorted(times), "a record is stamped before the one before it"
    assert times[0] >= FLOOR_MS, times[0]
    by_step = {}
    for record, payload in chain:
        if ": " in payload and not record["object_ref"].startswith("edgesentry:note/"):
            by_step.setdefault(payload.split(": ")[0], []).append(record["timestamp_ms"])
    # While it is behind, time goes on from the last record and not from the clock.
    assert by_step["1970"][-1] < FLOOR_MS + DAY_MS, by_step["1970"]
    assert begun_ms <= by_step["the network's time"][0] < begun_ms + DAY_MS
    ahead_ms = begun_ms + 30 * DAY_MS
    for name in ("30 days ahead", "40 days back", "power cut, 1970", "right again"):
        assert ahead_ms <= by_step[name][0] and by_step[name][-1] < ahead_ms + DAY_MS, name
    # A clock that is right again waits for the chain, and the chain only creeps.
    creeping = by_step["right again"]
    assert creeping[-1] - creeping[0] == RECORDS_EACH - 1, creeping
    assert by_step["60 days ahead"][0] >= begun_ms + 60 * DAY_MS


def main():
    if not has_server():
        skip("this build has no HTTP server")
    if "EDS_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        skip("nothing can be loaded before a sanitizer")
    if now_ms() < FLOOR_MS:
        skip("this machine's own clock is wrong")
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        clock = Clock(folder)
        subprocess.run([EDS, "keygen", "--out", folder / "key.json"], check=True,
                       stderr=subprocess.DEVNULL)
        inspected = subprocess.run([EDS, "inspect-key", "--key-file", folder / "key.json"],
                                   check=True, capture_output=True).stdout
        device = f"{DEVICE}=" + json.loads(inspected)["public_key_hex"]
        server = Server(folder, ["--device", device])
        begun_ms = now_ms()
        payloads, notes = run(folder, clock, server.url)
        server.end(signal.SIGTERM)
        chain = exported(folder)
        taken = [payload for record, payload in chain
                 if not record["object_ref"].startswith("edgesentry:note/")]
        assert taken == payloads, "each once, in order"
        verified = subprocess.run([EDS, "audit", "ledger", "verify", "--data-dir", folder / "data",
                                   "--device", device], capture_output=True, check=False)
        assert verified.stdout == b"LEDGER_VALID\n", verified
        check_notes(chain, notes)
        check_times(chain, begun_ms)
    print(f"{len(payloads)} records through {len(STEPS)} steps of the clock")


main()
