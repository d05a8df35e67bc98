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


def read_samples(data):
    """Yields (share, library, symbol) of the processes that are called eds."""
    text = run("perf", "report", "-i", data, "--stdio", "--no-children", "--comms", "eds",
               "--percentage", "relative", "-F", "overhead,dso,sym", "-t", "\t")
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) == 3 and fields[0].endswith("%"):
            yield float(fields[0][:-1]), fields[1], re.sub(r"^\[.\] ", "", fields[2])


def report(title, data, rooms):
    shares, symbols = collections.Counter(), collections.Counter()
    for share, library, symbol in read_samples(data):
        name = plain(symbol)
        if library == "eds":
            where = rooms.get(name, "eds (elsewhere)")
        elif library.startswith("[kernel") or symbol.startswith("[k]"):
            where = "kernel"
        else:
            where = re.sub(r"\.so.*", "", library)
        shares[where] += share
        symbols[f"{name}  ({where})"] += share
    print(f"\n{title}")
    for where, share in shares.most_common():
        if share >= 0.1:
            print(f"  {share:5.1f} %  {where}")
    print("  most of it in:")
    for symbol, share in symbols.most_common(TOP_SYMBOLS):
        print(f"    {share:5.1f} %  {symbol}")


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
    record = ["perf", "record", "-q", "-F", "1999", "-o"]
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
        run(*record, data, f"{build}/bin/bench_http", "64", env=environment)
        report("serve, 64 connections, one record a request, SQLite", data, rooms)


main()
