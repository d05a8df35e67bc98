#!/usr/bin/env python3
"""eds audit agent through a broker: MQTT 5 and 3.1.1, TLS with user and certificate,
brokers and servers that are killed, and a broker that means no good.  A record leaves
the buffer on the server's own answer and on nothing else."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import mqtt_lab  # noqa: E402
from agent_lab import PATIENCE_S, Lab, check, end, failures, summary  # noqa: E402
from mqtt_lab import (CONNACK, CONNECT, DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBACK,  # noqa: E402
                      SUBSCRIBE, Broker, MqttServer, need_mosquitto, packet, read_packet,
                      split_variable, text, variable)

TOPIC = "sites/7"


class Device(Lab):
    """A key, a buffer, and agents that use them one after the other."""

    def argument(self):
        return f"--device={self.key}"

    def start(self, *more, **options):
        return self.agent(f"sqlite:{self.root}/buffer", "--json", *more, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, **options)

    def run(self, lines, *more):
        """Exit code and summary; who has to wait for less says so."""
        agent = self.start(*(() if "--wait" in more else ("--wait", str(PATIENCE_S))), *more)
        out, _ = agent.communicate("".join(line + "\n" for line in lines).encode(),
                                   timeout=2 * PATIENCE_S)
        return agent.returncode, json.loads(out.splitlines()[-1])

    def try_in_vain(self, line, *more):
        """The summary of an agent that has tried, and had no answer."""
        seen = self.log.stat().st_size if self.log.exists() else 0
        agent = self.start("--wait", "0", *more)
        agent.stdin.write(line.encode() + b"\n")
        agent.stdin.flush()
        mqtt_lab.await_that(lambda: "event=server_away" in self.log.read_text()[seen:], "a try")
        return json.loads(agent.communicate(timeout=PATIENCE_S)[0].splitlines()[-1])


def test_broker(root):
    """Delivered through mosquitto; and once more through restarts of everything."""
    device = Device(root)
    broker = Broker(root / "broker")
    url = f"mqtt://127.0.0.1:{broker.port}/{TOPIC}"
    check("no server", device.run(["one", "two"], "--url", url, "--wait", "1"),
          (1, summary(2, 0, 2)))
    server = MqttServer(root / "server", broker.port, [device.argument()], "--topic", TOPIC)
    check("delivered", device.run(["three"], "--url", url), (0, summary(1, 3, 0)))
    expected = ["one", "two", "three"]
    agent = device.start("--url", url, "--wait", str(PATIENCE_S))
    for number in range(40):
        line = f"line {number}"
        expected.append(line)
        agent.stdin.write(line.encode() + b"\n")
        agent.stdin.flush()
        if number % 20 == 5:
            broker.kill()
            broker.start()
        elif number % 20 == 15:
            server.end(signal.SIGKILL)
            server = MqttServer(root / "server", broker.port, [device.argument()], "--topic", TOPIC)
        time.sleep(0.02)
    out, _ = agent.communicate(timeout=2 * PATIENCE_S)
    check("through restarts", (agent.returncode, json.loads(out.splitlines()[-1])["waiting"]),
          (0, 0))
    server.end()
    broker.close()
    check("exactly once, in order",
          [payload.decode() for payload in device.payloads("server/data")], expected)


def test_tls(root):
    """A user with a password, a certificate, and a broker that is vouched for."""
    device = Device(root)
    mqtt_lab.make_certificates(root, lambda *words: subprocess.run(
        words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    (root / "password").write_text("secret\n")
    (root / "password").chmod(0o600)
    (root / "wrong").write_text("guess\n")
    (root / "wrong").chmod(0o600)
    (root / "users").write_text("lift:secret\nserver:secret\n")
    (root / "users").chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", root / "users"], check=True)
    broker = Broker(root / "broker", f"cafile {root}/ca.crt", f"certfile {root}/broker.crt",
                    f"keyfile {root}/broker.key", "require_certificate true",
                    "allow_anonymous false", f"password_file {root}/users")
    tls = ("--ca-file", f"{root}/ca.crt", "--client-cert", f"{root}/client.crt", "--client-key",
           f"{root}/client.key")
    server = MqttServer(root / "server", broker.port, [device.argument()], "--topic", TOPIC,
                        "--tls-ca-cert", f"{root}/ca.crt", "--tls-cert", f"{root}/client.crt",
                        "--tls-key", f"{root}/client.key", "--user", "server", "--password-file",
                        f"{root}/password")
    url = f"mqtts://localhost:{broker.port}/{TOPIC}"
    user = ("--user", "lift", "--password-file", f"{root}/password")
    for what, words in (
            ("wrong password", (*tls, "--user", "lift", "--password-file", f"{root}/wrong")),
            ("no certificate", (*tls[:2], *user)),
            ("another authority", ("--ca-file", f"{root}/other-ca.crt", *tls[2:], *user))):
        check(what, device.try_in_vain("x", "--url", url, *words)["delivered"], 0)
    code, counts = device.run(["over TLS"], "--url", url, *tls, *user)
    check("over TLS", (code, counts["waiting"], counts["delivered"]), (0, 0, 4))
    log = (root / "agent.log").read_text()
    check("vouched", "not vouched for" in log, True)
    server.end()
    broker.close()


def bound_socket():
    """An address of ours alone, where nobody listens yet."""
    address = socket.socket()
    address.bind(("127.0.0.1", 0))
    return address


class FakeBroker(threading.Thread):
    """Takes connections as a broker does, and answers a record with what `replies`
    makes of it: packets, or none."""

    def __init__(self, version, replies, says_so=True, address=None):
        super().__init__(daemon=True)
        self.listener = address or bound_socket()
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.version = version  # the highest that it knows
        self.says_so = says_so  # or hangs up on what it does not know
        self.replies = replies
        self.published = 0
        self.spoken = []
        self.start()

    def run(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            first, body = read_packet(peer)
            assert first == CONNECT
            level = body[6]
            self.spoken.append(level)
            if level > self.version:
                if self.says_so:
                    peer.sendall(packet(CONNACK, b"\0\x01"))
                peer.close()
                return
            self.property = b"\0" if level == 5 else b""
            peer.sendall(packet(CONNACK, b"\0\0" + self.property))
            while True:
                first, body = read_packet(peer)
                if first == SUBSCRIBE:
                    peer.sendall(packet(SUBACK, body[:2] + self.property + b"\x01"))
                elif first & 0xF0 == PUBLISH:
                    self.take(peer, level, body)
                elif first == PINGREQ:
                    peer.sendall(packet(mqtt_lab.PINGRESP))
                elif first == DISCONNECT:
                    return
        except OSError:
            pass

    def take(self, peer, level, body):
        size = int.from_bytes(body[:2], "big")
        topic, body = body[2:2 + size].decode(), body[2 + size:]
        number, body = body[:2], body[2:]
        reply_topic, correlation = topic + "/response", b""
        if level == 5:
            size, body = split_variable(body)
            properties, body = body[:size], body[size:]
            assert properties[0] == mqtt_lab.RESPONSE_TOPIC
            size = int.from_bytes(properties[1:3], "big")
            reply_topic, properties = properties[3:3 + size].decode(), properties[3 + size:]
            assert properties[0] == mqtt_lab.CORRELATION_DATA
            correlation = properties[3:]
        record = json.loads(body)["record"]
        self.published += 1
        peer.sendall(packet(PUBACK, number))
        for message in self.replies(self.published, record, reply_topic, correlation):
            peer.sendall(self.message(level, **message))

    @staticmethod
    def message(level, topic, payload, correlation=b"", retain=0):
        properties = b""
        if level == 5:
            properties = (bytes([mqtt_lab.CORRELATION_DATA]) + text(correlation)
                          if correlation else b"")
            properties = variable(len(properties)) + properties
        return packet(PUBLISH | retain, text(topic) + properties + payload)


def accepted(record, **changes):
    return json.dumps({"device_id": record["device_id"], "sequence": record["sequence"],
                       "status": "accepted", **changes}).encode()


def test_hostile(root):
    """What is no answer of the server to this very message delivers nothing."""
    def lies(version):
        return lambda r, topic, data: [
            [],  # PUBACK alone
            [{"topic": topic, "payload": accepted(r), "correlation": data, "retain": 1}],
            [{"topic": topic, "payload": accepted(r, sequence=r["sequence"] + 1),
              "correlation": data}],
            [{"topic": topic, "payload": accepted(r, device_id="lift-02"), "correlation": data}],
            [{"topic": topic, "payload": accepted(r, status="ok"), "correlation": data}],
            [{"topic": topic, "payload": b'{"status":"accepted"}', "correlation": data}],
            [{"topic": topic, "payload": accepted(r)[:-1], "correlation": data}],
            [{"topic": "elsewhere", "payload": accepted(r), "correlation": data}],
            [{"topic": topic, "payload": b"\xff" * 70000, "correlation": data}],
            *([[{"topic": topic, "payload": accepted(r)}],
               [{"topic": topic, "payload": accepted(r), "correlation": b"\0" * 16}],
               [{"topic": topic, "payload": accepted(r), "correlation": data[:-1]}]]
              if version == 5 else []),
        ]

    for version in (4, 5):
        told = []

        def reply(number, record, topic, correlation, version=version, told=told):
            """All lies, and then the truth to the second attempt."""
            messages = [message for each in lies(version)(record, topic, correlation)
                        for message in each]
            told.append(len(messages))
            if number > 1:
                messages.append({"topic": topic, "payload": accepted(record),
                                 "correlation": correlation})
            return messages

        directory = root / f"hostile-{version}"
        directory.mkdir()
        device = Device(directory)
        broker = FakeBroker(version, reply)
        url = f"mqtt://127.0.0.1:{broker.port}/{TOPIC}"
        agent = device.start("--url", url, "--wait", "0")
        agent.stdin.write(b"evidence\n")
        agent.stdin.flush()
        mqtt_lab.await_that(lambda b=broker: b.published >= 1, "the first attempt")
        time.sleep(0.5)  # whatever could be taken for an answer has come
        agent.terminate()
        agent.wait(timeout=PATIENCE_S)
        check(f"version {version}: lies", json.loads(agent.stdout.read().splitlines()[-1]),
              summary(1, 0, 1))
        check(f"version {version}: the truth", device.run([], "--url", url), (0, summary(0, 1, 0)))
        check(f"version {version}: spoken", set(broker.spoken), {5} if version == 5 else {4, 5})
        check(f"version {version}: told", told[0] > 5, True)


def test_verdicts(root):
    """A refusal buries, a device that is unknown waits."""
    device = Device(root)
    answers = {1: {"status": "rejected", "error": "ingest verification failed: "
                   "payload hash mismatch for device=lift-01 sequence=1"},
               2: {"status": "rejected", "error": "ingest verification failed: "
                   "duplicate record for device=lift-01 sequence=2"},
               3: {"status": "rejected", "error": "ingest verification failed: "
                   "unknown device: lift-01"}}

    def reply(_, record, topic, correlation):
        return [{"topic": topic, "payload": accepted(record, **answers[record["sequence"]]),
                 "correlation": correlation}]

    broker = FakeBroker(5, reply)
    agent = device.start("--url", f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", "--wait", "3")
    agent.stdin.write(b"a\nb\nc\n")
    agent.stdin.flush()
    mqtt_lab.await_that(lambda: "event=device_held" in device.log.read_text(), "the last verdict")
    out, _ = agent.communicate(timeout=PATIENCE_S)
    check("verdicts", (agent.returncode, json.loads(out.splitlines()[-1])),
          (2, summary(3, 1, 1, 1)))


def test_versions(root):
    """3.1.1 is for a broker that does not know 5, not for one that was away."""
    def truth(_, record, topic, correlation):
        return [{"topic": topic, "payload": accepted(record), "correlation": correlation}]

    device = Device(root)
    for says_so in (True, False):
        broker = FakeBroker(4, truth, says_so)
        url = f"mqtt://127.0.0.1:{broker.port}/{TOPIC}"
        check("an old broker", device.run(["a", "b"], "--url", url)[0], 0)
        check("spoken to it", broker.spoken, [5, 4])
    address = bound_socket()
    url = f"mqtt://127.0.0.1:{address.getsockname()[1]}/{TOPIC}"
    agent = device.start("--url", url, "--wait", str(PATIENCE_S))
    agent.stdin.write(b"evidence\n")
    agent.stdin.flush()
    mqtt_lab.await_that(lambda: "Connection refused" in (root / "agent.log").read_text(),
                        "the broker's absence")
    broker = FakeBroker(5, truth, address=address)
    agent.communicate(timeout=2 * PATIENCE_S)
    check("a broker that was away", (agent.returncode, broker.spoken), (0, [5]))


def test_usage(root):
    device = Device(root)
    for url, more in (("mqtt://", ()), ("mqtt://:1883/x", ()), ("mqtt://h:0/x", ()),
                      ("mqtt://h:70000/x", ()), ("mqtt://h:12x/x", ()), ("mqtt://me@h/x", ()),
                      ("mqtt://h/a/+/b", ()), ("mqtt://h/a/response", ()), ("mqtt://h/$SYS/x", ()),
                      ("mqtt://[::1/x", ()), ("mqtt://h/x", ("--ca-file", "/dev/null")),
                      ("http://h", ("--user", "me"))):
        agent = device.start("--url", url, *more)
        agent.communicate(b"", timeout=PATIENCE_S)
        check(f"usage of {url} {more}", agent.returncode, 64)


def main():
    need_mosquitto()
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for test in (test_usage, test_verdicts, test_versions, test_hostile, test_broker, test_tls):
            place = root / test.__name__
            place.mkdir()
            before = len(failures)
            test(place)
            if len(failures) > before:
                for log in place.rglob("*.log"):
                    print(log, log.read_text()[-3000:])
    end()


main()
