#!/usr/bin/env python3
# label: slow
"""eds audit gateway killed again and again while devices send and the server comes
and goes: nothing lost, nothing altered, in order, once.

First on one machine; then in three networks of their own, so that devices reach
nothing but the gateway (needs root and ip).  EDS_GATEWAY_KILLS says how often."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import EDS, Server, bridge, eds, skip  # noqa: E402
from gateway_lab import Gateway, Lift, Visitor, await_that, check_delivered, kills  # noqa: E402
from ports import free_port  # noqa: E402

DEVICES = 6


def on_one_machine(folder, buffer):
    chance = random.Random(int(os.environ.get("EDS_SEED", "1")))
    lifts = [Lift(f"lift-{n}", n) for n in range(DEVICES)]
    arguments = [lift.argument() for lift in lifts]
    port = free_port()
    server = Server(folder, arguments, port=free_port())
    gateway = Gateway(folder / "gateway", server.url, port=port, buffer=buffer)
    visitors = [Visitor(lift, port) for lift in lifts]
    for visitor in visitors:
        visitor.start()
    for number in range(kills()):
        time.sleep(chance.uniform(0.02, 0.25))
        gateway.end(signal.SIGKILL)
        if number % 3 == 1:
            server.end(signal.SIGKILL)
        gateway = Gateway(folder / "gateway", server.url, port=port, buffer=buffer)
        if number % 3 == 1:
            time.sleep(chance.uniform(0.0, 0.1))
            server = Server(folder, arguments, port=server.port)
    for visitor in visitors:
        visitor.end()
    gateway.await_drained(300)
    assert gateway.metrics()["edgesentry_buffer_dead_letters"] == 0, gateway.lines("record_refused")
    gateway.end()
    server.end(signal.SIGTERM)
    for lift in lifts:
        assert lift.acknowledged == lift.sequence
        check_delivered(folder, lift)
    return sum(lift.sequence for lift in lifts)


class Networks:
    """device - gateway - server, joined by two cables, and no way around."""

    def __init__(self):
        self.names = [f"eds-{os.getpid()}-{what}" for what in ("device", "gateway", "server")]

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def __enter__(self):
        device, gateway, server = self.names
        for name in self.names:
            self.ip("netns", "add", name)
            self.ip("-n", name, "link", "set", "lo", "up")
        for left, right, net in ((device, gateway, "10.77.1"), (gateway, server, "10.77.2")):
            here, there = f"v{os.getpid()}{net[-1]}a", f"v{os.getpid()}{net[-1]}b"
            self.ip("link", "add", here, "netns", left, "type", "veth", "peer", "name", there,
                    "netns", right)
            for name, link, address in ((left, here, f"{net}.1"), (right, there, f"{net}.2")):
                self.ip("-n", name, "address", "add", f"{address}/24", "dev", link)
                self.ip("-n", name, "link", "set", link, "up")
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

    def inside(self, what):
        return ["ip", "netns", "exec", self.names[what]]


class InNetworks:
    """A server and a gateway whose sockets are in other networks: what they are asked
    goes over a command that runs there."""

    def __init__(self, networks, folder, lifts):
        self.networks, self.folder, self.lifts = networks, folder, lifts

    def start(self, what, words, files):
        for file in files:
            file.unlink(missing_ok=True)
        log = open(self.folder / f"{what}.log", "ab")
        process = subprocess.Popen([*self.networks.inside(what), EDS, "audit", *words],
                                   stdout=subprocess.DEVNULL, stderr=log)
        log.close()
        await_that(lambda: all(file.exists() for file in files) or process.poll() is not None,
                   "the start in a network")
        assert process.poll() is None, (self.folder / f"{what}.log").read_text()[-2000:]
        return process

    def serve(self):
        port = self.folder / "server.port"
        return self.start(2, ["serve", "--addr", "10.77.2.2:8080", "--allowed-sources", "10.77.2.1",
                              "--admin-addr", "off", "--data-dir", str(self.folder / "data"),
                              "--port-file", str(port), *(lift.argument() for lift in self.lifts)],
                          [port])

    def gateway(self):
        port = self.folder / "gateway.port"
        return self.start(1, ["gateway", "--addr", "10.77.1.2:8080", "--allowed-sources",
                              "10.77.1.0/24", "--buffer", f"log:{self.folder}/buffer", "--url",
                              "http://10.77.2.2:8080", "--admin-addr", "127.0.0.1:9464",
                              "--port-file", str(port)], [port])

    def waiting(self):
        page = subprocess.run([*self.networks.inside(1), "curl", "-s",
                               "http://127.0.0.1:9464/metrics"], capture_output=True, check=False)
        for line in page.stdout.decode().splitlines():
            if line.startswith("edgesentry_buffer_records "):
                return float(line.split()[1])
        return None


def in_networks(folder):
    chance = random.Random(int(os.environ.get("EDS_SEED", "2")))
    lifts = [Lift(f"lift-{n}", n) for n in range(DEVICES)]
    with Networks() as networks:
        lab = InNetworks(networks, folder, lifts)
        server, gateway = lab.serve(), lab.gateway()
        try:
            with open(f"/run/netns/{networks.names[0]}", "rb") as network:
                around = subprocess.run([*networks.inside(0), "curl", "-s", "-m", "2",
                                         "http://10.77.2.2:8080/"], capture_output=True, check=False)
                assert around.returncode != 0, "devices reach the server without the gateway"
                visitors = [Visitor(lift, 8080, "10.77.1.2", network.fileno()) for lift in lifts]
                for visitor in visitors:
                    visitor.start()
                for _ in range(kills()):
                    time.sleep(chance.uniform(0.02, 0.25))
                    gateway.kill()
                    gateway.wait()
                    gateway = lab.gateway()
                for visitor in visitors:
                    visitor.end()
            await_that(lambda: lab.waiting() == 0, "the gateway to be empty", 300)
        finally:
            for process in (gateway, server):
                process.terminate()
                process.wait(timeout=120)
    for lift in lifts:
        assert lift.acknowledged == lift.sequence
        check_delivered(folder, lift)
    return sum(lift.sequence for lift in lifts)


def main():
    if eds("audit", "gateway", "--help").returncode != 0:
        skip("this build has no HTTP server")
    bridge()
    for buffer in ("sqlite:", "log:"):
        with tempfile.TemporaryDirectory() as folder:
            count = on_one_machine(pathlib.Path(folder), buffer)
        print(f"{buffer} {kills()} kills, {count} records: all there, once, in order", flush=True)
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("curl") is None:
        print("note: without root, ip and curl there are no networks to be made")
        return
    try:
        with Networks():
            pass
    except subprocess.CalledProcessError as fault:
        print("note: no networks can be made here:", fault.stderr.decode().strip())
        return
    with tempfile.TemporaryDirectory() as folder:
        count = in_networks(pathlib.Path(folder))
    print(f"three networks: {kills()} kills, {count} records: all there, once, in order")


main()
