#!/usr/bin/env python3
"""A broker that is killed again and again, and a server that is, while many
devices publish: every record is stored once and in order, and none that was
answered is missing.

EDS_MQTT_RESTARTS says how often each is killed (5); with 100 and more there are
20000 records of 50 devices, else 3000 of 20."""
import json
import os
import pathlib
import queue
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import Device, bridge, eds  # noqa: E402
from mqtt_lab import Broker, Client, MqttServer, need_mosquitto  # noqa: E402

RESTARTS = int(os.environ.get("EDS_MQTT_RESTARTS", "5"))
DEVICES, EACH = (50, 400) if RESTARTS >= 100 else (20, 150)
AT_ONCE = 4  # records of one device on their way
GIVE_UP_S = 2  # without an answer; then it is sent again


class Fleet:
    """All devices on one connection.  Each keeps a record until it is answered."""

    def __init__(self, port, devices):
        self.port = port
        self.devices = devices
        self.waiting = {device.name: {} for device in devices}  # sequence: envelope
        self.answered = {device.name: 0 for device in devices}
        self.heard = {device.name: time.monotonic() for device in devices}
        self.again = 0
        self.allowed = 0  # records of each device: what is left is for the kills to come
        self.faults = []

    def done(self):
        return all(count == EACH for count in self.answered.values())

    def publish(self, client, device):
        waiting = self.waiting[device.name]
        while len(waiting) < AT_ONCE and device.sequence < self.allowed:
            body = device.next()
            waiting[device.sequence] = body
            client.publish(f"fleet/{device.name}", body)

    def publish_again(self, client, device):
        self.heard[device.name] = time.monotonic()
        for sequence in sorted(self.waiting[device.name]):
            self.again += 1
            client.publish(f"fleet/{device.name}", self.waiting[device.name][sequence])

    def take(self, client, message):
        answer = json.loads(message.payload)
        name, sequence = answer["device_id"], answer["sequence"]
        waiting = self.waiting[name]
        error = answer.get("error", "")
        if answer["status"] == "accepted" or "duplicate record" in error:
            if sequence == self.answered[name] + 1:
                self.answered[name] = sequence
                self.heard[name] = time.monotonic()
                waiting.pop(sequence)
            elif sequence > self.answered[name] + 1:
                # An answer between was lost; that one comes as a duplicate.
                pass
        elif "invalid sequence" not in error:  # a lost message leaves a gap: sent again below
            self.faults.append(answer)

    def run(self):
        patience = time.monotonic() + 200 + RESTARTS * 10
        while not self.done() and not self.faults:
            assert time.monotonic() < patience, ("too slow", self.answered)
            try:
                client = Client(self.port, "fleet", session=True)
            except OSError:
                time.sleep(0.05)
                continue
            try:
                self.serve(client)
            except (OSError, AssertionError, queue.Empty):
                client.close()
        return self

    def serve(self, client):
        client.subscribe("fleet/+/response")
        by_name = {device.name: device for device in self.devices}
        for device in self.devices:
            self.publish_again(client, device)
        while not self.done() and not self.faults:
            for device in self.devices:
                if self.waiting[device.name] and \
                        time.monotonic() - self.heard[device.name] > GIVE_UP_S:
                    self.publish_again(client, device)
                self.publish(client, device)
            try:
                message = client.messages.get(timeout=0.2)
            except queue.Empty:
                continue
            for _ in range(200):
                if message is None:
                    raise ConnectionError
                self.take(client, message)
                self.publish(client, by_name[json.loads(message.payload)["device_id"]])
                if client.messages.empty():
                    break
                message = client.messages.get()
        client.close()


def check(folder, devices, fleet):
    connection = sqlite3.connect(f"file:{folder}/data/edgesentry.db?mode=ro", uri=True)
    for device in devices:
        rows = connection.execute("SELECT sequence, record_hash FROM audit_records "
                                  "WHERE device_id = ? ORDER BY id", (device.name,)).fetchall()
        assert [row[0] for row in rows] == list(range(1, EACH + 1)), (device.name, len(rows))
        assert [row[1] for row in rows] == device.hashes[1:], device.name
        assert fleet.answered[device.name] == EACH
    connection.close()
    done = eds("ledger", "verify", "--data-dir", f"{folder}/data",
               *[device.argument() for device in devices])
    assert done.returncode == 0, done


def part(folder, name, kill):
    """Runs the fleet while `kill` is called again and again."""
    folder = folder / name
    folder.mkdir()
    dice = random.Random(7)
    broker = Broker(folder / "broker")
    devices = [Device(f"{name}-{i}", i) for i in range(DEVICES)]
    words = [device.argument() for device in devices] + ["--topic", "fleet/+"]
    servers = [MqttServer(folder, broker.port, words)]
    fleet = Fleet(broker.port, devices)
    thread = threading.Thread(target=fleet.run)
    began = time.monotonic()
    thread.start()
    kills = 0
    while thread.is_alive() and kills < RESTARTS:
        fleet.allowed = EACH * (kills + 1) // RESTARTS
        time.sleep(dice.uniform(0.05, 0.4))
        kill(broker, servers, lambda: MqttServer(folder, broker.port, words))
        kills += 1
    thread.join()
    assert not fleet.faults, fleet.faults
    code, _ = servers[-1].end()
    assert code == 0, servers[-1].lines()[-2000:]
    broker.close()
    check(folder, devices, fleet)
    assert kills == RESTARTS, kills
    print(f"{name}: {DEVICES * EACH} records, killed {kills} times, {fleet.again} sent again, "
          f"{time.monotonic() - began:.1f} s", flush=True)


def kill_broker(broker, servers, _start):
    seen = servers[-1].lines().count("event=mqtt_subscribed")
    broker.kill(signal.SIGKILL)
    broker.start()
    servers[-1].await_line("event=mqtt_subscribed", seen + 1)


def kill_server(_broker, servers, start):
    servers[-1].process.kill()
    servers[-1].process.communicate()
    servers[-1].log.close()
    servers.append(start())


def main():
    need_mosquitto()
    bridge()
    with tempfile.TemporaryDirectory() as name:
        part(pathlib.Path(name), "broker", kill_broker)
        part(pathlib.Path(name), "server", kill_server)


if __name__ == "__main__":
    main()
