#!/usr/bin/env python3
"""EDS_VERIFY_LEVEL and EDS_HASH_LEVEL: every level gives the same verdicts; another
word is refused."""
import json
import os
import subprocess
import sys
import tempfile

EDS = os.environ["EDS"]
LEVELS = ["libsodium", "portable", "avx2", "ifma"]
HASH_LEVELS = ["portable", "sse41", "avx2", "avx512"]


def fail(why):
    sys.exit(f"FAILED: {why}")


def eds(*args, level=None, hash_level=None):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("EDS_VERIFY_LEVEL", "EDS_HASH_LEVEL")}
    if level is not None:
        environment["EDS_VERIFY_LEVEL"] = level
    if hash_level is not None:
        environment["EDS_HASH_LEVEL"] = hash_level
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

best_hash = json.loads(eds("--version", "--json").stdout)["hash_level"]
for level in HASH_LEVELS:
    done = eds("--version", "--json", hash_level=level)
    want = level if HASH_LEVELS.index(level) <= HASH_LEVELS.index(best_hash) else best_hash
    if json.loads(done.stdout)["hash_level"] != want:
        fail(f"{level}: {done.stdout}")
    if ("hash_level_absent" in done.stderr) != (level != want):
        fail(f"{level}: {done.stderr!r}")
refused = eds("--version", hash_level="neon")
if refused.returncode != 64 or "EDS_HASH_LEVEL" not in refused.stderr:
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
        for level in HASH_LEVELS:
            done = eds("audit", "verify-chain", "--records-file", path, "--public-key-hex", KEY,
                       hash_level=level)
            if done.returncode != (2 if change else 0):
                fail(f"{level}: exit {done.returncode}: {done.stdout}{done.stderr}")
print(f"every level up to {best} and {best_hash} agrees")
