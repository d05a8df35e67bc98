#!/usr/bin/env python3
"""The Debian packages, on a Debian of their own with a real systemd: built and
held to lintian, installed, every unit started under its sandbox and used, killed,
reloaded, upgraded, removed and purged; and then `make install` in their place.  What was
recorded is there to the end.  The blocks of docs/OPERATIONS.md that install are run as
they stand."""
# label: slow
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from certificates import server_certificate  # noqa: E402
from eds_lab import EDS, Device, skip  # noqa: E402
from mqtt_lab import Broker, Client, await_that  # noqa: E402
from ports import free_port  # noqa: E402

DATA = "/var/lib/edgesentry"
SERVERS = {"http": "serve", "tls": "serve-tls", "mqtt": "serve-mqtt"}
BLOCKS = dict(re.findall(r"^```(?:sh|ini) ([a-z-]+)\n(.*?)^```$",
                         (SOURCE / "docs/OPERATIONS.md").read_text(), flags=re.M | re.S))


def need():
    if os.environ.get("EDS_TEST_DEB") != "1":
        skip("building and installing packages takes minutes: make test-deb")
    if os.geteuid() != 0:
        skip("a machine of its own can only be started by root")
    for tool in ("dpkg-buildpackage", "lintian", "mmdebstrap", "systemd-nspawn", "mosquitto"):
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin") is None:
            skip(f"{tool} is not installed: scripts/install-deps.sh deb")


def mirror():
    """Where this machine gets its packages from."""
    lists = pathlib.Path("/etc/apt")
    for name in [*lists.glob("sources.list.d/*.sources"), lists / "sources.list"]:
        found = re.search(r"^(?:URIs:|deb(?: \[.*\])?) +(http\S+)",
                          name.read_text() if name.exists() else "", re.M)
        if found:
            return found[1]
    return "http://deb.debian.org/debian"


def build(folder):
    """The packages of revision 1, and those of revision 2 for an upgrade."""
    subprocess.run([SOURCE / "scripts/deb.sh", folder / "1"], check=True)
    (folder / "2").mkdir()
    for package in (folder / "1").glob("*.deb"):
        tree = folder / "tree"
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"-1\b", "-2", control.read_text()))
        subprocess.run(["dpkg-deb", "-b", tree, folder / "2" / package.name.replace("-1_", "-2_")],
                       check=True, capture_output=True)
        shutil.rmtree(tree)


class Machine:
    """A Debian with systemd as its first process; the network is ours."""

    def __init__(self, folder):
        self.root = folder / "root"
        subprocess.run(["mmdebstrap", "-q", "--variant=minbase",
                        "--include=systemd,systemd-sysv,dbus", "bookworm", self.root, mirror()],
                       check=True)
        shutil.copytree("/etc/apt/apt.conf.d", self.root / "etc/apt/apt.conf.d",
                        dirs_exist_ok=True)
        (self.root / "etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n')
        self.log = open(folder / "boot.log", "wb")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-D", self.root, "--register=no", "--keep-unit", "--boot",
             "--console=pipe", "--resolv-conf=copy-host", "--link-journal=no"],
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="0"), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.first = None
        try:
            await_that(self.booted, "systemd to be up", 120)
        except AssertionError:
            log = (folder / "boot.log").read_text(errors="replace")[-2000:]
            self.close()
            skip(f"no systemd comes up in a container here: {log}")
        self.run("apt-get", "update", "-q")

    def booted(self):
        assert self.process.poll() is None
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.first = (children.read_text().split() or [None])[0]
        return self.first and self.run("systemctl", "is-system-running",
                                       check=False).stdout.strip() in ("running", "degraded")

    def block(self, text, **variables):
        """Lines of the document, with the packages' folder where they want it."""
        return self.run("bash", "-euc", "cd /srv\n" + text, **variables)

    def run(self, *words, check=True, stdin=None, **variables):
        done = subprocess.run(["nsenter", "-t", self.first, "-a", "env", "-i",
                               "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                               *(f"{name}={value}" for name, value in variables.items()), *words],
                              input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
                                 + self.journal())
        return done

    def journal(self):
        done = subprocess.run(["nsenter", "-t", self.first, "-a", "journalctl", "-n", "40",
                               "--no-pager"], capture_output=True, text=True, check=False)
        return done.stdout

    def install(self, packages):
        place = self.put(packages)
        names = sorted(f"{place}/{package.name}" for package in packages.glob("*.deb"))
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *names)

    def put(self, packages):
        """Where they are then: as after `make deb` in /srv."""
        place = self.root / "srv/build/deb"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for package in packages.glob("*.deb"):
            shutil.copy(package, place)
        return "/srv/build/deb"

    def state(self, unit, what):
        return self.run("systemctl", "show", "-P", what, unit).stdout.strip()

    def close(self):
        if self.first:
            self.run("systemctl", "poweroff", "--force", check=False)
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Site:
    """What is configured on the machine: three servers, one ledger, one device."""

    def __init__(self, folder, machine):
        self.machine = machine
        self.ports = {name: free_port() for name in SERVERS}
        self.device = Device("lift-02", 3)
        self.broker = Broker(folder / "broker")
        self.folder = folder
        self.etc = machine.root / "etc/edgesentry"
        server_certificate(folder)
        self.certificate = folder / "server.pem"
        self.etc.mkdir()
        for name in ("server.pem", "server.key"):
            shutil.copy(folder / name, self.etc / name)
        (self.etc / "conf.d").mkdir()
        (self.etc / "conf.d/site.conf").write_text("\n".join([
            "[serve]", f"addr = 127.0.0.1:{self.ports['http']}", "admin-addr = off",
            "[serve-tls]", f"addr = 127.0.0.1:{self.ports['tls']}", "admin-addr = off",
            "tls-cert = /etc/edgesentry/server.pem", "tls-key = /etc/edgesentry/server.key",
            "[serve-mqtt]", "broker = 127.0.0.1", f"port = {self.broker.port}",
            "admin-addr = off", ""]))

    def as_server(self, *words):
        return self.machine.run("runuser", "-u", "edgesentry", "--", "eds", "audit", *words)

    def register(self, device, store=("--data-dir", DATA)):
        self.as_server("device", "add", device.name, "--public-key-hex", device.public_key,
                       "--attest", "optional", *store)

    def send(self, server, count=3, device=None):
        """Sends the device's next records; each has to be accepted."""
        envelopes = b"\n".join((device or self.device).next() for _ in range(count))
        if server == "mqtt":
            client = Client(self.broker.port, "sender")
            client.subscribe("edgesentry/ingest/response")
            for envelope in envelopes.split(b"\n"):
                client.publish("edgesentry/ingest", envelope)
                answer = json.loads(client.messages.get(timeout=120).payload)
                assert answer["status"] == "accepted", answer
            client.close()
            return
        scheme, more = ("http", []) if server == "http" else \
            ("https", ["--ca-file", str(self.certificate)])
        done = subprocess.run([EDS, "audit", "send", "--url",
                               f"{scheme}://localhost:{self.ports[server]}", *more],
                              input=envelopes, capture_output=True, check=False)
        assert done.returncode == 0 and f"accepted={count} ".encode() in done.stdout, \
            (done, self.machine.journal())

    def record(self, name, key_file):
        """One record of a device that was registered by the document's line."""
        done = subprocess.run([EDS, "audit", "agent", "--device-id", name, "--key-file", key_file,
                               "--buffer", self.folder / "agent.db", "--url",
                               f"http://127.0.0.1:{self.ports['http']}"], input=b"a door\n",
                              capture_output=True, check=False, timeout=120)
        assert done.returncode == 0 and b" delivered=1 " in done.stdout, \
            (done, self.machine.journal())
        self.others += 1

    others = 0  # records that are not self.device's

    def verify(self):
        """The ledger is whole and has everything that was accepted."""
        said = self.as_server("ledger", "verify", "--data-dir", DATA)
        assert "LEDGER_VALID" in said.stdout
        assert f"{self.device.sequence + self.others} records" in said.stderr + said.stdout, said


def installed(machine, site, packages):
    """By the document's lines: the command is there, its user as well, one server runs and
    nothing else does uninvited.  Then the other packages."""
    key = site.folder / "lift-01.key"
    subprocess.run([EDS, "keygen", "--out", key], check=True, capture_output=True)
    public = json.loads(subprocess.run([EDS, "inspect-key", "--key-file", key], check=True,
                                       capture_output=True).stdout)["public_key_hex"]
    machine.put(packages)
    machine.block(BLOCKS["deb-install"], KEY=public)
    site.record("lift-01", key)
    machine.run("chown", "edgesentry", "/etc/edgesentry/server.key")
    assert machine.run("eds", "--version").stdout.startswith("eds ")
    assert machine.run("stat", "-c", "%U %a", DATA).stdout == "edgesentry 700\n"
    machine.install(packages)
    for name in SERVERS:
        unit = f"edgesentry-{name}"
        runs = name == "http"
        assert machine.state(unit, "LoadState") == "loaded"
        assert machine.state(unit, "ActiveState") == ("active" if runs else "inactive")
        assert machine.state(unit, "UnitFileState") == ("enabled" if runs else "disabled")
        said = machine.run("systemd-analyze", "security", f"{unit}.service", "--no-pager").stdout
        assert float(re.search(r"Overall exposure level.*: ([0-9.]+)", said)[1]) <= 2.0, said
    pages = machine.run("dpkg", "-L", "edgesentry", "libedgesentry-dev").stdout
    for page in ("man1/eds-audit-serve.1", "man5/eds.conf.5", "man3/eds_agent_open.3"):
        assert page in pages, page
    said = machine.run("python3", "-c", "import edgesentry; print(edgesentry.__name__)").stdout
    assert said == "edgesentry\n"
    machine.run("systemctl", "disable", "--now", "edgesentry-http")


def credential(machine, site):
    """The document's drop-in: another ledger, named by a credential."""
    store = f"sqlite:{DATA}/credential.db"
    device = Device("lift-03", 4)
    site.register(device, ("--store", store))
    (site.etc / "store.url").write_text(store + "\n")
    (site.etc / "store.url").chmod(0o600)
    drop_in = machine.root / "etc/systemd/system/edgesentry-http.service.d"
    drop_in.mkdir()
    (drop_in / "override.conf").write_text(BLOCKS["credential"])
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "edgesentry-http")
    site.send("http", device=device)
    machine.run("systemctl", "stop", "edgesentry-http")
    said = site.as_server("ledger", "verify", "--store", store)
    assert "LEDGER_VALID" in said.stdout and "3 records" in said.stderr + said.stdout, said
    shutil.rmtree(drop_in)
    machine.run("systemctl", "daemon-reload")


def each_serves(machine, site):
    for name in SERVERS:
        unit = f"edgesentry-{name}"
        machine.run("systemctl", "start", unit)
        assert machine.state(unit, "ActiveState") == "active"
        site.send(name)
        if name == "tls":
            machine.run("systemctl", "reload", unit)
            site.send(name)
        before = machine.state(unit, "MainPID")
        machine.run("systemctl", "kill", "-s", "KILL", unit)
        await_that(lambda: machine.state(unit, "MainPID") not in ("0", before)
                   and machine.state(unit, "ActiveState") == "active", f"{unit} to come back")
        site.send(name)
        machine.run("systemctl", "stop", unit)
        assert machine.state(unit, "Result") == "success", machine.journal()
    site.verify()


def port_is_systemds(machine, site):
    """With the socket unit a restart refuses nobody."""
    machine.run("mkdir", "-p", "/etc/systemd/system/edgesentry-http.socket.d")
    (machine.root / "etc/systemd/system/edgesentry-http.socket.d/port.conf").write_text(
        f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{site.ports['http']}\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "edgesentry-http.socket")
    assert machine.state("edgesentry-http", "ActiveState") == "inactive"
    site.send("http")
    assert machine.state("edgesentry-http", "ActiveState") == "active"
    machine.run("systemctl", "restart", "--no-block", "edgesentry-http")
    site.send("http")
    machine.run("systemctl", "stop", "edgesentry-http.socket", "edgesentry-http")
    site.verify()


def upgraded(machine, site, packages):
    """What runs is restarted as the new version; what does not run stays so."""
    machine.run("systemctl", "enable", "--now", "edgesentry-http")
    site.send("http")
    before = machine.state("edgesentry-http", "MainPID")
    machine.install(packages)
    await_that(lambda: machine.state("edgesentry-http", "ActiveState") == "active",
               "the new version")
    assert machine.state("edgesentry-http", "MainPID") != before
    assert machine.state("edgesentry-tls", "ActiveState") == "inactive"
    site.send("http")
    site.verify()


def purged(machine):
    """The configuration goes with a purge, the evidence never."""
    said = machine.run("apt-get", "remove", "-y", "-q", "edgesentry")
    assert machine.run("eds", "--version", check=False).returncode != 0
    assert (machine.root / "etc/edgesentry/eds.conf").exists()
    said = machine.run("apt-get", "purge", "-y", "-q", "edgesentry").stdout
    assert "are kept" in said, said
    assert not (machine.root / "etc/edgesentry/eds.conf").exists()
    kept = list((machine.root / DATA[1:]).glob("*.db")) + \
        list((machine.root / DATA[1:]).glob("*.sqlite*"))
    assert kept, list((machine.root / DATA[1:]).iterdir())


def made(machine, site):
    """Without a package, by the document's lines: the first one here, to the machine's
    /usr/local, the second one there.  The user is made anew, and the ledger goes on."""
    machine.run("userdel", "edgesentry")
    here, there = BLOCKS["make-install"].splitlines()
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    subprocess.run(["bash", "-euc", here], cwd=SOURCE, check=True, capture_output=True,
                   env=dict(environment, DESTDIR=str(machine.root)))
    machine.block(there)
    assert machine.run("stat", "-c", "%U %a", DATA).stdout == "edgesentry 700\n"
    machine.run("chown", "-R", "edgesentry:edgesentry", DATA)  # its number may be another one
    (site.etc / "eds.conf").write_text(f"data-dir = {DATA}\n")
    assert machine.state("edgesentry-http", "FragmentPath").startswith("/usr/local/lib/")
    machine.run("systemctl", "start", "edgesentry-http")
    site.send("http")
    machine.run("systemctl", "stop", "edgesentry-http")
    site.verify()


def main():
    need()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        began = time.monotonic()

        def told(part):
            print(f"{part}: ok after {time.monotonic() - began:.0f} s", flush=True)

        build(folder)
        told("build and lintian")
        machine = Machine(folder)
        site = None
        try:
            told("a machine")
            site = Site(folder, machine)
            installed(machine, site, folder / "1")
            told("installed")
            site.register(site.device)
            credential(machine, site)
            told("a credential")
            each_serves(machine, site)
            told("each unit serves")
            port_is_systemds(machine, site)
            told("the port is systemd's")
            upgraded(machine, site, folder / "2")
            told("upgraded")
            purged(machine)
            told("removed and purged")
            made(machine, site)
            told("make install")
        finally:
            if site is not None:
                site.broker.close()
            machine.close()


if __name__ == "__main__":
    main()
