#!/usr/bin/env python3
"""PostgreSQL over TLS: sslmode=verify-full takes the server whose certificate our
CA has signed for that name, and no other, also when it connects again; and a
client certificate where the database asks for one."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import VECTORS, eds, skip  # noqa: E402
from postgres_lab import database, sql, start, stop  # noqa: E402
from server import has_server, serve  # noqa: E402

DEVICE = "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.crt")


def make_certificate(folder, name, ca, subject, *alternative):
    extensions = folder / f"{name}.ext"
    extensions.write_text("".join(f"subjectAltName={text}\n" for text in alternative))
    openssl("req", "-newkey", "ed25519", "-nodes", "-subj", f"/CN={subject}", "-keyout",
            f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{ca}.crt", "-CAkey",
            f"{folder}/{ca}.key", "-CAcreateserial", "-days", "2", "-extfile", str(extensions),
            "-out", f"{folder}/{name}.crt")
    (folder / f"{name}.key").chmod(0o600)


def install(folder, place, name, clients="trust", tls="on"):
    """Lets the server of place present that certificate, and starts it anew."""
    data = pathlib.Path(place) / "data"
    for source, target in ((f"{name}.crt", "server.crt"), (f"{name}.key", "server.key"),
                           ("ours.crt", "clients.crt")):
        shutil.copy(folder / source, data / target)
        os.chown(data / target, data.stat().st_uid, data.stat().st_gid)
        (data / target).chmod(0o600)
    stop(place, "fast")
    hba = data / "pg_hba.conf"
    kind = "hostssl" if tls == "on" else "host"
    hba.write_text(f"local all all trust\n{kind} all all 127.0.0.1/32 {clients}\n")
    with open(data / "postgresql.conf", "a", encoding="ascii") as file:
        file.write(f"ssl = {tls}\nssl_ca_file = 'clients.crt'\n")
    start(place)


def migrate(url, code, said=""):
    done = eds("audit", "db", "migrate", "--store", url)
    told = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == code and said in told, (url, done.returncode, told)


def send(http, code, folder, count):
    """Sends the first records of the original's demo."""
    records = json.loads((VECTORS / "peer/demo_records.json").read_text())[:count]
    payloads = json.loads((VECTORS / "peer/demo_payloads.json").read_text())[:count]
    (folder / "records.json").write_text(json.dumps(records))
    (folder / "payloads.json").write_text(json.dumps(payloads))
    done = eds("audit", "send", "--url", http, "--attempts", "2", "--records-file",
               str(folder / "records.json"), "--payloads-file", str(folder / "payloads.json"))
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout.decode() + done.stderr.decode()


def verify(folder, place, plain):
    port = plain.split(":")[-1].split("/")[0]

    def url(host="localhost", mode="verify-full", ca="ours", more=""):
        return (f"postgresql://eds@{host}:{port}/postgres?hostaddr=127.0.0.1&sslmode={mode}"
                f"&sslrootcert={folder}/{ca}.crt{more}")

    migrate(url(), 1, "does not support SSL")  # the server speaks plainly: not with us
    install(folder, place, "right")
    migrate(url(), 0, "schema version")
    migrate(url(ca="theirs"), 1, "certificate verify failed")
    migrate(url(host="127.0.0.1"), 1, "does not match host name")
    migrate(url(mode="disable"), 1, "no encryption")
    migrate(url(mode="verify-ca", host="127.0.0.1"), 0)  # the name is not asked about: theirs

    with serve("unused", DEVICE, store=url()) as http:
        send(http, 0, folder, 1)
        assert sql(place, "SELECT DISTINCT ssl, version LIKE 'TLSv1._' FROM pg_stat_ssl JOIN "
                          "pg_stat_activity USING (pid) WHERE application_name = 'edgesentry'"
                   ) == "t|t"
        install(folder, place, "wrong")  # somebody else answers at the same place
        assert "cannot take records now" in send(http, 1, folder, 2)
        install(folder, place, "right")
        assert "accepted=1 duplicate=1" in send(http, 0, folder, 2)
    assert sql(place, "SELECT count(*) FROM audit_records") == "2"

    install(folder, place, "right", clients="cert")
    migrate(url(), 1, "certificate")
    migrate(url(more=f"&sslcert={folder}/client.crt&sslkey={folder}/client.key"), 0)


def main():
    if shutil.which("openssl") is None:
        skip("openssl is not installed")
    if not has_server():
        skip("this build has no HTTP server")
    with database() as (place, plain), tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_ca(folder, "ours")
        make_ca(folder, "theirs")
        make_certificate(folder, "right", "ours", "localhost", "DNS:localhost")
        make_certificate(folder, "wrong", "theirs", "localhost", "DNS:localhost")
        make_certificate(folder, "client", "ours", "eds")
        os.chdir(folder)
        verify(folder, place, plain)
        os.chdir("/")


main()
