#!/usr/bin/env python3
"""Rates: who sends too much is answered 429 with Retry-After and a connection
that goes on; eds audit send waits as it is told, and every record arrives; the
operation log sums up how often that was."""
import os
import pathlib
import signal
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Connection, Device, Server, bridge, eds  # noqa: E402


def ask(connection, body):
    """Status, Retry-After and the answer's text, on a connection that is kept."""
    connection.socket.sendall(b"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\n"
                              b"Content-Type: application/json\r\nContent-Length: "
                              + str(len(body)).encode() + b"\r\n\r\n" + body)
    status = int(connection.file.readline().split()[1])
    fields = {}
    while (line := connection.file.readline()) != b"\r\n":
        assert line, "the connection was closed"
        name, value = line.decode().split(":", 1)
        fields[name.lower()] = value.strip()
    return status, fields.get("retry-after"), connection.file.read(
        int(fields["content-length"])).decode()


def lines(folder, like):
    connection = sqlite3.connect(f"file:{folder}/data/edgesentry.db?mode=ro", uri=True)
    found = connection.execute("SELECT message FROM operation_logs WHERE message LIKE ?"
                               " ORDER BY id", (like,)).fetchall()
    connection.close()
    return [row[0] for row in found]


def check_device(folder):
    """A hasty device, with the sender that users have."""
    device = Device("lift-01", 1)
    server = Server(folder, [device.argument()], "--rate-per-device", "20:5")
    bodies = [device.next() for _ in range(15)]
    start = time.monotonic()
    done = eds("audit", "send", "--url", server.url, stdin=b"\n".join(bodies))
    assert done.returncode == 0, done.stderr
    assert b"SEND_COMPLETE: accepted=15 duplicate=0 rejected=0" in done.stdout, done.stdout
    assert time.monotonic() - start >= 1, "nobody waited"
    code, _ = server.end(signal.SIGTERM)
    assert code == 0
    told = lines(folder, "%over a rate")
    assert told and all(line.endswith("over a rate") for line in told), told


def check_source(folder):
    """An address that sends too much; what it sends is not read, but it may go on."""
    device = Device("lift-01", 1)
    server = Server(folder, [device.argument()], "--rate-per-source", "1:3", "--json")
    connection = Connection(server.port)
    bodies = [device.next() for _ in range(4)]
    for body in bodies[:3]:
        assert ask(connection, body)[0] == 202
    status, wait, text = ask(connection, bodies[3])
    assert (status, wait) == (429, "1"), (status, wait)
    assert text == '{"status":"rejected","error":"rate limit exceeded for source=127.0.0.1"}', text
    statuses = [ask(connection, b"no record at all")[0] for _ in range(20)]
    assert statuses.count(429) >= 15, statuses
    while (reply := ask(connection, bodies[3]))[0] == 429:
        time.sleep(int(reply[1]))
    assert reply[0] == 202, reply
    connection.close()
    code, out = server.end(signal.SIGTERM)
    assert code == 0
    assert '"rate_limited":' in out and '"rate_limited": 0' not in out, out
    told = lines(folder, "%requests of source 127.0.0.1 were over a rate")
    assert len(told) >= 1, told


def main():
    bridge()
    for check in (check_device, check_source):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(folder))
    done = eds("audit", "serve", "--rate-per-device", "ten")
    assert done.returncode == 64 and b"invalid rate 'ten'" in done.stderr, done.stderr


main()
