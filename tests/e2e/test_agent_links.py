#!/usr/bin/env python3
# label: slow
"""eds audit agent over bad links, and what it drains afterwards.

EDS_TEST_DRAIN=N records are kept while there is no server (default 5,000) and then
delivered; the same records are brought to another server by eds audit send.  Both rates
and the agent's memory are printed; from 100,000 on the first must be four fifths of the
second, and the memory below 64 MiB.  EDS_TEST_LINK_RECORDS=N (default 200) go over a link that stalls, breaks and
delays, to a server that is stopped, continued and killed."""
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from server import has_server  # noqa: E402

EDS = os.environ["EDS"]
DEVICE = "lift-01"
failures = 0


def check(what, got, expected):
    global failures
    if got != expected:
        failures += 1
        print(f"FAIL {what}: got {got!r}, expected {expected!r}")


class Link(threading.Thread):
    """A port that leads to another one: late, and sometimes not at all."""

    def __init__(self, port, dice, good=False):
        super().__init__(daemon=True)
        self.port_behind = port
        self.dice = dice
        self.good = good
        self.cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.join_ends, args=(near,), daemon=True).start()

    def join_ends(self, near):
        far = None
        try:
            if self.cut:
                return
            far = socket.create_connection(("127.0.0.1", self.port_behind), timeout=5)
            while not self.cut:
                ready, _, _ = select.select([near, far], [], [], 0.05)
                for end in ready:
                    piece = end.recv(65536)
                    if not piece:
                        return
                    if not self.good:
                        time.sleep(self.dice.uniform(0.0, 0.03))
                        if self.dice.random() < 0.05:  # lost with all that is on its way
                            return
                    (far if end is near else near).sendall(piece)
        except OSError:
            pass
        finally:
            near.close()
            if far is not None:
                far.close()


class Lab:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        subprocess.run([EDS, "keygen", "--out", self.root / "key.json"], check=True,
                       stderr=subprocess.DEVNULL)
        out = subprocess.run([EDS, "inspect-key", "--key-file", self.root / "key.json"], check=True,
                             capture_output=True).stdout
        self.key = f"{DEVICE}=" + json.loads(out)["public_key_hex"]
        self.server = None

    def serve(self, data, port=0):
        port_file = self.root / "port"
        port_file.unlink(missing_ok=True)
        self.server = subprocess.Popen(
            [EDS, "audit", "serve", "--addr", f"127.0.0.1:{port}", "--port-file", port_file,
             "--admin-addr", "off", "--data-dir", self.root / data, "--device", self.key],
            stdout=subprocess.DEVNULL, stderr=open(self.root / "server.log", "ab"))
        deadline = time.monotonic() + 60
        while not port_file.exists():
            if self.server.poll() is not None or time.monotonic() > deadline:
                sys.exit("the server did not start: " + (self.root / "server.log").read_text())
            time.sleep(0.01)
        return int(port_file.read_text())

    def stop(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        self.server.wait(timeout=120)

    def agent(self, buffer, *more, **options):
        return subprocess.Popen(
            [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file", self.root / "key.json",
             "--buffer", self.root / buffer, "--json", *more], stdout=subprocess.PIPE,
            stderr=open(self.root / "agent.log", "ab"), **options)

    def export(self, data):
        subprocess.run([EDS, "audit", "export", "--data-dir", self.root / data, "--device-id",
                        DEVICE, "--out", self.root / "records.json", "--payloads-file",
                        self.root / "payloads.json"], check=True, stderr=subprocess.DEVNULL)


def peak_kib(process):
    """The most memory that a process has had, while it runs."""
    try:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1))
    except (OSError, AttributeError):
        return 0


def test_drain(lab, count):
    """Kept without a server, then all at once."""
    lines = "".join(f"door {i} closed in 2.1 s, brake held {i * 7 % 4000} kg\n"
                    for i in range(count))
    agent = lab.agent("drain.db", stdin=subprocess.PIPE)
    out, _ = agent.communicate(lines.encode(), timeout=60 + count / 200)
    check("kept", json.loads(out.splitlines()[-1])["waiting"], count)
    port = lab.serve("drained")
    begun = time.monotonic()
    agent = lab.agent("drain.db", "--url", f"http://127.0.0.1:{port}", "--wait", "86400",
                      stdin=subprocess.DEVNULL)
    memory = 0
    while agent.poll() is None:
        memory = max(memory, peak_kib(agent))
        time.sleep(0.02)
    drained_s = time.monotonic() - begun
    check("drained", json.loads(agent.stdout.read().splitlines()[-1]),
          {"result": "complete", "recorded": 0, "delivered": count, "waiting": 0, "dead": 0})
    lab.export("drained")
    lab.stop()
    port = lab.serve("sent")
    begun = time.monotonic()
    sent = subprocess.run([EDS, "audit", "send", "--url", f"http://127.0.0.1:{port}",
                           "--records-file", lab.root / "records.json", "--payloads-file",
                           lab.root / "payloads.json", "--batch", "500", "--json"],
                          capture_output=True, check=False)
    sent_s = time.monotonic() - begun
    check("sent", json.loads(sent.stdout.splitlines()[-1])["accepted"], count)
    lab.stop()
    print(f"drain: {count / drained_s:.0f} records/s, direct: {count / sent_s:.0f} records/s, "
          f"ratio {sent_s / drained_s:.2f}, the agent's memory {memory} KiB at most")
    if count >= 100000:
        check("memory", memory < 64 * 1024, True)
        check("four fifths", sent_s / drained_s >= 0.8, True)


def test_links(lab, count):
    """A link that loses, delays and goes; a server that stands still and dies."""
    dice = random.Random(815)
    port = lab.serve("links")
    link = Link(port, dice)
    agent = lab.agent("links.db", "--url", f"http://127.0.0.1:{link.port}", "--wait", "300",
                      stdin=subprocess.PIPE)
    expected = []
    for number in range(count):
        expected.append(f"reading {number}")
        agent.stdin.write(expected[-1].encode() + b"\n")
        agent.stdin.flush()
        event = number % 50
        if event == 10:
            link.cut = True
        elif event == 20:
            link.cut = False
        elif event == 30:
            lab.server.send_signal(signal.SIGSTOP)
        elif event == 35:
            lab.server.send_signal(signal.SIGCONT)
        elif event == 45:
            lab.stop(signal.SIGKILL)
            lab.serve("links", port)
        time.sleep(dice.uniform(0, 0.03))
    agent.stdin.close()
    link.good = True
    link.cut = False
    check("all delivered", agent.wait(timeout=360), 0)
    lab.export("links")
    verified = subprocess.run([EDS, "audit", "ledger", "verify", "--data-dir", lab.root / "links",
                               "--device", lab.key], capture_output=True, check=False)
    check("verified", verified.stdout, b"LEDGER_VALID\n")
    records = json.loads((lab.root / "records.json").read_text())
    payloads = json.loads((lab.root / "payloads.json").read_text())
    check("once, in order", [bytes.fromhex(digits).decode()
                             for record, digits in zip(records, payloads, strict=True)
                             if not record["object_ref"].startswith("edgesentry:note/")], expected)
    lab.stop()
    lines = (lab.root / "agent.log").read_text().count("server_away")
    check("few lines", lines < count, True)


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as root:
        lab = Lab(root)
        test_links(lab, int(os.environ.get("EDS_TEST_LINK_RECORDS", "200")))
        test_drain(lab, int(os.environ.get("EDS_TEST_DRAIN", "5000")))
        if failures:
            print((lab.root / "agent.log").read_text()[-3000:])
    sys.exit(1 if failures else 0)


main()
