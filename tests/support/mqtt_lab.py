"""A broker, a client and a broker that means no good, for the tests of serve-mqtt.

The client speaks MQTT 3.1.1 and 5 as far as a device has to, and says what came
over the wire; nothing else in it is clever."""
import contextlib
import os
import pathlib
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import threading

from eds_lab import EDS, await_that, skip
from ports import free_port

CONNECT, CONNACK, PUBLISH, PUBACK = 0x10, 0x20, 0x30, 0x40
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 0x82, 0x90, 0xC0, 0xD0, 0xE0
RESPONSE_TOPIC, CORRELATION_DATA, USER_PROPERTY = 0x08, 0x09, 0x26


def need_mosquitto():
    if shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") is None:
        skip("mosquitto is not installed")
    if subprocess.run([EDS, "audit", "serve-mqtt", "--help"], capture_output=True,
                      check=False).returncode != 0:
        skip("this build has no MQTT (EDS_TRANSPORT_MQTT)")


def variable(number):
    out = b""
    while True:
        out += bytes([number % 128 | (128 if number > 127 else 0)])
        number //= 128
        if number == 0:
            return out


def packet(first, body=b""):
    return bytes([first]) + variable(len(body)) + body


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return len(value).to_bytes(2, "big") + value


def read_exactly(sock, size):
    out = b""
    while len(out) < size:
        piece = sock.recv(size - len(out))
        if not piece:
            raise ConnectionError("the other side closed")
        out += piece
    return out


def read_packet(sock):
    first = read_exactly(sock, 1)[0]
    size = shift = 0
    while True:
        byte = read_exactly(sock, 1)[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, read_exactly(sock, size)


def split_variable(body):
    size = shift = at = 0
    while True:
        byte = body[at]
        size |= (byte & 127) << shift
        shift += 7
        at += 1
        if byte < 128:
            return size, body[at:]


class Message:
    def __init__(self, first, body, version):
        self.qos = first >> 1 & 3
        self.retain = first & 1
        size = int.from_bytes(body[:2], "big")
        self.topic = body[2:2 + size].decode()
        body = body[2 + size:]
        if self.qos:
            self.id, body = int.from_bytes(body[:2], "big"), body[2:]
        self.correlation = None
        if version == 5:
            size, body = split_variable(body)
            properties, body = body[:size], body[size:]
            if properties[:1] == bytes([CORRELATION_DATA]):
                self.correlation = properties[3:3 + int.from_bytes(properties[1:3], "big")]
        self.payload = body


class Client:
    """One connection; what comes is in the queue `messages`."""

    def __init__(self, port, name, version=4, session=False, tls=None, user=None):
        self.version = version
        self.name = name
        self.messages = queue.Queue()
        self.acks = queue.Queue()
        self.next_id = 0
        self.lock = threading.Lock()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        flags = 0 if session else 2
        more = b""
        if user is not None:
            flags |= 0xC0
            more = text(user[0]) + text(user[1])
        self.socket.sendall(packet(CONNECT, text("MQTT") + bytes([version, flags]) + b"\0\x3c"
                                   + (b"\x05\x11" + (3600).to_bytes(4, "big")
                                      if version == 5 else b"") + text(name) + more))
        first, body = read_packet(self.socket)
        assert first == CONNACK and body[1] == 0, (first, body)
        self.socket.settimeout(None)
        self.alive = True
        threading.Thread(target=self.read, daemon=True).start()

    def send(self, data):
        with self.lock:
            self.socket.sendall(data)

    def read(self):
        try:
            while True:
                first, body = read_packet(self.socket)
                if first & 0xF0 == PUBLISH:
                    message = Message(first, body, self.version)
                    if message.qos:
                        self.send(packet(PUBACK, message.id.to_bytes(2, "big")))
                    self.messages.put(message)
                elif first in (PUBACK, SUBACK):
                    self.acks.put(body)
        except (OSError, ConnectionError):
            self.alive = False
            self.messages.put(None)
            self.acks.put(None)

    def new_id(self):
        self.next_id = self.next_id % 65535 + 1
        return self.next_id.to_bytes(2, "big")

    def subscribe(self, topic, qos=1):
        self.send(packet(SUBSCRIBE, self.new_id() + (b"\0" if self.version == 5 else b"")
                         + text(topic) + bytes([qos])))
        body = self.acks.get(timeout=120)
        assert body is not None and body[-1] < 128, body

    def publish(self, topic, payload, qos=1, retain=False, properties=b""):
        self.send(packet(PUBLISH | qos << 1 | retain,
                         text(topic) + (self.new_id() if qos else b"")
                         + (variable(len(properties)) + properties if self.version == 5 else b"")
                         + payload))

    def close(self):
        with contextlib.suppress(OSError):
            self.send(packet(DISCONNECT))
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Broker:
    """mosquitto on a free port; what it has queued outlives a kill."""

    def __init__(self, directory, *lines):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = None
        self.log = open(self.directory / "broker.log", "ab")
        (self.directory / "broker.conf").write_text("\n".join([
            *(["user root"] if os.geteuid() == 0 else []), f"listener {self.port} 127.0.0.1",
            "persistence true", f"persistence_location {self.directory}/", "autosave_interval 1",
            "autosave_on_changes false", "max_queued_messages 0",
            *(lines if any("allow_anonymous" in line for line in lines)
              else ["allow_anonymous true", *lines])]) + "\n")
        self.start()

    def start(self):
        path = os.environ["PATH"] + ":/usr/sbin"
        self.process = subprocess.Popen(
            [shutil.which("mosquitto", path=path), "-c", str(self.directory / "broker.conf")],
            stdout=self.log, stderr=self.log)
        await_that(self.listens, "the broker to listen")

    def listens(self):
        assert self.process.poll() is None, (self.directory / "broker.log").read_text()[-2000:]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(timeout=120)

    def close(self):
        if self.process.poll() is None:
            self.kill(signal.SIGTERM)
        self.log.close()


class MqttServer:
    """eds serve-mqtt in a directory; the ledger is in `data` there."""

    def __init__(self, directory, port, devices, *more, wait=True):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "server.log"
        self.seen = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.log = open(self.log_path, "ab")
        words = [EDS, "audit", "serve-mqtt", "--broker", "localhost", "--port", str(port)]
        if "--admin-addr" not in more:
            words += ["--admin-addr", "off"]
        if "--store" not in [*devices, *more]:
            words += ["--data-dir", str(self.directory / "data")]
        self.process = subprocess.Popen([*words, *devices, *more], stdout=subprocess.PIPE,
                                        stderr=self.log)
        if wait:
            self.await_line("event=mqtt_subscribed")

    def lines(self):
        return self.log_path.read_text()[self.seen:]

    def await_line(self, part, count=1, seconds=120):
        def holds():
            assert self.process.poll() is None, self.lines()[-2000:]
            return self.lines().count(part) >= count
        await_that(holds, f"{part} in {self.log_path}", seconds)

    def end(self, number=signal.SIGTERM):
        """Sends a signal; returns exit code and standard output."""
        self.process.send_signal(number)
        out = self.process.communicate(timeout=120)[0].decode()
        self.log.close()
        return self.process.returncode, out


def make_certificates(directory, run):
    """A CA, the broker's certificate for localhost, a client's, and another CA."""
    directory = pathlib.Path(directory)
    for name in ("ca", "other-ca"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.crt",
            "-days", "2", "-subj", f"/CN=EdgeSentry test {name}")
    for name, subject in (("broker", "localhost"), ("wrong-host", "elsewhere.example"),
                          ("client", "eds-server")):
        (directory / f"{name}.ext").write_text(f"subjectAltName=DNS:{subject}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.csr", "-subj",
            f"/CN={subject}")
        run("openssl", "x509", "-req", "-in", f"{directory}/{name}.csr", "-CA",
            f"{directory}/ca.crt", "-CAkey", f"{directory}/ca.key", "-CAcreateserial", "-days",
            "2", "-extfile", f"{directory}/{name}.ext", "-out", f"{directory}/{name}.crt")
    return ssl.create_default_context(cafile=str(directory / "ca.crt"))
