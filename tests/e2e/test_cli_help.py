#!/usr/bin/env python3
"""Every command explains itself, and what it says is true: options exist,
examples run, exit codes are those, mistakes are met with a suggestion."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from server import has_server, serve  # noqa: E402

EDS = os.environ["EDS"]
SEED = "01" * 32
USAGE = 64

KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"

# Of the file that the examples of "device import" read.
FLEET_KEY = "f381626e41e7027ea431bfe3009e94bdd25a746beec468948d6c3c7c5dc9a54b"

# Commands whose examples serve until they are stopped, or need a server at a
# fixed port: tests of their own run them.
NEEDS_SERVER = {"demo-ingest", "serve", "serve-mqtt", "serve-tls", "send", "agent", "gateway",
                "drill db", "drill s3", "drill alert"}
# Commands whose examples read the default ledger.
NEEDS_LEDGER = {"diag", "export", "ledger verify", "db backup", "drill restore"}

failures = 0


def fail(what):
    global failures
    failures += 1
    print("FAIL", what)


def eds(*args, environment=None):
    return subprocess.run([EDS, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                          env={**os.environ, **(environment or {})})


def commands_of(path):
    """All leaf commands under a group, as lists of words."""
    text = eds(*path, "--help").stdout.decode()
    if "\nCommands:\n" not in text:
        return [path]
    names = re.findall(r"^  ([a-z0-9-]+)  ", text.split("\nCommands:\n")[1].split("\n\n")[0], re.M)
    if len(names) < 2 or names.pop() != "help":
        fail(f"{path} lists no commands, or not how to get help")
    return [leaf for name in names for leaf in commands_of([*path, name])]


def options_of(text):
    return re.findall(r"^      --([a-z0-9-]+)( <[^>]+>)?\n {10}(\S.*)$", text, re.M)


def check_help(path):
    done = eds(*path, "--help")
    text = done.stdout.decode()
    if done.returncode != 0 or done.stderr:
        fail(f"{path} --help: exit {done.returncode}, {done.stderr!r}")
    for same in ([*path, "-h"], ["help", *path], [*path[:-1], "help", path[-1]],
                 [*path, "--help", "--no-such-option"]):
        if eds(*same).stdout != done.stdout:
            fail(f"{same} differs from --help")
    for part in ("Usage: eds ", "\nOptions:\n", "\nExamples:\n", "\nExit codes:\n", "\n  64  "):
        if part not in text:
            fail(f"{path}: help has no {part!r}")
    if len(options_of(text)) != len(re.findall(r"^      --", text, re.M)):
        fail(f"{path}: an option without help")
    for line in text.split("\n"):
        if len(line) > 80 and not line.startswith(("  $ ", "  # ", "Usage:")):
            fail(f"{path}: a line of {len(line)} columns: {line}")
    return text


def check_mistakes(path, text):
    done = eds(*path, "--no-such-option")
    if done.returncode != USAGE or done.stdout or b"--no-such-option" not in done.stderr:
        fail(f"{path} --no-such-option: exit {done.returncode}")
    for name, value, _ in options_of(text):
        typo = name[:-2] + name[-1] + name[-2] if name[-1] != name[-2] else name + "x"
        done = eds(*path, f"--{typo}")
        if done.returncode != USAGE or b"a similar argument exists: '--" not in done.stderr:
            fail(f"{path} --{typo}: nothing suggested: {done.stderr.decode()}")
        if value:
            done = eds(*path, f"--{name}")
            if done.returncode != USAGE or b"a value is required" not in done.stderr:
                fail(f"{path} --{name} without a value: exit {done.returncode}")
    if b"\nUsage: eds " not in done.stderr:
        fail(f"{path}: a usage error without the usage line")


def examples_of(text):
    return [line[4:] for line in text.split("\n") if line.startswith("  $ ")]


def run_example(line, *more):
    words = shlex.split(line)
    if words[0] != "eds":
        fail(f"example does not begin with eds: {line}")
    return eds(*words[1:], *more)


def run_examples(leaves, directory):
    """All examples one after the other; demos first, because others read what
    they write."""
    count = 0
    os.chdir(directory)
    pathlib.Path("passphrase.txt").write_text("correct horse\n")
    pathlib.Path("passphrase.txt").chmod(0o600)
    pathlib.Path("fleet.csv").write_text(f"device_id,public_key,site\nfleet-01,{FLEET_KEY},dock\n")
    pathlib.Path("scan.bin").write_bytes(bytes(range(256)))
    pathlib.Path("gaps.json").write_text("[]")
    eds("sign-record", "--device-id", "lift-01", "--sequence", "1", "--timestamp-ms", "1",
        "--payload", "x", "--object-ref", "y", "--out", "lift_single_record.json",
        environment={"DEVICE_PRIVATE_KEY_HEX": SEED})
    for path, text in sorted(leaves, key=lambda leaf: "demo" not in leaf[0][-1]):
        name = " ".join(path[1:] if path[0] == "audit" else path)
        if name in NEEDS_SERVER or (name in NEEDS_LEDGER and not make_ledger()):
            continue
        if name == "device close-gap":
            make_gaps()
        for line in examples_of(text):
            done = run_example(line)
            count += 1
            if done.returncode != 0:
                fail(f"example: {line}: exit {done.returncode}: {done.stderr.decode()}")
            if "      --json\n" in text:
                check_json(line)
    os.chdir("/")
    return count


def make_gaps():
    """Devices that lost their storage, and an operator who signs for it."""
    keys = {}
    for name in ("carol", "lift-07", "lift-08"):
        keys[name] = json.loads(eds("keygen", "--out", f"{name}.key.json", "--json").stdout)
    eds("audit", "operator", "add", "carol", "--public-key-hex", keys["carol"]["public_key_hex"])
    for name in ("lift-07", "lift-08"):
        eds("audit", "device", "add", name, "--public-key-hex", keys[name]["public_key_hex"])
    eds("sign-record", "--device-id", "lift-07", "--sequence", "9", "--timestamp-ms", "1",
        "--payload", "x", "--object-ref", "y", "--prev-hash-hex", "77" * 32, "--key-file",
        "lift-07.key.json", "--out", "record.json")


def make_ledger():
    if not os.path.exists("edgesentry-data") and has_server():
        with serve("edgesentry-data", "lift-01=" + KEY) as url:
            done = eds("send", "--url", url, "--records-file", "lift_inspection_records.json",
                       "--payloads-file", "lift_inspection_payloads.json")
            if done.returncode != 0:
                fail(f"no ledger to try examples on: {done.stderr.decode()}")
        os.mkdir("payloads")
    return os.path.exists("edgesentry-data")


def check_json(line):
    """With --json there is one object on standard output, whatever happens
    (a second keygen meets its own file)."""
    done = run_example(line, "--json")
    try:
        if not isinstance(json.loads(done.stdout), dict):
            fail(f"{line} --json: no object")
    except ValueError:
        fail(f"{line} --json: {done.stdout[:200]!r}")


def check_names():
    for typo, meant in (("keygn", "keygen"), ("verfy-chain", "verify-chain"), ("audti", "audit"),
                        ("sign", "sign-record")):
        for prefix in ([], ["audit"]):
            if meant == "audit" and prefix:
                continue
            done = eds(*prefix, typo)
            if (done.returncode != USAGE or done.stdout
                    or f"similar subcommand exists: '{meant}'".encode() not in done.stderr):
                fail(f"{prefix} {typo}: {done.stderr.decode()}")
    done = eds("frobnicate")
    if done.returncode != USAGE or b"similar" in done.stderr:
        fail("a word that is near nothing")
    for group in ([], ["audit"]):
        done = eds(*group)
        if done.returncode != USAGE or done.stdout or b"Commands:" not in done.stderr:
            fail(f"{group} alone")


def check_help_runs_nothing():
    """Asked about a command, we explain it and do not run it."""
    for args in (["help", "keygen", "--out", "k.json"], ["help", "--out"], ["help", "nothing"]):
        done = eds(*args)
        if done.returncode != USAGE or done.stdout or os.path.exists("k.json"):
            fail(f"{args}: exit {done.returncode}")
    page = eds("help", "--man").stdout.decode()
    for word in (".TH EDS 1", "eds audit verify-chain", r"expect\-last\-hash"):
        if word not in page:
            fail(f"the manual page does not have {word}")
    for line in page.split("\n"):
        if line.startswith("'"):
            fail(f"the manual page has a line that roff takes for a command: {line}")


def check_pages():
    """Each command has a page of its own, with each of its options."""
    listed = eds("help", "--list").stdout.decode().split("\n")[:-1]
    if sorted(listed) != sorted(" ".join(words) for words in commands_of([])):
        fail(f"help --list: {listed}")
    for words in map(str.split, listed):
        page = eds("help", "--man", *words).stdout.decode()
        if not page.startswith(".TH EDS-" + "-".join(words).upper() + " 1 "):
            fail(f"the page of {words} begins {page[:60]}")
        for option in re.findall(r"^      (--[a-z0-9-]+)", eds(*words, "--help").stdout.decode(),
                                 re.M):
            if option.replace("-", r"\-") not in page:
                fail(f"the page of {words} does not have {option}")
    page = eds("help", "--man", "eds.conf").stdout.decode()
    if ".TH EDS.CONF 5" not in page or r"tls\-cert" not in page:
        fail("the page of eds.conf")
    for words, said in ((["nothing"], b"unrecognized"), (["keygen", "more"], b"unexpected")):
        done = eds("help", "--man", *words)
        if done.returncode != USAGE or done.stdout or said not in done.stderr:
            fail(f"help --man {words}: exit {done.returncode}")


def check_version():
    line = eds("--version").stdout.decode()
    if eds("-V").stdout.decode() != line or not re.fullmatch(r"eds \d+\.\d+\.\d+\n", line):
        fail(f"--version: {line!r}")
    got = json.loads(eds("--version", "--json").stdout)
    if got["version"] != line.split()[1] or not got["features"]:
        fail(f"--version --json: {got}")


def check_full_disk():
    """Output that did not arrive is a failure, not a success."""
    with open("/dev/full", "w") as full:
        for args in (["--help"], ["--version"], ["keygen"]):
            code = subprocess.run([EDS, *args], stdout=full, stderr=subprocess.DEVNULL).returncode
            if code != 1:
                fail(f"{args} on a full disk: exit {code}")


def main():
    leaves = [(path, check_help(path)) for group in ("audit", "drill")
              for path in commands_of([group])]
    leaves += [([word], check_help([word])) for word in ("completions",)
               if eds(word, "--help").returncode == 0]
    for path, text in leaves:
        check_mistakes(path, text)
    check_names()
    check_help_runs_nothing()
    check_pages()
    check_version()
    if os.path.exists("/dev/full"):
        check_full_disk()
    with tempfile.TemporaryDirectory(prefix="eds-help-") as directory:
        count = run_examples(leaves, directory)
    print(f"{len(leaves)} commands explained, {count} examples run, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
