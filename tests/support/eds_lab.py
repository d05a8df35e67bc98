"""What the tests of whole programs share: devices that sign, a server that runs,
a client that counts what was acknowledged.

Records are made by the C ABI (libedgesentry_bridge.so), so that a test can make
thousands of them."""
import atexit
import ctypes
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

EDS = os.environ["EDS"]
BUILD = pathlib.Path(os.environ["EDS_BUILD"])
VECTORS = pathlib.Path(os.environ["EDS_SOURCE"]) / "tests/vectors"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def await_that(holds, what, seconds=120):
    """Waits for a condition: so long that only what never comes is not awaited."""
    patience = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > patience:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.01)


class Record(ctypes.Structure):
    """EdsAuditRecord."""
    _fields_ = [("sequence", ctypes.c_uint64), ("timestamp_ms", ctypes.c_uint64),
                ("payload_hash", ctypes.c_uint8 * 32), ("signature", ctypes.c_uint8 * 64),
                ("prev_record_hash", ctypes.c_uint8 * 32), ("device_id", ctypes.c_char * 256),
                ("object_ref", ctypes.c_char * 512)]

    def hash(self):
        out = (ctypes.c_uint8 * 32)()
        assert bridge().eds_record_hash(ctypes.byref(self), out) == 0
        return bytes(out)


def bridge():
    if not hasattr(bridge, "loaded"):
        if "EDS_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
            skip("the library of a sanitizer build cannot be loaded into Python")
        bridge.loaded = ctypes.CDLL(str(BUILD / "lib/libedgesentry_bridge.so"))
        bridge.loaded.eds_sign_record.argtypes = [
            ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t,
            ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    return bridge.loaded


class Device:
    """A device and its chain; after `next` the record is the last one."""

    def __init__(self, name, number):
        self.name = name
        self.seed = bytes([number % 251 + 1]) * 32
        self.sequence = 0
        self.hashes = [bytes(32)]  # of record k at index k
        self.public_key = json.loads(subprocess.run(
            [EDS, "inspect-key", "--key-file", "-"], input=self.seed.hex().encode(), check=True,
            capture_output=True).stdout)["public_key_hex"]

    def argument(self):
        return f"--device={self.name}={self.public_key}"

    def next(self, payload=None):
        """The next record's envelope, as bytes."""
        record = Record()
        sequence = self.sequence + 1
        if payload is None:
            payload = f"device={self.name},sequence={sequence}".encode()
        code = bridge().eds_sign_record(
            self.name.encode(), sequence, 1700000000000 + sequence, payload, len(payload),
            self.hashes[-1], f"lab://{self.name}/{sequence}".encode(), self.seed,
            ctypes.byref(record))
        assert code == 0
        self.sequence = sequence
        self.hashes.append(record.hash())
        return json.dumps({
            "record": {"device_id": self.name, "sequence": sequence,
                       "timestamp_ms": record.timestamp_ms,
                       "payload_hash": list(record.payload_hash),
                       "signature": list(record.signature),
                       "prev_record_hash": list(record.prev_record_hash),
                       "object_ref": record.object_ref.decode()},
            "raw_payload_hex": payload.hex()}).encode()


class Server:
    """eds serve in a directory; the ledger is in `data` there."""

    def __init__(self, directory, devices, *more, port=0, command="serve"):
        directory = pathlib.Path(directory)
        port_file = directory / "port"
        port_file.unlink(missing_ok=True)
        self.log = open(directory / "server.log", "ab")
        words = [EDS, "audit", command, "--addr", f"127.0.0.1:{port}", "--port-file",
                 str(port_file)]
        if "--admin-addr" not in more:
            words += ["--admin-addr", "off"]
        if "--store" not in more:
            words += ["--data-dir", str(directory / "data")]
        self.process = subprocess.Popen([*words, *devices, *more], stdout=subprocess.PIPE,
                                        stderr=self.log)
        atexit.register(self.process.kill)  # a test that fails leaves no server behind
        patience = time.monotonic() + 120
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError("the server did not start: "
                                   + (directory / "server.log").read_text()[-2000:])
            time.sleep(0.002)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def end(self, number):
        """Sends a signal; returns exit code and standard output."""
        self.process.send_signal(number)
        out = self.process.communicate(timeout=120)[0].decode()
        self.log.close()
        return self.process.returncode, out


class Connection:
    """One kept HTTP connection."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def post(self, body):
        """Returns status and body; ConnectionError if there is no answer."""
        self.socket.sendall(b"POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\n"
                            b"Content-Type: application/json\r\nContent-Length: "
                            + str(len(body)).encode() + b"\r\n\r\n" + body)
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("no answer")
        length = 0
        while (field := self.file.readline()) != b"\r\n":
            if not field:
                raise ConnectionError("half an answer")
            if field.lower().startswith(b"content-length:"):
                length = int(field.split(b":")[1])
        answer = self.file.read(length)
        if len(answer) < length:
            raise ConnectionError("half an answer")
        return int(line.split()[1]), answer.decode()

    def close(self):
        self.file.close()
        self.socket.close()


class Sender(threading.Thread):
    """Sends a device's records one after the other until there is no answer or
    another one than "accepted".  `unsure` is the record whose fate is open."""

    def __init__(self, device, port):
        super().__init__()
        self.device = device
        self.port = port
        self.acknowledged = 0
        self.unsure = None
        self.fault = None

    def run(self):
        try:
            connection = Connection(self.port)
            while True:
                self.unsure = self.device.next()
                status, answer = connection.post(self.unsure)
                if status == 503:
                    return
                if status != 202:
                    self.fault = f"{self.device.name} {self.device.sequence}: {status} {answer}"
                    return
                self.acknowledged += 1
                self.unsure = None
        except OSError:
            return


def eds(*words, stdin=None, timeout=120):
    return subprocess.run([EDS, *words], input=stdin, capture_output=True, timeout=timeout)
