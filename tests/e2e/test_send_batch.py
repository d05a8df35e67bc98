#!/usr/bin/env python3
"""send --batch: many records of several devices in a few requests; records that are
refused stand beside others that are not; what a server did not decide is sent again,
and nothing else is."""
import http.server
import json
import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, Server, eds  # noqa: E402


def lines(devices, count):
    """count records of each device, in turns."""
    return [json.dumps(json.loads(device.next())) for _ in range(count) for device in devices]


def send(url, envelopes, *more):
    return eds("audit", "send", "--url", url, *more, stdin="\n".join(envelopes).encode())


def real_server():
    devices = [Device(f"lift-{i}", i) for i in range(3)]
    stranger = Device("stranger", 9)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(directory, [device.argument() for device in devices])
        envelopes = lines(devices, 80)
        done = send(server.url, envelopes, "--batch", "100")
        assert done.returncode == 0, done.stderr
        out = done.stdout.decode().splitlines()
        assert out[-1] == "SEND_COMPLETE: accepted=240 duplicate=0 rejected=0", out[-1]
        assert out[0] == "ACCEPTED: device=lift-0 sequence=1", out[0]
        again = envelopes[-6:] + lines([stranger], 1) + lines(devices, 1)
        done = send(server.url, again, "--batch", "1000", "--connections", "2")
        assert done.returncode == 2, done.stderr
        out = done.stdout.decode()
        assert "SEND_COMPLETE: accepted=3 duplicate=6 rejected=1" in out, out
        assert "REJECTED: device=stranger sequence=1 reason=ingest verification failed: " \
            "unknown device: stranger\n" in out, out
        server.end(15)


class Half(http.server.BaseHTTPRequestHandler):
    """Decides every second request's records but the last; of the others nothing."""
    protocol_version = "HTTP/1.1"
    requests = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sequences = [json.loads(line)["record"]["sequence"] for line in body.splitlines()]
        results = [{"status": "accepted"} for _ in sequences]
        retry = {"status": "rejected", "error": "busy", "retry": True}
        if len(self.requests) % 2 == 0 and len(sequences) > 1:
            results[-1] = retry
        elif len(sequences) > 1:
            results = [retry for _ in sequences]
        self.requests.append((self.path, self.headers["Content-Type"], sequences))
        answer = json.dumps({"accepted": 0, "rejected": 0, "results": results}).encode()
        self.send_response(207)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def undecided():
    server = http.server.HTTPServer(("127.0.0.1", 0), Half)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = send(f"http://127.0.0.1:{server.server_port}", lines([Device("lift-0", 1)], 40),
                "--batch", "10")
    assert done.returncode == 0, done.stderr
    out = done.stdout.decode().splitlines()
    assert out == [f"ACCEPTED: device=lift-0 sequence={i}" for i in range(1, 41)] + \
        ["SEND_COMPLETE: accepted=40 duplicate=0 rejected=0"], out
    expected = 1
    for path, content_type, sequences in Half.requests:
        assert path == "/api/v1/ingest/batch" and content_type == "application/x-ndjson"
        # Always from the first undecided one on, in order, and never more than asked for.
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        assert sequences[0] <= expected <= sequences[-1] + 1 and len(sequences) <= 10
        expected = sequences[-1] + 1
    server.shutdown()


def main():
    real_server()
    undecided()
    print("ok")


if __name__ == "__main__":
    main()
