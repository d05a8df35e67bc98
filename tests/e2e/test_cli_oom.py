#!/usr/bin/env python3
"""Every allocation of the offline commands fails once, and all from there on:
no crash, and either the right result or exit 1 with a message and no file."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
BUILD = pathlib.Path(os.environ["EDS_BUILD"])
SEED = "01" * 32
KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
DEVICE = "lift-01=" + KEY
ADDED_KEY = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
FLEET_KEY = "f381626e41e7027ea431bfe3009e94bdd25a746beec468948d6c3c7c5dc9a54b"
POINTS_MAX = int(os.environ.get("EDS_OOM_POINTS", "150"))  # per command

SIGN = ("sign-record", "--device-id", "lift-01", "--sequence", "1", "--timestamp-ms", "1",
        "--object-ref", "r", "--attest")
COMMANDS = [
    # arguments, and the file that they write
    ((*SIGN, "--payload", "x"), None),
    ((*SIGN, "--payload-file", "payload.bin", "--out", "new.json", "--json"), "new.json"),
    (("verify-record", "--record-file", "r.json", "--public-key-hex", KEY, "--payload-file",
      "payload.bin"), None),
    (("verify-chain", "c.json"), None),
    (("verify-chain", "c.json", "--device", DEVICE, "--full", "--payloads-file", "p.json"), None),
    (("inspect-key", "--key-file", "k.json"), None),
    (("demo-lift-inspection", "--out-file", "new.json"), "new.json"),
]
LEDGER_COMMANDS = [
    (("export", "--data-dir", "../data", "--device-id", "lift-01", "--out", "new.json"),
     "new.json"),
    (("device", "import", "fleet.csv", "--data-dir", "../data", "--dry-run", "--json"), None),
    (("device", "export", "--data-dir", "../data", "--out", "new.csv"), "new.csv"),
    (("ledger", "verify", "--data-dir", "../data", "--device", DEVICE), None),
]


def build_shim(directory):
    shim = directory / "oom_shim.so"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-fno-builtin",
                    "-o", shim, SOURCE / "tests/e2e/oom_shim.c", "-ldl"], check=True)
    return shim


def run(shim, args, **settings):
    environment = {**os.environ, "LD_PRELOAD": str(shim), "DEVICE_PRIVATE_KEY_HEX": SEED,
                   **settings}
    return subprocess.run([EDS, "audit", *args], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120)


def count_allocations(shim, args):
    done = run(shim, args, OOM_COUNT="count")
    count = int(pathlib.Path("count").read_text())
    os.unlink("count")
    return done, count


def check(good, good_file, done, written):
    """None, or what is wrong."""
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}"
    if done.returncode == 0:
        same = done.stdout == good.stdout and (
            written is None or pathlib.Path(written).read_bytes() == good_file)
        return None if same else "success with another result"
    if done.returncode != 1:
        return f"exit {done.returncode}"
    if not done.stderr.strip():
        return "no message"
    if written is not None and os.path.exists(written):
        return "failure, but there is a file"
    return None


def sweep(shim, args, written):
    """Returns the points tried and the faults."""
    before = set(os.listdir("."))
    good, count = count_allocations(shim, args)
    if good.returncode != 0:
        sys.exit(f"{args}: {good.stderr.decode()}")
    good_file = pathlib.Path(written).read_bytes() if written else b""
    if written:
        os.unlink(written)
    step = max(1, (count + POINTS_MAX - 1) // POINTS_MAX)
    tried, faults = 0, []
    for point in range(1, count + 1, step):
        for settings in ({}, {"OOM_FOREVER": "1"}):
            done = run(shim, args, OOM_AT=str(point), **settings)
            fault = check(good, good_file, done, written)
            tried += 1
            if written and os.path.exists(written):
                os.unlink(written)
            left_over = set(os.listdir(".")) - before
            if left_over:
                fault = f"files left over: {left_over}"
            if fault:
                faults.append(f"{args[0]} at {point} of {count} {settings}: {fault}: "
                              f"{done.stderr[:200]!r}")
    return tried, faults


def main():
    cache = (BUILD / "CMakeCache.txt").read_text()
    if any(line.startswith("EDS_SANITIZE:STRING=") and line.strip() != "EDS_SANITIZE:STRING="
           for line in cache.split("\n")):
        print("skipped: a sanitizer brings its own allocator")
        return 77
    with tempfile.TemporaryDirectory(prefix="eds-oom-") as name:
        directory = pathlib.Path(name)
        shim = build_shim(directory)
        work = directory / "work"
        work.mkdir()
        os.chdir(work)
        pathlib.Path("fleet.csv").write_text(f"device_id,public_key,site\nlift-07,{FLEET_KEY},x\n")
        pathlib.Path("payload.bin").write_bytes(b"x" * 100000)
        for args in (("demo-lift-inspection", "--attest", "--out-file", "c.json",
                      "--payloads-file", "p.json"),
                     (*SIGN, "--payload-file", "payload.bin", "--out", "r.json"),
                     ("keygen", "--out", "k.json")):
            subprocess.run([EDS, "audit", *args], check=True, capture_output=True,
                           env={**os.environ, "DEVICE_PRIVATE_KEY_HEX": SEED})
        commands = list(COMMANDS)
        if has_server():
            with serve("../data", DEVICE) as url:
                subprocess.run([EDS, "audit", "send", "--url", url, "--records-file", "c.json",
                                "--payloads-file", "p.json"], check=True, capture_output=True)
            subprocess.run([EDS, "audit", "device", "add", "lift-06", "--public-key-hex",
                            ADDED_KEY, "--data-dir", "../data"], check=True, capture_output=True)
            commands += LEDGER_COMMANDS
        total, faults = 0, []
        for args, written in commands:
            tried, found = sweep(shim, args, written)
            total += tried
            faults += found
        os.chdir("/")
        shutil.rmtree(work)
    for fault in faults:
        print("FAIL", fault)
    print(f"{total} runs without enough memory, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
