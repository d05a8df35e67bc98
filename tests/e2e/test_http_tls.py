#!/usr/bin/env python3
"""serve-tls: versions, certificates, and who is turned away before a handshake."""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import VECTORS, Server, eds, skip  # noqa: E402

FILES = ["--records-file", str(VECTORS / "peer/demo_records.json"),
         "--payloads-file", str(VECTORS / "peer/demo_payloads.json")]
DEVICE = "--device=lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
                   check=True, capture_output=True)
    (folder / "key.pem").chmod(0o600)


def handshake(folder, port, least, most):
    """The version agreed upon, or the error."""
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    warnings.simplefilter("ignore", DeprecationWarning)  # the old versions are the point
    context.minimum_version, context.maximum_version = least, most
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert tls.recv(12) == b"HTTP/1.1 404"
                return tls.version()
    except (ssl.SSLError, ConnectionError) as error:
        return error


def versions(folder, server):
    v = ssl.TLSVersion
    assert handshake(folder, server.port, v.TLSv1_2, v.TLSv1_2) == "TLSv1.2"
    assert handshake(folder, server.port, v.TLSv1_3, v.TLSv1_3) == "TLSv1.3"
    for old in (v.TLSv1, v.TLSv1_1):
        got = handshake(folder, server.port, old, old)
        assert isinstance(got, Exception), got


def records(folder, server):
    url = f"https://localhost:{server.port}"
    done = eds("send", "--url", url, *FILES, "--ca-file", str(folder / "cert.pem"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b"SEND_COMPLETE: accepted=3 duplicate=0 rejected=0\n")
    done = eds("send", "--url", url, *FILES)  # nobody vouches for that certificate
    assert done.returncode == 1 and b"is not trusted" in done.stderr, done.stderr
    done = eds("send", "--url", f"https://127.0.0.1:{server.port}", *FILES, "--ca-file",
               str(folder / "cert.pem"))  # it has another name
    assert done.returncode == 1 and b"is not trusted" in done.stderr, done.stderr


def plain_http(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/" not in plain.recv(100)


def strangers(folder):
    server = Server(folder, [DEVICE], "--store", "memory:", "--allowed-sources", "10.0.0.1",
                    *certificate(folder), command="serve-tls")
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port), timeout=120) as plain:
            try:
                plain.sendall(b"\x16\x03\x01")
                assert plain.recv(1) == b"", "a byte was answered"
            except ConnectionError:
                pass
    server.end(signal.SIGTERM)
    assert "event=connection_refused source=127.0.0.1" in (folder / "server.log").read_text()


def certificate(folder):
    return ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]


def mistakes(folder):
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    (folder / "other").mkdir()
    make_certificate(folder / "other")
    (folder / "half.pem").write_text((folder / "key.pem").read_text()[:60] + "\n")
    for cert_file, key_file, says in (
            ("nope.pem", key, "TLS server error: No such file or directory (os error 2)"),
            (cert, "nope.pem", "TLS server error: No such file or directory (os error 2)"),
            (cert, cert, "TLS server error: no private key found in key file"),
            (key, key, "TLS server error: peer sent no certificates"),
            (cert, str(folder / "other/key.pem"),
             "TLS server error: the private key is not that of the first certificate"),
            (cert, str(folder / "half.pem"), "TLS server error: the private key: ")):
        done = eds("serve-tls", "--addr", "127.0.0.1:0", "--store", "memory:", "--tls-cert",
                   cert_file, "--tls-key", key_file, timeout=120)
        assert done.returncode == 1 and says.encode() in done.stderr, done
        assert b"BEGIN" not in done.stderr and done.stdout == b""
    (folder / "key.pem").chmod(0o644)
    server = Server(folder, [DEVICE], "--store", "memory:", *certificate(folder),
                    command="serve-tls")
    server.end(signal.SIGTERM)
    assert "is open to others (mode 0644)" in (folder / "server.log").read_text()


def main():
    if shutil.which("openssl") is None:
        skip("there is no openssl to make a certificate with")
    features = json.loads(eds("--version", "--json").stdout)["features"]
    if features["transport-tls"] != "on":
        skip("this build has no TLS")
    with tempfile.TemporaryDirectory(prefix="eds-tls-") as name:
        folder = pathlib.Path(name)
        make_certificate(folder)
        server = Server(folder, [DEVICE], "--store", "memory:", *certificate(folder),
                        command="serve-tls")
        versions(folder, server)
        plain_http(server)
        records(folder, server)
        code, out = server.end(signal.SIGTERM)
        assert (code, out) == (0, "SERVE_COMPLETE: accepted=3 duplicate=0 rejected=0\n"), out
        strangers(folder)
        mistakes(folder)
    print("TLS 1.2 and 1.3 and nothing before, trusted certificates, strangers turned away")
    return 0


if __name__ == "__main__":
    sys.exit(main())
