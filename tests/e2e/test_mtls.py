#!/usr/bin/env python3
"""serve-tls with client certificates: fifty bad ones are refused before a byte of
HTTP, each with the right words; good ones may send what their names allow, and
nothing else; a revoked one is refused on a living connection."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from certificates import Authority, server_certificate, stamp  # noqa: E402
from eds_lab import Device, Server, await_that, eds, skip  # noqa: E402

class Client:
    """One kept HTTPS connection, with a certificate or without."""

    def __init__(self, folder, port, pair=None, version=None):
        context = ssl.create_default_context(cafile=str(folder / "server.pem"))
        if pair is not None:
            context.load_cert_chain(*map(str, pair))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        self.connection = http.client.HTTPSConnection("localhost", port, timeout=120,
                                                      context=context)

    def post(self, body):
        self.connection.request("POST", "/api/v1/ingest", body,
                                {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def close(self):
        self.connection.close()


def outcome(folder, port, pair, body, version=None):
    client = Client(folder, port, pair, version)
    try:
        return client.post(body)
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        client.close()


def start(folder, devices, ca, *more):
    return Server(folder, [device.argument() for device in devices], "--tls-cert",
                  str(folder / "server.pem"), "--tls-key", str(folder / "server.key"),
                  "--client-ca", str(ca), *more, command="serve-tls")


def log_of(folder):
    return (folder / "server.log").read_text()


def bad_fifty(folder):
    """Each bad certificate is one edit away from a good one."""
    lifts = Authority(folder / "ca")
    others = Authority(folder / "others")  # the same name, another key
    lift, robot = Device("lift-01", 1), Device("robot-07", 2)
    revoked = [lifts.issue(f"/CN=lift-01/O={n}") for n in range(8)]
    for certificate, _ in revoked:
        lifts.revoke(certificate)
    not_a_ca = lifts.issue("/CN=lift-01")
    kinds = [
        ("expired: renew it", "expired",
         [lifts.issue(f"/CN=lift-01/O={n}", start=-9 - n, end=-1 - n) for n in range(9)]),
        ("not yet valid: is the clock set?", "expired",
         [lifts.issue(f"/CN=lift-01/O={n}", start=1 + n, end=9 + n) for n in range(9)]),
        ("comes from an unknown authority|has a wrong signature", "unknown ca|bad certificate",
         [others.issue(f"/CN=lift-01/O={n}") for n in range(8)]),
        ("is revoked", "revoked", revoked),
        ("is not for clients: its extended key usage has no clientAuth",
         "unsupported certificate|insufficient",
         [lifts.issue("/CN=lift-01", usage=usage)
          for usage in ("serverAuth", "codeSigning", "emailProtection", "timeStamping",
                        "OCSPSigning", "serverAuth,codeSigning", "1.3.6.1.4.1.311.10.3.4",
                        "serverAuth,emailProtection")]),
        ("names no device", "bad certificate", [lifts.issue("/O=Lifts")]),
    ]
    crl = lifts.crl()
    server = start(folder, [lift, robot], lifts.ca, "--client-crl", str(crl))
    body = lift.next()
    assert outcome(folder, server.port, not_a_ca, body)[0] == 202  # what they are edits of
    refused = unheard = 0
    body = lift.next()
    for words, alert, pairs in kinds:
        for number, pair in enumerate(pairs):
            version = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[number % 2]
            time.sleep(0.06)  # each has its line in the log: 20 a second
            before = len(log_of(folder))
            got = outcome(folder, server.port, pair, body, version)
            assert isinstance(got, str), (words, got)
            await_that(lambda at=before: log_of(folder)[at:].endswith("\n"), "its line")
            lines = log_of(folder)[before:].splitlines()
            assert len(lines) == 1 and "event=client_certificate_refused" in lines[0], lines
            assert re.search(words, lines[0]), (words, lines[0])
            if re.search("EOF|reset", got, re.I):
                unheard += 1  # the connection's end may overtake its alert
            else:
                assert re.search(alert, got.replace("_", " "), re.I), (alert, got)
            refused += 1
    # Another device's certificate, good in itself: the check of protocol step 3.
    for number, san in enumerate(["", "DNS:robot-07", "URI:urn:edgesentry:device:robot-07",
                                  "URI:spiffe://lifts/robot-07", "DNS:lift-01.example",
                                  "URI:urn:edgesentry:device:lift-011", "DNS:*"]):
        name = "robot-07" if san in ("", "DNS:robot-07") or "device:robot" in san else san[4:]
        name = name.replace("urn:edgesentry:device:", "")
        pair = lifts.issue("/CN=robot-07" if san == "" else "/CN=lift-01", san=san or None)
        status, answer = outcome(folder, server.port, pair, body)
        assert status == 422 and json.loads(answer)["error"] == (
            "ingest verification failed: auth/device mismatch: "
            f"cert_identity={name} device_id=lift-01"), (san, answer)
        refused += 1
    assert refused == 50, refused

    def told():
        got = outcome(folder, server.port, None, body)
        assert isinstance(got, str), got
        return re.search("required", got, re.I)

    await_that(told, "the alert")  # as above: the end of the connection can overtake it
    assert "a client certificate is required" in log_of(folder)
    got = outcome(folder, server.port, None, body, ssl.TLSVersion.TLSv1_2)
    assert isinstance(got, str), got
    assert outcome(folder, server.port, not_a_ca, body)[0] == 202
    code, out = server.end(signal.SIGTERM)
    assert (code, out) == (0, "SERVE_COMPLETE: accepted=2 duplicate=0 rejected=7\n"), out
    return lifts


def names(folder, lifts):
    """What a certificate's names let it send; a gateway; no certificate at all."""
    devices = [Device(name, number) for number, name in
               enumerate(("lift-01", "lift-02", "lift-03", "spiffe://lifts/lift-04"), 1)]
    server = start(folder, devices, lifts.ca, "--client-auth", "optional", "--gateway",
                   "gw-1=lift-02,lift-03", "--gateway", "gw-2=lift-03")
    one, two, three, four = devices
    gateway = lifts.issue("/CN=anything", san="DNS:gw-1")
    for pair, device, status in (
            (lifts.issue("/CN=lift-01"), one, 202),
            (lifts.issue("/CN=other", san="DNS:lift-01"), one, 202),
            (lifts.issue("/CN=other", san="DNS:x,DNS:lift-01"), one, 202),
            (lifts.issue("/CN=lift-01", san="URI:urn:edgesentry:device:lift-02"), two, 202),
            (lifts.issue("/CN=other", san="URI:spiffe://lifts/lift-04,DNS:lift-01"), four, 202),
            (lifts.issue("/CN=lift-01", usage=None), one, 202),
            (gateway, two, 202), (gateway, three, 202), (gateway, two, 202), (gateway, one, 422),
            (lifts.issue("/CN=gw-2"), three, 202), (lifts.issue("/CN=gw-2"), two, 422),
            (lifts.issue("/CN=x", san="URI:spiffe://lifts/lift-04,DNS:lift-01"), one, 422),
            (None, one, 202)):
        sequence, hashes = device.sequence, list(device.hashes)
        got = outcome(folder, server.port, pair, device.next())
        assert got[0] == status, (pair, device.name, got)
        if status != 202:
            device.sequence, device.hashes = sequence, hashes
    # Of a batch each record has to be one that the certificate may bring.
    client = Client(folder, server.port, gateway)
    client.connection.request("POST", "/api/v1/ingest/batch",
                              b"\n".join((two.next(), one.next(), three.next())),
                              {"Content-Type": "application/x-ndjson"})
    answer = json.loads(client.connection.getresponse().read())
    assert [result["status"] for result in answer["results"]] == [
        "accepted", "rejected", "accepted"], answer
    assert answer["results"][1]["error"] == (
        "ingest verification failed: auth/device mismatch: cert_identity=gw-1 device_id=lift-01")
    client.close()
    bad = outcome(folder, server.port, lifts.issue("/CN=lift-01", end=-0.5), one.next())
    assert isinstance(bad, str), bad  # optional means without one, not with a bad one
    server.end(signal.SIGTERM)


def our_sender(folder, lifts):
    """eds audit send and agent show a certificate where they are told to."""
    lift = Device("lift-01", 1)
    server = start(folder, [lift], lifts.ca)
    cert, key = lifts.issue("/CN=lift-01")
    other_key = lifts.issue("/CN=lift-02")[1]
    both, seed, last = folder / "both.pem", folder / "seed", folder / "last.json"
    both.write_text(cert.read_text() + key.read_text())
    seed.write_text(lift.seed.hex())
    both.chmod(0o600)
    seed.chmod(0o600)
    url = ["--url", f"https://localhost:{server.port}", "--ca-file", str(folder / "server.pem")]
    first, second, third = lift.next(), lift.next(), lift.next()
    for words, body, code, says in (
            (["--client-cert", cert, "--client-key", key], first, 0, b"ACCEPTED: device=lift-01"),
            (["--client-cert", both], second, 0, b"ACCEPTED: device=lift-01"),
            ([], third, 1, b"no verdict from"),
            (["--client-cert", cert, "--client-key", other_key], third, 1, b"error: "),
            (["--client-cert", cert, "--client-key", folder / "none"], third, 1, b"No such file"),
            (["--client-key", key], third, 64, b"--client-key needs --client-cert")):
        done = eds("send", *url, "--attempts", "1", *map(str, words), stdin=body)
        assert done.returncode == code and says in done.stdout + done.stderr, (words, done)
    last.write_text(json.dumps(json.loads(second)["record"]))
    done = eds("agent", "--device-id", "lift-01", "--key-file", str(seed), "--buffer",
               str(folder / "agent.db"), "--after-record", str(last), *url, "--client-cert",
               str(both), stdin=b"door closed\n")
    assert done.returncode == 0, done
    code, out = server.end(signal.SIGTERM)
    assert code == 0 and out.startswith("SERVE_COMPLETE: accepted=3 "), out


def revocation(folder, lifts):
    """A certificate that is revoked while its connection lives."""
    lift, other = Device("lift-01", 1), Device("lift-02", 2)
    crl = folder / "live.crl"
    shutil.copy(lifts.crl(), crl)
    server = start(folder, [lift, other], lifts.ca, "--client-crl", str(crl))
    first, second = lifts.issue("/CN=lift-01"), lifts.issue("/CN=lift-02")
    clients = [Client(folder, server.port, first), Client(folder, server.port, second)]
    assert clients[0].post(lift.next())[0] == 202
    assert clients[1].post(other.next())[0] == 202
    lifts.revoke(first[0])
    shutil.copy(lifts.crl(), crl)
    server.process.send_signal(signal.SIGHUP)
    await_that(lambda: "event=tls_reloaded" in log_of(folder), "the new list")
    status, answer = clients[0].post(lift.next())
    assert status == 403 and "client certificate is revoked (CN=lift-01, serial" in answer, answer
    for _ in range(3):
        assert clients[1].post(other.next())[0] == 202
    assert isinstance(outcome(folder, server.port, first, lift.next()), str)
    for client in clients:
        client.close()
    server.end(signal.SIGTERM)


def files(folder, lifts):
    """What is wrong with a file is said before anything serves."""
    strangers = Authority(folder / "strangers", "Strangers CA")
    own = Authority(folder / "own", "Server CA")
    late = own.issue("/CN=localhost", start=3, end=9, usage="serverAuth")
    gone = own.issue("/CN=localhost", start=-9, end=-3, usage="serverAuth")
    (folder / "old.crl").write_bytes(lifts.crl().read_bytes())
    old = subprocess.run(
        ["openssl", "ca", "-config", str(lifts.folder / "conf"), "-gencrl", "-crl_lastupdate",
         stamp(-9), "-crl_nextupdate", stamp(-2), "-out", str(folder / "old.crl")],
        capture_output=True, check=False).returncode == 0
    cert = (folder / "server.pem", folder / "server.key")
    rows = [
        (late, [], f"{late[0]}: certificate not yet valid: is the clock set? (CN=localhost, valid "
                   "from "),
        (gone, [], f"{gone[0]}: certificate expired: renew it (CN=localhost, valid until "),
        (cert, ["--client-ca", folder / "none"],
         f"No such file or directory (os error 2): {folder}/none"),
        (cert, ["--client-ca", lifts.issue()[0]], "cannot vouch for clients"),
        (cert, ["--client-ca", lifts.ca, "--client-crl", strangers.crl()],
         "the revocation list is not signed by an authority of the clients"),
        (cert, ["--client-ca", lifts.ca, "--client-crl", lifts.ca], "the revocation list: "),
    ]
    if old:
        rows.append((cert, ["--client-ca", lifts.ca, "--client-crl", folder / "old.crl"],
                     "old.crl: revocation list out of date: get a newer one (of CN=Lifts CA"))
    for pair, more, says in rows:
        done = eds("serve-tls", "--addr", "127.0.0.1:0", "--store", "memory:", "--tls-cert",
                   str(pair[0]), "--tls-key", str(pair[1]), *map(str, more), timeout=120)
        assert done.returncode == 1 and b"error: TLS server error: " in done.stderr, done
        assert says in done.stderr.decode(), (says, done.stderr.decode())
    for more, says in ((["--client-auth", "optional"], "need --client-ca"),
                       (["--client-ca", "x", "--gateway", "x"], "expected GATEWAY=DEVICE"),
                       (["--client-ca", "x", "--gateway", "x=a,,b"], "name is empty"),
                       (["--client-ca", "x", "--gateway", "x=" + "a" * 256], "too long")):
        done = eds("serve-tls", "--tls-cert", "x", "--tls-key", "y", *more)
        assert done.returncode == 64 and says in done.stderr.decode(), done


def main():
    if shutil.which("openssl") is None:
        skip("there is no openssl to make certificates with")
    if json.loads(eds("--version", "--json").stdout)["features"]["transport-tls"] != "on":
        skip("this build has no TLS")
    with tempfile.TemporaryDirectory(prefix="eds-mtls-") as name:
        top = pathlib.Path(name)
        for part in ("bad", "names", "sender", "revocation", "files"):
            (top / part).mkdir()
            server_certificate(top / part)
        lifts = bad_fifty(top / "bad")
        names(top / "names", lifts)
        our_sender(top / "sender", lifts)
        revocation(top / "revocation", lifts)
        files(top / "files", lifts)
    print("50 bad client certificates refused with the right words; names, gateways, revocation")


if __name__ == "__main__":
    main()
