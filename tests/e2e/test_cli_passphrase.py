#!/usr/bin/env python3
"""Passphrases at a terminal: never echoed, asked twice for a new key, and the
terminal is as it was, also after Ctrl-C."""

import os
import pty
import select
import signal
import sys
import tempfile
import termios
import time

EDS = os.environ["EDS"]
PASSPHRASE = b"correct horse battery"


class Session:
    """One command with a terminal of its own."""

    def __init__(self, *args):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("EDS_PASSPHRASE", None)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job ignores it
            os.execv(EDS, [EDS, "audit", *args])

    def wait_for(self, text):
        deadline = time.monotonic() + 120
        while text not in self.seen:
            if time.monotonic() > deadline:
                sys.exit(f"no {text!r} in {self.seen!r}")
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:  # Linux's way to say that the other side is gone
                    break

    def answer(self, prompt, text):
        self.wait_for(prompt)
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            time.sleep(0.01)  # the prompt is written after the echo is off
        self.seen = self.seen.replace(prompt, b"", 1)
        os.write(self.fd, text)

    def end(self):
        while True:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.seen += data
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return status


def check(condition, what, session):
    if not condition:
        sys.exit(f"FAIL {what}: {session.seen!r}")


def create(path, first, second):
    session = Session("keygen", "--encrypt", "--out", path)
    session.answer(b"New passphrase: ", first + b"\n")
    session.answer(b"The same again: ", second + b"\n")
    status = session.end()
    check(first not in session.seen, "the passphrase was echoed", session)
    return session, os.waitstatus_to_exitcode(status)


def main():
    with tempfile.TemporaryDirectory(prefix="eds-passphrase-") as directory:
        path = os.path.join(directory, "k.json")
        session, code = create(path, PASSPHRASE, b"another")
        check(code == 1 and b"the two passphrases differ" in session.seen, "two that differ",
              session)
        check(not os.path.exists(path), "a key under a mistyped passphrase", session)

        session, code = create(path, PASSPHRASE, PASSPHRASE)
        check(code == 0 and os.path.exists(path), "a new key", session)

        session = Session("inspect-key", "--key-file", path)
        session.answer(b"Passphrase: ", PASSPHRASE + b"\n")
        code = os.waitstatus_to_exitcode(session.end())
        check(code == 0 and b"public_key_hex" in session.seen, "the right passphrase", session)
        check(PASSPHRASE not in session.seen, "the passphrase was echoed", session)

        session = Session("inspect-key", "--key-file", path)
        session.answer(b"Passphrase: ", b"wrong\n")
        code = os.waitstatus_to_exitcode(session.end())
        check(code == 1 and b"wrong passphrase" in session.seen, "a wrong passphrase", session)

        session = Session("inspect-key", "--key-file", path)
        session.answer(b"Passphrase: ", PASSPHRASE[:5] + b"\x04\x04")  # end of file
        code = os.waitstatus_to_exitcode(session.end())
        check(code == 1 and b"no passphrase came" in session.seen, "the end of input", session)

        session = Session("inspect-key", "--key-file", path)
        session.answer(b"Passphrase: ", b"")
        os.write(session.fd, b"\x03")
        status = os.waitpid(session.pid, 0)[1]
        check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, "Ctrl-C", session)
        check(termios.tcgetattr(session.fd)[3] & termios.ECHO, "the terminal stays silent",
              session)
        os.close(session.fd)
        check(sorted(os.listdir(directory)) == ["k.json"], "files left over", session)
    print("6 sessions, all as expected")


if __name__ == "__main__":
    main()
