#!/usr/bin/env python3
"""The registry while servers run: devices that are added, rotated, quarantined and
revoked by a command are known to every server within a second, without a restart
and without a lost request.  On SQLite with one server, on PostgreSQL with two."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from database import database, has_postgres  # noqa: E402
from eds_lab import Connection, Device, Server, await_that, skip  # noqa: E402
from server import has_server  # noqa: E402

EDS = os.environ["EDS"]
NOTICE_S = 1.0  # what is promised, and held where EDS_TEST_TIMES says that nothing else runs
PATIENCE_S = 120


def device_command(url, word, *args, code=0):
    who = [] if word in ("show", "list") else ["--who", "tester"]
    done = subprocess.run([EDS, "audit", "device", word, *args, "--store", url, *who],
                          capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == code, (word, args, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


class Fleet:
    """Servers on one ledger, and a way to send to any of them."""

    def __init__(self, url, servers):
        self.url = url
        self.servers = servers
        self.connections = [Connection(server.port) for server in servers]

    def add(self, name, number):
        device = Device(name, number)
        device_command(self.url, "add", name, "--public-key-hex", device.public_key, "--attest",
                       "optional")
        return device

    def everywhere(self, body):
        return [connection.post(body) for connection in self.connections]

    def await_everywhere(self, body, words):
        """Posts a record that nobody accepts, until each server says why in these words;
        returns how long the slowest took."""
        begun = time.monotonic()
        waiting = set(range(len(self.connections)))
        while waiting:
            for i in list(waiting):
                status, answer = self.connections[i].post(body)
                assert status in (202, 422), (status, answer)
                if words in answer:
                    waiting.discard(i)
            took = time.monotonic() - begun
            assert took < PATIENCE_S, f"after {took:.1f} s not everywhere: {words}"
            time.sleep(0.01)
        return took


def stray(device):
    """A well signed record of the device far ahead of its chain."""
    copy = Device(device.name, 0)
    copy.seed, copy.sequence = device.seed, device.sequence + 1000
    return copy.next()


def walk(fleet):
    slowest = 0
    stranger = Device("lift-01", 1)
    for status, answer in fleet.everywhere(stray(stranger)):
        assert status == 422 and "unknown device: lift-01" in answer, answer
    lift = fleet.add("lift-01", 1)
    slowest = max(slowest, fleet.await_everywhere(stray(lift), "invalid sequence"))
    for connection in fleet.connections * 3:
        assert connection.post(lift.next())[0] == 202

    # A new key: both are good up to a sequence, then the new one alone.
    renewed = Device("lift-01", 2)
    device_command(fleet.url, "rotate", "lift-01", "--public-key-hex", renewed.public_key,
                   "--old-until-sequence", str(lift.sequence + 2))
    renewed.sequence, renewed.hashes = lift.sequence, list(lift.hashes)
    slowest = max(slowest, fleet.await_everywhere(stray(renewed), "invalid sequence"))
    connection = fleet.connections[-1]
    assert connection.post(lift.next())[0] == 202
    renewed.sequence, renewed.hashes = lift.sequence, list(lift.hashes)
    assert connection.post(renewed.next())[0] == 202
    lift.sequence, lift.hashes = renewed.sequence, list(renewed.hashes)
    status, answer = connection.post(lift.next())
    assert status == 422 and "key expired for device=lift-01" in answer, answer
    assert connection.post(renewed.next())[0] == 202

    # Revoked: refused everywhere, for good; what was there stays.
    device_command(fleet.url, "revoke", "lift-01", "--reason", "stolen")
    slowest = max(slowest, fleet.await_everywhere(stray(renewed), "device is revoked: lift-01"))
    for status, _ in fleet.everywhere(renewed.next()):
        assert status == 422
    device_command(fleet.url, "release", "lift-01", code=1)
    shown = json.loads(device_command(fleet.url, "show", "lift-01", "--json"))
    assert shown["state"] == "revoked" and shown["sequence"] == renewed.sequence - 1, shown
    assert [key["standing"] for key in shown["keys"]] == ["revoked", "revoked"], shown
    return slowest


class Stream(threading.Thread):
    """A device that sends one record after the other, to each server in turn."""

    def __init__(self, fleet, device):
        super().__init__(daemon=True)
        self.device = device
        self.connections = [Connection(server.port) for server in fleet.servers]
        self.ends = threading.Event()
        self.faults = []
        self.accepted = self.apart = self.put_off = 0

    def run(self):
        while not self.ends.is_set() and not self.faults:
            body = self.device.next()
            status, answer = self.connections[self.accepted % len(self.connections)].post(body)
            while status == 503:  # its device is being released: the same record again
                time.sleep(0.01)
                self.put_off += 1
                status, answer = self.connections[0].post(body)
            if status == 202:
                self.accepted += 1
                self.apart += "quarantined" in answer
            else:
                self.faults.append((status, answer))


def churn(fleet):
    """The registry changes all the time; who is not concerned loses nothing."""
    streams = []
    for i in range(4):
        device = fleet.add(f"steady-{i}", 10 + i)
        fleet.await_everywhere(stray(device), "invalid sequence")
        streams.append(Stream(fleet, device))
    for stream in streams:
        stream.start()
    for i in range(12):
        device = fleet.add(f"passing-{i}", 100 + i)
        device_command(fleet.url, "set", device.name, "--site", f"site {i}")
        device_command(fleet.url, ("revoke", "retire", "quarantine")[i % 3], device.name)
        new_key = Device(f"steady-{i % 4}", 150 + i).public_key
        device_command(fleet.url, "rotate", f"steady-{i % 4}", "--public-key-hex", new_key)
    await_that(lambda: all(stream.accepted > 10 or stream.faults for stream in streams),
               "ten records of each")
    for stream in streams:
        stream.ends.set()
    for stream in streams:
        stream.join()
        assert not stream.faults, stream.faults
    listed = json.loads(device_command(fleet.url, "list", "--json"))["devices"]
    assert len([device for device in listed if device["device_id"].startswith("passing")]) == 12
    return sum(stream.accepted for stream in streams)


def quarantine(fleet):
    """Quarantined and released in the middle of a stream: nothing is refused and
    nothing is lost; what came meanwhile is in the chain afterwards, in order."""
    device = fleet.add("suspect", 77)
    fleet.await_everywhere(stray(device), "invalid sequence")
    stream = Stream(fleet, device)
    stream.start()
    apart = 0
    for _ in range(3):
        device_command(fleet.url, "quarantine", "suspect", "--reason", "looks odd")
        before = stream.apart
        await_that(lambda: stream.apart > before or stream.faults, "a record set apart")
        assert not stream.faults, stream.faults
        shown = json.loads(device_command(fleet.url, "show", "suspect", "--json"))
        assert shown["state"] == "quarantined" and shown["quarantined_records"] > 0, shown
        apart += shown["quarantined_records"]
        released = json.loads(device_command(fleet.url, "release", "suspect", "--json"))
        assert released["state"] == "active" and released["quarantined_records"] == 0, released
        accepted = stream.accepted - stream.apart
        await_that(lambda: stream.accepted - stream.apart > accepted or stream.faults,
                   "a record as always")
    stream.ends.set()
    stream.join()
    assert not stream.faults, stream.faults
    shown = json.loads(device_command(fleet.url, "show", "suspect", "--json"))
    assert shown["sequence"] == stream.accepted and shown["quarantined_records"] == 0, shown
    return apart


def audit(url, *args, code=0):
    done = subprocess.run([EDS, "audit", *args, "--store", url], capture_output=True, timeout=PATIENCE_S,
                          check=False)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def verify(fleet, folder):
    """What revoked and replaced keys signed in their time stays good; what a key
    signed past its end would not be."""
    whole = json.loads(audit(fleet.url, "ledger", "verify", "--json"))
    assert whole["valid"] and whole["verified_count"] == whole["record_count"], whole
    chain = f"{folder}/chain.json"
    audit(fleet.url, "export", "--device-id", "lift-01", "--out", chain)
    audit(fleet.url, "verify-chain", chain)
    records = json.loads(pathlib.Path(chain).read_text())
    shown = json.loads(device_command(fleet.url, "show", "lift-01", "--json"))
    end = shown["keys"][0]["not_after_sequence"]
    assert records[-1]["sequence"] > end > 1, (end, records[-1]["sequence"])
    old_key = shown["keys"][0]["public_key"]
    pathlib.Path(chain).write_text(json.dumps(records[:end]))
    audit(fleet.url, "verify-chain", chain)
    done = subprocess.run([EDS, "audit", "verify-chain", f"{folder}/chain.json",
                           "--public-key-hex", old_key], capture_output=True, timeout=PATIENCE_S,
                          check=False)
    assert done.returncode == 2, done  # the last one before the end is of the new key


def play(url, server_count):
    with contextlib.ExitStack() as stack:
        servers = []
        for _ in range(server_count):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            servers.append(Server(folder, [], "--store", url))
        fleet = Fleet(url, servers)
        slowest = walk(fleet)
        accepted = churn(fleet)
        apart = quarantine(fleet)
        with tempfile.TemporaryDirectory() as folder:
            verify(fleet, folder)
        for server in servers:
            code, out = server.end(signal.SIGTERM)
            assert code == 0, out
        print(f"{server_count} server(s): known everywhere within {slowest:.2f} s, "
              f"{accepted} records beside the changes, {apart} through quarantine")
        assert slowest < NOTICE_S + 0.5 or "EDS_TEST_TIMES" not in os.environ, slowest


def refuse_misuse(folder):
    """A key of the registry given to another device by --device, and a key of two roles."""
    url = f"sqlite:{folder}/misuse.db"
    lift = Device("lift-01", 1)
    device_command(url, "add", "lift-01", "--public-key-hex", lift.public_key)
    done = subprocess.run([EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--store", url,
                           "--device", f"lift-02={lift.public_key}"], capture_output=True,
                          timeout=PATIENCE_S, check=False)
    assert done.returncode == 1 and b"is registered for device lift-01" in done.stderr, done
    done = subprocess.run([EDS, "audit", "operator", "add", "alice", "--public-key-hex",
                           lift.public_key, "--store", url], capture_output=True, timeout=PATIENCE_S,
                          check=False)
    assert done.returncode == 1 and b"belongs to device lift-01" in done.stderr, done


def main():
    if not has_server():
        skip("this build has no HTTP server")
    with tempfile.TemporaryDirectory() as folder:
        play(f"sqlite:{folder}/ledger.db", 1)
        refuse_misuse(folder)
        assert pathlib.Path(folder, "ledger.db").exists()
    if has_postgres():
        with database() as (_, url):
            if url is not None:
                play(url, 2)


main()
