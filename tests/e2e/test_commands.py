#!/usr/bin/env python3
# label: slow
"""Commands to devices, from an operator's signature to the record that answers: done
once each, through kills of the agent and a change of the server's key; and everything
that a server, a ledger's row or somebody in between may do wrong is refused."""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from certificates import Authority, server_certificate  # noqa: E402
from database import database, has_postgres  # noqa: E402
from eds_lab import EDS, Server, skip  # noqa: E402
from server import has_server  # noqa: E402

DEVICE = "lift-01"
NONCE = "000102030405060708090a0b0c0d0e0f"


def audit(*words, code=0):
    """With code None it may fail."""
    done = subprocess.run([EDS, "audit", *words], capture_output=True, timeout=120, check=False)
    assert code in (None, done.returncode), (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode(), done.stderr.decode()


def keygen(path):
    out, _ = audit("keygen", "--out", str(path), "--json")
    return json.loads(out)["public_key_hex"]


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return value


class Lab:
    """A ledger with a device and an operator, each with a key in a file."""

    def __init__(self, folder, store=None):
        self.folder = pathlib.Path(folder)
        self.store = store or f"sqlite:{self.folder}/data/edgesentry.db"
        self.device_key = keygen(self.folder / "device.json")
        self.server_key = keygen(self.folder / "server.json")
        operator_key = keygen(self.folder / "carol.json")
        audit("device", "add", DEVICE, "--public-key-hex", self.device_key, "--store", self.store)
        audit("operator", "add", "carol", "--public-key-hex", operator_key, "--store", self.store)

    def serve(self, *more):
        return Server(self.folder, [], "--store", self.store, "--command-key-file",
                      str(self.folder / "server.json"), *more)

    def command(self, kind, *sets, code=0, more=()):
        words = [word for setting in sets for word in ("--set", setting)]
        return audit("device", "command", DEVICE, "--kind", kind, *words, "--operator", "carol",
                     "--key-file", str(self.folder / "carol.json"), "--store", self.store, *more,
                     code=code)

    def commands(self, *more):
        out, _ = audit("device", "commands", DEVICE, "--store", self.store, "--json", *more)
        return json.loads(out)["commands"]

    def states(self):
        return [command["state"] for command in self.commands()]

    @contextlib.contextmanager
    def agent(self, url, *more, key=None):
        words = [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                 str(self.folder / "device.json"), "--buffer", str(self.folder / "buffer.db"),
                 "--url", url, "--command-key", key or self.server_key, "--command-poll", "1",
                 *more]
        with open(self.folder / "agent.log", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def agent_log(self):
        return (self.folder / "agent.log").read_text()

    def valid(self):
        return audit("ledger", "verify", "--store", self.store)[0]


def say(process, text):
    process.stdin.write(text.encode() + b"\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"RECORDED: ")


def ask(port, query):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/api/v1/commands?" + query)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def all_kinds(folder, store=None):
    """One of each; a setting that is not known; a key that is rotated for good."""
    lab = Lab(folder, store)
    server = lab.serve()
    with lab.agent(server.url) as agent:
        say(agent, "before")
        lab.command("config", "command-poll=2", "buffer-age-max=7200")
        lab.command("config", "nonsense=1")
        lab.command("report-status")
        lab.command("rotate-key")
        wait_for("the answers", lambda: lab.states() == ["done", "refused", "done", "done"])
        config, nonsense, status, rotation = lab.commands()
        assert config["report"] == "buffer-age-max=7200 command-poll=2", config
        assert nonsense["report"] == "nonsense is not a setting of this agent", nonsense
        assert f"sequence={status['record'] - 1} " in status["report"], status
        assert "command_poll=2" in status["report"], status
        new_key = rotation["report"].removeprefix("public_key=")
        assert new_key != lab.device_key and len(new_key) == 64, rotation
        _, said = lab.command("rotate-key", "use=" + new_key, code=1)
        assert "has no such key" in said, said
        audit("device", "rotate", DEVICE, "--public-key-hex", new_key, "--store", lab.store)
        lab.command("rotate-key", "use=" + new_key)
        wait_for("the new key", lambda: lab.states()[-1] == "done")
        say(agent, "after")
        agent.stdin.close()
        agent.stdin = open(os.devnull, "wb")
        assert agent.wait(timeout=120) == 0, lab.agent_log()
    settings = (lab.folder / "buffer.db.settings").read_text()
    assert settings == "buffer-age-max=7200\ncommand=1\ncommand-poll=2\n", settings
    assert not (lab.folder / "device.json.next").exists()
    # Settings that can't be read keep no device from recording.
    (lab.folder / "buffer.db.settings").write_text(settings + "nonsense\n")
    with lab.agent(server.url) as agent:
        say(agent, "in spite of it")
    assert "settings_ignored" in lab.agent_log()
    (lab.folder / "buffer.db.settings").write_text(settings)
    # What was set is in force after a restart, and the new key is the only one.
    lab.command("report-status")
    with lab.agent(server.url):
        wait_for("the last answer", lambda: lab.states()[-1] == "done")
    assert "command_poll=2" in lab.commands()[-1]["report"]
    assert server.end(signal.SIGTERM)[0] == 0
    records = [command["record"] for command in lab.commands()]
    assert records == sorted(set(records)), records
    assert "LEDGER_VALID" in lab.valid()
    return lab


def questions(folder):
    """What the server answers to whoever asks, and what it signs."""
    lab = Lab(folder)
    server = lab.serve()
    good = f"device={DEVICE}&nonce={NONCE}"
    for query in ("", f"device={DEVICE}", f"nonce={NONCE}", good + "&device=x", good + "0",
                  good[:-1], good.replace("0a", "0A"), good.replace("0a", "0g"),
                  "device=&nonce=" + NONCE, "device=%ff&nonce=" + NONCE,
                  "device=a%00b&nonce=" + NONCE, "device=a%0&nonce=" + NONCE,
                  f"device={256 * 'd'}&nonce={NONCE}"):
        status, body = ask(server.port, query)
        assert status == 400 and b"expected" in body, (query, status, body)
    assert ask(server.port, good) == (204, b"")
    assert ask(server.port, "device=nobody&nonce=" + NONCE) == (204, b"")
    lab.command("report-status")
    lab.command("report-status")
    status, body = ask(server.port, good + "&more=1")
    first = json.loads(body)
    assert status == 200 and (first["counter"], first["nonce"]) == (1, NONCE), body
    assert ask(server.port, good.replace("lift", "%6Cift"))[1] == body  # deterministic
    other = json.loads(ask(server.port, good[:-1] + "e")[1])
    assert other["counter"] == 1 and other["signature"] != first["signature"], other
    assert ask(server.port, "device=nobody&nonce=" + NONCE) == (204, b"")
    assert lab.states() == ["taken", "waiting"]
    # A new key at SIGHUP, without a pause; a bad one changes nothing.
    keygen(lab.folder / "next.json")
    os.replace(lab.folder / "next.json", lab.folder / "server.json")
    server.process.send_signal(signal.SIGHUP)
    wait_for("the new key", lambda: json.loads(ask(server.port, good)[1])["key_id"]
             != first["key_id"])
    second = json.loads(ask(server.port, good)[1])["key_id"]
    (lab.folder / "server.json").write_text("no key\n")
    server.process.send_signal(signal.SIGHUP)
    log = lab.folder / "server.log"
    wait_for("the refusal", lambda: "config_reload_failed" in log.read_text())
    assert json.loads(ask(server.port, good)[1])["key_id"] == second
    assert server.end(signal.SIGTERM)[0] == 0
    plain = Server(folder, [], "--store", lab.store)
    assert ask(plain.port, good)[0] == 501
    assert plain.end(signal.SIGTERM)[0] == 0
    # A device's or an operator's key signs no commands.
    os.replace(lab.folder / "carol.json", lab.folder / "server.json")
    _, said = audit("serve", "--addr", "127.0.0.1:0", "--store", lab.store, "--admin-addr", "off",
                    "--command-key-file", str(lab.folder / "server.json"), code=64)
    assert "is registered for operator carol" in said, said


def bounds(folder):
    """Refused before anything waits; too many; too late."""
    lab = Lab(folder)
    for sets, kind, code, words in (
            ((), "config", 64, "config is settings"), (("a=1",), "report-status", 64, "no settings"),
            (("a=1", "a=2"), "config", 64, "none twice"), (("A=1",), "config", 64, "a key is"),
            (("a=" + 256 * "v",), "config", 64, "longer than 255"),
            (tuple(f"k{n}=" + 200 * "v" for n in range(6)), "config", 1, "too long"),
            (("to=1",), "rotate-key", 64, "no setting but use"),
            (("use=" + 64 * "0",), "rotate-key", 1, "has no such key")):
        _, said = lab.command(kind, *sets, code=code)
        assert words in said, (sets, said)
    _, said = lab.command("report-status", more=("--expires", "2026-01-01T00:00:00Z"), code=64)
    assert "must be in the future" in said, said
    for seconds in (4, 16, 64):  # as long as this machine needs to make seventeen
        for _ in range(16):
            lab.command("report-status", more=("--expires", f"+{seconds}s"))
        _, said = lab.command("report-status", more=("--expires", f"+{seconds}s"), code=None)
        wait_for("the end of their time", lambda: set(lab.states()) == {"expired"})
        if said:
            break
    assert "16 commands wait" in said, said
    server = lab.serve()
    assert ask(server.port, f"device={DEVICE}&nonce={NONCE}") == (204, b"")
    assert lab.commands("--open") == []
    lab.command("report-status", more=("--counter", "100"))
    assert lab.commands()[-1]["counter"] == 100
    # A device that is revoked gets nothing.
    audit("device", "revoke", DEVICE, "--store", lab.store)
    assert ask(server.port, f"device={DEVICE}&nonce={NONCE}") == (204, b"")
    _, said = lab.command("report-status", code=1)
    assert "is revoked" in said, said
    assert server.end(signal.SIGTERM)[0] == 0


def not_believed(folder):
    """A row that was changed behind the program's back, and an operator who left: not
    given to the device, and the next order is not held up."""
    lab = Lab(folder)
    lab.command("config", "command-poll=30")
    lab.command("report-status")
    with sqlite3.connect(lab.folder / "data/edgesentry.db") as connection:
        connection.execute("UPDATE device_commands SET body = 'buffer-size-max=65536' || char(10)"
                           " WHERE counter = 1")
        connection.execute("INSERT INTO device_commands SELECT device_id, 3, kind, issued_ms, 0,"
                           " operator, 'no' || char(27) || '[1m', key_id, signature, NULL, NULL,"
                           " NULL, NULL FROM device_commands WHERE counter = 1")
    connection.close()
    assert [command["order_hash"] is None for command in lab.commands()] == [False, False, True]
    assert "no?[1m" in audit("device", "commands", DEVICE, "--store", lab.store)[0]
    server = lab.serve()
    status, body = ask(server.port, f"device={DEVICE}&nonce={NONCE}")
    assert status == 200 and json.loads(body)["counter"] == 2, body
    assert lab.states() == ["refused", "taken", "expired"]
    audit("operator", "revoke", "carol", "--store", lab.store)
    assert ask(server.port, f"device={DEVICE}&nonce={NONCE}") == (204, b"")
    assert lab.states() == ["refused", "refused", "expired"]
    assert [command["record"] for command in lab.commands()] == [None, None, None]
    assert server.end(signal.SIGTERM)[0] == 0
    with sqlite3.connect(lab.folder / "data/edgesentry.db") as connection:
        lines = [row[0] for row in connection.execute(
            "SELECT message FROM operation_logs WHERE message LIKE 'command%' ORDER BY id")]
    connection.close()
    assert lines == ["command 1: config command-poll=30", "command 2: report-status",
                     "command 1 is not given to the device: its operator has not signed it",
                     "command 2 is not given to the device: its operator is not active any more"
                     ], lines


class Liar(http.server.BaseHTTPRequestHandler):
    """Answers each question with what the test has put there."""

    def do_GET(self):  # noqa: N802
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def do_POST(self):  # noqa: N802
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


def between(folder):
    """Somebody in between: what he kept, cuts short or makes up is not taken."""
    lab = Lab(folder)
    lab.command("config", "command-poll=30")
    server = lab.serve()
    kept = ask(server.port, f"device={DEVICE}&nonce={NONCE}")[1]
    assert server.end(signal.SIGTERM)[0] == 0
    liar = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=liar.serve_forever, daemon=True).start()
    seen = 0
    with lab.agent(f"http://127.0.0.1:{liar.server_port}") as agent:
        say(agent, "one")
        for body, words in ((kept, "its nonce is not ours"),
                            (kept.replace(DEVICE.encode(), b"lift-02"), "for another device"),
                            (kept[:-1], None), (b"{}", None), (b"", None), (20000 * b"x", None)):
            liar.body, liar.asked = body, 0
            wait_for("two questions", lambda: liar.asked >= 2)
            if words is not None:
                wait_for(words, lambda: words in lab.agent_log()[seen:])
            seen = len(lab.agent_log())
        say(agent, "two")
    liar.shutdown()
    with sqlite3.connect(lab.folder / "buffer.db") as connection:
        count = connection.execute("SELECT count(*) FROM items").fetchone()[0]
        answered = connection.execute("SELECT count(*) FROM commands").fetchone()[0]
    connection.close()
    assert (count, answered) == (2, 0), (count, answered)
    assert lab.states() == ["taken"]


def kills(folder):
    """The agent is killed again and again while it works off its commands: each is
    answered by one record that says it was done."""
    lab = Lab(folder)
    server = lab.serve()
    for number in range(6):
        lab.command("config", f"buffer-age-max={3600 + number}", "retry-dead=now")
    rounds = 0
    while set(lab.states()) != {"done"}:
        rounds += 1
        assert rounds < 60, lab.states()
        with lab.agent(server.url) as agent:
            say(agent, f"round {rounds}")
            before = lab.states().count("done")
            with contextlib.suppress(AssertionError):  # killed just then, or at the latest now
                wait_for("an answer", lambda: lab.states().count("done") > before, 3)
            agent.kill()
    assert server.end(signal.SIGTERM)[0] == 0
    with sqlite3.connect(lab.folder / "data/edgesentry.db") as connection:
        answers = [row[0].split("/")[2:4] for row in connection.execute(
            "SELECT object_ref FROM audit_records WHERE object_ref LIKE 'edgesentry:command/%'")]
    connection.close()
    assert sorted(answers) == [[str(n), "done"] for n in range(1, 7)], answers
    assert (lab.folder / "buffer.db.settings").read_text() == "buffer-age-max=3605\ncommand=6\n"
    assert "LEDGER_VALID" in lab.valid()


def has_tls():
    done = subprocess.run([EDS, "audit", "serve-tls", "--help"], capture_output=True, check=False)
    return done.returncode == 0


def certificates(folder):
    """Over TLS with client certificates a device gets its own commands, and no other."""
    if shutil.which("openssl") is None or not has_tls():
        print("without certificates: no openssl, or no TLS in this build")
        return
    lab = Lab(folder)
    authority = Authority(lab.folder / "ca")
    ours, others = authority.issue("/CN=" + DEVICE), authority.issue("/CN=lift-02")
    server_certificate(lab.folder)
    server = Server(folder, [], "--store", lab.store, "--command-key-file",
                    str(lab.folder / "server.json"), "--tls-cert", str(lab.folder / "server.pem"),
                    "--tls-key", str(lab.folder / "server.key"), "--client-ca", str(authority.ca),
                    command="serve-tls")
    lab.command("report-status")
    for pair, wanted in ((others, 403), (ours, 200)):
        context = ssl.create_default_context(cafile=str(lab.folder / "server.pem"))
        context.load_cert_chain(*map(str, pair))
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=120,
                                                 context=context)
        connection.request("GET", f"/api/v1/commands?device={DEVICE}&nonce={NONCE}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == wanted, (wanted, answer.status, body)
        assert wanted == 200 or b"cert_identity=lift-02 device_id=lift-01" in body, body
    with lab.agent(f"https://localhost:{server.port}", "--ca-file", str(lab.folder / "server.pem"),
                   "--client-cert", str(ours[0]), "--client-key", str(ours[1])):
        wait_for("the answer", lambda: lab.states() == ["done"])
    assert server.end(signal.SIGTERM)[0] == 0


def gateway(folder):
    """Through a gateway: the question goes on to the server, the answer comes back whole,
    and the record that answers by the way of all records."""
    lab = Lab(folder)
    server = lab.serve()
    port_file = lab.folder / "gateway.port"
    with open(lab.folder / "gateway.log", "wb") as log:
        process = subprocess.Popen(
            [EDS, "audit", "gateway", "--addr", "127.0.0.1:0", "--port-file", str(port_file),
             "--admin-addr", "off", "--buffer", str(lab.folder / "gateway.db"), "--url", server.url],
            stdout=subprocess.DEVNULL, stderr=log)
    try:
        wait_for("the gateway", port_file.exists)
        port = int(port_file.read_text())
        assert ask(port, f"device={DEVICE}&nonce={NONCE}") == (204, b"")
        lab.command("report-status")
        lab.command("config", "command-poll=1")
        direct = ask(server.port, f"device={DEVICE}&nonce={NONCE}")
        assert direct[0] == 200 and ask(port, f"device={DEVICE}&nonce={NONCE}") == direct
        with lab.agent(f"http://127.0.0.1:{port}"):
            wait_for("the answers", lambda: lab.states() == ["done", "done"])
        assert server.end(signal.SIGTERM)[0] == 0
        assert ask(port, f"device={DEVICE}&nonce={NONCE}")[0] == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.wait()
    assert "LEDGER_VALID" in lab.valid()


def main():
    if not has_server():
        skip("this build has no server")
    for part in (all_kinds, questions, bounds, not_believed, between, certificates, gateway,
                 kills):
        with tempfile.TemporaryDirectory() as folder:
            part(folder)
            print(part.__name__, "ok")
    if has_postgres():
        with database() as (_, url), tempfile.TemporaryDirectory() as folder:
            if url is not None:
                all_kinds(folder, url)
                print("all_kinds on PostgreSQL ok")


main()
