#!/usr/bin/env python3
# label: slow
"""eds audit agent over bad links, and what it drains afterwards.

EDS_TEST_LINK_RECORDS=N (default 150) go over a link that delays each piece by 100 to
300 ms, loses one packet in twenty, breaks connections and goes away, to a server that is
stopped, continued and killed.

EDS_TEST_DRAIN=N records (default 5,000) are kept while there is no server and then
delivered; the same records are brought to another server by eds audit send, in batches of
the same size: a direct load.  Both servers have no rate for a device.  Rates, their ratio
and the agent's memory are printed; from 100,000 on the first rate must be four fifths of
the second, and the memory flat."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from agent_lab import DEVICE, EDS, Lab, check, end, failures  # noqa: E402
from bad_link import BadLink  # noqa: E402
from server import has_server  # noqa: E402



class Links(Lab):
    """A lab whose servers have a folder each, and whose agents speak JSON."""

    def serve(self, data, *more):
        return super().serve(*more, data=data)

    def agent(self, buffer, *more, **options):
        return super().agent(self.root / buffer, "--json", *more, stdout=subprocess.PIPE,
                             **options)

    def export(self, data):
        subprocess.run([EDS, "audit", "export", "--data-dir", self.root / data, "--device-id",
                        DEVICE, "--out", self.root / "records.json", "--payloads-file",
                        self.root / "payloads.json"], check=True, stderr=subprocess.DEVNULL)

    def verify(self, data):
        done = subprocess.run([EDS, "audit", "ledger", "verify", "--data-dir", self.root / data,
                               "--device", self.key], capture_output=True, check=False)
        return done.stdout.decode().strip()

    def exported(self):
        """What export has written: payloads in the order of the chain, without notes."""
        records = json.loads((self.root / "records.json").read_text())
        payloads = json.loads((self.root / "payloads.json").read_text())
        return [bytes.fromhex(digits).decode()
                for record, digits in zip(records, payloads, strict=True)
                if not record["object_ref"].startswith("edgesentry:note/")]


def resident_kib(process):
    """The memory that a process has now, or None when it has ended."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
    except (OSError, AttributeError):
        return None


def drain(lab, buffer, data, count):
    """Delivers what the buffer has to a fresh server; seconds, and the agent's memory over
    that time."""
    port = lab.serve(data, "--rate-per-device", "0")
    begun = time.monotonic()
    agent = lab.agent(buffer, "--url", f"http://127.0.0.1:{port}", "--wait", "86400",
                      stdin=subprocess.DEVNULL)
    memory = []
    while agent.poll() is None:
        memory.append(resident_kib(agent))
        time.sleep(0.02)
    seconds = time.monotonic() - begun
    check("drained", json.loads(agent.stdout.read().splitlines()[-1]),
          {"result": "complete", "recorded": 0, "delivered": count, "waiting": 0, "dead": 0})
    return seconds, [kib for kib in memory if kib is not None]


def load(lab, data, count):
    """Brings the exported records to a fresh server; seconds."""
    port = lab.serve(data, "--rate-per-device", "0")
    begun = time.monotonic()
    sent = subprocess.run([EDS, "audit", "send", "--url", f"http://127.0.0.1:{port}",
                           "--records-file", lab.root / "records.json", "--payloads-file",
                           lab.root / "payloads.json", "--batch", "500", "--json"],
                          capture_output=True, check=False)
    seconds = time.monotonic() - begun
    check("sent", json.loads(sent.stdout.splitlines()[-1])["accepted"], count)
    lab.stop()
    return seconds


def keep(lab, lines):
    """Records while there is no server."""
    begun = time.monotonic()
    agent = lab.agent("drain.db", stdin=subprocess.PIPE)
    out, _ = agent.communicate("".join(lines).encode())
    said = out.splitlines()
    check("kept", json.loads(said[-1])["waiting"], len(lines))
    check("each line is answered, in order", said[:-1],
          [f"RECORDED: sequence={n + 1}".encode() for n in range(len(lines))])
    return time.monotonic() - begun


def test_drain(lab, count):
    """Kept without a server, then all at once."""
    lines = [f"door {i} closed in 2.1 s, brake held {i * 7 % 4000} kg\n" for i in range(count)]
    kept_s = keep(lab, lines)
    is_measured = count >= 100000
    if is_measured:  # for a second round
        shutil.copy(lab.root / "drain.db", lab.root / "again.db")
    drained_s, memory = drain(lab, "drain.db", "drained", count)
    lab.export("drained")
    lab.stop()
    check("drained, once and in order", lab.exported() == [line[:-1] for line in lines], True)
    check("valid", lab.verify("drained"), "LEDGER_VALID")
    sent_s = load(lab, "sent", count)
    rounds = 1
    if is_measured and sent_s / drained_s < 0.8:  # somebody else may have been at work
        more_s, _ = drain(lab, "again.db", "drained-again", count)
        lab.stop()
        drained_s, sent_s = drained_s + more_s, sent_s + load(lab, "sent-again", count)
        rounds = 2
    half = len(memory) // 2
    begun_kib, ended_kib = max(memory[:half], default=0), max(memory[half:], default=0)
    print(f"{count} records: kept {count / kept_s:.0f}/s; drained {rounds * count / drained_s:.0f}/s, "
          f"direct load {rounds * count / sent_s:.0f}/s, ratio {sent_s / drained_s:.2f} "
          f"({rounds} rounds); the agent's memory in the first half {begun_kib} KiB at most, in "
          f"the second {ended_kib}; load average {os.getloadavg()[0]:.1f}")
    if is_measured:
        check("memory", ended_kib < 64 * 1024 and ended_kib < begun_kib + 2048, True)
        check("four fifths", sent_s / drained_s >= 0.8, True)


def test_links(lab, count):
    """A link that loses, delays and goes; a server that stands still and dies."""
    dice = random.Random(815)
    link = BadLink(lab.serve("links"), 4711)
    agent = lab.agent("links.db", "--url", f"http://127.0.0.1:{link.port}", "--wait", "300",
                      stdin=subprocess.PIPE)
    expected = []
    number = -1
    while len(expected) < count or not link.broken:
        number += 1
        expected.append(f"reading {number}")
        agent.stdin.write(expected[-1].encode() + b"\n")
        agent.stdin.flush()
        event = number % 50
        if event == 10:
            link.is_cut = True
        elif event == 20:
            link.is_cut = False
        elif event == 30:
            lab.server.send_signal(signal.SIGSTOP)
        elif event == 35:
            lab.server.send_signal(signal.SIGCONT)
        elif event == 45:
            lab.stop(signal.SIGKILL)
            link.port_behind = lab.serve("links")
        time.sleep(dice.uniform(0, 0.1))
    agent.stdin.close()
    link.is_good = True  # else it may take as long as it likes
    link.is_cut = False
    check("all delivered", agent.wait(timeout=360), 0)
    lab.export("links")
    check("verified", lab.verify("links"), "LEDGER_VALID")
    check("once, in order", lab.exported(), expected)
    lab.stop()
    lines = (lab.root / "agent.log").read_text().count("server_away")
    check("few lines", lines < len(expected), True)
    print(f"{len(expected)} records over a bad link: {link.pieces} pieces, {link.resent} with a packet "
          f"sent again, {link.broken} connections broken")


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as root:
        lab = Links(root)
        test_links(lab, int(os.environ.get("EDS_TEST_LINK_RECORDS", "150")))
        test_drain(lab, int(os.environ.get("EDS_TEST_DRAIN", "5000")))
        if failures:
            print((lab.root / "agent.log").read_text()[-3000:])
    end()


main()
