#!/usr/bin/env python3
"""The configuration file: every option of every server is a key; the command line
goes before the environment, that before a section, that before what is for all;
what is wrong is told with file and line; a server runs from a file alone."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import EDS, VECTORS, await_that, eds, skip  # noqa: E402

KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"


def run(*words, **environment):
    return subprocess.run([EDS, *map(str, words)], capture_output=True, check=False, timeout=120,
                          env=dict(os.environ, **environment))


def mistakes(folder):
    """Each row is one edit away from a file that is good."""
    good = f"# servers\nstore = memory:\n\n[serve]\naddr = 127.0.0.1:0\ndevice = a={KEY}\n"
    file = folder / "eds.conf"
    file.write_text(good)
    done = run("config", "check", "--config", file)
    assert (done.returncode, done.stdout) == (0, b"CONFIG_OK: keys=3 files=1\n"), done
    for line, text, says in (
            (2, "stor = memory:", "unknown key 'stor'; a similar one exists: 'store'"),
            (2, "zzzzzzzzzz = 1", "unknown key 'zzzzzzzzzz'"),
            (2, "config = x", "unknown key 'config'"),
            (2, "store memory:", "expected 'key = value', '[section]' or '# comment'"),
            (2, "store =", "there is no value"),
            (2, "Store = x", "a name is made of"),
            (2, "store = \x01", "a control character"),
            (2, "tls-cert = x\ntls-cert = y", "'tls-cert' stands in line 2 already"),
            (4, "[server]", "unknown section 'server'; a similar one exists: 'serve'"),
            (4, "[verify-chain]", "unknown section 'verify-chain'"),
            (4, "[serves]\n[serve]", "unknown section 'serves'; a similar one exists: 'serve'"),
            (5, "addr = localhost", "invalid value 'localhost' for 'addr': invalid socket address"),
            (5, "log-level = loud", "possible values: debug, info, warn, error"),
            (5, "json = yes", "invalid value 'yes' for 'json': possible values: true, false"),
            (5, "rate-per-device = ten", "invalid value 'ten' for 'rate-per-device'"),
            (5, "tls-cert = x", "unknown key 'tls-cert'")):
        lines = good.splitlines()
        lines[line - 1] = text
        file.write_text("\n".join(lines) + "\n")
        place = line + (0 if text.startswith("[") else text.count("\n"))
        for words in (["config", "check"], ["config", "show"], ["serve"]):
            done = run(*words, "--config", file)
            assert done.returncode == 1 and not done.stdout, (text, done)
            assert f"error: {file}:{place}: " in done.stderr.decode(), (text, done.stderr)
            assert says in done.stderr.decode(), (text, done.stderr)
    file.write_text(good)
    file.chmod(0o666)
    done = run("config", "check", "--config", file)
    assert done.returncode == 1 and b"can be written by everybody (mode 0666)" in done.stderr, done
    done = run("config", "check", "--config", folder / "none")
    assert done.returncode == 1 and b"No such file or directory" in done.stderr, done
    done = run("config", "check", "--json", "--config", folder / "none")
    assert "error" in json.loads(done.stdout), done
    assert run("serve", "--config", "off", "--tls-cert", "x").returncode == 64


def shown(command, *words, **environment):
    """What `config show` says: key -> (values, where from)."""
    done = run("config", "show", command, *words, **environment)
    assert done.returncode == 0, done
    values, origin = {}, None
    for line in done.stdout.decode().splitlines()[1:]:
        if line.startswith("# "):
            origin = line[2:]
        else:
            key, value = line.split(" = ", 1)
            values.setdefault(key, []).append((value, origin))
    return values


def precedence(folder):
    (folder / "conf.d").mkdir()
    file = folder / "eds.conf"
    file.write_text("log-level = warn\nstore = sqlite:all.db\n"
                    "device = a=00\n[serve-tls]\nlog-level = error\ndevice = b=11\n"
                    "[serve]\nrate-per-source = 5\n")
    (folder / "conf.d/20-b.conf").write_text("[serve]\nrate-per-source = 7\ndevice = c=22\n")
    (folder / "conf.d/10-a.conf").write_text("[serve]\nrate-per-source = 6\nlog-format = json\n")
    (folder / "conf.d/ignored").write_text("what = ever\n")
    serve = shown("serve", "--config", file)
    assert serve["log-level"] == [("warn", f"{file}:1")], serve
    assert serve["rate-per-source"] == [("7", f"{folder}/conf.d/20-b.conf:2")], serve
    assert serve["log-format"][0][0] == "json" and serve["attest"] == [("optional", "default")]
    assert [value for value, _ in serve["device"]] == ["a=00", "c=22"], serve
    tls = shown("serve-tls", EDS_CONFIG=str(file), EDS_STORE="postgresql://eds:secret@db/x")
    assert tls["log-level"] == [("error", f"{file}:5")], tls
    assert [value for value, _ in tls["device"]] == ["a=00", "b=11"], tls
    assert tls["store"] == [("postgresql://eds:***@db/x", "environment EDS_STORE")], tls
    file.write_text("store = postgresql://eds:secret@db/x\n")
    done = run("config", "show", "--config", file)
    assert b"secret" not in done.stdout + done.stderr and b"is open to others" in done.stderr, done
    (folder / "again.conf").write_bytes(run("config", "show", "serve", "--config", file).stdout)
    again = shown("serve", "--config", folder / "again.conf")  # what it prints can be read
    assert again["log-format"][0][0] == "json", again


def every_flag(folder):
    """Each option of each server in the help can be explained and stand in a file."""
    for command in ("serve", "serve-tls", "serve-mqtt"):
        text = run(command, "--help").stdout.decode()
        names = set(re.findall(r"^ +--([a-z-]+)", text, flags=re.M)) - {"help", "config"}
        if not text:
            continue
        assert len(names) > 8, names
        keys = set(re.findall(r"^#? ?([a-z0-9-]+) =", run("config", "show", command, "--config",
                                                         "off").stdout.decode(), flags=re.M))
        assert names == keys, (command, names ^ keys)
        for name in names:
            done = run("config", "explain", name)
            assert done.returncode == 0 and f"[{command}] {name} = ".encode() in done.stdout, done
    done = run("config", "explain", "rate-per-devise")
    assert done.returncode == 64 and b"a similar one exists: 'rate-per-device'" in done.stderr, done
    done = run("config", "show", "nobody", "--config", "off")
    assert done.returncode == 64 and b"no server is called 'nobody'" in done.stderr, done


def serving(folder):
    """A server from a file alone, and with a flag that goes before it."""
    file = folder / "eds.conf"
    port_file = folder / "port"
    file.write_text(f"[serve]\naddr = 127.0.0.1:0\nadmin-addr = off\ndata-dir = {folder}/data\n"
                    f"device = lift-01={KEY}\nport-file = {port_file}\njson = true\n"
                    "allowed-sources = 10.0.0.1\nlog-format = json\n")
    process = subprocess.Popen([EDS, "serve", "--config", str(file), "--allowed-sources",
                                "127.0.0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    await_that(lambda: port_file.exists() or process.poll() is not None, "the server")
    done = eds("send", "--url", "http://127.0.0.1:" + port_file.read_text().strip(),
               "--records-file", str(VECTORS / "peer/demo_records.json"), "--payloads-file",
               str(VECTORS / "peer/demo_payloads.json"))
    assert done.returncode == 0, done
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=120)
    assert process.returncode == 0 and json.loads(out)["accepted"] == 3, (out, log)
    assert all(json.loads(line)["event"] for line in log.decode().splitlines()), log
    assert (folder / "data/edgesentry.db").exists()


def required(folder):
    """What is required may come from the file."""
    file = folder / "tls.conf"
    file.write_text("[serve-tls]\ntls-cert = nope.pem\ntls-key = nope.key\nstore = memory:\n")
    done = run("serve-tls", "--config", file)
    assert done.returncode == 1 and b"TLS server error: No such file" in done.stderr, done
    done = run("serve-tls", "--config", "off")
    assert done.returncode == 64 and b"--tls-cert <TLS_CERT>" in done.stderr, done
    file.write_text("[serve-tls]\ntls-cert = nope.pem\ntls-key = nope.key\nclient-crl = x\n")
    done = run("serve-tls", "--config", file)
    assert done.returncode == 64 and b"need --client-ca" in done.stderr, done


def delivered(folder):
    """The file that is installed is good, also with all that it only suggests; so are those
    that the documents show, and a section without keys."""
    source = pathlib.Path(os.environ["EDS_SOURCE"])
    texts = [(source / "deploy/eds.conf").read_text()]
    texts.append(re.sub(r"^# ([a-z-]+ = )", r"\1", texts[0], flags=re.M))
    assert texts[0].count("\n# ") > texts[1].count("\n# "), texts[1]
    for document in (source / "docs").glob("*.md"):
        texts += re.findall(r"^```ini\n(\[.*?)^```$", document.read_text(), flags=re.M | re.S)
    assert len(texts) > 2, "no document shows a section"
    texts += [f"[{name}]\n" for name in ("serve", "serve-tls", "serve-mqtt", "gateway")]
    for text in texts:
        file = folder / "eds.conf"
        file.write_text(text)
        done = run("config", "check", "--config", file)
        assert done.returncode == 0 and done.stdout.startswith(b"CONFIG_OK: "), (text, done)


def main():
    features = json.loads(eds("--version", "--json").stdout)["features"]
    if features["transport-tls"] != "on":
        skip("this build has no TLS")
    os.environ.pop("EDS_STORE", None)
    os.environ.pop("EDS_CONFIG", None)
    with tempfile.TemporaryDirectory(prefix="eds-config-") as name:
        top = pathlib.Path(name)
        for part in (mistakes, precedence, every_flag, serving, required, delivered):
            folder = top / part.__name__
            folder.mkdir()
            part(folder)
    print("files, sections, precedence, mistakes with file and line; a server from a file")


if __name__ == "__main__":
    main()
