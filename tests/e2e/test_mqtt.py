#!/usr/bin/env python3
"""serve-mqtt with a real broker: the original's conversations, topics and where
answers go, MQTT 3.1.1 and 5, TLS, what the broker keeps, and a stop."""
import json
import os
import pathlib
import queue
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import VECTORS, Device, bridge, eds  # noqa: E402
from mqtt_lab import (CORRELATION_DATA, RESPONSE_TOPIC, USER_PROPERTY, Broker,  # noqa: E402
                      Client, MqttServer, await_that, make_certificates, need_mosquitto, text)

DEMO_KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
DEMO = [f"--device=lift-01={DEMO_KEY}"]


def stored(folder):
    """What the ledger holds: (device, sequence) in the order of storing."""
    connection = sqlite3.connect(f"file:{folder}/data/edgesentry.db?mode=ro", uri=True)
    try:
        return connection.execute("SELECT device_id, sequence FROM audit_records ORDER BY id") \
            .fetchall()
    finally:
        connection.close()


def drain(client, count=0, seconds=0.2):
    """So many messages, and all that come until there is none for so long."""
    out = [client.messages.get(timeout=120) for _ in range(count)]
    while True:
        try:
            out.append(client.messages.get(timeout=seconds))
        except queue.Empty:
            return out


def answer_of(client, seconds=120):
    message = client.messages.get(timeout=seconds)
    assert message is not None, "the connection is gone"
    return message, json.loads(message.payload)


def ended_well(server):
    code, out = server.end()
    assert code == 0, (code, out, server.log_path.read_text()[-2000:])
    return out


def replay(folder, broker, version, words):
    """The original's conversation: the same answers, to the same topics.  Its QoS
    was always 0; ours is that of the message.  What it did not survive (messages
    over 10 KiB, a broker that goes) is in other tests."""
    rows = [row for row in json.loads((VECTORS / "peer/mqtt_transcripts.json").read_text())
            if "message" in row]
    server = MqttServer(folder, broker.port, DEMO, *words)
    client = Client(broker.port, "replayer", version)
    client.subscribe("edgesentry/#", 2)
    assert len(rows) == 15, len(rows)
    for row in rows:
        expected = [line.split(" ", 3) for line in row["responses (topic qos retain payload)"]]
        qos = 0 if "qos 0" in row["name"] else 1
        if row["topic"].endswith("/response"):
            expected = []  # the original's transcript shows what was published
        client.publish(row["topic"], row["message"].encode(), qos)
        own = row["topic"].startswith("edgesentry/")  # what we publish comes back to us
        seen = [message for message in drain(client, len(expected) + own)
                if not (message.topic == row["topic"] and message.payload == row["message"].encode())]
        assert [(m.topic, str(m.retain), m.payload.decode()) for m in seen] == \
            [(e[0], e[2], e[3]) for e in expected], (row["name"], [m.payload for m in seen])
        assert all(message.qos == qos for message in seen), row["name"]
    client.close()
    assert ended_well(server) == "SERVE_COMPLETE: accepted=3 duplicate=1 rejected=4\n"
    assert stored(folder) == [("lift-01", 1), ("lift-01", 2), ("lift-01", 3)]


def help_says(_folder, _broker):
    """The original's flags and their defaults."""
    peer = [row for row in json.loads((VECTORS / "peer/tls_transcripts.json").read_text())
            if row["name"] == "serve-mqtt --help"][0]["stdout"]
    ours = " ".join(eds("audit", "serve-mqtt", "--help").stdout.decode().split())
    flags = [line.split() for line in peer.splitlines() if line.lstrip().startswith("--")]
    assert len(flags) == 5, flags
    for flag, value, *default in flags:
        start = ours.index(f"{flag} {value}")
        until = ours.index(" --", start + 2)
        assert " ".join(default) in ours[start:until], (flag, ours[start:until])
    for words in (["--topic", "a/b#"], ["--topic", "$share/x"], ["--topic", "a/response"],
                  ["--port", "0"], ["--mqtt-version", "4"], ["--tls-cert", "x"],
                  ["--password-file", "x"], ["--inflight", "0"]):
        done = eds("audit", "serve-mqtt", *words)
        assert done.returncode == 64, (words, done)
    done = eds("audit", "serve-mqtt", "--store", "memory:", "--tls-ca-cert", "no-such-file")
    assert done.returncode == 1 and b"mqtt server error: cannot read no-such-file" in done.stderr


def wildcards(folder, broker, version):
    """Each answer goes to its message's own topic, and none of them is a record."""
    devices = [Device(f"wild-{i}", i) for i in range(3)]
    server = MqttServer(folder, broker.port, [d.argument() for d in devices], "--topic", "sites/#",
                        "--mqtt-version", version, "--log-level", "debug", "--client-id", "wild")
    client = Client(broker.port, "wild-client")
    client.subscribe("sites/+/+/response")
    for round_number in range(1, 4):
        for i, device in enumerate(devices):
            client.publish(f"sites/site-{i}/ingest", device.next())
        seen = {}
        for _ in devices:
            message, answer = answer_of(client)
            assert answer["status"] == "accepted" and answer["sequence"] == round_number, answer
            seen[message.topic] = answer["device_id"]
        assert seen == {f"sites/site-{i}/ingest/response": f"wild-{i}" for i in range(3)}, seen
    client.publish("sites/response", devices[0].next())  # one of answers, whoever sent it
    assert drain(client) == []
    client.close()
    ended_well(server)
    assert len(stored(folder)) == 9
    assert "message_dropped" not in server.log_path.read_text()


def response_topic(folder, broker):
    """MQTT 5: the answer goes also where the message asks, with its correlation."""
    device = Device("five-1", 9)
    server = MqttServer(folder, broker.port, [device.argument()], "--topic", "five/+")
    client = Client(broker.port, "five-client", version=5)
    client.subscribe("five/one/response")
    client.subscribe("answers/#")
    asked = bytes([RESPONSE_TOPIC]) + text("answers/five-1") + bytes([CORRELATION_DATA]) + \
        text(b"\x00\xff correlation")
    client.publish("five/one", device.next(), properties=asked)
    seen = {message.topic: message for message in (answer_of(client)[0], answer_of(client)[0])}
    assert set(seen) == {"answers/five-1", "five/one/response"}, seen.keys()
    for message in seen.values():
        assert message.correlation == b"\x00\xff correlation"
        assert json.loads(message.payload)["status"] == "accepted"
    # A response topic that is ours to read, or the broker's, is not used.
    for topic in ("five/two", "$SYS/x", "five/+"):
        client.publish("five/one", device.next(),
                       properties=bytes([RESPONSE_TOPIC]) + text(topic))
        if topic == "five/+":  # mosquitto disconnects who asks for that
            break
        assert answer_of(client)[0].topic == "five/one/response"
        assert drain(client) == []
    client.close()
    ended_well(server)


def sizes(folder, broker):
    """The original ended with the first message over 10 KiB."""
    device = Device("size-1", 11)
    server = MqttServer(folder, broker.port, [device.argument()], "--message-size-max", "100000",
                        "--mqtt-version", "3.1.1")
    client = Client(broker.port, "size-client")
    client.subscribe("edgesentry/ingest/response")
    client.publish("edgesentry/ingest", b"{" + b" " * 100000)  # one byte too many
    client.publish("edgesentry/ingest", b" " * 60000 + device.next())
    assert answer_of(client)[1]["status"] == "accepted"
    client.publish("edgesentry/ingest", b"\xff" * 70000, retain=True)
    client.publish("edgesentry/ingest", device.next())
    assert answer_of(client)[1]["status"] == "accepted"
    server.await_line("reason=\"the message is longer than this server takes\"")
    ended_well(server)
    # What is retained comes again with a new session's subscription.
    server = MqttServer(folder, broker.port, [device.argument()], "--client-id", "fresh")
    server.await_line("message_dropped")
    last = device.next()
    client.publish("edgesentry/ingest", last, retain=True)
    assert answer_of(client)[1]["status"] == "accepted"
    ended_well(server)
    server = MqttServer(folder, broker.port, [device.argument()], "--log-level", "debug",
                        "--client-id", "another")
    server.await_line("verdict=duplicate")
    assert drain(client) == []  # nobody asked again
    client.publish("edgesentry/ingest", b"", retain=True)
    client.close()
    ended_well(server)
    assert [sequence for _, sequence in stored(folder)] == [1, 2, 3]


def pipelined(folder, broker, version):
    """Many records of one device at once, as the original could not take them."""
    device = Device("pipe-1", 13)
    count = 600
    bodies = [device.next() for _ in range(count)]
    server = MqttServer(folder, broker.port, [device.argument()], "--mqtt-version", version)
    client = Client(broker.port, "pipe-client")
    client.subscribe("edgesentry/ingest/response")
    for body in bodies:
        client.publish("edgesentry/ingest", body)
    for sequence in range(1, count + 1):
        answer = answer_of(client)[1]
        assert (answer["sequence"], answer["status"]) == (sequence, "accepted"), answer
    client.close()
    assert ended_well(server) == f"SERVE_COMPLETE: accepted={count} duplicate=0 rejected=0\n"


def stop_under_load(folder, broker):
    """A stop loses nothing: what was answered is stored, what was not is still at
    the broker and is taken after the next start; nobody gets a wrong answer."""
    devices = [Device(f"stop-{i}", 20 + i) for i in range(4)]
    words = [device.argument() for device in devices]
    server = MqttServer(folder, broker.port, words)
    client = Client(broker.port, "stop-client")
    client.subscribe("edgesentry/ingest/response")
    count, answered = 1500, {device.name: set() for device in devices}
    for _ in range(count):
        for device in devices:
            client.publish("edgesentry/ingest", device.next())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=120) == 0
    kept = {}
    for name, sequence in stored(folder):
        assert sequence == kept.get(name, 0) + 1
        kept[name] = sequence
    # Answers of both qualities of service come: one may overtake another.
    while any(len(answered[name]) < kept[name] for name in kept):  # the broker may be slow
        answer = answer_of(client)[1]
        assert answer["status"] == "accepted", answer
        answered[answer["device_id"]].add(answer["sequence"])
    assert drain(client) == []
    assert {name: max(seen) for name, seen in answered.items() if seen} == kept, (kept, answered)
    server = MqttServer(folder, broker.port, words)
    while min(map(len, answered.values())) < count:
        answer = answer_of(client)[1]
        assert answer["status"] == "accepted", answer
        answered[answer["device_id"]].add(answer["sequence"])
    client.close()
    ended_well(server)
    assert len(stored(folder)) == 4 * count


def shared(folder, broker):
    """Two servers on one ledger share the records; devices wait for answers."""
    devices = [Device(f"share-{i}", 30 + i) for i in range(8)]
    words = [device.argument() for device in devices] + \
        ["--topic", "$share/ingest/plant/+", "--store", f"sqlite:{folder}/shared.db"]
    servers = [MqttServer(folder / name, broker.port, words, "--client-id", name)
               for name in ("a", "b")]
    client = Client(broker.port, "share-client")
    client.subscribe("plant/+/response")
    by_name = {device.name: device for device in devices}
    for device in devices:
        client.publish(f"plant/{device.name}", device.next())
    total = 0
    while total < 400:
        message, answer = answer_of(client)
        device = by_name[answer["device_id"]]
        assert (answer["status"], answer["sequence"]) == ("accepted", device.sequence), answer
        assert message.topic == f"plant/{device.name}/response"
        total += 1
        if device.sequence < 50:
            client.publish(f"plant/{device.name}", device.next())
    client.close()
    done = [ended_well(server) for server in servers]
    accepted = [int(out.split("accepted=")[1].split()[0]) for out in done]
    assert sum(accepted) == 400 and min(accepted) > 0, done
    assert all("duplicate=0 rejected=0" in out for out in done), done


def shared_pipelined(folder, broker):
    """Records that two servers get at the same time: a record that comes before
    the one that it follows is not refused while the other server has that."""
    device = Device("pair-1", 50)
    words = [device.argument(), "--topic", "$share/ingest/pair", "--store",
             f"sqlite:{folder}/shared.db"]
    servers = [MqttServer(folder / name, broker.port, words, "--client-id", name)
               for name in ("a2", "b2")]
    client = Client(broker.port, "pair-client")
    client.subscribe("pair/response")
    for _ in range(60):
        client.publish("pair", device.next())
    answers = [answer_of(client)[1] for _ in range(60)]
    assert all(answer["status"] == "accepted" for answer in answers), \
        [a for a in answers if a["status"] != "accepted"][:3]
    assert sorted(answer["sequence"] for answer in answers) == list(range(1, 61))
    client.close()
    for server in servers:
        ended_well(server)


def tls(folder, _broker):
    def run(*words):
        subprocess.run(words, check=True, capture_output=True)

    context = make_certificates(folder, run)
    (folder / "users").write_text("eds:secret one\n")
    (folder / "users").chmod(0o600)
    (folder / "password").write_text("secret one\n")
    (folder / "password").chmod(0o600)
    run("mosquitto_passwd", "-U", str(folder / "users"))
    broker = Broker(folder / "broker", f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt",
                    f"keyfile {folder}/broker.key", "require_certificate false",
                    "allow_anonymous false", f"password_file {folder}/users")
    wrong = Broker(folder / "wrong", f"cafile {folder}/ca.crt",
                   f"certfile {folder}/wrong-host.crt", f"keyfile {folder}/wrong-host.key")
    mutual = Broker(folder / "mutual", f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt",
                    f"keyfile {folder}/broker.key", "require_certificate true")
    device = Device("tls-1", 40)
    login = ["--user", "eds", "--password-file", str(folder / "password")]
    ours = ["--tls-ca-cert", str(folder / "ca.crt")]
    for version in ("3.1.1", "5"):
        server = MqttServer(folder, broker.port, [device.argument()], "--mqtt-version", version,
                            *ours, *login)
        client = Client(broker.port, "tls-client", tls=context, user=("eds", "secret one"))
        client.subscribe("edgesentry/ingest/response")
        bodies = [device.next() for _ in range(300)]  # more than one TLS record at once
        for body in bodies:
            client.publish("edgesentry/ingest", body)
        for _ in bodies:
            assert answer_of(client)[1]["status"] == "accepted"
        client.publish("edgesentry/ingest", b" " * 200000 + device.next())
        assert answer_of(client)[1]["status"] == "accepted"
        client.close()
        assert "secret" not in server.log_path.read_text()
        ended_well(server)
    server = MqttServer(folder, mutual.port, [device.argument()], *ours, "--tls-cert",
                        str(folder / "client.crt"), "--tls-key", str(folder / "client.key"))
    ended_well(server)
    for number, (port, words, reason) in enumerate((
            (broker.port, ["--tls-ca-cert", str(folder / "other-ca.crt"), *login], "not vouched"),
            (broker.port, ["--tls", *login], "not vouched"),
            (wrong.port, ours, "another host"),
            (broker.port, ours, "the broker refused: "),
            (broker.port, ["--mqtt-version", "3.1.1", *ours], "the broker refused: "),
            (mutual.port, ours, "event=mqtt_connect_failed"),
            (broker.port, [], "event=mqtt_connect_failed"))):
        server = MqttServer(folder, port, DEMO, *words, wait=False)
        server.await_line(reason, 2 if number == 0 else 1)  # it goes on trying
        assert "event=mqtt_subscribed" not in server.lines(), server.lines()
        ended_well(server)
    for one in (broker, wrong, mutual):
        one.close()


def no_broker(folder, broker):
    """It waits for its broker, and ends when it is told so all the same."""
    broker.close()
    server = MqttServer(folder, broker.port, DEMO, wait=False)
    server.await_line("event=mqtt_connect_failed", 2)
    broker.log = open(broker.directory / "broker.log", "ab")
    broker.start()
    server.await_line("event=mqtt_subscribed")
    broker.kill()
    server.await_line("event=mqtt_connection_lost")
    assert ended_well(server) == "SERVE_COMPLETE: accepted=0 duplicate=0 rejected=0\n"


def watched(folder, broker):
    """What the admin listener tells of messages, rounds and the broker; a request id and
    the sender's trace in the log."""
    device = Device("watched-1", 5)
    server = MqttServer(folder, broker.port, [device.argument()], "--topic", "w/+",
                        "--message-size-max", "5000", "--log-level", "debug", "--admin-addr",
                        "127.0.0.1:0", "--admin-port-file", str(folder / "admin"))
    await_that((folder / "admin").exists, "the admin listener")
    base = f"http://127.0.0.1:{(folder / 'admin').read_text().strip()}"

    def metrics():
        with urllib.request.urlopen(base + "/metrics", timeout=120) as answer:
            page = answer.read().decode()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in page.splitlines() if not line.startswith("#")}

    def ready():
        try:
            with urllib.request.urlopen(base + "/readyz", timeout=120) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert ready() == (200, "ready\n")
    before = metrics()
    assert before["edgesentry_mqtt_connected"] == 1
    assert before["edgesentry_mqtt_messages_total"] == 0
    client = Client(broker.port, "watched-client", version=5)
    client.subscribe("w/one/response")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    of_user = bytes([USER_PROPERTY])
    client.publish("w/one", device.next(), properties=of_user + text("color") + text("red")
                   + of_user + text("traceparent") + text(f"00-{trace}-00f067aa0ba902b7-01"))
    assert answer_of(client)[1]["status"] == "accepted"
    client.publish("w/one", b"{}")
    client.publish("w/one", b"x" * 6000)
    client.publish("w/one", device.next(b"second"))
    assert answer_of(client)[1]["status"] == "accepted"
    # The answer is on its way when its round has been counted, but for the last line.
    await_that(lambda: metrics()["edgesentry_mqtt_waiting_messages"] == 0, "the round's end")
    now = metrics()
    for name, value in (("messages_total", 4), ('dropped_total{reason="malformed"}', 1),
                        ('dropped_total{reason="too_large"}', 1), ("answers_total", 2),
                        ("answers_failed_total", 0), ("connections_total", 1),
                        ("round_messages_sum", 2), ("message_duration_seconds_count", 2)):
        assert now["edgesentry_mqtt_" + name] == value, (name, now["edgesentry_mqtt_" + name])
    assert 1 <= now['edgesentry_mqtt_round_messages_bucket{le="2"}'] <= 2
    assert now["edgesentry_ingest_accepted_total"] == 2
    lines = server.lines().splitlines()
    accepted = [line for line in lines if "event=record_accepted" in line]
    dropped = [line for line in lines if "event=message_dropped" in line]
    assert len(accepted) == 2 and len(dropped) == 2, lines
    assert f"trace_id={trace}" in accepted[0] and "trace_id" not in accepted[1], accepted
    ids = {line.split("request_id=")[1].split()[0] for line in accepted + dropped}
    assert len(ids) == 4, ids
    client.close()
    broker.kill()
    await_that(lambda: metrics()["edgesentry_mqtt_connected"] == 0, "the loss to show")
    await_that(lambda: ready()[0] == 503, "the server not to be ready")
    assert "no subscription at the broker for" in ready()[1], ready()
    broker.start()
    await_that(lambda: ready()[0] == 200, "the server to be ready again")
    assert metrics()["edgesentry_mqtt_connections_total"] == 2
    ended_well(server)


def main():
    need_mosquitto()
    bridge()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        parts = [
            ("replay-5", lambda f, b: replay(f, b, 5, [])),
            ("replay-3", lambda f, b: replay(f, b, 4, ["--mqtt-version", "3.1.1"])),
            ("help", help_says),
            ("wildcards-5", lambda f, b: wildcards(f, b, "5")),
            ("wildcards-3", lambda f, b: wildcards(f, b, "3.1.1")),
            ("response-topic", response_topic),
            ("sizes", sizes),
            ("pipelined-5", lambda f, b: pipelined(f, b, "5")),
            ("pipelined-3", lambda f, b: pipelined(f, b, "3.1.1")),
            ("stop", stop_under_load),
            ("shared", shared),
            ("shared-pipelined", shared_pipelined),
            ("tls", tls),
            ("watched", watched),
            ("no-broker", no_broker),
        ]
        wanted = sys.argv[1:]
        for part, run in parts:
            if wanted and part not in wanted:
                continue
            began = time.monotonic()
            (folder / part).mkdir()
            broker = Broker(folder / f"{part}-broker")
            try:
                run(folder / part, broker)
            finally:
                broker.close()
            print(f"{part}: ok, {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
