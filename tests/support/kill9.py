"""kill -9 of a server under load, again and again on the same ledger.

After each kill the server starts again, and then: what it had acknowledged is in
the ledger, once, as it was sent; the chains hold; of what it had not acknowledged
at most the one record in flight is there, and sending that again is either
accepted or a duplicate.  EDS_KILL_CYCLES says how often."""
import os
import random
import signal
import time

from eds_lab import Connection, Device, Sender, Server, await_that, bridge, eds
from ledger_lab import Ledger, Lost

DEVICES = 6


def send_again(port, sender):
    """The record whose fate was open: it is or becomes the device's last one."""
    connection = Connection(port)
    status, answer = connection.post(sender.unsure)
    connection.close()
    if status != 202 and "duplicate record" not in answer:
        raise Lost(f"{sender.device.name}: sent again: {status} {answer}")
    return "accepted" if status == 202 else "duplicate"


def kill(server):
    server.end(signal.SIGKILL)


def one_kill(server, devices, chance, strike):
    """Loads the server and strikes.  Returns who sent."""
    senders = [Sender(device, server.port) for device in devices]
    for sender in senders:
        sender.before = sender.device.sequence
        sender.start()
    # Some load there has to be, however busy the machine is.
    await_that(lambda: sum(sender.acknowledged for sender in senders) > 1
               or not any(sender.is_alive() for sender in senders), "two records")
    time.sleep(chance.uniform(0.01, 0.2))
    strike(server)
    for sender in senders:
        sender.join()
        if sender.fault:
            raise Lost(sender.fault)
    return senders


def run(folder, tables, cycles, store, strike=kill):
    """Strikes cycles times; store is [] or ["--store", URL].  Returns the devices."""
    bridge()
    chance = random.Random(int(os.environ.get("EDS_SEED", "1")))
    devices = [Device(f"lift-{n}", n) for n in range(DEVICES)]
    arguments = [device.argument() for device in devices]
    fates = {"accepted": 0, "duplicate": 0}
    acknowledged = 0
    ledger = Ledger(tables)
    server = Server(folder, arguments, *store)
    for _ in range(cycles):
        senders = one_kill(server, devices, chance, strike)
        server = Server(folder, arguments, *store)
        acknowledged += sum(sender.acknowledged for sender in senders)
        for sender in senders:
            if sender.unsure:
                fates[send_again(server.port, sender)] += 1
        # Now nothing is open any more.
        ledger.check([(sender.device, sender.device.sequence, 0) for sender in senders])
        for sender in senders:
            sent = sender.before + sender.acknowledged + (1 if sender.unsure else 0)
            if sender.device.sequence != sent:
                raise Lost(f"{sender.device.name}: {sent} sent, the device has "
                           f"{sender.device.sequence}")
        records = ledger.check_log()
    code, out = server.end(signal.SIGTERM)
    assert code == 0, out
    place = store or ["--data-dir", str(folder / "data")]
    done = eds("ledger", "verify", *place, *arguments)
    if done.returncode != 0:
        raise Lost(done.stdout.decode() + done.stderr.decode())
    assert acknowledged > cycles, "there was no load"
    print(f"{cycles} times: {acknowledged} records acknowledged, {records} stored, 0 lost; of "
          f"those in flight {fates['duplicate']} were stored and {fates['accepted']} were not")
    return devices
