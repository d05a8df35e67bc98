#!/usr/bin/env python3
"""The certificate of serve-tls is renewed again and again while records come, over
old connections and new ones: no request fails, and the newest one is served.

EDS_TLS_RENEWALS says how often (5; the long form is 50)."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from certificates import Authority  # noqa: E402
from eds_lab import Device, Server, await_that, eds, skip  # noqa: E402

RENEWALS = int(os.environ.get("EDS_TLS_RENEWALS", "5"))


class Client(threading.Thread):
    """Posts a device's records until it is told to stop; `kept` on one connection."""

    def __init__(self, port, ca, device, kept):
        super().__init__()
        self.port, self.device, self.kept = port, device, kept
        self.context = ssl.create_default_context(cafile=str(ca))
        self.accepted, self.faults, self.serials, self.stop = 0, [], set(), False

    def run(self):
        connection = None
        while not self.stop and not self.faults:
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection("localhost", self.port, timeout=120,
                                                             context=self.context)
                    connection.connect()
                    self.serials.add(connection.sock.getpeercert()["serialNumber"])
                connection.request("POST", "/api/v1/ingest", self.device.next(),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 202:
                    self.faults.append((answer.status, text))
                self.accepted += 1
                if not self.kept:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(error)


def replace(source, target):
    """As certificate managers do: whole or not at all."""
    beside = target.with_suffix(".new")
    shutil.copy(source, beside)
    beside.rename(target)


def log_lines(folder, event):
    return (folder / "server.log").read_text().count(f"event={event} ")


def await_lines(folder, event, count):
    await_that(lambda: log_lines(folder, event) >= count, f"{count} lines of {event}")


def issue(authority):
    return authority.issue("/CN=localhost", san="DNS:localhost", usage="serverAuth")


def renew(folder, authority, server):
    """By signal; every second time a reload meets the files half replaced."""
    for number in range(1, RENEWALS + 1):
        failed = log_lines(folder, "tls_reload_failed")
        certificate, key = issue(authority)
        replace(certificate, folder / "cert.pem")
        if number % 2 == 0:
            server.process.send_signal(signal.SIGHUP)
            await_lines(folder, "tls_reload_failed", failed + 1)
        replace(key, folder / "key.pem")
        reloaded = log_lines(folder, "tls_reloaded")
        server.process.send_signal(signal.SIGHUP)
        await_lines(folder, "tls_reloaded", reloaded + 1)
    return certificate


def main():
    if shutil.which("openssl") is None:
        skip("there is no openssl to make certificates with")
    if json.loads(eds("--version", "--json").stdout)["features"]["transport-tls"] != "on":
        skip("this build has no TLS")
    with tempfile.TemporaryDirectory(prefix="eds-renewal-") as name:
        folder = pathlib.Path(name)
        authority = Authority(folder / "ca")
        for source, target in zip(issue(authority), ("cert.pem", "key.pem")):
            replace(source, folder / target)
        devices = [Device(f"lift-{number:02}", number) for number in range(1, 5)]
        server = Server(folder, [device.argument() for device in devices], "--tls-cert",
                        str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"),
                        command="serve-tls")
        clients = [Client(server.port, authority.ca, device, number % 2 == 0)
                   for number, device in enumerate(devices)]
        for client in clients:
            client.start()
        renew(folder, authority, server)
        # Without a signal the files are looked at as well.
        reloaded = log_lines(folder, "tls_reloaded")
        for source, target in zip(issue(authority), ("cert.pem", "key.pem")):
            replace(source, folder / target)
        await_lines(folder, "tls_reloaded", reloaded + 1)
        last = (folder / "ca" / "serial.old").read_text().strip()
        await_that(lambda: all(last in client.serials or client.kept or client.faults
                               for client in clients), "the newest certificate")
        for client in clients:
            client.stop = True
        for client in clients:
            client.join()
        assert not any(client.faults for client in clients), [c.faults for c in clients]
        assert all(len(client.serials) == 1 for client in clients if client.kept)
        accepted = sum(client.accepted for client in clients)
        code, out = server.end(signal.SIGTERM)
        assert (code, out) == (
            0, f"SERVE_COMPLETE: accepted={accepted} duplicate=0 rejected=0\n"), out
    print(f"{RENEWALS + 1} renewals, {accepted} records, no failed request")


if __name__ == "__main__":
    main()
