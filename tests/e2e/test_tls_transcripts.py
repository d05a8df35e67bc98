#!/usr/bin/env python3
"""Holds the conversations that edgesentry-rs had over TLS again: real curl and
openssl against `serve-tls`, in the same order.  Where this server decides
otherwise a row below says so.  The order is the transcript's; a row without a
handler here, or a handler without a row, fails."""
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

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import VECTORS, Server, await_that, eds, skip  # noqa: E402

ROWS = json.loads((VECTORS / "peer/tls_transcripts.json").read_text())
DEVICE = "--device=lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
RECORDS = json.loads((VECTORS / "peer/demo_records.json").read_text())
PAYLOADS = json.loads((VECTORS / "peer/demo_payloads.json").read_text())


def envelope(number):
    payload = PAYLOADS[number]
    if isinstance(payload, dict):
        payload = next(value for value in payload.values() if isinstance(value, str))
    try:
        payload = bytes.fromhex(payload)
    except ValueError:
        payload = payload.encode()
    return json.dumps({"record": RECORDS[number], "raw_payload_hex": payload.hex()}).encode()


def curl(lab, body, *more, port=None, scheme="https"):
    """Exit code, status line, headers, body, and curl's own words."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "-m", "100", "--cacert", str(lab.folder / "cert.pem"), "-H",
         "content-type: application/json", "--data-binary", "@-", *more,
         f"{scheme}://127.0.0.1:{port or lab.server.port}/api/v1/ingest"],
        input=body, capture_output=True, timeout=120)
    head, _, answer = done.stdout.partition(b"\r\n\r\n")
    return done.returncode, head.decode(), answer.decode(), done.stderr.decode()


def same_answer(row, got):
    """Status, content type and body as the transcript's."""
    code, head, body, words = got
    their_head, _, their_body = row["stdout"].partition("\r\n\r\n")
    their_body = their_body.rpartition("\nversion=")[0]
    assert code == row["rc"], (row["name"], code, words)
    assert head.split()[1] == their_head.split()[1], (row["name"], head)
    assert body == their_body, (row["name"], body, their_body)
    assert re.search(r"(?im)^content-type: application/json\r?$", head), head


def same_failure(row, got):
    """No answer, and curl's exit code is the same."""
    code, head, body, words = got
    assert (code, head, body) == (row["rc"], "", ""), (row["name"], got)
    assert words.startswith("curl: "), words


def accepted(lab, row):
    same_answer(row, curl(lab, envelope(0)))


def duplicate(lab, row):
    same_answer(row, curl(lab, envelope(0)))


def tls_1_2(lab, row):
    same_answer(row, curl(lab, envelope(1), "--tls-max", "1.2"))


def tls_1_1(lab, row):
    same_failure(row, curl(lab, envelope(1), "--tls-max", "1.1", "--ciphers",
                           "DEFAULT@SECLEVEL=0"))


def http2(lab, row):
    """Not spoken here: the handshake agrees on HTTP/1.1, over which the answer is
    the same."""
    assert row["stdout"].startswith("HTTP/2 422")
    got = curl(lab, envelope(1), "--http2-prior-knowledge")
    assert got[1].startswith("HTTP/1.1 "), got
    same_answer(row, got)


def bad_json(lab, row):
    """400 as well; said as a rejection in JSON, with the position."""
    code, head, body, _ = curl(lab, b"{")
    assert (code, head.split()[1]) == (row["rc"], row["stdout"].split()[1]), head
    answer = json.loads(body)
    assert answer["status"] == "rejected" and "byte" in answer["error"], answer


def bad_hex(lab, row):
    body = json.loads(envelope(2))
    body["raw_payload_hex"] = "zz"
    same_answer(row, curl(lab, json.dumps(body).encode()))


def handshake(lab, row):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{lab.server.port}", "-alpn",
         "h2,http/1.1"], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    out = done.stdout.decode()
    for fact in ("Server Temp Key: X25519", "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384",
                 "self-signed certificate"):
        assert fact in row["stdout"] and fact in out, (fact, out[-2000:])
    assert "ALPN protocol: h2" not in out, out


def plain_http(lab, row):
    """Their TLS alert is no HTTP for curl; here the connection just ends."""
    done = subprocess.run(["curl", "-sS", "-i", "-m", "3",
                           f"http://127.0.0.1:{lab.server.port}/"], capture_output=True)
    assert row["rc"] != 0 and done.returncode != 0 and done.stdout == b"", done


def denied(lab, row):
    server = Server(lab.folder, [DEVICE], "--store", "memory:", "--allowed-sources", "10.0.0.1",
                    "--tls-cert", str(lab.folder / "cert.pem"), "--tls-key",
                    str(lab.folder / "key.pem"), command="serve-tls")
    same_failure(row, curl(lab, envelope(0), port=server.port))
    server.end(signal.SIGTERM)


def start_error(cert, key):
    def check(lab, row):
        done = eds("audit", "serve-tls", "--addr", "127.0.0.1:0", "--store", "memory:",
                   "--tls-cert", str(lab.folder / cert), "--tls-key", str(lab.folder / key))
        assert done.returncode == row["rc"] and done.stdout.decode() == row["stdout"], done
        assert row["stderr"].strip() in done.stderr.decode(), (row["stderr"], done.stderr)
    return check


def help_text(*words):
    """Every option of theirs is one of ours, with the same default."""
    def check(lab, row):
        done = eds(*words, "--help")
        assert done.returncode == row["rc"] == 0, done
        ours = re.sub(r"\s+", " ", done.stdout.decode())
        wanted = re.findall(r"(--[a-z-]+ <[A-Z_=]+>)(?:\s+\[default: ([^]]+)\])?", row["stdout"])
        assert len(wanted) >= 5, wanted
        for option, default in wanted:
            _, found, rest = ours.partition(option)
            assert found, (option, ours)
            of_it = rest.partition(" --")[0]
            assert not default or f"[default: {default}]" in of_it, (option, default, of_it)
    return check


def no_arguments(lab, row):
    """Usage errors exit 64 here; both missing options are named."""
    done = eds("audit", "serve-tls")
    assert row["rc"] == 2 and done.returncode == 64, done
    assert row["stderr"].split("\n\n")[0] in done.stderr.decode(), done.stderr


def all_commands(lab, row):
    """Every command that the reference documents name is here."""
    beyond = {"export-aims", "sign-document", "verify-document", "sign-clearance",
              "verify-clearance"}  # of other systems in the original's binary
    ours = eds("audit", "--help").stdout.decode()
    theirs = set(re.findall(r"(?m)^  ([a-z-]+)  +[A-Z]", row["stdout"]))
    assert beyond < theirs and len(theirs) == 15, theirs
    if not lab.has_mqtt:
        beyond.add("serve-mqtt")
    for command in theirs - beyond:
        assert re.search(rf"(?m)^  {command} ", ours), (command, ours)


def idle_connections(command):
    """100 idle connections where 64 files may be open: the original's TLS server
    ended.  Ours stays, and serves again when they have gone."""
    def check(lab, row):
        assert row["server_alive"] == (command == "serve")
        more = ["--tls-cert", str(lab.folder / "cert.pem"), "--tls-key",
                str(lab.folder / "key.pem")] if command == "serve-tls" else []
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            server = Server(lab.folder, [DEVICE], "--store", "memory:", *more, command=command)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        idle = []
        for _ in range(100):
            try:
                idle.append(socket.create_connection(("127.0.0.1", server.port), timeout=0.2))
            except OSError:
                pass
        time.sleep(0.2)
        assert server.process.poll() is None, "the server ended"
        for connection in idle:
            connection.close()
        scheme = "https" if command == "serve-tls" else "http"
        await_that(lambda: curl(lab, envelope(0), port=server.port,
                                scheme=scheme)[1].startswith("HTTP/1.1 202"), "it to serve again")
        code, _ = server.end(signal.SIGTERM)
        assert code == 0, code
    return check


HANDLERS = {
    "TLS accepted (curl default)": accepted,
    "TLS duplicate": duplicate,
    "TLS 1.2": tls_1_2,
    "TLS 1.1": tls_1_1,
    "h2 prior knowledge over TLS (no ALPN)": http2,
    "bad json": bad_json,
    "bad hex": bad_hex,
    "handshake facts": handshake,
    "plain HTTP to the TLS port": plain_http,
    "denied source: connection dropped before the handshake": denied,
    "missing cert": start_error("nope.pem", "key.pem"),
    "missing key": start_error("cert.pem", "nope.pem"),
    "key file without key": start_error("cert.pem", "cert.pem"),
    "cert file without cert": start_error("key.pem", "key.pem"),
    "serve-tls --help": help_text("audit", "serve-tls"),
    "serve-mqtt --help": help_text("audit", "serve-mqtt"),
    "serve-tls without args": no_arguments,
    "audit --help with all transports built": all_commands,
    "serve-tls: 100 idle connections with ulimit -n 64": idle_connections("serve-tls"),
    "serve: 100 idle connections with ulimit -n 64": idle_connections("serve"),
}


class Lab:
    def __init__(self, folder, has_mqtt):
        self.folder = folder
        self.has_mqtt = has_mqtt
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                        str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
                       check=True, capture_output=True)
        (folder / "key.pem").chmod(0o600)
        self.server = Server(folder, [DEVICE], "--store", "memory:", "--tls-cert",
                             str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"),
                             command="serve-tls")


def main():
    for tool in ("openssl", "curl"):
        if shutil.which(tool) is None:
            skip(f"there is no {tool}")
    features = json.loads(eds("--version", "--json").stdout)["features"]
    if features["transport-tls"] != "on":
        skip("this build has no TLS")
    assert [row["name"] for row in ROWS] == list(HANDLERS), "other rows than expected"
    with tempfile.TemporaryDirectory(prefix="eds-tls-") as name:
        lab = Lab(pathlib.Path(name), features["transport-mqtt"] == "on")
        for row in ROWS:
            if "mqtt" in row["name"] and not lab.has_mqtt:
                print(f"skipped: {row['name']}: this build has no MQTT")
                continue
            HANDLERS[row["name"]](lab, row)
        lab.server.end(signal.SIGTERM)
    print(f"{len(ROWS)} conversations over TLS as the original had them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
