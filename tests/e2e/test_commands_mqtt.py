#!/usr/bin/env python3
# label: slow
"""Commands to devices through a broker: a command comes when an operator gives it, is done
once, and answers no question but the one that it was signed for; through restarts of
broker and server, with MQTT 5 and 3.1.1.  What is played again, forged, or asked by who
should not ask, does nothing."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from mqtt_lab import Broker, Client, MqttServer, await_that, need_mosquitto  # noqa: E402

EDS = os.environ["EDS"]
DEVICE = "lift-01"
TOPIC = "sites/7"
COMMAND_TOPIC = f"{TOPIC}/{DEVICE}/command"
PATIENCE_S = 120


def audit(*words):
    done = subprocess.run([EDS, "audit", *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


class Lab:
    """A ledger with a device and an operator, a broker, and a server that listens there."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.store = f"sqlite:{self.folder}/server/data/edgesentry.db"
        (self.folder / "server/data").mkdir(parents=True)
        self.keys = {}
        for name in ("device", "server", "carol"):
            out = audit("keygen", "--out", self.folder / f"{name}.json", "--json")
            self.keys[name] = json.loads(out)["public_key_hex"]
        audit("device", "add", DEVICE, "--public-key-hex", self.keys["device"], "--store",
              self.store)
        audit("operator", "add", "carol", "--public-key-hex", self.keys["carol"], "--store",
              self.store)
        self.broker = Broker(self.folder / "broker")
        self.url = f"mqtt://127.0.0.1:{self.broker.port}/{TOPIC}"

    def serve(self, *more, commands=True):
        if commands:
            more = ("--command-key-file", str(self.folder / "server.json"), *more)
        return MqttServer(self.folder / "server", self.broker.port, ["--store", self.store],
                          "--topic", "sites/+", *more)

    def agent(self, *more, poll="3600"):
        """One that asks once an hour: what comes sooner was sent."""
        with open(self.folder / "agent.log", "ab") as log:
            return subprocess.Popen(
                [EDS, "audit", "agent", "--device-id", DEVICE, "--key-file",
                 self.folder / "device.json", "--buffer", self.folder / "buffer.db", "--url",
                 self.url, "--command-key", self.keys["server"], "--command-poll", poll,
                 "--wait", "120", *more],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def command(self, kind, *settings):
        words = [word for setting in settings for word in ("--set", setting)]
        audit("device", "command", DEVICE, "--kind", kind, *words, "--operator", "carol",
              "--key-file", self.folder / "carol.json", "--store", self.store)

    def commands(self):
        return json.loads(audit("device", "commands", DEVICE, "--store", self.store,
                                "--json"))["commands"]

    def states(self):
        return [command["state"] for command in self.commands()]

    def await_states(self, *states):
        await_that(lambda: self.states() == list(states), f"the commands to be {states}",
                   PATIENCE_S)

    def log(self):
        return (self.folder / "agent.log").read_text()


def said(client):
    """The next message on the topic of commands."""
    message = client.messages.get(timeout=PATIENCE_S)
    assert message is not None and message.topic == COMMAND_TOPIC, message
    assert not message.retain, "a command that the broker keeps"
    return json.loads(message.payload)


def finish(agent):
    agent.communicate(timeout=PATIENCE_S)
    assert agent.returncode == 0, agent.returncode


def test_given_at_once(lab):
    """Sent when it is given, done once; and what was sent is good for nothing any more."""
    witness = Client(lab.broker.port, "witness", version=5)
    witness.subscribe(COMMAND_TOPIC)
    server = lab.serve()
    agent = lab.agent()
    none = said(witness)
    assert none["commands"] == "none" and none["device_id"] == DEVICE, none
    lab.command("report-status")
    order = said(witness)
    assert order["kind"] == 1 and order["nonce"] == none["nonce"], order
    lab.await_states("done")
    assert lab.commands()[0]["report"].startswith("version="), lab.commands()
    asked_again = said(witness)
    assert asked_again["commands"] == "none" and asked_again["nonce"] != order["nonce"]
    for replayed in (order, {**order, "nonce": asked_again["nonce"]},
                     {**order, "nonce": asked_again["nonce"], "counter": 99}, {"commands": "ask"}):
        witness.publish(COMMAND_TOPIC, json.dumps(replayed).encode())
        assert said(witness) == replayed
    # A forgery for the open question ends the asking; after the next the agent still obeys.
    await_that(lambda: "event=command_not_taken" in lab.log(), "the forgery to be seen",
               PATIENCE_S)
    agent.kill()
    agent.communicate()
    agent = lab.agent(poll="2")
    lab.command("config", "command-poll=3600")
    lab.command("rotate-key")
    lab.await_states("done", "done", "done")
    assert lab.commands()[2]["report"].startswith("public_key="), lab.commands()
    finish(agent)
    assert lab.log().count("event=command_answered") == 3, lab.log()
    server.end()
    witness.close()


def test_restarts(lab):
    """Broker and server are killed, and the next command comes all the same."""
    server = lab.serve()
    agent = lab.agent(poll="2")
    count = len(lab.commands())
    for number in range(2):
        lab.broker.kill()
        server.end(signal.SIGKILL)
        lab.broker.start()
        server = lab.serve()
        lab.command("report-status")
        lab.await_states(*["done"] * (count + number + 1))
    finish(agent)
    server.end()


def test_few_lines(lab):
    """An agent of a line asks before it ends, and does not wait for what may come later."""
    server = lab.serve()
    count = len(lab.commands())
    lab.command("report-status")
    agent = lab.agent()
    out, _ = agent.communicate(b"door closed\n", timeout=PATIENCE_S)
    assert agent.returncode == 0 and b"RECORDED" in out, (agent.returncode, out)
    lab.await_states(*["done"] * (count + 1))
    finish(lab.agent())
    server.end()


def test_no_commands(lab):
    """A server without a key says so, and takes records."""
    server = lab.serve(commands=False)
    agent = lab.agent()
    await_that(lambda: "event=no_word_on_commands" in lab.log(), "the agent to be told",
               PATIENCE_S)
    assert "the server gives no commands" in lab.log()
    finish(agent)
    server.end()


def test_old_protocol_and_hostile(lab):
    """MQTT 3.1.1; questions that are none; and more devices than there is room for."""
    server = lab.serve()
    client = Client(lab.broker.port, "device-3.1.1", version=4)
    client.subscribe(COMMAND_TOPIC)
    question = {"commands": "ask", "device_id": DEVICE, "nonce": "00" * 16}
    count = len(lab.commands())
    for bad in ({**question, "commands": "none"}, {**question, "nonce": "00"},
                {**question, "device_id": ""}, {**question, "more": 1}):
        client.publish(TOPIC, json.dumps(bad, separators=(",", ":")).encode())
    for number in range(1500):
        crowd = {**question, "device_id": f"crowd-{number}"}
        client.publish(TOPIC, json.dumps(crowd, separators=(",", ":")).encode(), qos=0)
    client.publish(TOPIC, json.dumps(question, separators=(",", ":")).encode())
    assert said(client) == {**question, "commands": "none"}
    lab.command("report-status")
    order = said(client)
    assert order["counter"] == count + 1 and order["nonce"] == question["nonce"], order
    server.await_line("event=message_dropped", 4)
    client.close()
    # A name that is more than one level of a topic.
    client = Client(lab.broker.port, "odd", version=4)
    client.subscribe(f"{TOPIC}/a%2Fb%2B%23%20%C3%A4/command")
    client.publish(TOPIC, json.dumps({**question, "device_id": "a/b+# ä"},
                                     separators=(",", ":")).encode())
    message = client.messages.get(timeout=PATIENCE_S)
    assert json.loads(message.payload)["device_id"] == "a/b+# ä"
    client.close()
    code, _ = server.end()
    assert code == 0


def main():
    need_mosquitto()
    with tempfile.TemporaryDirectory() as root:
        lab = Lab(root)
        try:
            for test in (test_given_at_once, test_restarts, test_few_lines, test_no_commands,
                         test_old_protocol_and_hostile):
                test(lab)
        except BaseException:
            print(lab.log()[-3000:])
            print((lab.folder / "server/server.log").read_text()[-3000:])
            raise
        assert audit("ledger", "verify", "--store", lab.store) == "LEDGER_VALID\n"
        lab.broker.close()


main()
