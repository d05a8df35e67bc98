#!/usr/bin/env python3
"""The admin listener: what /metrics counts while records come, good and bad;
readiness that follows the store; the ids in log lines; and that alert rules and the dashboard ask for
metrics that are there."""
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from eds_lab import EDS, Connection, Device, Server, await_that, eds  # noqa: E402
from gateway_lab import Gateway  # noqa: E402

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"\})? '
                    r"([0-9]+(?:\.[0-9]+)?)\Z")


class Admin:
    """The listener beside a server that was started with --admin-port-file."""

    def __init__(self, folder):
        self.port = int((folder / "admin").read_text())

    def ask(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def metrics(self):
        """Every sample, by name and label value; dies on what is no valid page."""
        answer, text = self.ask("/metrics")
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        return parse(text)


def parse(text):
    """A strict reader of the text format: each family once, HELP and TYPE first,
    its samples together, counters end in _total, histograms rise to their count."""
    assert text.endswith("\n")
    samples, types, family = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in types and line.split(" ", 3)[3], line
            types[family] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and types[name] is None, line
            assert kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), line
            types[name] = kind
        else:
            name, label, value, number = SAMPLE.match(line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if types[family] == "histogram" else name
            assert base == family and types[family], line
            assert (name, value) not in samples, line
            samples[name, value] = float(number)
            assert (label == "le") == name.endswith("_bucket"), line
    for name in (name for name, kind in types.items() if kind == "histogram"):
        buckets = [number for key, number in samples.items() if key[0] == name + "_bucket"]
        assert buckets == sorted(buckets) and len(buckets) > 5, name
        assert buckets[-1] == samples[name + "_count", None], name
    return samples


def start(folder, devices, *more, **how):
    (folder / "admin").unlink(missing_ok=True)
    server = Server(folder, [device.argument() for device in devices], "--admin-addr",
                    "127.0.0.1:0", "--admin-port-file", str(folder / "admin"), *more, **how)
    return server, Admin(folder)


def spoil(body, field):
    envelope = json.loads(body)
    if field == "payload":
        envelope["raw_payload_hex"] = "00"
    elif field == "device":
        envelope["record"]["device_id"] = "nobody"
    else:
        envelope["record"][field][0] ^= 1
    return json.dumps(envelope).encode()


def counting(folder):
    """One record of each fate, and each is counted where it belongs."""
    lift, robot = Device("lift-01", 1), Device("robot-07", 2)
    server, admin = start(folder, [lift, robot])
    before = admin.metrics()
    assert before["edgesentry_ingest_accepted_total", None] == 0
    assert before["edgesentry_devices", "active"] == 2
    assert before["edgesentry_devices", "revoked"] == 0
    assert before["edgesentry_build_info", "0.1.0"] == 1
    connection = Connection(server.port)
    first, second, third = lift.next(), lift.next(), lift.next()
    for body, status, metric in (
            (first, 202, ("edgesentry_ingest_accepted_total", None)),
            (first, 422, ("edgesentry_ingest_rejected_total", "duplicate")),
            (third, 422, ("edgesentry_ingest_rejected_total", "sequence")),
            (spoil(second, "payload"), 422, ("edgesentry_ingest_rejected_total", "payload_hash")),
            (spoil(second, "device"), 422, ("edgesentry_ingest_rejected_total", "unknown_device")),
            (spoil(second, "signature"), 422, ("edgesentry_signature_fail_total", None)),
            (spoil(second, "prev_record_hash"), 422, ("edgesentry_chain_break_total", None)),
            (second, 202, ("edgesentry_ingest_accepted_total", None)),
            (third, 202, ("edgesentry_ingest_accepted_total", None))):
        was = admin.metrics()[metric]
        got = connection.post(body)
        assert got[0] == status, got
        assert admin.metrics()[metric] == was + 1, metric
    after = admin.metrics()
    assert after["edgesentry_ingest_duration_seconds_count", None] == 9
    assert after["edgesentry_http_answers_total", None] == 9
    assert after["edgesentry_http_connections", None] == 1
    assert after["edgesentry_store_commits_total", None] > 0
    age = time.time() - after["edgesentry_store_last_commit_timestamp_seconds", None]
    assert -5 < age < 3600, age  # in seconds since 1970, whatever the clock does meanwhile
    assert after["edgesentry_store_lag_seconds", None] == 0
    assert after["process_resident_memory_bytes", None] > 1e6
    rejected = sum(number for key, number in after.items()
                   if key[0] == "edgesentry_ingest_rejected_total")
    assert rejected == 6, rejected
    connection.close()
    assert admin.ask("/livez")[1] == "alive\n"
    assert admin.ask("/readyz")[1] == "ready\n"
    assert admin.ask("/metrics", "HEAD")[1] == ""
    assert admin.ask("/metrics", "POST")[0].status == 405
    assert admin.ask("/api/v1/ingest")[0].status == 404
    check_page(admin)
    assert server.end(signal.SIGTERM)[0] == 0
    try:
        socket.create_connection(("127.0.0.1", admin.port), timeout=60).close()
        raise AssertionError("the listener outlived its server")
    except ConnectionRefusedError:
        pass
    return after


def tracing(folder):
    """The lines of one request have one id, and its sender's trace."""
    lift = Device("lift-01", 1)
    server, _ = start(folder, [lift], "--log-format", "json", "--log-level", "debug")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for field, body in ((f"traceparent: 00-{trace}-00f067aa0ba902b7-01", lift.next()),
                        (f"Traceparent: 00-{trace}-00f067aa0ba902b7-01", b"{}"),
                        ("traceparent: 00-what-01", spoil(lift.next(), "signature"))):
        connection = Connection(server.port)
        connection.socket.sendall(f"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\n{field}\r\n"
                                  "Content-Type: application/json\r\nContent-Length: "
                                  f"{len(body)}\r\n\r\n".encode() + body)
        connection.file.readline()
        connection.close()
    server.end(signal.SIGTERM)
    lines = [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]
    lines = [line for line in lines if "request_id" in line]
    assert [(line["event"], line.get("trace_id")) for line in lines] == [
        ("record_accepted", trace), ("request_refused", trace), ("record_rejected", None)], lines
    assert len({line["request_id"] for line in lines}) == 3
    assert lines[0]["device_id"] == "lift-01" and lines[0]["object_ref"] == "lab://lift-01/1"
    assert lines[2]["verdict"] == "signature" and lines[2]["payload_bytes"] > 0


def check_page(admin):
    if shutil.which("promtool") is None:
        print("note: no promtool (package prometheus): the page is held to our own parser alone")
        return
    text = admin.ask("/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                          capture_output=True, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, (done.stdout, done.stderr)


def readiness(folder):
    """A store that takes nothing more makes the server unready, and its healing ready."""
    lift = Device("lift-01", 1)
    server, admin = start(folder, [lift])
    connection = Connection(server.port)
    assert connection.post(lift.next())[0] == 202
    pid = server.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    body = lift.next()
    assert connection.post(body)[0] == 503
    answer, text = admin.ask("/readyz")
    assert answer.status == 503 and re.match(r"audit_ledger failed \d+ ms ago\n", text), text
    assert admin.ask("/livez")[0].status == 200
    assert admin.metrics()["edgesentry_ingest_error_total", "audit_ledger"] >= 1
    assert admin.metrics()["edgesentry_ingest_deferred_total", "store"] == 1
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert connection.post(body)[0] == 202
    await_that(lambda: admin.ask("/readyz")[0].status == 200, "the server to be ready")
    connection.close()
    server.end(signal.SIGTERM)


def addresses(folder):
    """A wrong or taken address is an error; the default one, taken, is not."""
    done = eds("serve", "--admin-addr", "localhost")
    assert done.returncode == 64 and b"invalid socket address syntax" in done.stderr, done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = eds("serve", "--addr", "127.0.0.1:0", "--store", "memory:", "--admin-addr", address)
        assert done.returncode == 1 and done.stdout == b"", done
        assert (f"admin listener at {address}: Address already in use (os error 98)".encode()
                in done.stderr), done.stderr
    await_that(lambda: does_without(folder), "a server without the usual address")


def does_without(folder):
    """Whether a server says that the usual address is taken.  We take it, unless somebody
    has it, who may give it back before the server wants it: then it is for another attempt."""
    port_file = folder / "usual"
    port_file.unlink(missing_ok=True)
    with socket.socket() as usual:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections are no one
        try:
            usual.bind(("127.0.0.1", 9464))
            usual.listen()
        except OSError:
            pass
        process = subprocess.Popen([EDS, "audit", "serve", "--addr", "127.0.0.1:0", "--store",
                                    "memory:", "--port-file", str(port_file)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        await_that(port_file.exists, "the server")
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=120)[1]
    assert process.returncode == 0, log
    return b"event=admin_unavailable" in log


def over_mqtt(folder):
    """A server that speaks MQTT has the listener as well, also while its broker is away."""
    if eds("serve-mqtt", "--help").returncode != 0:
        return
    port_file = folder / "admin"
    process = subprocess.Popen(
        [EDS, "serve-mqtt", "--broker", "127.0.0.1", "--port", "1", "--store", "memory:",
         Device("lift-01", 1).argument(), "--admin-addr", "127.0.0.1:0", "--admin-port-file",
         str(port_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    await_that(lambda: port_file.exists() or process.poll() is not None, "the server")
    admin = Admin(folder)
    assert admin.metrics()["edgesentry_devices", "active"] == 1
    answer, text = admin.ask("/readyz")
    assert answer.status == 503 and text.startswith("no subscription at the broker for"), text
    page = admin.ask("/metrics")[1]
    if shutil.which("promtool") is not None:
        done = subprocess.run(["promtool", "check", "metrics"], input=page.encode(),
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=120)
    assert process.returncode == 0, (out, log)
    return parse(page)


def of_a_gateway(folder):
    """A gateway has the servers' numbers, but for the ledger's, and its own; a server that
    is away does not make it unready."""
    gateway = Gateway(folder, "http://127.0.0.1:9")
    connection = Connection(gateway.port)
    assert connection.post(Device("lift-01", 1).next())[0] == 202
    gateway.await_metric("edgesentry_upstream_away", lambda value: value == 1)
    admin = Admin(folder)
    page = admin.ask("/metrics")[1]
    if shutil.which("promtool") is not None:
        done = subprocess.run(["promtool", "check", "metrics"], input=page.encode(),
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    samples = parse(page)
    assert samples["edgesentry_buffer_records", None] == 1, samples
    assert samples["edgesentry_ingest_accepted_total", None] == 1
    assert not [name for name, _ in samples if "ledger" in name]
    assert admin.ask("/readyz")[0].status == 200
    gateway.end()
    return samples


def deployed(samples, has_mqtt):
    """Alert rules and dashboard ask for nothing that is not there."""
    names = {name for name, _ in samples}
    if not has_mqtt:
        names |= {"edgesentry_mqtt_connected", "edgesentry_mqtt_connections_total",
                  "edgesentry_mqtt_messages_total", "edgesentry_mqtt_dropped_total",
                  "edgesentry_mqtt_message_duration_seconds_bucket"}
    names |= {"edgesentry_tls_certificate_expiry_timestamp_seconds",  # of serve-tls alone
              "edgesentry_tls_reload_failures_total"}
    for path in ("prometheus/edgesentry.rules.yml", "grafana/edgesentry.json"):
        text = (SOURCE / "deploy" / path).read_text()
        if path.endswith(".json"):
            board = json.loads(text)
            assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
            text = "\n".join(target["expr"] for panel in board["panels"]
                             for target in panel["targets"])
        asked = set(re.findall(r"\b((?:edgesentry|process)_[a-z_]+)\b(?!\.)", text))
        assert len(asked) > 5 and not asked - names, (path, asked - names)
    labels = {value for _, value in samples}
    for reason in ("duplicate", "conflict"):  # the rules name these
        assert reason in labels
    if shutil.which("promtool") is None:
        print("note: no promtool (package prometheus): the alert rules are not checked")
        return
    for words in (["check", "rules", "edgesentry.rules.yml"],
                  ["test", "rules", "edgesentry.rules.test.yml"]):
        done = subprocess.run(["promtool", *words], cwd=SOURCE / "deploy/prometheus",
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    shown = re.search(r"^```yaml\n(scrape_configs:.*?)^```$",
                      (SOURCE / "docs/OPERATIONS.md").read_text(), flags=re.M | re.S)[1]
    with tempfile.TemporaryDirectory() as name:
        (pathlib.Path(name) / "prometheus.yml").write_text(shown)
        shutil.copy(SOURCE / "deploy/prometheus/edgesentry.rules.yml", name)
        done = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=name,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for part in ("counting", "readiness", "addresses", "tracing", "over_mqtt", "of_a_gateway"):
            (folder / part).mkdir()
        samples = counting(folder / "counting")
        readiness(folder / "readiness")
        addresses(folder / "addresses")
        tracing(folder / "tracing")
        over_mqtt_samples = over_mqtt(folder / "over_mqtt")
        deployed({**(over_mqtt_samples or {}), **of_a_gateway(folder / "of_a_gateway"), **samples},
                 over_mqtt_samples is not None)
    print("metrics, readiness, alert rules and dashboard agree")


main()
