#!/usr/bin/env python3
"""Three servers on one PostgreSQL; each record goes to any of them; one of them
is killed (-9) again and again, and another takes its place.  In the end every
record is stored, in order, once, and so is its line in the operation log.

EDS_NODES_DEVICES, EDS_NODES_RECORDS and EDS_NODES_KILL_S make it longer (24
devices, 1500 records in all, a kill every 0.15 s)."""
import collections
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Connection, Device, Server, bridge, eds  # noqa: E402
from ledger_lab import Ledger, Lost, PostgresTables  # noqa: E402
from postgres_lab import database  # noqa: E402

DEVICES = int(os.environ.get("EDS_NODES_DEVICES", "24"))
RECORDS = int(os.environ.get("EDS_NODES_RECORDS", "1500"))
KILL_S = float(os.environ.get("EDS_NODES_KILL_S", "0.15"))
NODES = 3
SENDERS = 12
PATIENCE_S = 120


class Cluster:
    """The servers that run, by number; one that was killed has another port."""

    def __init__(self, folder, arguments):
        self.folder = folder
        self.arguments = arguments
        self.servers = {}
        for number in range(NODES):
            self.start(number)
        self.kills = 0

    def start(self, number):
        place = self.folder / f"node{number}"
        place.mkdir(exist_ok=True)
        self.servers[number] = Server(place, self.arguments[0], *self.arguments[1])

    def kill_until(self, over, chance):
        while not over.wait(KILL_S):
            number = chance.randrange(NODES)
            self.servers[number].end(signal.SIGKILL)
            self.start(number)
            self.kills += 1

    def end(self):
        for server in self.servers.values():
            code, out = server.end(signal.SIGTERM)
            assert code == 0, out


class Worker(threading.Thread):
    """Sends the records of some devices, in each device's order, each to any
    node; what had no answer goes to another one."""

    def __init__(self, cluster, devices, count, chance):
        super().__init__()
        self.cluster = cluster
        self.devices = devices
        self.count = count
        self.chance = chance
        self.connections = {}
        self.tally = collections.Counter()
        self.fault = None

    def attempt(self, body):
        number = self.chance.randrange(NODES)
        port = self.cluster.servers[number].port
        known = self.connections.get(number)
        try:
            if known is None or known[0] != port:
                self.connections[number] = known = (port, Connection(port))
            return known[1].post(body)
        except OSError:
            self.connections.pop(number, None)
            return None, ""

    def deliver(self, device, body):
        patience = time.monotonic() + PATIENCE_S
        unsure = False
        while time.monotonic() < patience:
            status, answer = self.attempt(body)
            if status == 202:
                self.tally["accepted"] += 1
                return
            if status == 422 and "duplicate record" in answer and unsure:
                self.tally["stored unseen"] += 1
                return
            if status not in (None, 503):
                raise Lost(f"{device.name} {device.sequence}: {status} {answer}")
            unsure = True
            self.tally["sent again"] += 1
            time.sleep(0.01)
        raise Lost(f"{device.name} {device.sequence}: nobody took it")

    def run(self):
        try:
            for _ in range(self.count):
                device = self.chance.choice(self.devices)
                self.deliver(device, device.next())
        except Lost as lost:
            self.fault = lost


def load(cluster, devices):
    """Has all records sent while nodes die; returns what happened how often."""
    workers = [Worker(cluster, devices[n::SENDERS], RECORDS // SENDERS, random.Random(n))
               for n in range(SENDERS)]
    over = threading.Event()
    killer = threading.Thread(target=cluster.kill_until, args=(over, random.Random(99)))
    killer.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    over.set()
    killer.join()
    for worker in workers:
        if worker.fault:
            raise worker.fault
    return sum((worker.tally for worker in workers), collections.Counter())


def main():
    bridge()
    assert DEVICES >= SENDERS and DEVICES <= 250
    devices = [Device(f"lift-{n:03}", n) for n in range(DEVICES)]
    arguments = [device.argument() for device in devices]
    with database() as (place, url), tempfile.TemporaryDirectory(prefix="eds-nodes-") as name:
        cluster = Cluster(pathlib.Path(name), (arguments, ("--store", url)))
        start = time.monotonic()
        tally = load(cluster, devices)
        took = time.monotonic() - start
        cluster.end()
        ledger = Ledger(PostgresTables(place))
        ledger.check([(device, device.sequence, 0) for device in devices])
        records = ledger.check_log()
        assert records == sum(device.sequence for device in devices) == RECORDS // SENDERS * SENDERS
        done = eds("audit", "ledger", "verify", "--store", url, *arguments, timeout=600)
        if done.returncode != 0:
            raise Lost(done.stdout.decode() + done.stderr.decode())
        assert cluster.kills > 0, "nobody was killed"
        print(f"{records} records of {DEVICES} devices in {took:.0f} s, {cluster.kills} nodes "
              f"killed: " + ", ".join(f"{count} {what}" for what, count in sorted(tally.items())))


if __name__ == "__main__":
    try:
        main()
    except Lost as lost:
        sys.exit(f"LOST: {lost}")
