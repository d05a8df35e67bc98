#!/usr/bin/env python3
"""eds diag: says what is there and what is not, asks a running server, changes
nothing and shows no secret."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import EDS, eds, skip  # noqa: E402

SECRET = "tr0ub4dor"


def diag(folder, *words, **environment):
    done = subprocess.run([EDS, "diag", *map(str, words)], capture_output=True, text=True,
                          check=False, timeout=120, cwd=folder,
                          env=dict(os.environ, **environment))
    assert done.stderr == "", done.stderr
    assert SECRET not in done.stdout, done.stdout
    return done


def section(text, name):
    assert f"\n[{name}]\n" in "\n" + text, (name, text)
    return ("\n" + text).split(f"\n[{name}]\n")[1].split("\n\n[")[0]


def nothing_there(folder):
    done = diag(folder, "--config", "off", "--admin-addr", "127.0.0.1:1")
    assert done.returncode == 1
    assert "error = there is no ledger" in section(done.stdout, "ledger")
    assert "no-answer = " in section(done.stdout, "readyz")
    assert list(folder.iterdir()) == [], "something was made"


def contradiction(folder):
    done = subprocess.run([EDS, "diag", "--data-dir", "x", "--store", "memory:"],
                          capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 64 and done.stdout == "", done
    assert "--store and --data-dir exclude each other" in done.stderr, done.stderr


def secrets(folder):
    """In the file, in the environment, on the command line; as user and as parameter."""
    for url in (f"postgresql://eds:{SECRET}@127.0.0.1:1/ledger",
                f"postgresql://eds@127.0.0.1:1/ledger?password={SECRET}"):
        file = folder / "secret.conf"
        file.write_text(f"store = {url}\n")
        file.chmod(0o600)
        for words, environment in ((["--config", file], {}),
                                   (["--config", "off"], {"EDS_STORE": url}),
                                   (["--config", "off", "--store", url], {})):
            done = diag(folder, *words, **environment)
            assert done.returncode == 1 and "***" in section(done.stdout, "ledger"), done
    done = diag(folder, "--config", "off", AWS_SECRET_ACCESS_KEY=SECRET)
    assert "AWS_SECRET_ACCESS_KEY = ***" in section(done.stdout, "environment")


def running(folder):
    """What is not given comes from the file; the server is asked."""
    port, admin = folder / "port", folder / "admin"
    file = folder / "eds.conf"
    file.write_text(f"data-dir = {folder}/data\nobjects = file:{folder}/payloads\n"
                    f"addr = 127.0.0.1:0\nadmin-addr = 127.0.0.1:0\nport-file = {port}\n"
                    f"admin-port-file = {admin}\n")
    with open(folder / "log", "wb") as log, \
            subprocess.Popen([EDS, "serve", "--config", str(file)], stdout=log,
                             stderr=log) as server:
        while not (port.exists() and port.read_text() and admin.exists() and admin.read_text()):
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.01)
        done = diag(folder, "--config", file, "--admin-addr",
                    "127.0.0.1:" + admin.read_text().strip())
        server.terminate()
    assert done.returncode == 0, done.stdout
    assert "kind = sqlite" in section(done.stdout, "ledger")
    assert "disk-free-bytes = " in section(done.stdout, "ledger")
    assert "kind = file" in section(done.stdout, "objects")
    assert section(done.stdout, "readyz").startswith("# HTTP/1."), done.stdout
    assert "edgesentry_build_info" in section(done.stdout, "metrics")
    file.write_text("data-dir = a\nno-such-key = 1\n")
    done = diag(folder, "--config", file)
    assert done.returncode == 1
    assert "error = " in section(done.stdout, "configuration") and ":2: " in done.stdout


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    for part in (nothing_there, contradiction, secrets, running):
        with tempfile.TemporaryDirectory() as name:
            part(pathlib.Path(name))
    print("what is there, what is not, no secret, and what a server says of itself")


if __name__ == "__main__":
    main()
