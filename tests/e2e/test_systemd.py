#!/usr/bin/env python3
"""The service manager's side: a server says when it is ready, reloading, alive and
stopping; takes a socket that is handed over; and the units in deploy/ are sandboxed.

The manager is played by this test: a datagram socket, and a listening one as file
descriptor 3."""
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from eds_lab import EDS, eds  # noqa: E402

LIFT_KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
UNITS = SOURCE / "deploy/systemd"
EXPOSURE_MAX = 20  # of 100: "2.0"


class Manager:
    """Starts a server as systemd would, with LISTEN_PID being its own process."""

    def __init__(self, name, words, listening=(), watchdog_us=0, credentials=None,
                 cwd=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name if not name.startswith("@") else "\0" + name[1:])
        self.socket.settimeout(120)
        environment = dict(os.environ, NOTIFY_SOCKET=name, EDS_CONFIG="off")
        environment.pop("EDS_STORE", None)
        if credentials:
            environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        script = f'LISTEN_PID=$$ LISTEN_FDS={len(listening)} exec "$0" "$@"'
        if watchdog_us:
            script = f"WATCHDOG_PID=$$ WATCHDOG_USEC={watchdog_us} " + script
        fds = [one.fileno() for one in listening]
        for place, fd in enumerate(fds):
            script = f"exec {3 + place}<&{fd}; " + script if fd != 3 + place else script
        self.process = subprocess.Popen(["bash", "-c", script, EDS, *words], env=environment,
                                        pass_fds=fds, cwd=cwd, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def expect(self, state):
        """The next message; WATCHDOG=1 may come between."""
        while True:
            got = self.socket.recv(4096).decode()
            if got.split("\n")[0] == state:
                return got
            assert got == "WATCHDOG=1", (got, state)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.expect("STOPPING=1")
        out, log = self.process.communicate(timeout=120)
        self.socket.close()
        return self.process.returncode, out.decode(), log.decode()


def states(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", str(folder / "key.pem"), "-out",
                    str(folder / "cert.pem")], check=True, capture_output=True)
    manager = Manager(str(folder / "notify"), [
        "serve-tls", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--store", "memory:",
        "--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")],
        watchdog_us=400000)
    manager.expect("READY=1")
    for _ in range(5):
        manager.expect("WATCHDOG=1")
    manager.process.send_signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.expect("RELOADING=1"))
    manager.expect("READY=1")
    code, out, log = manager.end()
    assert code == 0 and "event=tls_reloaded" in log, (out, log)


def handed_over(folder):
    with socket.socket() as port, socket.socket() as plain:
        port.bind(("127.0.0.1", 0))
        port.listen()
        # Who comes before the server is there waits, and is served.
        early = socket.create_connection(port.getsockname(), timeout=120)
        early.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        words = ["serve", "--admin-addr", "off", "--store", "memory:"]
        manager = Manager("@eds-test-%d" % os.getpid(), words, [port])
        manager.expect("READY=1")
        assert early.recv(100).startswith(b"HTTP/1.1 404"), "the early one"
        early.close()
        code, _, log = manager.end()
        address = "127.0.0.1:%d" % port.getsockname()[1]
        assert code == 0 and f"event=listening address={address}" in log, log

        for listening, says in (([plain], "does not listen"), ([port, plain], "but one is wanted")):
            manager = Manager(str(folder / says.replace(" ", "-")), words, listening)
            _, log = manager.process.communicate(timeout=120)
            assert manager.process.returncode != 0 and says in log.decode(), log
            manager.socket.close()


def ended_at_once(folder, patience_s):
    """A stop that waits for its store, which somebody has locked: the second signal does
    not wait.  Returns False if the lock did not last long enough to see that."""
    manager = Manager(str(folder / "notify"), [
        "serve", "--addr", "127.0.0.1:0", "--admin-addr", "off", "--data-dir", str(folder / "data"),
        "--port-file", str(folder / "port"), "--device", f"lift-01={LIFT_KEY}"])
    manager.expect("READY=1")
    eds("demo-lift-inspection", "--out-file", str(folder / "records"), "--payloads-file",
        str(folder / "payloads"))
    lock = sqlite3.connect(folder / "data/edgesentry.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    sender = subprocess.Popen(
        [EDS, "send", "--url", "http://127.0.0.1:" + (folder / "port").read_text().strip(),
         "--attempts", "1", "--records-file", str(folder / "records"), "--payloads-file",
         str(folder / "payloads")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(patience_s)  # for the record to come in; if it does not, the server ends cleanly
    manager.process.send_signal(signal.SIGTERM)
    manager.expect("STOPPING=1")
    manager.process.send_signal(signal.SIGTERM)
    manager.process.communicate(timeout=120)
    sender.wait(120)
    lock.close()
    manager.socket.close()
    assert manager.process.returncode in (0, -signal.SIGTERM), manager.process.returncode
    return manager.process.returncode == -signal.SIGTERM


def second_signal(folder):
    for number in range(10):
        (folder / f"twice-{number}").mkdir()
        if ended_at_once(folder / f"twice-{number}", 0.2 * (number + 1)):
            return
    raise AssertionError("a second signal does not end the server")


def credentials(folder):
    """Files of the service manager stand for variables of the environment, which go
    before them; what is no secret of ours is left alone."""
    place = folder / "credentials"
    place.mkdir()
    (place / "EDS_STORE").write_text("postgresql://eds:tr0ub4dor@db/ledger\n")
    (place / "server.key").write_text("two\nlines")
    (place / "HOME").write_text("/elsewhere")

    def shown(**more):
        return subprocess.run([EDS, "config", "show", "serve", "--config", "off"],
                              capture_output=True, text=True, check=False,
                              env=dict(os.environ, CREDENTIALS_DIRECTORY=str(place), **more))

    assert "store = postgresql://eds:***@db/ledger\n" in shown().stdout, shown()
    assert "store = memory:\n" in shown(EDS_STORE="memory:").stdout
    assert "store = postgresql:" in shown(EDS_STORE="").stdout
    for content, says in ((b"a\nb\n", "is not one line"), (b"", "is not one line"),
                          (b"a\0b", "is not one line"), (b"x" * 8192, "EDS_STORE")):
        (place / "EDS_STORE").write_bytes(content)
        done = shown()
        assert done.returncode == 1 and done.stdout == "" and says in done.stderr, done
        assert "xxx" not in done.stderr, done
    place.joinpath("EDS_STORE").write_text("memory:")
    manager = Manager(str(folder / "credential-notify"), [
        "serve", "--addr", "127.0.0.1:0", "--admin-addr", "off"], credentials=place, cwd=folder)
    manager.expect("READY=1")
    environment = pathlib.Path(f"/proc/{manager.process.pid}/environ").read_bytes()
    assert b"EDS_STORE" not in environment, environment
    assert manager.end()[0] == 0 and not (folder / "edgesentry-data").exists()


def units():
    """Each unit starts a command that there is, and is sandboxed."""
    files = sorted(UNITS.glob("*.service"))
    assert len(files) == 4, files
    for file in files:
        words = re.search(r"^ExecStart=/usr/bin/eds (.*)$", file.read_text(), re.M).group(1).split()
        assert eds(*words, "--help").returncode == 0, words
        assert "Type=notify" in file.read_text() and "WatchdogSec=" in file.read_text()
    if shutil.which("systemd-analyze") is None:
        print("note: no systemd-analyze: the sandbox of the units is not measured")
        return
    for file in files:
        done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                               f"--threshold={EXPOSURE_MAX}", str(file)], capture_output=True,
                              check=False)
        assert done.returncode == 0, done.stdout.decode()[-300:]
        done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True,
                              check=False)
        faults = [line for line in done.stderr.decode().splitlines()
                  if file.name in line and "is not executable" not in line]
        assert not faults, faults


def main():
    with tempfile.TemporaryDirectory(prefix="eds-systemd-") as name:
        folder = pathlib.Path(name)
        if shutil.which("openssl") and eds("serve-tls", "--help").returncode == 0:
            states(folder)
        handed_over(folder)
        second_signal(folder)
        credentials(folder)
        units()
    print("ready, reloading, alive, stopping; a socket handed over; units sandboxed")


if __name__ == "__main__":
    main()
