"""eds audit gateway between devices and a server, for its tests: every record that a
device made is remembered, and held against what the server has in the end."""
import atexit
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.request

from eds_lab import EDS, Connection, Device, await_that, eds

CLONE_NEWNET = 0x40000000


class Lift(Device):
    """A device that remembers all it has made."""

    def __init__(self, name, number):
        super().__init__(name, number)
        self.made = []
        self.acknowledged = 0

    def next(self, payload=None):
        envelope = super().next(payload)
        self.made.append(json.loads(envelope))
        return envelope


class Gateway:
    """One gateway; its buffer is kept from one to the next in a folder."""

    def __init__(self, folder, url, *more, port=0, address="127.0.0.1", buffer="sqlite:",
                 log=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.log_path = log or self.folder / "gateway.log"
        self.log = open(self.log_path, "ab")
        files = [self.folder / "port", self.folder / "admin"]
        for file in files:
            file.unlink(missing_ok=True)
        words = [EDS, "audit", "gateway", "--buffer", f"{buffer}{self.folder}/buffer",
                 "--url", url, "--admin-addr", "127.0.0.1:0", "--admin-port-file",
                 str(files[1])]
        if "--addr" not in more:
            words += ["--addr", f"{address}:{port}", "--port-file", str(files[0])]
        else:
            files[0] = files[1]
        self.process = subprocess.Popen([*words, *more], stdout=subprocess.PIPE, stderr=self.log)
        atexit.register(self.process.kill)
        await_that(lambda: all(file.exists() for file in files) or self.process.poll() is not None,
                   "the gateway's start")
        if self.process.poll() is not None:
            raise RuntimeError("the gateway did not start: " + self.log_path.read_text()[-2000:])
        self.port = int(files[0].read_text())
        self.admin_port = int(files[1].read_text())

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics") as page:
            lines = page.read().decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def await_metric(self, name, holds, seconds=120):
        await_that(lambda: holds(self.metrics()[name]), f"{name} of the gateway", seconds)

    def await_drained(self, seconds=120):
        self.await_metric("edgesentry_buffer_records", lambda value: value == 0, seconds)

    def lines(self, event):
        return [line for line in self.log_path.read_text().splitlines()
                if f"event={event} " in line]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out = self.process.communicate(timeout=120)[0].decode()
        self.log.close()
        if number == signal.SIGTERM:
            assert self.process.returncode == 0, self.log_path.read_text()[-3000:]
        return self.process.returncode, out


class Visitor(threading.Thread):
    """Sends a device's records, each until it is acknowledged, through whatever comes
    and goes at that address, until it is told to stop.  In another network if that is
    given: a descriptor of its namespace."""

    def __init__(self, device, port, host="127.0.0.1", network=None):
        super().__init__()
        self.device, self.port, self.host, self.network = device, port, host, network
        self.stopping = threading.Event()
        self.fault = None

    def deliver(self, connection, envelope):
        while True:
            try:
                if connection is None:
                    connection = Connection(self.port, self.host)
                status, answer = connection.post(envelope)
            except OSError:
                connection = None
                time.sleep(0.01)
                continue
            if status == 202:
                return connection
            if status != 503:
                raise AssertionError(f"{self.device.name} {self.device.sequence}: {status} {answer}")
            time.sleep(0.05)

    def run(self):
        connection = None
        try:
            if self.network is not None:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(self.network, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            while not self.stopping.is_set():
                connection = self.deliver(connection, self.device.next())
                self.device.acknowledged += 1
        except Exception as fault:  # the test's own thread tells it
            self.fault = fault

    def end(self):
        self.stopping.set()
        self.join(timeout=120)
        assert not self.is_alive(), "a device waits for ever"
        if self.fault is not None:
            raise self.fault


def check_delivered(folder, device, store=None):
    """What the server has of a device is what the device made: all of it, once, in its
    order, byte for byte."""
    out, payloads = folder / "exported.json", folder / "payloads.json"
    done = eds("audit", "export", *(["--store", store] if store else
                                    ["--data-dir", str(folder / "data")]),
               "--device-id", device.name, "--out", str(out), "--payloads-file", str(payloads))
    assert done.returncode == 0, done.stderr.decode()
    records = json.loads(out.read_text())
    assert len(records) == len(device.made), (device.name, len(records), len(device.made))
    for made, record, payload in zip(device.made, records, json.loads(payloads.read_text())):
        assert record == made["record"], (device.name, record["sequence"])
        assert payload == made["raw_payload_hex"], (device.name, record["sequence"])


def kills():
    return int(os.environ.get("EDS_GATEWAY_KILLS", "8"))
