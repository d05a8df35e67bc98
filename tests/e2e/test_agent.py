#!/usr/bin/env python3
# label: slow
"""eds audit agent against a real server: lines, socket and spool; killed again
and again, with a server that is killed, too: every payload exactly once, in
order."""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
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


class Lab:
    """A directory with a key, a server at a fixed port, and a buffer."""

    def __init__(self, root, scheme):
        self.root = pathlib.Path(root)
        self.buffer = f"{scheme}{self.root}/buffer"
        subprocess.run([EDS, "keygen", "--out", self.root / "key.json"], check=True,
                       stderr=subprocess.DEVNULL)
        out = subprocess.run([EDS, "inspect-key", "--key-file", self.root / "key.json"], check=True,
                             capture_output=True).stdout
        self.key = json.loads(out)["public_key_hex"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.server = None

    def serve(self, *more):
        port_file = self.root / "port"
        port_file.unlink(missing_ok=True)
        self.server = subprocess.Popen(
            [EDS, "audit", "serve", "--addr", f"127.0.0.1:{self.port}", "--port-file", port_file,
             "--admin-addr", "off", "--data-dir", self.root / "data", "--device", f"{DEVICE}={self.key}", *more],
            stdout=subprocess.DEVNULL, stderr=open(self.root / "server.log", "ab"))
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if self.server.poll() is not None or time.monotonic() > deadline:
                sys.exit("the server did not start: " + (self.root / "server.log").read_text())
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        self.server.wait(timeout=60)

    def agent(self, *more, url=True, **options):
        words = [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                 str(self.root / "key.json"), "--buffer", self.buffer]
        if url:
            words += ["--url", f"http://127.0.0.1:{self.port}"]
        return subprocess.Popen([*words, *more], stderr=open(self.root / "agent.log", "ab"),
                                **options)

    def payloads(self):
        """What the ledger has, in the order of the chain, without the notes."""
        out, payloads = self.root / "exported.json", self.root / "payloads.json"
        subprocess.run([EDS, "audit", "export", "--data-dir", self.root / "data", "--device-id",
                        DEVICE, "--out", out, "--payloads-file", payloads], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run([EDS, "audit", "verify-chain", out, "--device", f"{DEVICE}={self.key}",
                        "--payloads-file", payloads, "--full"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        records = json.loads(out.read_text())
        return [bytes.fromhex(digits) for record, digits
                in zip(records, json.loads(payloads.read_text()), strict=True)
                if not record["object_ref"].startswith("edgesentry:note/")]


def test_lines(lab):
    """Recorded without a server, delivered by the next start."""
    done = lab.agent(url=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = done.communicate(b"one\n\ntwo\nthree", timeout=60)
    check("lines", out.decode().splitlines()[-1],
          "AGENT_COMPLETE: recorded=3 delivered=0 waiting=3 dead=0")
    check("lines exit", done.returncode, 0)
    lab.serve()
    done = lab.agent("--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = done.communicate(b"x" * (1024 * 1024 + 1) + b"\nfour\n", timeout=60)
    lines = out.decode().splitlines()
    check("long line", lines[0], "REFUSED: reason=a line has over 1048576 bytes")
    check("summary", json.loads(lines[-1]), {"result": "complete", "recorded": 1, "delivered": 4,
                                             "waiting": 0, "dead": 0})
    check("exit", done.returncode, 0)
    check("payloads", lab.payloads(), [b"one", b"two", b"three", b"four"])


def await_listener(path):
    """A socket is there before anybody listens at it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.01)


def test_socket(lab):
    """Clients are answered with the sequence; a second agent is refused."""
    path = lab.root / "socket"
    agent = lab.agent("--listen", path, stdout=subprocess.PIPE)
    await_listener(path)
    check("socket mode", oct(path.stat().st_mode & 0o777), "0o600")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        stream = client.makefile("rb")
        sequences = []
        for i in range(20):
            client.sendall(b"socket %d\n" % i)
            word, sequence = stream.readline().split()
            check("answer", word, b"OK")
            sequences.append(int(sequence))
        check("in order", sequences, sorted(sequences))
    second = lab.agent(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    check("second agent", second.wait(timeout=30), 1)
    agent.send_signal(signal.SIGTERM)
    check("exit", agent.wait(timeout=60) in (0, 1), True)
    agent = lab.agent(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    check("drained", agent.wait(timeout=60), 0)
    check("socket payloads", lab.payloads()[-20:], [b"socket %d" % i for i in range(20)])


def test_kills(lab, rounds):
    """A spool is filled while agent and server are killed at any time."""
    spool = lab.root / "spool"
    spool.mkdir()
    expected = lab.payloads()
    dice = random.Random(4711)
    for number in range(rounds):
        agent = lab.agent("--spool", spool, stdout=subprocess.DEVNULL)
        for i in range(10):
            payload = b"file %d of %d" % (i, number)
            (spool / ".new").write_bytes(payload)
            (spool / ".new").rename(spool / "reading.txt" if i == 9 else spool / f"r{number}-{i}")
            expected.append(payload)
            time.sleep(0.001)  # another time of change
        time.sleep(dice.random() * 0.12)
        if number % 3 == 1:
            lab.stop(signal.SIGKILL)
        agent.kill()
        agent.wait()
        if number % 3 == 1:
            lab.serve()
        deadline = time.monotonic() + 30
        if any(spool.iterdir()):  # "reading.txt" must go before it comes again
            agent = lab.agent("--spool", spool, stdout=subprocess.DEVNULL)
            while any(spool.iterdir()) and time.monotonic() < deadline:
                time.sleep(0.01)
            agent.kill()
            agent.wait()
    agent = lab.agent("--wait", "60", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    check("drained after the kills", agent.wait(timeout=90), 0)
    check("spool", list(spool.iterdir()), [])
    check("exactly once, in order", lab.payloads(), expected)


def test_revoked(lab):
    """A device that the server takes nothing from signs on, and says so; then all
    is delivered."""
    lab.stop()
    port_file = lab.root / "port"
    port_file.unlink(missing_ok=True)
    key, lab.key = lab.key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    server = subprocess.Popen(
        [EDS, "audit", "serve", "--addr", f"127.0.0.1:{lab.port}", "--port-file", port_file,
         "--admin-addr", "off", "--data-dir", lab.root / "elsewhere", "--device", f"other={lab.key}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.key = key
    while not port_file.exists():
        time.sleep(0.01)
    agent = lab.agent("--wait", "2", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    agent.stdin.write(b"held\n")
    agent.stdin.flush()
    time.sleep(1)
    out, _ = agent.communicate(b"and on\n", timeout=60)
    check("held", out.decode().splitlines()[-1],
          "AGENT_COMPLETE: recorded=2 delivered=0 waiting=3 dead=0")
    check("held exit", agent.returncode, 1)
    server.terminate()
    server.wait()
    lab.serve()
    agent = lab.agent(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    check("taken again", agent.wait(timeout=60), 0)
    check("held payloads", lab.payloads()[-2:], [b"held", b"and on"])


def test_firmware(lab):
    """What an agent says of its firmware comes into the registry, once the server has it."""
    store = ["--data-dir", lab.root / "registered"]
    subprocess.run([EDS, "audit", "device", "add", DEVICE, "--public-key-hex", lab.key, *store],
                   check=True, stdout=subprocess.DEVNULL)
    port_file = lab.root / "registered.port"
    server = subprocess.Popen([EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--admin-addr",
                               "off", "--port-file", port_file, *store],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not port_file.exists():
        time.sleep(0.01)
    agent = subprocess.run([EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                            lab.root / "key.json", "--buffer", lab.root / "registered.buffer",
                            "--firmware", "2.4.1-rc\"1\"", "--url",
                            f"http://127.0.0.1:{port_file.read_text().strip()}"],
                           input=b"one\ntwo\n", capture_output=True, timeout=60, check=True)
    check("beside the note", agent.stdout.decode().splitlines()[:2],
          ["RECORDED: sequence=2", "RECORDED: sequence=3"])
    seen, deadline = "", time.monotonic() + 30
    while seen == "" and time.monotonic() < deadline:
        shown = subprocess.run([EDS, "audit", "device", "show", DEVICE, "--json", *store],
                               capture_output=True, check=True).stdout
        seen = json.loads(shown)["firmware"]
    check("firmware", seen, '2.4.1-rc"1"')
    server.terminate()
    server.wait()
    done = subprocess.run([EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                           lab.root / "key.json", "--buffer", lab.root / "registered.buffer",
                           "--firmware", "2\n4"], input=b"", capture_output=True, check=False)
    check("a version of two lines", (done.returncode, b"--firmware" in done.stderr), (64, True))


def main():
    if not has_server():
        print("skipped: this build has no HTTP server")
        sys.exit(77)
    for scheme in ("sqlite:", "log:"):
        with tempfile.TemporaryDirectory() as root:
            lab = Lab(root, scheme)
            test_lines(lab)
            test_socket(lab)
            test_kills(lab, int(os.environ.get("EDS_TEST_ROUNDS", "6")))
            test_revoked(lab)
            lab.stop()
            if scheme == "sqlite:":
                test_firmware(lab)
            if failures:
                print((lab.root / "agent.log").read_text()[-3000:])
    sys.exit(1 if failures else 0)


main()
