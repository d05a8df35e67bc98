#!/usr/bin/env python3
"""eds audit gateway between real devices, a real broker and a real server: what comes
in is kept and sent on as it is, refused as a server would, or put off."""
import json
import os
import pathlib
import signal
import ssl
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Connection, Server, bridge, eds, skip  # noqa: E402
from gateway_lab import Gateway, Lift, await_that, check_delivered  # noqa: E402
from ports import free_port  # noqa: E402

NOWHERE = "http://127.0.0.1:9"


def spoil(envelope, field):
    spoiled = json.loads(envelope)
    spoiled["record"][field][0] ^= 1
    return json.dumps(spoiled).encode()


def server_away(folder, buffer):
    """Devices are answered while no server is there; then it gets everything."""
    lifts = [Lift(f"lift-{n}", n) for n in range(5)]
    port = free_port()
    gateway = Gateway(folder / "gateway", f"http://127.0.0.1:{port}", "--gateway-id", "harbour-3",
                      "--tag", "site=harbour", "--tag", "line=A/3", buffer=buffer)
    connection = Connection(gateway.port)
    for _ in range(8):
        for lift in lifts:
            envelope = lift.next()
            assert connection.post(envelope)[0] == 202
            assert connection.post(envelope) == (202, '{"status":"accepted"}')  # once more
    connection.close()
    metrics = gateway.metrics()
    assert metrics["edgesentry_buffer_records"] == 40, metrics
    assert metrics["edgesentry_gateway_repeated_total"] == 40
    assert metrics["edgesentry_buffer_devices"] == 5
    server = Server(folder, [lift.argument() for lift in lifts], "--log-level", "debug", port=port)
    gateway.await_drained()
    code, out = gateway.end()
    assert (code, out) == (0, "GATEWAY_COMPLETE: kept=80 rejected=0 forwarded=40 refused=0 "
                              "waiting=0 dead=0\n"), (code, out)
    server.end(signal.SIGTERM)
    for lift in lifts:
        check_delivered(folder, lift)
    accepted = [line for line in (folder / "server.log").read_text().splitlines()
                if "event=record_accepted" in line]
    assert len(accepted) == 40
    assert all(' gateway=harbour-3 tags="site=harbour,line=A/3" ' in line for line in accepted)


def labels(folder):
    """What a server makes of the fields of somebody who is no gateway of ours."""
    lift = Lift("lift-01", 1)
    server = Server(folder, [lift.argument()], "--log-level", "debug", "--log-format", "json")
    connection = Connection(server.port)
    rows = (("EdgeSentry-Gateway: harbour-3\r\nEdgeSentry-Tags: a=1,b=2", "harbour-3", "a=1,b=2"),
            ("edgesentry-gateway: harbour 3\r\nedgesentry-tags: a=1", None, "a=1"),
            ("EdgeSentry-Gateway: one\r\nEdgeSentry-Gateway: two", None, None),
            ("EdgeSentry-Tags: a=1\r\nEdgeSentry-Tags: b=1", None, None),
            ("EdgeSentry-Tags: a=1,a=2", None, None),
            ("X-Other: 1", None, None))
    for fields, *_ in rows:
        body = lift.next()
        connection.socket.sendall(f"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\n{fields}\r\n"
                                  "Content-Type: application/json\r\nContent-Length: "
                                  f"{len(body)}\r\n\r\n".encode() + body)
        line = connection.file.readline()
        while connection.file.readline() != b"\r\n":
            pass
        connection.file.read(len('{"status":"accepted"}'))
        assert b" 202 " in line, (fields, line)
    connection.close()
    server.end(signal.SIGTERM)
    lines = [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]
    lines = [line for line in lines if line["event"] == "record_accepted"]
    assert len({line["request_id"] for line in lines}) == len(rows)
    for (fields, gateway, tags), line in zip(rows, lines, strict=True):
        assert (line.get("gateway"), line.get("tags")) == (gateway, tags), (fields, line)


def batches(folder):
    """The batch endpoint, as a server has it; attested records keep their attestation."""
    lift = Lift("lift-01", 1)
    server = Server(folder, [lift.argument()])
    gateway = Gateway(folder / "gateway", server.url)
    body = b"\n".join(lift.next() for _ in range(50)) + b"\n"
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}/api/v1/ingest/batch", body,
                                     {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202 and json.load(answer)["accepted"] == 50
    seed = folder / "key"
    seed.write_text(lift.seed.hex())
    signed = eds("sign-record", "--device-id", "lift-01", "--sequence", "51", "--timestamp-ms",
                 "1767225600000", "--payload", "attested", "--object-ref", "lab://a", "--key-file",
                 str(seed), "--attest", "--prev-hash-hex", lift.hashes[-1].hex())
    assert signed.returncode == 0, signed.stderr
    record = json.loads(signed.stdout)
    assert "attest" in record
    lift.made.append({"record": record, "raw_payload_hex": b"attested".hex()})
    connection = Connection(gateway.port)
    assert connection.post(json.dumps(lift.made[-1]).encode())[0] == 202
    gateway.await_drained()
    gateway.end()
    server.end(signal.SIGTERM)
    check_delivered(folder, lift)


def payloads_apart(folder):
    gateway = Gateway(folder / "gateway", NOWHERE)
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}/api/v1/objects/" + 64 * "0",
                                     b"x", method="PUT")
    try:
        urllib.request.urlopen(request)
        raise AssertionError("a payload was taken")
    except urllib.error.HTTPError as refused:
        assert refused.code == 501
        assert "send it with its record, or to the server" in refused.read().decode()
    gateway.end()


def refused_upstream(folder):
    """What the server refuses is a dead letter with its reason; others go on."""
    lift, crane, stranger = Lift("lift-01", 1), Lift("crane-01", 2), Lift("stranger", 3)
    server = Server(folder, [lift.argument(), crane.argument()])
    gateway = Gateway(folder / "gateway", server.url)
    connection = Connection(gateway.port)
    assert connection.post(lift.next())[0] == 202
    assert connection.post(spoil(crane.next(), "signature"))[0] == 202
    assert connection.post(stranger.next())[0] == 202
    assert connection.post(lift.next())[0] == 202
    gateway.await_metric("edgesentry_buffer_dead_letters", lambda value: value == 1)
    gateway.await_metric('edgesentry_forwarded_total{outcome="accepted"}', lambda value: value == 2)
    gateway.await_metric('edgesentry_forwarded_total{outcome="held"}', lambda value: value >= 1)
    (refused,), (held,) = gateway.lines("record_refused"), gateway.lines("device_held")[:1]
    assert "device_id=crane-01 sequence=1" in refused and "invalid signature" in refused, refused
    assert "device_id=stranger sequence=1" in held and "unknown device: stranger" in held, held
    code, out = gateway.end()
    assert code == 0 and "refused=1 waiting=1 dead=1" in out, out
    server.end(signal.SIGTERM)
    check_delivered(folder, lift)


def full_buffer(folder):
    """Past its limit the buffer puts devices off, and nobody overtakes anybody."""
    lift = Lift("lift-01", 1)
    port = free_port()
    gateway = Gateway(folder / "gateway", f"http://127.0.0.1:{port}", "--buffer-size-max", "2000")
    connection = Connection(gateway.port)
    status = 202
    while status == 202:
        envelope = lift.next()
        status, answer = connection.post(envelope)
    assert (status, json.loads(answer)["error"]) == (
        503, "the gateway's buffer is full: send the record again"), (status, answer)
    assert 2 < lift.sequence < 20
    behind = lift.next()
    assert connection.post(behind)[0] == 503
    server = Server(folder, [lift.argument()], port=port)
    gateway.await_drained()
    status, answer = connection.post(behind)
    assert (status, json.loads(answer)["error"]) == (
        503, "a record before this one was not kept: send that again first"), (status, answer)
    assert connection.post(envelope)[0] == 202
    assert connection.post(behind)[0] == 202
    gateway.await_drained()
    assert gateway.metrics()['edgesentry_gateway_put_off_total{reason="full"}'] >= 1
    gateway.end()
    server.end(signal.SIGTERM)
    check_delivered(folder, lift)


def early_verification(folder):
    """Refused at the edge in the server's words; the file of devices is read again."""
    lift, crane, late = Lift("lift-01", 1), Lift("crane-01", 2), Lift("late-01", 3)
    fleet = folder / "fleet.csv"

    def write_fleet(rows):
        (folder / "new.csv").write_text("device_id,public_key,attest\n" + rows)
        (folder / "new.csv").rename(fleet)

    write_fleet(f"crane-01,{crane.public_key},optional\n")
    gateway = Gateway(folder / "gateway", NOWHERE, "--verify-early", lift.argument(),
                      "--devices-file", str(fleet))
    connection = Connection(gateway.port)

    def refused(envelope):
        status, answer = connection.post(envelope)
        return status, json.loads(answer).get("error")

    assert connection.post(lift.next())[0] == 202
    assert connection.post(crane.next())[0] == 202
    record = lift.next()
    assert refused(spoil(record, "signature")) == (
        422, "ingest verification failed: invalid signature for device=lift-01")
    assert refused(spoil(record, "payload_hash")) == (
        422, "payload hash mismatch for device=lift-01 sequence=2")
    first = late.next()
    assert refused(first) == (422, "ingest verification failed: unknown device: late-01")
    # A file with a fault changes nothing; a good one is taken without being asked for.
    for count, rows in enumerate(("late-01,beef,optional\n", ""), 1):
        write_fleet(rows)
        await_that(lambda: len(gateway.lines("devices_reload_failed")) == count,
                   "the faulty file to be told")
    assert connection.post(crane.next())[0] == 202
    write_fleet(f"late-01,{late.public_key},optional\n")
    await_that(lambda: gateway.lines("devices_reloaded"), "the new file to be taken")
    assert connection.post(first)[0] == 202
    assert refused(crane.next()) == (
        422, "ingest verification failed: device is retired: crane-01")
    assert connection.post(record)[0] == 202
    assert gateway.metrics()["edgesentry_buffer_records"] == 5
    gateway.end()


def a_fleet(folder):
    """As many devices as EDS_GATEWAY_DEVICES says, all of them offline for a while."""
    import ctypes
    import time
    count = int(os.environ.get("EDS_GATEWAY_DEVICES", "300"))
    rows, lifts = ["device_id,public_key,attest"], []
    for number in range(count):
        lift = Lift.__new__(Lift)
        seed, public = (ctypes.c_uint8 * 32)(), (ctypes.c_uint8 * 32)()
        assert bridge().eds_keygen(seed, public) == 0
        lift.name, lift.seed, lift.sequence = f"lift-{number}", bytes(seed), 0
        lift.hashes, lift.made = [bytes(32)], []
        rows.append(f"{lift.name},{bytes(public).hex()},optional")
        lifts.append(lift)
    (folder / "fleet.csv").write_text("\n".join(rows) + "\n")
    assert eds("audit", "device", "import", str(folder / "fleet.csv"), "--data-dir",
               str(folder / "data")).returncode == 0
    port = free_port()
    gateway = Gateway(folder / "gateway", f"http://127.0.0.1:{port}", "--verify-early",
                      "--devices-file", str(folder / "fleet.csv"))
    bodies = [[lift.next() for lift in lifts] for _ in range(3)]
    begun = time.monotonic()
    for envelopes in bodies:
        for start in range(0, count, 1000):
            request = urllib.request.Request(
                f"http://127.0.0.1:{gateway.port}/api/v1/ingest/batch",
                b"\n".join(envelopes[start:start + 1000]),
                {"Content-Type": "application/x-ndjson"})
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 202, answer.read()
    taken = time.monotonic() - begun
    assert gateway.metrics()["edgesentry_buffer_devices"] == count
    gateway.end(signal.SIGKILL)
    gateway = Gateway(folder / "gateway", f"http://127.0.0.1:{port}")
    server = Server(folder, [], port=port)
    begun = time.monotonic()
    gateway.await_drained()
    sent = time.monotonic() - begun
    memory = gateway.metrics()["process_resident_memory_bytes"]
    gateway.end()
    server.end(signal.SIGTERM)
    done = eds("audit", "ledger", "verify", "--data-dir", str(folder / "data"))
    assert f"{3 * count} records of {count} devices".encode() in done.stderr, done
    print(f"   {count} devices, {3 * count} records: taken in {taken:.1f} s, sent on in "
          f"{sent:.1f} s with {memory / 2**20:.0f} MiB")


def by_mqtt(folder):
    """Devices on a broker, and others by HTTP, in one buffer."""
    from mqtt_lab import Broker, Client, need_mosquitto, text
    need_mosquitto()
    broker = Broker(folder / "broker")
    lift, crane = Lift("lift-01", 1), Lift("crane-01", 2)
    server = Server(folder, [lift.argument(), crane.argument()])
    gateway = Gateway(folder / "gateway", server.url, "--mqtt-broker", "127.0.0.1", "--mqtt-port",
                      str(broker.port), "--mqtt-topic", "sites/+/ingest",
                      "--log-level", "debug")
    await_that(lambda: gateway.lines("mqtt_subscribed"), "the gateway to be there")
    client = Client(broker.port, "device")
    client.subscribe("sites/harbour/ingest/response")
    connection = Connection(gateway.port)
    for sequence in range(1, 21):
        client.publish("sites/harbour/ingest", lift.next())
        assert json.loads(client.messages.get(timeout=120).payload) == {
            "device_id": "lift-01", "sequence": sequence, "status": "accepted"}
        assert connection.post(crane.next())[0] == 202
    # Another gateway on that broker says of itself what it is.
    other = Client(broker.port, "other", version=5)
    other.subscribe("sites/dock/ingest/response")
    other.publish("sites/dock/ingest", lift.next(), properties=b"".join(
        b"\x26" + text(name) + text(value) for name, value in (
            ("EdgeSentry-Gateway", "dock-1"), ("unknown", "x"), ("EdgeSentry-Tags", "floor=2"))))
    assert json.loads(other.messages.get(timeout=120).payload)["status"] == "accepted"
    (line,) = [line for line in gateway.lines("record_accepted") if " sequence=21 " in line]
    assert ' gateway=dock-1 tags="floor=2" ' in line, line
    other.close()
    gateway.await_drained()
    client.close()
    gateway.end()
    server.end(signal.SIGTERM)
    broker.close()
    for device in (lift, crane):
        check_delivered(folder, device)


def to_a_broker(folder):
    """The server is behind a broker: its answers count, and not the broker's."""
    from mqtt_lab import Broker, MqttServer, need_mosquitto
    need_mosquitto()
    broker = Broker(folder / "broker")
    lifts = [Lift(f"lift-{n}", n) for n in range(3)]
    gateway = Gateway(folder / "gateway", f"mqtt://127.0.0.1:{broker.port}/site/ingest",
                      "--gateway-id", "harbour-3", "--tag", "site=harbour", "--senders", "2")
    connection = Connection(gateway.port)
    for _ in range(10):
        for lift in lifts:
            assert connection.post(lift.next())[0] == 202
    assert gateway.metrics()["edgesentry_buffer_records"] == 30
    server = MqttServer(folder, broker.port, [lift.argument() for lift in lifts], "--topic",
                        "site/ingest", "--admin-addr", "off", "--log-level", "debug")
    gateway.await_drained()
    gateway.end()
    accepted = [line for line in server.lines().splitlines() if "event=record_accepted" in line]
    assert len(accepted) == 30
    assert all(' gateway=harbour-3 tags="site=harbour" ' in line for line in accepted), accepted[0]
    server.end()
    broker.close()
    for lift in lifts:
        check_delivered(folder, lift)


def with_certificates(folder):
    """Devices show the gateway theirs, and it shows the server its own."""
    from certificates import Authority
    authority = Authority(folder / "ca")
    lift, other = Lift("lift-01", 1), Lift("other-01", 2)
    own = authority.issue("/CN=localhost", "DNS:localhost,IP:127.0.0.1", usage="serverAuth")
    certificate, key = authority.issue("/CN=harbour-3")
    server = Server(folder, [lift.argument(), other.argument()], "--tls-cert", str(own[0]),
                    "--tls-key", str(own[1]), "--client-ca", str(authority.ca), "--gateway",
                    "harbour-3=lift-01", command="serve-tls")
    gateway = Gateway(folder / "gateway", f"https://127.0.0.1:{server.port}", "--ca-file",
                      str(authority.ca), "--client-cert", str(certificate), "--client-key",
                      str(key), "--tls-cert", str(own[0]), "--tls-key", str(own[1]),
                      "--client-ca", str(authority.ca))

    def post(envelope, certificate):
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(*certificate)
        request = urllib.request.Request(f"https://127.0.0.1:{gateway.port}/api/v1/ingest",
                                         envelope, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    lifts = authority.issue("/CN=lift-01")
    others = authority.issue("/CN=other-01")
    for _ in range(5):
        assert post(lift.next(), lifts)[0] == 202
    status, answer = post(other.next(), lifts)  # somebody else's record, refused at the edge
    assert status == 422 and "cert_identity=lift-01 device_id=other-01" in answer, answer
    assert post(json.dumps(other.made[0]).encode(), others)[0] == 202
    gateway.await_drained()  # the server does not let this gateway speak for that device
    (refused,) = gateway.lines("record_refused")
    assert "auth/device mismatch: cert_identity=harbour-3 device_id=other-01" in refused, refused
    gateway.end()
    server.end(signal.SIGTERM)
    check_delivered(folder, lift)


def command_line(folder):
    """Options that do not go together are told before anything is made."""
    base = ["audit", "gateway", "--buffer", str(folder / "buffer"), "--url", NOWHERE]
    for words, part in ((["--addr", "off"], "nobody could send"),
                        (["--verify-early"], "--verify-early needs"),
                        (["--device", "a=" + 64 * "0"], "are for --verify-early"),
                        (["--client-cert", "x"], "go together"),
                        (["--tag", "Site=x"], "a tag is KEY=VALUE"),
                        (["--gateway-id", "a b"], "a gateway's name has"),
                        (["--senders", "65"], "1 to 64 are possible"),
                        (["--devices-max", "0"], "1 to 1000000 are possible")):
        done = eds(*base, *words)
        assert done.returncode == 64 and part in done.stderr.decode(), (words, done)
    assert not (folder / "buffer").exists()
    done = eds(*base, "--tag", "a=1", "--tag", "a=2")
    assert done.returncode == 64 and "the tag a is there twice" in done.stderr.decode(), done


def main():
    if eds("audit", "gateway", "--help").returncode != 0:
        skip("this build has no HTTP server")
    bridge()
    scenes = [(server_away, "sqlite:"), (server_away, "log:"), (labels,), (batches,), (payloads_apart,),
              (refused_upstream,), (full_buffer,), (early_verification,), (with_certificates,),
              (command_line,), (a_fleet,), (by_mqtt,),
              (to_a_broker,)]
    only = sys.argv[1:]
    for scene, *more in scenes:
        if only and scene.__name__ not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            scene(pathlib.Path(folder), *more)
        print("ok", scene.__name__, *more, flush=True)


main()
