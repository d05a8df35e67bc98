#!/usr/bin/env python3
# label: slow
"""Backup and point-in-time restore of docs/OPERATIONS.md, performed: its blocks are run
as they stand, with a PostgreSQL server, an ingest server that takes records before and
after the moment that is gone back to, and devices that send again what was lost;
then a standby that takes over between two records."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from eds_lab import EDS, Connection, Device, Server, eds, skip  # noqa: E402
from ports import free_port  # noqa: E402
from postgres_lab import POSTGRES, database, sql  # noqa: E402

DEVICES = ("crane-01", "lift-01")
BLOCKS = dict(re.findall(r"^```sh ([a-z-]+)\n(.*?)^```$",
                         (SOURCE / "docs/OPERATIONS.md").read_text(), flags=re.M | re.S))
INSTALLING = {"deb-install", "make-install"}  # test_deb.py runs these


class Site:
    """Where the document's variables lead."""

    def __init__(self, place, url, folder):
        self.place = pathlib.Path(place)
        port = int(re.search(r":(\d+)/", url).group(1))
        with open(self.place / "data/postgresql.conf", encoding="utf-8") as file:
            assert f"port = {port}" in file.read()
        self.variables = {
            "PGDATA": f"{place}/data", "PGHOST": str(place), "PGPORT": str(port), "PGUSER": "eds",
            "ARCHIVE": f"{place}/wal", "BACKUP": f"{place}/base", "RESTORED": f"{place}/restored",
            "RESTORED_PORT": str(free_port()), "STANDBY": f"{place}/standby",
            "STANDBY_PORT": str(free_port()),
            "LIVE_URL": f"postgresql://edgesentry@127.0.0.1:{port}/edgesentry"}
        self.variables["RESTORED_URL"] = self.variables["LIVE_URL"].replace(
            str(port), self.variables["RESTORED_PORT"])
        standby = f"127.0.0.1:{self.variables['STANDBY_PORT']}/"
        self.variables["STANDBY_URL"] = self.variables["LIVE_URL"].replace(
            f"127.0.0.1:{port}/", standby)
        self.variables["CLUSTER_URL"] = self.variables["LIVE_URL"].replace(
            f":{port}/", f":{port},{standby}") + "?target_session_attrs=read-write"
        self.owner = self.place.stat()
        self.folder = folder
        self.names = []
        os.makedirs(self.variables["ARCHIVE"])
        os.chown(self.variables["ARCHIVE"], self.owner.st_uid, self.owner.st_gid)

    def run(self, name, **more):
        """One block of the document: those of eds as we are, the others as the owner of
        the server's files."""
        self.names.append(name)
        path = f"{os.path.dirname(EDS)}:{binaries()}:{os.environ['PATH']}"
        who = {}
        if os.geteuid() == 0 and not name.startswith("eds-"):
            who = {"user": self.owner.st_uid, "group": self.owner.st_gid, "extra_groups": []}
        log = self.folder / f"{name}.out"
        with open(log, "wb") as out:  # a file: a server that is started keeps it open
            code = subprocess.run(["bash", "-euc", BLOCKS[name]], cwd=self.place, stdout=out,
                                  stderr=out, stdin=subprocess.DEVNULL, check=False, timeout=300,
                                  env=dict(os.environ, **self.variables, **more, PATH=path),
                                  **who).returncode
        assert code == 0, f"{name}: exit code {code}\n{log.read_text()}"
        return log.read_text()

    def restore(self, *more):
        done = eds("drill", "restore", "--store", self.variables["RESTORED_URL"], "--against",
                   self.variables["LIVE_URL"], "--tolerance-ms", "0", "--json", *more)
        return done.returncode, json.loads(done.stdout)


def binaries():
    """The folder of initdb, as tests/support/postgres.sh finds it."""
    named = os.environ.get("EDS_TEST_POSTGRES_BIN")
    installed = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    return named if named else ":".join(sorted(map(str, installed)))


def send(server, devices, count):
    """Each is acknowledged; returns the envelopes."""
    sent = []
    connection = Connection(server.port)
    for device in devices:
        for _ in range(count):
            sent.append(device.next())
            status, answer = connection.post(sent[-1])
            assert status == 202, answer
    connection.close()
    return sent


def archive_all(place):
    """The segment that is being written goes to the archive."""
    last = sql(place, "SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + 120
    while sql(place, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") < last:
        assert time.monotonic() < deadline, "the archive does not get its segments"
        time.sleep(0.1)


def go_back(site, server, devices):
    """Up to the moment of the disaster everything is acknowledged, and then goes on."""
    send(server, devices, 5)
    site.run("pg-backup")
    send(server, devices, 5)
    target = sql(site.place, "SELECT clock_timestamp()")
    lost = send(server, devices, 5)
    archive_all(site.place)
    code, _ = server.end(signal.SIGTERM)
    assert code == 0
    begun = time.monotonic()
    site.run("pg-restore", TARGET=target)
    seconds = time.monotonic() - begun
    text = site.run("eds-restored")
    for device in devices:
        assert f"MISSING device={device.name} sequences 11 to 15\n" in text, text
    code, report = site.restore()
    assert code == 0 and report["record_count"] == 20 and report["skipped_count"] == 0, report
    assert report["missing_before_count"] == 0 and report["missing_after_count"] == 10, report
    code, report = site.restore("--rpo", "0")
    assert code == 2, "records are missing, and some time lies between them"
    return lost, seconds


def go_on(site, lost):
    """On the restored copy: what was lost is sent again, and both ledgers are the same."""
    server = Server(site.folder, [], "--store", site.variables["RESTORED_URL"])
    connection = Connection(server.port)
    for body in lost:
        status, answer = connection.post(body)
        assert status == 202, answer
    connection.close()
    assert server.end(signal.SIGTERM)[0] == 0
    code, report = site.restore()
    assert code == 0 and report["record_count"] == 30 and report["missing"] == [], report


def take_over(site, devices):
    """The standby has what is acknowledged, and goes on with it."""
    site.run("pg-standby")
    key = site.folder / "drill.key"
    assert eds("keygen", "--out", str(key)).returncode == 0
    public = json.loads(eds("inspect-key", "--key-file", str(key)).stdout)["public_key_hex"]
    assert eds("device", "add", "eds-drill", "--public-key-hex", public, "--store",
               site.variables["CLUSTER_URL"]).returncode == 0
    assert "LEDGER_VALID" in site.run("eds-standby")
    server = Server(site.folder, [], "--store", site.variables["CLUSTER_URL"], "--admin-addr",
                    "127.0.0.1:0", "--admin-port-file", str(site.folder / "admin"))
    promote = f"{binaries().split(':')[-1]}/pg_ctl -D {site.variables['STANDBY']} -w promote"
    if os.geteuid() == 0:
        promote = (f"setpriv --reuid={site.owner.st_uid} --regid={site.owner.st_gid} "
                   f"--clear-groups {promote}")
    text = site.run("eds-failover", STOP=f"{POSTGRES} stop {site.place} immediate",
                    PROMOTE=f"cd / && {promote}", DRILL_KEY=str(key),
                    WHERE=f"--url {server.url} --admin-addr "
                          f"127.0.0.1:{(site.folder / 'admin').read_text().strip()}")
    assert "DRILL_PASSED: db" in text and "FAIL" not in text, text
    send(server, devices, 2)  # devices go on where they were
    assert server.end(signal.SIGTERM)[0] == 0
    done = eds("ledger", "verify", "--store", site.variables["STANDBY_URL"], "--json")
    report = json.loads(done.stdout)
    assert report["valid"] and report["record_count"] == 30 + 30 + 4, report


def end_server(data):
    """One that the document has started: nobody else ends it."""
    if os.path.exists(f"{data}/postmaster.pid"):
        pid = int(pathlib.Path(f"{data}/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.05)


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with database() as (place, url), tempfile.TemporaryDirectory() as name:
        site = Site(place, url, pathlib.Path(name))
        site.run("pg-setup")
        site.run("eds-setup")
        site.run("pg-archive")
        devices = [Device(name, number) for number, name in enumerate(DEVICES)]
        for device in devices:
            done = eds("device", "add", device.name, "--public-key-hex", device.public_key,
                       "--attest", "optional", "--store", site.variables["LIVE_URL"])
            assert done.returncode == 0, done.stderr
        server = Server(site.folder, [], "--store", site.variables["LIVE_URL"])
        try:
            lost, seconds = go_back(site, server, devices)
            go_on(site, lost)
            take_over(site, devices)
        finally:
            end_server(site.variables["RESTORED"])
            end_server(site.variables["STANDBY"])
    assert set(site.names) | INSTALLING == set(BLOCKS), (site.names, list(BLOCKS))
    print(f"set up, backed up, restored in {seconds:.1f} s to the moment that was asked for, "
          "and everything behind it sent again")


if __name__ == "__main__":
    main()
