#!/usr/bin/env python3
"""The configuration is read again at SIGHUP: fifty times under load without a failed
request; what takes effect at once does, on open connections too; what needs a restart
is named in the log and changes nothing; a file with a mistake changes nothing at all."""
import http.client
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, Server, await_that, eds  # noqa: E402

RELOADS = 50


class Lab:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.device = Device("lift-01", 1)
        self.file = self.folder / "eds.conf"
        self.write("log-level = info")
        self.server = Server(folder, [self.device.argument()], "--config", str(self.file))

    def write(self, *lines):
        new = self.folder / "new"
        new.write_text("\n".join(["[serve]", *lines]) + "\n")
        new.rename(self.file)

    def log(self):
        return (self.folder / "server.log").read_text()

    def reload(self, *lines, event="config_reloaded"):
        """Writes the file, asks for it, and waits until the log tells of it."""
        count = self.log().count(f"event={event}")
        self.write(*lines)
        self.server.process.send_signal(signal.SIGHUP)

        def told():
            assert self.server.process.poll() is None, self.log()[-2000:]
            return self.log().count(f"event={event}") > count

        await_that(told, event)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)


def post(connection, body):
    connection.request("POST", "/api/v1/ingest", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def too_many(connection, body):
    """One a second are allowed: more come, on a slow machine at the latest after some."""
    return any(post(connection, body())[0] == 429 for _ in range(200))


def under_load():
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        answers, over = [], threading.Event()

        def send():
            connection = lab.connect()
            while not over.is_set():
                answers.append(post(connection, lab.device.next()))
            connection.close()

        sender = threading.Thread(target=send)
        sender.start()
        for i in range(RELOADS):
            lab.reload(f"allowed-sources = 127.0.0.1,10.{i}.0.0/16",
                       f"trusted-proxies = 192.0.2.{i}", f"rate-per-source = {100000 + i}",
                       f"bytes-per-source = {90000000 + i}",
                       f"rate-per-device = {100000 + i}:{200000 + i}",
                       f"log-level = {'info' if i % 2 else 'debug'}",
                       f"object-size-max = {i}")
            count = len(answers)
            await_that(lambda: len(answers) > count or not sender.is_alive(), "an answer")
        over.set()
        sender.join()
        wrong = [answer for answer in answers if answer[0] != 202]
        assert not wrong and len(answers) > RELOADS, (wrong[:3], len(answers))
        log = lab.log()
        for key in "allowed-sources", "trusted-proxies", "rate-per-source", "rate-per-device", \
                "bytes-per-source", "object-size-max":
            told = log.count(f"event=config_changed key={key} effect=now")
            assert told == RELOADS, (key, told)
        assert lab.server.end(signal.SIGTERM)[0] == 0
        return len(answers)


def at_once():
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        connection = lab.connect()
        assert post(connection, lab.device.next())[0] == 202
        # A mistake changes nothing, not even what is before it.
        lab.reload("allowed-sources = 10.0.0.0/8", "addr = nowhere", event="config_reload_failed")
        lab.reload("allowed-sources = 10.0.0.0/99", event="config_reload_failed")
        assert "eds.conf:3: invalid value 'nowhere' for 'addr'" in lab.log()
        assert post(connection, lab.device.next())[0] == 202
        # What was given on the command line stays, whatever the file says.
        lab.reload("addr = 127.0.0.1:1", "data-dir = elsewhere", "attest = required")
        assert "key=addr" not in lab.log() and "key=data-dir" not in lab.log()
        assert "event=config_changed key=attest effect=restart" in lab.log(), lab.log()
        assert post(connection, lab.device.next())[0] == 202
        lab.reload("object-size-max = 0")
        connection.request("PUT", "/api/v1/objects/" + 64 * "0", b"x")
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["status"]) == (501, "rejected")
        connection = lab.connect()
        lab.reload("rate-per-device = 1:1")
        assert too_many(connection, lab.device.next)
        lab.reload("rate-per-device = 0", "rate-per-source = 1:1")
        assert too_many(connection, lambda: b"{}")
        lab.reload("rate-per-source = 0")
        assert post(connection, b"{}")[0] == 400
        lab.reload("rate-per-source = 0", "bytes-per-source = 1:2097152")
        assert post(connection, b" " * 2097152)[0] == 400
        status, text = post(connection, b" " * 2097152)
        assert status == 429 and "byte rate exceeded for source=127.0.0.1" in text, text
        connection = lab.connect()
        lab.reload("rate-per-source = 0", "bytes-per-source = 0")
        assert post(connection, b" " * 2097152)[0] == 400
        # An open connection's next request is judged by the new list.
        lab.reload("allowed-sources = 10.0.0.0/8")
        status, text = post(connection, b"{}")
        assert status == 403 and "source 127.0.0.1 is not in the allowlist" in text, text
        lab.reload("allowed-sources = 10.0.0.0/8", "trusted-proxies = 127.0.0.1")
        connection = lab.connect()
        connection.request("POST", "/api/v1/ingest", b"{}", {
            "Content-Type": "application/json", "X-Forwarded-For": "10.1.2.3"})
        assert connection.getresponse().status == 400
        assert lab.server.end(signal.SIGTERM)[0] == 0


def explained():
    for key, words in (("allowed-sources", b"Takes effect at SIGHUP"),
                       ("store", b"Takes effect when the server is started")):
        done = eds("config", "explain", key)
        assert words in done.stdout, done


count = under_load()
at_once()
explained()
print(f"{RELOADS} reloads under {count} records, no failed request; mistakes change nothing")
