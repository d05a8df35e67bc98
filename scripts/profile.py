#!/usr/bin/env python3
"""Where the time goes: the share of each room, library and the kernel, by samples of
perf, for the check of a chain file, the check of a ledger in SQLite, and ingest over
HTTP into one.

    scripts/profile.py BUILD        BUILD has the benchmarks, see `make profile`

EDS_BENCH_CHAIN=N and EDS_BENCH_LEDGER=N make chain and ledger N records long (default
300,000), EDS_BENCH_HTTP=N sends N records to the server (60,000)."""
import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP_SYMBOLS = 12


def run(*args, **more):
    done = subprocess.run(args, text=True, capture_output=True, **more)
    if done.returncode != 0:
        sys.exit(f"profile.py: {' '.join(args)}: {done.stderr or done.stdout}")
    return done.stdout


def plain(symbol):
    """Without what the compiler adds to a function that it made another form of."""
    return re.sub(r"\.(isra|part|constprop|cold|lto_priv).*", "", symbol)


def rooms_of(build):
    """Each function's room, by the archive that defines it."""
    rooms = {}
    for archive in sorted(glob.glob(f"{build}/lib/libeds_*.a")):
        room = re.sub(r".*libeds_(.*)\.a", r"\1", archive)
        for line in run("nm", "--defined-only", archive).splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[1] in "tTwW":
                rooms.setdefault(plain(fields[2]), room)
    return rooms


def what_for(frames):
    """What the kernel was asked for, by the frames from the innermost to its entry."""
    names = [name for name, library in frames if library.startswith("[")]
    if names[-1:] and re.match("asm_", names[-1]):
        return "page faults" if "page_fault" in names[-1] else "interrupts"
    for name, entry in zip(names, names[1:]):
        if entry.startswith("do_syscall"):
            return re.sub(r"^_*(x64_|arm64_|do_|k)?_*sys_", "", name)
    return "entries and exits"


def read_samples(data):
    """Yields (library, symbol, what for) for each sample of processes that are called eds."""
    text = run("perf", "script", "-i", data, "--comm", "eds", "-F", "comm,ip,sym,dso")
    for sample in text.split("\n\n"):
        frames = [re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line) for line in sample.splitlines()]
        frames = [(plain(frame[1]), os.path.basename(frame[2])) for frame in frames if frame]
        if frames:
            yield frames[0][1], frames[0][0], what_for(frames)


def show(counts, total, at_least=0.1):
    for where, count in counts.most_common(TOP_SYMBOLS if at_least == 0 else None):
        if 100 * count / total >= at_least:
            print(f"  {100 * count / total:5.1f} %  {where}")


def report(title, data, rooms):
    shares, symbols, calls = collections.Counter(), collections.Counter(), collections.Counter()
    for library, name, call in read_samples(data):
        if library == "eds":
            where = rooms.get(name, "eds (elsewhere)")
        elif library.startswith("[kernel") or library.startswith("[guest"):
            where = "kernel"
            calls[call] += 1
        else:
            where = re.sub(r"\.so.*", "", library)
        shares[where] += 1
        symbols[f"{name}  ({where})"] += 1
    total = sum(shares.values())
    print(f"\n{title}: {total} samples")
    show(shares, total)
    print("  of it in the kernel, for:")
    show(calls, total, 0.5)
    print("  most of it in:")
    show(symbols, total, 0)


def main():
    build = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    if shutil.which("perf") is None:
        sys.exit("profile.py: perf is not there: install the package linux-perf")
    eds = os.path.abspath(f"{build}/bin/eds")
    rooms = rooms_of(build)
    environment = dict(os.environ, EDS=eds)
    environment.setdefault("EDS_BENCH_CHAIN", "300000")
    environment.setdefault("EDS_BENCH_LEDGER", "300000")
    environment["EDS_BENCH_POSTGRES"] = "none"
    record = ["perf", "record", "-q", "-g", "-F", "1999", "-o"]
    with tempfile.TemporaryDirectory() as folder:
        chain, data = f"{folder}/chain.ndjson", f"{folder}/perf.data"
        key = run(f"{build}/bin/bench_chain", chain, env=environment).strip()
        run(*record, data, eds, "audit", "verify-chain", "--format", "ndjson", "--records-file",
            chain, "--public-key-hex", key)
        report("verify-chain with signatures", data, rooms)
        ledger = f"{folder}/ledger.db"
        run(f"{build}/bin/bench_ledger", "--make", ledger, env=environment)
        run(*record, data, eds, "audit", "ledger", "verify", "--store", f"sqlite:{ledger}")
        report("ledger verify, two signatures and a payload a record, SQLite", data, rooms)
        for title, *bench in (
                ("64 connections, one record a request", "bench_http", "64"),
                ("one connection, one record a request", "bench_http", "1"),
                ("batches of 1000", "bench_http_batch")):
            run(*record, data, f"{build}/bin/{bench[0]}", *bench[1:], env=environment)
            report(f"serve with SQLite, {title}", data, rooms)


main()
