#!/usr/bin/env python3
"""Programs that people have: curl over a kept connection, in chunks and asking first; wrk
under load; openssl s_client; mosquitto_pub and mosquitto_sub; a browser's preflight.  Each
row sends records that are good, and they are in the ledger afterwards."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from certificates import Authority  # noqa: E402
from eds_lab import Device, Server, bridge, eds, skip  # noqa: E402
from mqtt_lab import Broker, MqttServer, await_that  # noqa: E402

PATH = os.environ["PATH"] + ":/usr/sbin"
JSON = ("-H", "Content-Type: application/json")
missing = []


def need(*programs):
    """Whether they are here; what is not is told at the end."""
    absent = [name for name in programs if shutil.which(name, path=PATH) is None]
    missing.extend(absent)
    return not absent


def run(*words, stdin=None, timeout=120):
    done = subprocess.run([str(word) for word in words], input=stdin, capture_output=True,
                          timeout=timeout, check=False)
    assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def accepted(server):
    code, out = server.end(signal.SIGTERM)
    assert code == 0, out
    return int(re.search(r"accepted=(\d+)", out)[1])


def curl(folder):
    device = Device("lift-01", 1)
    server = Server(folder, [device.argument()])
    url = f"{server.url}/api/v1/ingest"
    bodies = [folder / f"body{i}" for i in range(4)]
    for body in bodies:
        body.write_bytes(device.next())
    told = "%{http_code} %{num_connects} %{http_version}\n"
    # Two requests on one connection.
    out = run("curl", "-sS", *JSON, "-w", told, "-o", os.devnull, "--data-binary", f"@{bodies[0]}",
              url, "--next", "-sS", *JSON, "-w", told, "-o", os.devnull, "--data-binary",
              f"@{bodies[1]}", url)
    assert out == "202 1 1.1\n202 0 1.1\n", out
    # Asking first: the server says 100, then 202.
    out = run("curl", "-sS", "-i", *JSON, "-H", "Expect: 100-continue", "--expect100-timeout",
              "60", "--data-binary", f"@{bodies[2]}", url)
    assert re.findall(r"^HTTP/1.1 (\d+)", out, re.M) == ["100", "202"], out
    # Of a size that is not known when it begins.
    out = run("curl", "-sS", "-w", told, "-o", os.devnull, *JSON, "-H",
              "Transfer-Encoding: chunked", "-X", "POST", "-T", "-", url,
              stdin=bodies[3].read_bytes())
    assert out == "202 1 1.1\n", out
    # HTTP/1.0, and a refusal that says why.
    out = run("curl", "-sS", "-0", "-w", "%{http_code}", *JSON, "--data-binary", f"@{bodies[3]}",
              url)
    assert "duplicate record for device=lift-01 sequence=4" in out and out.endswith("422"), out
    assert accepted(server) == 4


def pipelined(folder):
    """What curl does no more: all requests before the first answer."""
    device = Device("lift-01", 1)
    server = Server(folder, [device.argument()])
    bodies = [device.next() for _ in range(50)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"".join(
            b"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
            + (b"Connection: close\r\n" if body is bodies[-1] else b"")
            + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies))
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    assert answers.count(b'{"status":"accepted"}') == 50, answers[-500:]
    assert accepted(server) == 50


def wrk(folder):
    """Real records as fast as they go; each thread of wrk is a device."""
    if not need("wrk"):
        return
    devices = [Device(f"lift-{n}", n) for n in range(4)]
    for number, device in enumerate(devices):
        lines = [device.next() for _ in range(300)]
        (folder / f"records{number}").write_bytes(b"\n".join(lines) + b"\n")
    server = Server(folder, [device.argument() for device in devices])
    out = run("wrk", "-t", 4, "-c", 4, "-d", "2s", "--timeout", "60s", "-s",
              SOURCE / "tests/support/wrk_records.lua", f"{server.url}/api/v1/ingest", "--",
              folder / "records")
    count = {int(status): int(n) for status, n in re.findall(r"^status (\d+): (\d+)$", out, re.M)}
    assert "errors: 0\n" in out and set(count) <= {202, 422}, out
    # The last answers may come when wrk has stopped listening.
    stored = accepted(server)
    assert count[202] <= stored <= count[202] + 4, (count, stored)
    done = eds("audit", "ledger", "verify", "--data-dir", str(folder / "data"), "--json",
               *[device.argument() for device in devices])
    assert done.returncode == 0 and json.loads(done.stdout)["record_count"] == stored, done


def s_client(folder):
    """A request typed into TLS."""
    if not need("openssl") or eds("audit", "serve-tls", "--help").returncode != 0:
        return
    device = Device("lift-01", 1)
    authority = Authority(folder / "ca")
    certificate, key = authority.issue("/CN=localhost", "DNS:localhost", usage="serverAuth")
    server = Server(folder, [device.argument()], "--tls-cert", str(certificate), "--tls-key",
                    str(key), command="serve-tls")
    for version in ("-tls1_2", "-tls1_3"):
        body = device.next()
        request = (b"POST /api/v1/ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        out = run("openssl", "s_client", "-quiet", "-ign_eof",
                  "-verify_return_error", "-verify_hostname", "localhost", "-CAfile", authority.ca,
                  "-connect", f"127.0.0.1:{server.port}", version, stdin=request + body)
        assert out.startswith("HTTP/1.1 202") and out.endswith('{"status":"accepted"}'), out
    assert accepted(server) == 2


def mosquitto_clients(folder):
    if not need("mosquitto", "mosquitto_pub", "mosquitto_sub") or \
            eds("audit", "serve-mqtt", "--help").returncode != 0:
        return
    device = Device("lift-01", 1)
    broker = Broker(folder / "broker")
    server = MqttServer(folder, broker.port, [device.argument()])
    for version in ("311", "5"):
        listener = subprocess.Popen(
            ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V",
             "mqttv" + version, "-t", "edgesentry/ingest/response", "-q", "1", "-C", "2", "-W", "60",
             "-d"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        heard = b""
        while b"SUBACK" not in heard:
            piece = os.read(listener.stdout.fileno(), 4096)
            assert piece, heard
            heard += piece
        for payload in (device.next(), b"no record", device.next()):
            run("mosquitto_pub", "-h", "127.0.0.1", "-p", broker.port, "-V", "mqttv" + version,
                "-t", "edgesentry/ingest", "-q", "1", "-s", stdin=payload)
        heard += listener.communicate(timeout=90)[0]
        assert heard.count(b'"status":"accepted"') == 2, heard
    await_that(lambda: server.lines().count("event=message_dropped") == 2, "two lines")
    code, out = server.end()
    assert (code, out) == (0, "SERVE_COMPLETE: accepted=4 duplicate=0 rejected=0\n"), out
    broker.close()


def preflight(folder):
    """What a browser asks for a page of another origin: nothing here says yes, and what
    needs no question is refused for its type."""
    device = Device("lift-01", 1)
    server = Server(folder, [device.argument()])
    body = folder / "body"
    body.write_bytes(device.next())
    origin = ("-H", "Origin: https://elsewhere.example")
    for path, allowed in (("ingest", "POST"), ("ingest/batch", "POST"),
                          ("objects/" + 64 * "0", "PUT")):
        out = run("curl", "-sS", "-i", "-X", "OPTIONS", *origin, "-H",
                  "Access-Control-Request-Method: " + allowed, "-H",
                  "Access-Control-Request-Headers: content-type", f"{server.url}/api/v1/{path}")
        assert out.startswith("HTTP/1.1 405 ") and f"\r\nAllow: {allowed}\r\n" in out, out
        assert "access-control-" not in out.lower(), out
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        out = run("curl", "-sS", "-i", *origin, "-H", f"Content-Type: {kind}", "--data-binary",
                  f"@{body}", f"{server.url}/api/v1/ingest")
        assert out.startswith("HTTP/1.1 415 "), out
    out = run("curl", "-sS", "-i", *origin, *JSON, "--data-binary", f"@{body}",
              f"{server.url}/api/v1/ingest")  # no browser, whatever it says
    assert out.startswith("HTTP/1.1 202 ") and "access-control-" not in out.lower(), out
    assert accepted(server) == 1


def main():
    if not need("curl"):
        skip("curl is not installed")
    bridge()
    with tempfile.TemporaryDirectory() as name:
        for part in (curl, pipelined, wrk, s_client, mosquitto_clients, preflight):
            folder = pathlib.Path(name) / part.__name__
            folder.mkdir()
            part(folder)
    if missing:
        print(f"note: not here, and not tried: {', '.join(missing)}")
    print("every client that is here was understood")


main()
