#!/usr/bin/env python3
# label: slow
"""eds audit agent against a real server: lines, socket and spool; killed again
and again, with a server that is killed, too: every payload exactly once, in
order."""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from agent_lab import DEVICE, EDS, PATIENCE_S, Lab, check, end, failures  # noqa: E402
from eds_lab import await_that  # noqa: E402
from ports import free_port  # noqa: E402
from server import has_server  # noqa: E402

STRANGER = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"



class Installation(Lab):
    """A device with one buffer, and a server at one port."""

    def __init__(self, root, scheme):
        super().__init__(root)
        self.buffer = f"{scheme}{self.root}/buffer"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def serve(self, *more, **how):
        return super().serve(*more, port=self.port, **how)

    def agent(self, *more, url=True, **options):
        return super().agent(self.buffer, *(["--url", self.url] if url else []), *more, **options)

    def drained(self):
        """The exit code of an agent that delivers what waits."""
        agent = self.agent("--wait", str(PATIENCE_S), stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)
        return agent.wait(timeout=2 * PATIENCE_S)


def test_lines(lab):
    """Recorded without a server, delivered by the next start."""
    done = lab.agent(url=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = done.communicate(b"one\n\ntwo\nthree", timeout=PATIENCE_S)
    check("lines", out.decode().splitlines()[-1],
          "AGENT_COMPLETE: recorded=3 delivered=0 waiting=3 dead=0")
    check("lines exit", done.returncode, 0)
    lab.serve()
    done = lab.agent("--json", "--wait", str(PATIENCE_S), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = done.communicate(b"x" * (1024 * 1024 + 1) + b"\nfour\n", timeout=2 * PATIENCE_S)
    lines = out.decode().splitlines()
    check("long line", lines[0], "REFUSED: reason=a line has over 1048576 bytes")
    check("summary", json.loads(lines[-1]), {"result": "complete", "recorded": 1, "delivered": 4,
                                             "waiting": 0, "dead": 0})
    check("exit", done.returncode, 0)
    check("payloads", lab.payloads(), [b"one", b"two", b"three", b"four"])


def listens(path):
    """A socket is there before anybody listens at it."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_socket(lab):
    """Clients are answered with the sequence; a second agent is refused."""
    path = lab.root / "socket"
    agent = lab.agent("--listen", path, stdout=subprocess.PIPE)
    await_that(lambda: listens(path), "the socket")
    check("socket mode", oct(path.stat().st_mode & 0o777), "0o600")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
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
    check("second agent", second.wait(timeout=PATIENCE_S), 1)
    agent.send_signal(signal.SIGTERM)
    check("exit", agent.wait(timeout=PATIENCE_S) in (0, 1), True)
    check("drained", lab.drained(), 0)
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
        if any(spool.iterdir()):  # "reading.txt" must go before it comes again
            agent = lab.agent("--spool", spool, stdout=subprocess.DEVNULL)
            await_that(lambda: not any(spool.iterdir()), "the spool to be empty")
            agent.kill()
            agent.wait()
    check("drained after the kills", lab.drained(), 0)
    check("spool", list(spool.iterdir()), [])
    check("exactly once, in order", lab.payloads(), expected)


def test_revoked(lab):
    """A device that the server takes nothing from signs on, and says so; then all
    is delivered."""
    lab.stop()
    lab.serve(data="elsewhere", key=f"other={STRANGER}")
    seen = lab.log.stat().st_size
    agent = lab.agent("--wait", "1", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    agent.stdin.write(b"held\n")
    agent.stdin.flush()
    # The next record has the note of what the server said before it.
    await_that(lambda: "event=device_held" in lab.log.read_text()[seen:], "the server's word")
    out, _ = agent.communicate(b"and on\n", timeout=PATIENCE_S)
    check("held", out.decode().splitlines()[-1],
          "AGENT_COMPLETE: recorded=2 delivered=0 waiting=3 dead=0")
    check("held exit", agent.returncode, 1)
    lab.stop()
    lab.serve()
    check("taken again", lab.drained(), 0)
    check("held payloads", lab.payloads()[-2:], [b"held", b"and on"])


def test_firmware(lab):
    """What an agent says of its firmware comes into the registry, once the server has it."""
    store = ["--data-dir", lab.root / "registered"]
    subprocess.run([EDS, "audit", "device", "add", DEVICE, "--public-key-hex", lab.key.split("=")[1],
                    *store],
                   check=True, stdout=subprocess.DEVNULL)
    port_file = lab.root / "registered.port"
    server = subprocess.Popen([EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--admin-addr",
                               "off", "--port-file", port_file, *store],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_that(port_file.exists, "the server")
    agent = subprocess.run([EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                            lab.root / "key.json", "--buffer", lab.root / "registered.buffer",
                            "--firmware", "2.4.1-rc\"1\"", "--url",
                            f"http://127.0.0.1:{port_file.read_text().strip()}"],
                           input=b"one\ntwo\n", capture_output=True, timeout=PATIENCE_S, check=True)
    check("beside the note", agent.stdout.decode().splitlines()[:2],
          ["RECORDED: sequence=2", "RECORDED: sequence=3"])

    def shown():
        text = subprocess.run([EDS, "audit", "device", "show", DEVICE, "--json", *store],
                              capture_output=True, check=True).stdout
        return json.loads(text)["firmware"]

    await_that(shown, "the firmware")
    check("firmware", shown(), '2.4.1-rc"1"')
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
            lab = Installation(root, scheme)
            test_lines(lab)
            test_socket(lab)
            test_kills(lab, int(os.environ.get("EDS_TEST_ROUNDS", "6")))
            test_revoked(lab)
            lab.stop()
            if scheme == "sqlite:":
                test_firmware(lab)
            if failures:
                print(lab.log.read_text()[-3000:])
    end()


main()
