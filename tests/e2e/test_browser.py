#!/usr/bin/env python3
"""A browser's fetch: a page of the server's own origin (a reverse proxy's, say) sends
records and reads the answers; one of another origin neither sends a record nor reads
anything, whatever it tries."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, Server, bridge, skip  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)

FETCH = """fetch(%s, %s).then(answer => answer.text().then(text => answer.status + " " + text),
                             error => "no answer: " + error.message)"""


class Browser:
    """Chromium without a window, told what to do through a pipe."""

    def __init__(self, folder):
        to_read, self.to_browser = os.pipe()
        self.from_browser, to_write = os.pipe()

        def take_pipes():
            # Through high numbers: what is 3 or 4 here may be the other one's place.
            high = os.dup2(to_read, 100), os.dup2(to_write, 101)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", f"--user-data-dir={folder}/profile", "--remote-debugging-pipe",
             "about:blank"], preexec_fn=take_pipes, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.buffer = b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=target,
                                flatten=True)["sessionId"]
        self.ask("Page.enable")

    def read(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.from_browser, 65536)
            assert piece, "the browser has ended"
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **words):
        self.number += 1
        message = {"id": self.number, "method": method, "params": words}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.number:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def go(self, url):
        self.ask("Page.navigate", url=url)
        while self.read().get("method") != "Page.loadEventFired":
            pass

    def fetch(self, url, **how):
        done = self.ask("Runtime.evaluate", expression=FETCH % (json.dumps(url), json.dumps(how)),
                        awaitPromise=True, returnByValue=True)
        return done["result"]["value"]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>elsewhere</title>")

    def log_message(self, *_):
        pass


def main():
    if BROWSER is None:
        skip("chromium-headless-shell is not installed: make test-browser installs it (80 MB)")
    bridge()
    elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    device = Device("lift-01", 1)
    kind = {"Content-Type": "application/json"}
    # What the browser has started may still write there when it is gone.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(folder, [device.argument()])
        browser = Browser(folder)
        url = server.url + "/api/v1/ingest"
        browser.go(server.url + "/")  # 404, and a document of that origin
        for _ in range(3):
            body = device.next().decode()
            assert browser.fetch("/api/v1/ingest", method="POST", headers=kind, body=body) == \
                '202 {"status":"accepted"}'
        answer = browser.fetch("/api/v1/ingest", method="POST", headers=kind, body=body)
        assert answer.startswith('422 {"status":"rejected","error":"ingest verification'), answer
        body = device.next().decode()
        browser.go(f"http://127.0.0.1:{elsewhere.server_port}/")
        for how in ({"headers": kind}, {"headers": {"Content-Type": "text/plain"}},
                    {"headers": kind, "mode": "no-cors"}, {"mode": "no-cors"}, {}):
            answer = browser.fetch(url, method="POST", body=body, **how)
            # A request that needs no question is sent, but nobody may read what comes.
            assert answer.startswith("no answer: ") or answer == "0 ", (how, answer)
        browser.close()
        code, out = server.end(signal.SIGTERM)
        assert (code, out) == (0, "SERVE_COMPLETE: accepted=3 duplicate=1 rejected=0\n"), out
        with open(f"{folder}/server.log", encoding="utf-8") as log:
            refused = [line for line in log if "event=request_refused" in line]
        assert any("status=405" in line for line in refused), refused  # the preflight
        assert any("status=415" in line for line in refused), refused  # what needed none
    elsewhere.shutdown()
    print("a browser's fetch: its own origin is served, another one is not")


main()
