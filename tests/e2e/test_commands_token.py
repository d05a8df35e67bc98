#!/usr/bin/env python3
"""A device's key in a PKCS#11 token (SoftHSM2) is rotated by commands: the new key is made in
the token, signs when servers know it, and is still in use after the power was cut.  No
private key can ever be read, and no key of the token is renamed or deleted."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import BUILD, EDS, Server, await_that, skip  # noqa: E402
from server import has_server  # noqa: E402

DEVICE = "lift-01"
PIN = "1234"
PATIENCE_S = 120
MODULES = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
           "/usr/local/lib/softhsm/libsofthsm2.so"]


def audit(*words, code=0):
    done = subprocess.run([EDS, "audit", *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def make_token(folder, module):
    """A token with a first key, as a device's line would make it; its URI and public key."""
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "fleet", "--pin", PIN,
                    "--so-pin", "5678"], check=True, stdout=subprocess.DEVNULL)
    uri = f"pkcs11:token=fleet;object={DEVICE}?module-path={module}"
    library = ctypes.CDLL(str(BUILD / "lib/libedgesentry_device.so"))
    public_key = (ctypes.c_uint8 * 32)()
    code = library.eds_signer_pkcs11_generate(uri.encode(), PIN.encode(), public_key, None)
    if code != 0:
        skip(f"this build or SoftHSM2 makes no Ed25519 keys ({code})")
    (folder / "pin").write_text(PIN + "\n")
    (folder / "pin").chmod(0o600)
    return uri, bytes(public_key).hex()


class Lab:
    def __init__(self, folder, module):
        self.folder = folder
        self.store = f"sqlite:{folder}/data/edgesentry.db"
        self.uri, self.key = make_token(folder, module)
        keys = {}
        for name in ("server", "carol"):
            out = audit("keygen", "--out", folder / f"{name}.json", "--json")
            keys[name] = json.loads(out)["public_key_hex"]
        self.server_key = keys["server"]
        audit("device", "add", DEVICE, "--public-key-hex", self.key, "--store", self.store)
        audit("operator", "add", "carol", "--public-key-hex", keys["carol"], "--store", self.store)
        self.server = Server(folder, [], "--store", self.store, "--command-key-file",
                             str(folder / "server.json"))
        self.agent = None

    def start(self, uri=None):
        with open(self.folder / "agent.log", "ab") as log:
            self.agent = subprocess.Popen(
                [EDS, "audit", "agent", "--device-id", DEVICE, "--pkcs11-uri", uri or self.uri,
                 "--passphrase-file", self.folder / "pin", "--buffer", self.folder / "buffer.db",
                 "--url", self.server.url, "--command-key", self.server_key, "--command-poll", "1",
                 "--wait", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def record(self, text):
        self.agent.stdin.write(text.encode() + b"\n")
        self.agent.stdin.flush()
        said = self.agent.stdout.readline()
        assert said.startswith(b"RECORDED: "), (said, self.log()[-1000:])

    def kill(self):
        self.agent.kill()
        self.agent.communicate()

    def finish(self):
        self.agent.communicate(timeout=PATIENCE_S)
        assert self.agent.returncode == 0, self.log()[-2000:]

    def log(self):
        return (self.folder / "agent.log").read_text()

    def commands(self):
        return json.loads(audit("device", "commands", DEVICE, "--store", self.store,
                                "--json"))["commands"]

    def rotate_key(self, *settings, state="done"):
        """Gives the command; what the device answers."""
        words = [word for setting in settings for word in ("--set", setting)]
        count = len(self.commands())
        audit("device", "command", DEVICE, "--kind", "rotate-key", *words, "--operator", "carol",
              "--key-file", self.folder / "carol.json", "--store", self.store)
        await_that(lambda: self.commands()[count]["state"] in ("done", "refused"), "the answer")
        answer = self.commands()[count]
        assert answer["state"] == state, answer
        return answer["report"]

    def rotate(self):
        """All of a rotation; the new public key."""
        fresh = self.rotate_key().removeprefix("public_key=")
        assert self.rotate_key() == "public_key=" + fresh  # the same, not another one
        audit("device", "rotate", DEVICE, "--public-key-hex", fresh, "--store", self.store)
        assert self.rotate_key("use=" + fresh) == "public_key=" + fresh
        return fresh

    def keys(self):
        """How many keys the token has: two objects each, beside the token's own."""
        return (len(list((self.folder / "tokens").glob("*/*.object"))) - 1) / 2


def run(lab):
    lab.start()
    lab.record("with the first key")
    second = lab.rotate()
    assert second != lab.key and lab.keys() == 2, (second, lab.keys())
    lab.record("with the second")
    lab.kill()
    assert (lab.folder / "buffer.db.key").read_text() == f"object={DEVICE}-2\n"
    lab.start()
    lab.record("with the second after a power cut")
    third = lab.rotate()
    lab.record("with the third")
    lab.finish()
    assert len({lab.key, second, third}) == 3 == lab.keys(), lab.keys()
    assert (lab.folder / "buffer.db.key").read_text() == f"object={DEVICE}-3\n"
    # A URI that was changed by hand goes before what commands have made.
    lab.start(lab.uri.replace(f"object={DEVICE}", f"object={DEVICE}-3"))
    lab.record("a key that is named by hand")
    assert "event=key_line_ignored" in lab.log(), lab.log()[-1000:]
    lab.finish()


def taken_by(lab):
    """What the ledger has, after its own walk."""
    assert audit("ledger", "verify", "--store", lab.store) == "LEDGER_VALID\n"
    audit("export", "--store", lab.store, "--device-id", DEVICE, "--out", lab.folder / "out.json",
          "--payloads-file", lab.folder / "payloads.json")
    payloads = json.loads((lab.folder / "payloads.json").read_text())
    return [bytes.fromhex(payload).decode() for payload in payloads]


def main():
    module = next((path for path in MODULES if os.path.exists(path)), None)
    if module is None or shutil.which("softhsm2-util") is None:
        skip("SoftHSM2 is not installed")
    if not has_server():
        skip("this build has no HTTP server")
    if "EDS_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        skip("the library of a sanitizer build cannot be loaded into Python")
    with tempfile.TemporaryDirectory() as root:
        lab = Lab(pathlib.Path(root), module)
        try:
            run(lab)
        except BaseException:
            print(lab.log()[-3000:])
            raise
        taken = taken_by(lab)
        for text in ("with the first key", "with the second", "with the second after a power cut",
                     "with the third", "a key that is named by hand"):
            assert taken.count(text) == 1, text
        lab.server.process.terminate()
        lab.server.process.wait(timeout=120)


main()
