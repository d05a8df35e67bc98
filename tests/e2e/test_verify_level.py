#!/usr/bin/env python3
"""EDS_VERIFY_LEVEL: every level gives the same verdicts; another word is refused."""
import json
import os
import subprocess
import sys
import tempfile

EDS = os.environ["EDS"]
LEVELS = ["libsodium", "portable", "avx2", "ifma"]


def fail(why):
    sys.exit(f"FAILED: {why}")


def eds(*args, level=None):
    environment = dict(os.environ)
    environment.pop("EDS_VERIFY_LEVEL", None)
    if level is not None:
        environment["EDS_VERIFY_LEVEL"] = level
    return subprocess.run([EDS, *args], capture_output=True, text=True, env=environment,
                          stdin=subprocess.DEVNULL)


def chosen(level):
    done = eds("--version", "--json", level=level)
    if done.returncode != 0:
        fail(f"--version with {level!r}: {done.stderr}")
    found = json.loads(done.stdout)["verify_level"]
    if ("verify_level_absent" in done.stderr) != (level not in (None, "", found)):
        fail(f"{level!r}: {found} is used, and standard error says {done.stderr!r}")
    return found


best = chosen(None)
if best not in LEVELS:
    fail(f"verify_level is {best!r}")
if chosen("") != best:
    fail("an empty setting is none")
for level in LEVELS:
    want = level if LEVELS.index(level) <= LEVELS.index(best) else best
    if chosen(level) != want:
        fail(f"{level}: {chosen(level)} was chosen, not {want}")

refused = eds("--version", level="sse2")
if refused.returncode != 64 or "EDS_VERIFY_LEVEL" not in refused.stderr:
    fail(f"another word: {refused.returncode} {refused.stderr}")

KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"  # the demonstration's
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "chain.json")
    eds("audit", "demo-lift-inspection", "--out-file", path)
    with open(path, encoding="utf-8") as file:
        records = json.load(file)
    for change in (False, True):
        if change:
            records[-1]["signature"][10] ^= 1
            with open(path, "w", encoding="utf-8") as file:
                json.dump(records, file)
        for level in LEVELS:
            done = eds("audit", "verify-chain", "--records-file", path, "--public-key-hex", KEY,
                       level=level)
            if done.returncode != (2 if change else 0):
                fail(f"{level}: exit {done.returncode}: {done.stdout}{done.stderr}")
print(f"every level up to {best} agrees")
