#!/usr/bin/env python3
# label: slow
"""eds audit agent to a broker over a bad link: each piece is late by 100 to 300 ms, one
packet in twenty is lost, connections break and the link goes away; the broker is restarted
and the server killed meanwhile.  Each record is there once, in order.

EDS_TEST_LINK_RECORDS=N (default 100)."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from bad_link import BadLink  # noqa: E402
from mqtt_lab import Broker, MqttServer, need_mosquitto  # noqa: E402

EDS = os.environ["EDS"]
DEVICE = "lift-01"
TOPIC = "sites/7"


def audit(*words):
    return subprocess.run([EDS, "audit", *words], check=True, capture_output=True,
                          timeout=120).stdout.decode()


def events(number, link, broker, server, serve):
    """What happens to the link and behind it while a record is on its way; the server."""
    event = number % 50
    if event in (10, 15):
        link.is_cut = event == 10
    elif event == 25:
        broker.kill()
        broker.start()
    elif event == 40:
        server.end(signal.SIGKILL)
        server = serve()
    return server


def main():
    need_mosquitto()
    count = int(os.environ.get("EDS_TEST_LINK_RECORDS", "100"))
    dice = random.Random(816)
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        key = json.loads(audit("keygen", "--out", folder / "key.json", "--json"))["public_key_hex"]
        device = f"--device={DEVICE}={key}"
        broker = Broker(folder / "broker")

        def serve():
            return MqttServer(folder / "server", broker.port, [device], "--topic", TOPIC)

        server = serve()
        link = BadLink(broker.port, 4712)
        with open(folder / "agent.log", "ab") as log:
            agent = subprocess.Popen(
                [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file", folder / "key.json",
                 "--buffer", folder / "buffer.db", "--url", f"mqtt://127.0.0.1:{link.port}/{TOPIC}",
                 "--wait", "300", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log)
        expected = []
        while len(expected) < count or not link.broken:
            server = events(len(expected), link, broker, server, serve)
            expected.append(f"reading {len(expected)}")
            agent.stdin.write(expected[-1].encode() + b"\n")
            agent.stdin.flush()
            time.sleep(dice.uniform(0, 0.1))
        link.is_good = True  # else it may take as long as it likes
        link.is_cut = False
        out, _ = agent.communicate(timeout=360)
        done = json.loads(out.splitlines()[-1])
        assert agent.returncode == 0, (done, (folder / "agent.log").read_text()[-2000:])
        assert done["waiting"] == done["dead"] == 0, done
        server.end()
        broker.close()
        data = folder / "server/data"
        assert audit("ledger", "verify", "--data-dir", data, device) == "LEDGER_VALID\n"
        audit("export", "--data-dir", data, "--device-id", DEVICE, "--out", folder / "out.json",
              "--payloads-file", folder / "payloads.json")
        taken = [bytes.fromhex(payload).decode() for record, payload in
                 zip(json.loads((folder / "out.json").read_text()),
                     json.loads((folder / "payloads.json").read_text()), strict=True)
                 if not record["object_ref"].startswith("edgesentry:note/")]
        assert taken == expected, (len(taken), len(expected))
    print(f"{len(expected)} records over a bad link to a broker: {link.pieces} pieces, "
          f"{link.resent} with a packet sent again, {link.broken} connections broken")


main()
