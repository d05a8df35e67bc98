#!/usr/bin/env python3
"""Rates: who sends too much is answered 429 with Retry-After and a connection
that goes on; eds audit send waits as it is told, and every record arrives; the
operation log sums up how often that was.  Who sends too many bytes is read more slowly,
and refused only when too many of his wait already."""
import json
import os
import pathlib
import signal
import sqlite3
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Connection, Device, Server, bridge, eds  # noqa: E402


def request(body):
    return (b"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


def ask(connection, body):
    """Status, Retry-After and the answer's text, on a connection that is kept."""
    connection.socket.sendall(request(body))
    return answer(connection)


def answer(connection):
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
    server = Server(folder, [device.argument()], "--rate-per-device", "1:1")
    bodies = [device.next() for _ in range(5)]  # none waits only if each takes a second
    start = time.monotonic()
    done = eds("audit", "send", "--url", server.url, stdin=b"\n".join(bodies))
    assert done.returncode == 0, done.stderr
    assert b"SEND_COMPLETE: accepted=5 duplicate=0 rejected=0" in done.stdout, done.stdout
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
    # All at once, so that no machine is too slow for them to be too many.
    connection.socket.sendall(request(b"no record at all") * 200)
    replies = [answer(connection) for _ in range(200)]
    assert [reply[0] for reply in replies[:3]] == [400] * 3, replies[:3]
    over = {reply for reply in replies if reply[0] != 400}
    assert over == {(429, "1", '{"status":"rejected","error":"rate limit exceeded for '
                     'source=127.0.0.1"}')}, over
    for body in (device.next(), device.next()):
        while (reply := ask(connection, body))[0] == 429:
            time.sleep(int(reply[1]))
        assert reply[0] == 202, reply
    connection.close()
    code, out = server.end(signal.SIGTERM)
    assert code == 0
    assert '"rate_limited":' in out and '"rate_limited": 0' not in out, out
    told = lines(folder, "%requests of source 127.0.0.1 were over a rate")
    assert len(told) >= 1, told


def check_bytes(folder):
    """Large payloads of one address, at 4 MiB a second: the second one has to wait, none is
    lost, and small records do not stand behind them."""
    device, other = Device("lift-01", 1), Device("lift-02", 2)
    admin = folder / "admin"
    server = Server(folder, [device.argument(), other.argument()], "--bytes-per-source",
                    "4194304:2097152", "--admin-addr", "127.0.0.1:0", "--admin-port-file",
                    str(admin))
    payloads = [os.urandom(size) for size in (3_000_000, 3_000_000, 500_000)]
    records = [json.loads(device.next(payload))["record"] for payload in payloads]
    (folder / "records").write_text(json.dumps(records))
    (folder / "payloads").write_text(json.dumps([payload.hex() for payload in payloads]))
    start = time.monotonic()
    done = eds("audit", "send", "--url", server.url, "--records-file", str(folder / "records"),
               "--payloads-file", str(folder / "payloads"))
    assert done.returncode == 0, done.stderr
    assert b"SEND_COMPLETE: accepted=3 duplicate=0 rejected=0" in done.stdout, done.stdout
    assert time.monotonic() - start >= 1, "nobody waited"
    connection = Connection(server.port)
    assert ask(connection, other.next())[0] == 202
    connection.close()
    url = f"http://127.0.0.1:{admin.read_text().strip()}/metrics"
    with urllib.request.urlopen(url, timeout=120) as got:
        page = got.read().decode()
    waits = next(line for line in page.splitlines()
                 if line.startswith("edgesentry_http_paced_total "))
    assert int(waits.split()[1]) > 0 and "edgesentry_http_paced_connections 0" in page, waits
    assert server.end(signal.SIGTERM)[0] == 0


def main():
    bridge()
    for check in (check_device, check_source, check_bytes):
        with tempfile.TemporaryDirectory() as folder:
            check(pathlib.Path(folder))
    done = eds("audit", "serve", "--rate-per-device", "ten")
    assert done.returncode == 64 and b"invalid rate 'ten'" in done.stderr, done.stderr
    done = eds("audit", "serve", "--bytes-per-source", "1000000")
    assert done.returncode == 64 and b"try 1000000:2097152" in done.stderr, done.stderr


main()
