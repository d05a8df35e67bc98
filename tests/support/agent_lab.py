"""agent_lab.py - what the tests of eds audit agent share: a device's key, agents that use
it one after the other, a server that comes and goes, and what its ledger has in the end."""
import json
import os
import pathlib
import signal
import subprocess
import sys

from eds_lab import await_that

EDS = os.environ["EDS"]
DEVICE = "lift-01"
PATIENCE_S = 120  # for a busy machine
failures = []


def check(what, got, expected):
    """Says what is wrong, and lets the test go on."""
    if got != expected:
        failures.append(what)
        print(f"FAIL {what}: got {got!r}, expected {expected!r}")


def summary(recorded, delivered, waiting, dead=0):
    """An agent's last line, with --json."""
    return {"result": "complete", "recorded": recorded, "delivered": delivered,
            "waiting": waiting, "dead": dead}


class Lab:
    """A directory with a device's key and its agents' log; the servers' data are in `data`
    there, or in what they are told."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.log = self.root / "agent.log"
        self.server = None
        subprocess.run([EDS, "keygen", "--out", self.root / "key.json"], check=True,
                       stderr=subprocess.DEVNULL)
        shown = subprocess.run([EDS, "inspect-key", "--key-file", self.root / "key.json"],
                               check=True, capture_output=True).stdout
        self.key = f"{DEVICE}=" + json.loads(shown)["public_key_hex"]

    def agent(self, buffer, *more, **options):
        """Its standard error goes to the log, if nobody says otherwise."""
        words = [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                 self.root / "key.json", "--buffer", buffer, *more]
        with open(self.log, "ab") as log:
            return subprocess.Popen(words, **{"stderr": log, **options})

    def serve(self, *more, data="data", port=0, key=None):
        """Starts a server, which knows this device or another; returns its port."""
        port_file = self.root / "port"
        port_file.unlink(missing_ok=True)
        with open(self.root / "server.log", "ab") as log:
            self.server = subprocess.Popen(
                [EDS, "audit", "serve", "--addr", f"127.0.0.1:{port}", "--port-file", port_file,
                 "--admin-addr", "off", "--data-dir", self.root / data, "--device",
                 key or self.key, *more], stdout=subprocess.DEVNULL, stderr=log)
        await_that(lambda: port_file.exists() or self.server.poll() is not None, "the server")
        if self.server.poll() is not None:
            sys.exit("the server did not start: " + (self.root / "server.log").read_text())
        return int(port_file.read_text())

    def stop(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        self.server.wait(timeout=PATIENCE_S)

    def payloads(self, data="data"):
        """What the ledger has, in the order of the chain, which holds; without the notes."""
        out, payloads = self.root / "exported.json", self.root / "payloads.json"
        subprocess.run([EDS, "audit", "export", "--data-dir", self.root / data, "--device-id",
                        DEVICE, "--out", out, "--payloads-file", payloads], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run([EDS, "audit", "verify-chain", out, "--device", self.key,
                        "--payloads-file", payloads, "--full"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return [bytes.fromhex(digits) for record, digits
                in zip(json.loads(out.read_text()), json.loads(payloads.read_text()), strict=True)
                if not record["object_ref"].startswith("edgesentry:note/")]


def end():
    """The test's exit code."""
    sys.exit(1 if failures else 0)
