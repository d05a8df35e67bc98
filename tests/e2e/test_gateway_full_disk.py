#!/usr/bin/env python3
# label: slow
"""A gateway whose disk has one megabyte and nothing left: it puts devices off, loses
nothing that it has taken, lets nobody overtake, and a server that takes what waits is
room.

In a mount namespace of its own: as root, or where users may have namespaces."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import own_mounts  # noqa: E402
from eds_lab import Connection, Server, bridge, eds, skip  # noqa: E402
from gateway_lab import Gateway, Lift, check_delivered  # noqa: E402
from ports import free_port  # noqa: E402


def full_disk(folder):
    lifts = [Lift(f"lift-{n}", n) for n in range(4)]
    small = folder / "gateway"
    small.mkdir()
    own_mounts.small_disk(small)
    port = free_port()
    gateway = Gateway(small, f"http://127.0.0.1:{port}", log=folder / "gateway.log")
    connection = Connection(gateway.port)
    open_records = {}
    while len(open_records) < len(lifts):  # until each device has been put off
        for lift in lifts:
            if lift.name in open_records:
                continue
            envelope = lift.next(os.urandom(1500))
            status, answer = connection.post(envelope)
            assert status in (202, 503), answer
            if status == 503:
                open_records[lift.name] = envelope
    taken = sum(lift.sequence - 1 for lift in lifts)
    assert taken > 50, taken
    gateway.end(signal.SIGKILL)
    gateway = Gateway(small, f"http://127.0.0.1:{port}", log=folder / "gateway.log")
    assert gateway.metrics()["edgesentry_buffer_records"] == taken
    server = Server(folder, [lift.argument() for lift in lifts], port=port)
    gateway.await_drained()
    connection = Connection(gateway.port)
    for lift in lifts:
        assert connection.post(open_records[lift.name])[0] == 202
        assert connection.post(lift.next())[0] == 202
    gateway.await_drained()
    gateway.end()
    server.end(signal.SIGTERM)
    subprocess.run(["umount", str(small)], check=True)
    for lift in lifts:
        check_delivered(folder, lift)
    return taken


def main():
    if eds("audit", "gateway", "--help").returncode != 0:
        skip("this build has no HTTP server")
    bridge()
    with tempfile.TemporaryDirectory() as folder:
        taken = full_disk(pathlib.Path(folder))
    print(f"a full disk of a megabyte: {taken} records taken, none lost, none out of order")


own_mounts.enter()
main()
