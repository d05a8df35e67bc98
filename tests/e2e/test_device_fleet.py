#!/usr/bin/env python3
"""A fleet enrolled from a file while servers run: every server takes the records of
its first and of its last device right after; what goes wrong in the middle leaves
nothing behind; what is exported is imported again as the same.  On SQLite with one
server, on PostgreSQL with two.

The fleets have 3,000 devices, or EDS_FLEET_DEVICES; 100,000, which are promised in under
a minute, are imported alone."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from database import database, has_postgres  # noqa: E402
from eds_lab import Connection, Device, Server, bridge, skip  # noqa: E402
from server import has_server  # noqa: E402

EDS = os.environ["EDS"]
DEVICES = int(os.environ.get("EDS_FLEET_DEVICES", "3000"))
PROMISED, PROMISED_S = 100000, 60
PATIENCE_S = 120  # for what is to come; how long it takes is printed


def device_command(url, word, *args, code=0, stdin=None):
    done = subprocess.run([EDS, "audit", "device", word, *args, "--store", url],
                          capture_output=True, timeout=300, check=False, input=stdin)
    assert done.returncode == code, (word, args, done.returncode, done.stdout[:500],
                                     done.stderr[:500])
    return done.stdout.decode()


def public_keys(count):
    """Keys of devices that never send."""
    import ctypes
    seed, key = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    for _ in range(count):
        assert bridge().eds_keygen(seed, key) == 0
        yield key.raw.hex()


def write_fleet(path, first, last):
    """A file of DEVICES devices, of which the first and the last one can sign."""
    keys = list(public_keys(DEVICES - 2))
    rows = [f"{first.name},{first.public_key},harbour,optional"]
    rows += [f"lift-{i:06},{key},site {i % 50},required" for i, key in enumerate(keys)]
    rows.append(f"{last.name},{last.public_key},shipyard,optional")
    path.write_text("device_id,public_key,site,attest\n" + "\n".join(rows) + "\n")


def await_accepted(servers, bodies):
    """Posts each device's first record until a server takes it; seconds until all did."""
    begun = time.monotonic()
    for server, body in zip(servers, bodies):
        connection = Connection(server.port)
        status, answer = connection.post(body)
        while status == 422 and "unknown device" in answer:
            assert time.monotonic() - begun < PATIENCE_S, answer
            time.sleep(0.02)
            status, answer = connection.post(body)
        assert status == 202, (status, answer)
    return time.monotonic() - begun


def enrol(url, servers, folder):
    """The whole fleet beside a device that sends all the time."""
    first, last = Device("a-first", 1), Device("z-last", 2)
    steady = Device("steady", 3)
    path = pathlib.Path(folder, "fleet.csv")
    write_fleet(path, first, last)
    device_command(url, "add", "steady", "--public-key-hex", steady.public_key, "--attest",
                   "optional")
    await_accepted(servers[:1], [steady.next()])
    ends, faults, slowest = threading.Event(), [], [0.0]

    def send():
        connection = Connection(servers[0].port)
        while not ends.is_set() and not faults:
            body, begun = steady.next(), time.monotonic()
            status, answer = connection.post(body)
            while status == 503:
                time.sleep(0.05)
                status, answer = connection.post(body)
            slowest[0] = max(slowest[0], time.monotonic() - begun)
            if status != 202:
                faults.append((status, answer))

    said = json.loads(device_command(url, "import", str(path), "--dry-run", "--json"))
    assert said["added_count"] == DEVICES and not said["written"], said
    stream = threading.Thread(target=send)
    stream.start()
    begun = time.monotonic()
    said = json.loads(device_command(url, "import", str(path), "--json", "--who", "tester",
                                     "--reason", "order 4712"))
    took = time.monotonic() - begun
    noticed = await_accepted([servers[-1], servers[0]], [last.next(), first.next()])
    ends.set()
    stream.join()
    assert said["written"] and said["added_count"] == DEVICES, said
    assert not faults, faults
    # The same again has nothing to do.
    said = json.loads(device_command(url, "import", str(path), "--json"))
    assert said["same_count"] == DEVICES and said["added_count"] == 0, said
    return took, noticed, slowest[0]


def revoke_by_file(url, server):
    """A file of states and labels changes those that it names."""
    shown = json.loads(device_command(url, "show", "z-last", "--json"))
    body = json.dumps([{"device_id": "z-last", "state": "revoked",
                        "keys": [{"public_key": shown["keys"][0]["public_key"]}]}]).encode()
    device_command(url, "import", "-", code=2, stdin=body)
    device_command(url, "import", "-", "--update", "--reason", "stolen", stdin=body)
    connection, device = Connection(server.port), Device("z-last", 2)
    begun = time.monotonic()
    while "device is revoked" not in connection.post(device.next())[1]:
        assert time.monotonic() - begun < PATIENCE_S
        device.sequence, device.hashes = 0, [bytes(32)]
        time.sleep(0.01)
    shown = json.loads(device_command(url, "show", "z-last", "--json"))
    assert shown["state"] == "revoked" and shown["keys"][0]["standing"] == "revoked", shown


def there_and_back(url, folder):
    """Each form, into a ledger of its own, gives the same registry; so does the list."""
    exported = {}
    for form in ("csv", "json", "ndjson"):
        out = pathlib.Path(folder, f"out.{form}")
        device_command(url, "export", "--format", form, "--out", str(out))
        exported[form] = out.read_bytes()
    pathlib.Path(folder, "out.list").write_text(device_command(url, "list", "--json"))
    for form in ("csv", "json", "ndjson", "list"):
        copy = f"sqlite:{folder}/copy-{form}.db"
        device_command(copy, "import", f"{folder}/out.{form}")
        assert device_command(copy, "export").encode() == exported["csv"], form
    rows = device_command(url, "export", "--site", "site 7").splitlines()
    assert len(rows) == 1 + sum(1 for i in range(DEVICES - 2) if i % 50 == 7), len(rows)


def play(url, server_count):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        servers = []
        for _ in range(server_count):
            place = stack.enter_context(tempfile.TemporaryDirectory())
            servers.append(Server(place, [], "--store", url))
        took, noticed, slowest = enrol(url, servers, folder)
        revoke_by_file(url, servers[-1])
        for server in servers:
            code, out = server.end(signal.SIGTERM)
            assert code == 0, out
        there_and_back(url, folder)
        print(f"{url.split(':')[0]}: {DEVICES} devices in {took:.2f} s, known to "
              f"{server_count} server(s) {noticed:.2f} s later; a record beside waited "
              f"{slowest:.2f} s at most")


def promised(url, folder):
    """A fleet of the size that is promised, in the time that is: of the processor, and of
    the clock where EDS_TEST_TIMES says that nothing else runs."""
    path = pathlib.Path(folder, "promised.csv")
    rows = (f"crane-{i:06},{key},site {i % 50}\n" for i, key in enumerate(public_keys(PROMISED)))
    path.write_text("device_id,public_key,site\n" + "".join(rows))
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = json.loads(device_command(url, "import", str(path), "--json"))
    took, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert said["written"] and said["added_count"] == PROMISED, said
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert worked < PROMISED_S and (took < PROMISED_S or "EDS_TEST_TIMES" not in os.environ), (
        worked, took)
    print(f"{url.split(':')[0]}: {PROMISED} devices in {took:.2f} s")


def refuse(folder):
    """Faults are told with their lines, all of them, and nothing is changed."""
    url = f"sqlite:{folder}/refuse.db"
    keys = list(public_keys(4))
    rows = ["device_id,public_key,state", f"a,{keys[0]},", f"b,{keys[0]},", f"c,{keys[1]},lost",
            f"a,{keys[2]},", f"d,{'00' * 32},", f"e,{keys[3]},"]
    done = subprocess.run([EDS, "audit", "device", "import", "-", "--store", url, "--json"],
                          input="\n".join(rows).encode(), capture_output=True, check=False)
    said = json.loads(done.stdout)
    words = [fault["error"] for fault in said["faults"]]
    assert done.returncode == 2 and said["fault_count"] == 4 and not said["written"], said
    for line, word in ((3, "b: its key stands on line 2"), (4, "expected active"),
                       (5, "a stands on line 2"), (6, "small order")):
        assert any(f"line {line}" in fault and word in fault for fault in words), words
    assert json.loads(device_command(url, "list", "--json"))["devices"] == []
    many = "device_id,public_key\n" + "x,12\n" * 500
    done = subprocess.run([EDS, "audit", "device", "import", "-", "--store", url],
                          input=many.encode(), capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.count(b"error: line") == 50, done.stderr[-300:]
    assert b"450 more faults" in done.stderr and b"nothing was changed" in done.stderr
    for args, code in ((["no-such-file.csv"], 1), (["-", "--update", "--skip-existing"], 64),
                       ([], 64), (["-", "--format", "xml"], 64)):
        device_command(url, "import", *args, code=code, stdin=b"")
    if os.path.exists("/dev/full"):
        good = f"device_id,public_key\nq,{keys[3]}\n".encode()
        device_command(url, "import", "-", stdin=good)
        device_command(url, "export", "--out", "/dev/full", code=1)


def die_in_the_middle(url, folder, stop):
    """An import that is ended by force, or whose database goes away, leaves nothing."""
    subprocess.run([EDS, "audit", "db", "migrate", "--store", url], check=True,
                   stdout=subprocess.DEVNULL)
    path = pathlib.Path(folder, "again.csv")
    path.write_text("device_id,public_key\n"
                    + "".join(f"m-{i:05},{key}\n" for i, key in enumerate(public_keys(20000))))
    for wait in (0.15, 0.4, 0.8):
        process = subprocess.Popen([EDS, "audit", "device", "import", str(path), "--store", url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(wait)
        stop(process)
        process.communicate(timeout=120)
        count = len([device for device in json.loads(device_command(url, "list", "--json"))["devices"]
                     if device["device_id"].startswith("m-")])
        assert count in (0, 20000), count
        # What ended after its commit, before it said so, has done it all the same.
        assert count == 20000 or process.returncode != 0, (count, process.returncode)
    said = json.loads(device_command(url, "import", str(path), "--json"))
    assert said["added_count"] + said["same_count"] == 20000, said


def main():
    if not has_server():
        skip("this build has no HTTP server")
    with tempfile.TemporaryDirectory() as folder:
        play(f"sqlite:{folder}/ledger.db", 1)
        refuse(folder)
        die_in_the_middle(f"sqlite:{folder}/killed.db", folder, lambda process: process.kill())
        promised(f"sqlite:{folder}/promised.db", folder)
    if has_postgres():
        with database() as (place, url), tempfile.TemporaryDirectory() as folder:
            if url is not None:
                play(url, 2)

                def end_backends(_):
                    subprocess.run(
                        [os.path.join(os.environ["EDS_SOURCE"], "tests/support/postgres.sh"),
                         "sql", place,
                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                         " WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"], check=True,
                        stdout=subprocess.DEVNULL)

                die_in_the_middle(url, folder, end_backends)
                promised(url, folder)


main()
