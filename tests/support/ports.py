#!/usr/bin/env python3
"""ports.py - ports for servers that cannot be told "any", or that come back at the same one.

A port that bind(0) gave and that was let go can be anybody's a moment later: another
test's, or that of a connection that somebody makes.  These lie where the kernel takes none
for connections, and a name in the abstract namespace says that one is taken, until the
process that asked has ended in whatever way.

    ports.py COUNT OWNER    prints so many, which are kept until process OWNER is gone"""
import os
import random
import socket
import sys
import time

LOWEST = 11000  # above what services and browsers have made theirs
kept = []


def candidates():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        low, high = map(int, file.read().split())
    for ports in (range(LOWEST, low), range(high + 1, 65536)):
        if len(ports) >= 1000:
            return ports
    return range(LOWEST, 65536)


def taken(port):
    """By us, until this process ends; or, if it is in use, not."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0eds-test-port-{port}")
        with socket.socket() as probe:
            probe.bind(("", port))
    except OSError:
        name.close()
        return False
    kept.append(name)
    return True


def free_port():
    ports = candidates()
    for _ in range(10000):
        port = random.SystemRandom().choice(ports)
        if taken(port):
            return port
    raise RuntimeError("there is no free port")


def main(count, owner):
    os.closerange(3, 256)  # a caller's lock or pipe is none of ours
    print(*(free_port() for _ in range(count)), flush=True)
    if os.fork() != 0:
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    while os.path.exists(f"/proc/{owner}"):
        time.sleep(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
