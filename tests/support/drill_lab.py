"""drill_lab.py - what the tests of failure drills share: an installation with a device
for drills, and a liar between it and who asks."""
import atexit
import concurrent.futures
import http.client
import http.server
import json
import subprocess
import threading

from certificates import Authority, server_certificate
from eds_lab import EDS, await_that, eds

RECORDS = 3  # of each phase


class Installation:
    """A server with a registered drill device; the payloads in a directory, or where a
    URL says; objects False: in the ledger.  has_tls: over TLS, and each sender has to have
    a certificate."""

    def __init__(self, folder, store=None, objects=True, has_tls=False):
        self.folder = folder
        self.store = ["--store", store] if store else ["--data-dir", str(folder / "data")]
        place = f"file:{folder}/payloads" if objects is True else objects
        self.objects = ["--objects", place] if place else []
        self.key = folder / "drill.key"
        eds("keygen", "--out", str(self.key))
        public = json.loads(eds("inspect-key", "--key-file", str(self.key)).stdout)
        self.public_key = public["public_key_hex"]
        self.register("eds-drill")
        self.has_tls = has_tls
        front = ["serve"]
        if has_tls:
            server_certificate(folder)
            self.authority = Authority(folder / "ca")
            self.certificate, self.certificate_key = self.authority.issue("/CN=eds-drill")
            front = ["serve-tls", "--tls-cert", str(folder / "server.pem"), "--tls-key",
                     str(folder / "server.key"), "--client-ca", str(self.authority.ca)]
        self.process = subprocess.Popen(
            [EDS, *front, "--config", "off", "--addr", "127.0.0.1:0", "--port-file",
             str(folder / "port"), "--admin-addr", "127.0.0.1:0", "--admin-port-file",
             str(folder / "admin"), *self.store, *self.objects],
            stdout=subprocess.DEVNULL, stderr=open(folder / "log", "wb"))
        atexit.register(self.process.kill)  # a test that fails leaves no server behind
        files = (folder / "port", folder / "admin")
        await_that(lambda: all(file.exists() for file in files) or self.process.poll() is not None,
                   "the server")
        assert self.process.poll() is None, (folder / "log").read_text()
        self.port = int((folder / "port").read_text())
        self.admin = int((folder / "admin").read_text())

    def register(self, name):
        done = eds("device", "add", name, "--public-key-hex", self.public_key, *self.store)
        assert done.returncode == 0, done.stderr

    def end(self):
        self.process.terminate()
        assert self.process.wait(120) == 0

    def at(self, port=None, admin=None):
        """Where the server is, and by whose key it is asked."""
        where = ["--url", f"http://127.0.0.1:{port or self.port}"]
        if self.has_tls:
            where = ["--url", f"https://localhost:{self.port}", "--ca-file",
                     str(self.folder / "server.pem"), "--client-cert", str(self.certificate),
                     "--client-key", str(self.certificate_key)]
        return [*where, "--admin-addr",
                "off" if admin == "off" else f"127.0.0.1:{admin or self.admin}",
                "--key-file", str(self.key)]

    def words(self, which, *more, port=None, admin=None, break_it=None, heal_it=None):
        """The command line; payloads are taken away unless other commands are given."""
        place = self.folder / "payloads"
        return [EDS, "drill", which, *self.at(port, admin), *self.store, *self.objects,
                "--records", str(RECORDS),
                "--break-command", break_it or f"mv {place} {place}.away && touch {place}",
                "--heal-command", heal_it or f"rm {place} && mv {place}.away {place}", *more]

    def drill(self, which, *more, **how):
        """Runs one; returns its exit code and what --json says."""
        return report_of(self.words(which, "--json", *more, **how))


def report_of(words):
    """Runs a drill with --json: exit code, report, standard error."""
    done = subprocess.run(words, capture_output=True, check=False, timeout=500)
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


class Between(http.server.BaseHTTPRequestHandler):
    """Passes on what is asked and answered, but for the one thing that `edit` changes:
    it gets method, path, body, and the answer as [status, headers, text]; None: not
    even passed on."""
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.instead(body)
        if answer is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=120)
            connection.request(self.command, self.path, body or None,
                               {"Content-Type": self.headers.get("Content-Type", "text/plain")})
            got = connection.getresponse()
            answer = [got.status, dict(got.getheaders()), got.read()]
            connection.close()
        self.server.edit(self.path, answer)
        self.send_response(answer[0])
        for name in ("Content-Type", "Retry-After"):
            if name in answer[1]:
                self.send_header(name, answer[1][name])
        self.send_header("Content-Length", str(len(answer[2])))
        self.end_headers()
        self.wfile.write(answer[2])

    do_GET = do_POST = pass_on

    def log_message(self, *_):
        pass


def between(behind, edit=lambda path, answer: None, instead=lambda body: None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.behind, server.edit, server.instead = behind, edit, instead
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def at_once(*lists):
    """Runs the functions of the lists side by side; raises what one of them raises."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(one) for each in lists for one in each]:
            done.result()


def failed(report):
    return {step["name"] for step in report["steps"] if step["result"] == "fail"}
