#!/usr/bin/env python3
"""Replays what edgesentry-rs's command did: the same arguments and files must
give the same standard output, exit code and written files, and standard error
must hold the same first line.  Where this project decides otherwise, a rule
below says so; a transcript that no longer needs its rule fails too."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

EDS = os.environ["EDS"]
SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
TRANSCRIPTS = SOURCE / "tests/vectors/peer/cli_transcripts.json"

# Rules, each with the transcripts that it decides.  A transcript under no rule
# must be equal in everything.

# A record or a file that is not JSON: the exit code is the same, the words are
# ours, because they name the field and the position.
JSON_WORDS = {
    "verify-record bad json", "verify-record array", "verify-record missing field",
    "verify-record not utf-8", "verify-record empty file",
    "verify-record bad json and bad key (order)",
    "verify-chain single record", "verify-chain bad json", "verify-chain not utf-8",
}

# The private key may come from other places than its flag, so that its absence
# is not found by the parser and not said in its words.
OTHER_SOURCES = {"inspect-key without args"}

# Fresh keys are random: the form is compared.
RANDOM_KEYS = {"keygen", "keygen --out"}

# The server says which option is meant.
SERVER_WORDS = {"serve bad source cidr"}

NOT_UTF8 = "hex"


def is_usage_error(case):
    """Usage errors exit 64 here: 2 then always means "checked and not valid"."""
    return case["exit"] == 2 and case["stdout"] == ""


def is_help(case):
    return "Usage: eds" in case["stdout"] or (
        "Usage: eds" in case["stderr"] and "Options:" in case["stderr"])


def content(value):
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def run(case, directory):
    for name, value in case["files_in"].items():
        (directory / name).write_bytes(content(value))
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("DEVICE_PRIVATE_KEY_HEX", "EDS_PASSPHRASE")}
    return subprocess.run([EDS, *case["args"]], cwd=directory, env=environment, timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True)


def check_help(case, done):
    """Help is ours, but names everything that the original's does."""
    old = case["stdout"] or case["stderr"]
    new = (done.stdout if case["exit"] == 0 else done.stderr).decode()
    wanted = set(re.findall(r"^ +(?:-\w, +)?(--[a-z-]+)", old, re.M))
    wanted |= {name for name in re.findall(r"^  ([a-z]+-[a-z-]+|keygen|serve) ", old, re.M)
               if not re.search("document|clearance|aims", name)}
    wanted |= {d for d in re.findall(r"\[default: ([^\]]*)\]", old)}
    missing = sorted(word for word in wanted if word not in new)
    if missing:
        return "help does not name " + ", ".join(missing)
    return None


def check_keys(text, where):
    if not re.fullmatch(r'\{\n  "private_key_hex": "[0-9a-f]{64}",\n'
                        r'  "public_key_hex": "[0-9a-f]{64}"\n\}', text):
        return f"{where} is not keygen's JSON"
    return None


def check_random(case, done, directory):
    if case["files_out"]:
        return check_keys((directory / "k.json").read_text(), "k.json")
    return check_keys(done.stdout.decode().removesuffix("\n"), "standard output")


def check_files(case, directory):
    there = {p.name: p.read_bytes() for p in directory.iterdir()}
    wanted = {name: content(value) for name, value in case["files_in"].items()}
    wanted |= {name: content(value) for name, value in case["files_out"].items()}
    if sorted(there) != sorted(wanted):
        return f"files {sorted(there)}, not {sorted(wanted)}"
    for name, value in wanted.items():
        if there[name] != value:
            return f"{name} differs"
    return None


def same_first_line(case, done):
    first = case["stderr"].split("\n")[0]
    return any(line.startswith(first) for line in done.stderr.decode().split("\n"))


def check(case, directory):
    done = run(case, directory)
    name = case["name"]
    wanted_exit = 64 if is_usage_error(case) else case["exit"]
    if done.returncode != wanted_exit:
        return f"exit {done.returncode}, not {wanted_exit}: {done.stderr.decode()}"
    if name == "version":
        return None if re.fullmatch(rb"eds \d+\.\d+\.\d+\n", done.stdout) else "no version"
    if is_help(case):
        return check_help(case, done)
    if name in RANDOM_KEYS:
        return check_random(case, done, directory)
    if done.stdout != case["stdout"].encode():
        return f"standard output: {done.stdout[:200]!r}"
    own_words = name in JSON_WORDS | OTHER_SOURCES | SERVER_WORDS
    if same_first_line(case, done) == own_words:
        return ("the rule for its words is not needed" if own_words else
                f"standard error: {done.stderr.decode()}")
    return check_files(case, directory)


def has_server():
    return subprocess.run([EDS, "audit", "serve", "--help"], capture_output=True).returncode == 0


def main():
    server = has_server()
    failures = checked = skipped = 0
    for case in json.loads(TRANSCRIPTS.read_text()):
        if case["name"].startswith("serve") and not server:
            skipped += 1
            continue
        if case["name"].startswith(("audit help", "audit no command")) and not server:
            skipped += 1  # its text lists serve
            continue
        directory = pathlib.Path(tempfile.mkdtemp(prefix="eds-transcript-"))
        try:
            fault = check(case, directory)
        finally:
            shutil.rmtree(directory)
        checked += 1
        if fault:
            failures += 1
            print(f"FAIL {case['name']}: {fault}")
    print(f"{checked} transcripts replayed, {failures} differ"
          + (f", {skipped} skipped: this build has no server" if skipped else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
