#!/usr/bin/env python3
# label: slow
"""eds drill db and s3: a drill of a good installation passes; of one that is wrong in
one thing it fails in just the steps that this concerns; and whatever is broken is healed."""
import http.client
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from eds_lab import eds, skip  # noqa: E402
from database import POSTGRES, database, has_postgres  # noqa: E402
from drill_lab import RECORDS, Installation, at_once, between, failed  # noqa: E402
from prometheus_lab import Prometheus, quick_rules  # noqa: E402


def good(folder):
    """All steps pass, twice; nothing is skipped; the device's chain goes on."""
    site = Installation(folder)
    code, report, log = site.drill("s3")
    assert code == 0 and report["passed"] and not failed(report), (report, log)
    assert report["skipped_count"] == 0 and report["step_count"] == 16, report
    assert report["record_count"] == 3 * RECORDS and report["first_sequence"] == 1, report
    text = subprocess.run(site.words("s3"), capture_output=True, check=False, timeout=500)
    lines = text.stdout.decode().splitlines()
    assert text.returncode == 0 and lines[-1].startswith("DRILL_PASSED: s3 steps=16 failed=0")
    assert all(line.startswith("PASS ") for line in lines[:-1]), lines
    verified = eds("ledger", "verify", *site.store, *site.objects)
    assert verified.returncode == 0 and b"18 records of 1 devices, 18 payloads" in verified.stderr
    return site


def without_retry_after(_, answer):
    answer[1].pop("Retry-After", None)


def another_status(_, answer):
    answer[0] = 500 if answer[0] == 503 else answer[0]


def forgets_duplicates(_, answer):
    if answer[0] == 422 and b"duplicate" in answer[2]:
        answer[:] = [202, {"Content-Type": "application/json"}, b'{"status":"accepted"}']


def swallowing(sequence):
    """Says that it has a record, and never stores it."""
    asked = []

    def instead(body):
        if not body or json.loads(body)["record"]["sequence"] != sequence:
            return None
        asked.append(sequence)
        error = "ingest verification failed: duplicate record for device=eds-drill sequence=0"
        text = {"status": "accepted"} if len(asked) == 1 else {"status": "rejected", "error": error}
        return [202 if len(asked) == 1 else 422, {"Content-Type": "application/json"},
                json.dumps(text).encode()]
    return instead


def wrong_server(site):
    """One thing is wrong with the server: the steps that find it fail, and no others."""
    last = 0
    for name, steps, how in (
            ("as it is", set(), {}),
            ("no Retry-After", {"retry-after-during"}, {"edit": without_retry_after}),
            ("500 and not 503", {"refused-during"}, {"edit": another_status}),
            ("takes all of it twice", {"known-again"}, {"edit": forgets_duplicates}),
            ("swallows a record", {"stored-once", "payloads-kept", "chain-goes-on"}, None)):
        if how is None:
            how = {"instead": swallowing(last + 3 * RECORDS)}
        code, report, log = site.drill("s3", port=between(site.port, **how), admin="off")
        last = report["first_sequence"] + report["record_count"] - 1
        assert failed(report) == steps, (name, report, log)
        assert code == (2 if steps else 0), (name, code)


def wrong_listener(site):
    """The same for what the server says of itself."""
    def always_ready(path, answer):
        if path == "/readyz":
            answer[0] = 200

    def not_alive(path, answer):
        if path == "/livez":
            answer[0] = 500

    def uncounted(path, answer):
        if path == "/metrics":
            answer[2] = b"".join(line + b"\n" for line in answer[2].splitlines()
                                 if b"_error_total" not in line)
            answer[2] += b'edgesentry_ingest_error_total{component="raw_data_store"} 7\n'

    for steps, edit in (({"not-ready-during"}, always_ready), ({"alive-during"}, not_alive),
                        ({"counted-during"}, uncounted)):
        time.sleep(0.1)
        await_ready(site)
        code, report, log = site.drill("s3", admin=between(site.admin, edit))
        assert code == 2 and failed(report) == steps, (report, log)


def await_ready(site):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", site.admin, timeout=120)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            return
        time.sleep(0.1)
    raise AssertionError("it does not get ready again")


def wrong_commands(site):
    """What is not broken, or not healed, or cannot be; and what is not broken at all
    because it was not well before."""
    healed = site.folder / "healed"
    await_ready(site)
    code, report, log = site.drill("s3", "--timeout", "1", break_it="true",
                                   heal_it=f"touch {healed}")
    assert code == 2 and "refused-during" in failed(report) and healed.exists(), (report, log)
    healed.unlink()
    code, report, log = site.drill("s3", break_it="echo no; exit 3", heal_it=f"touch {healed}")
    assert code == 2 and failed(report) == {"broken"} and healed.exists(), (report, log)
    assert report["steps"][2]["text"] == "exit code 3: echo no; exit 3" and "no\n" in log
    place = site.folder / "payloads"
    code, report, log = site.drill("s3", heal_it="exit 4")
    assert code == 2 and failed(report) == {"healed"}, (report, log)
    marker = site.folder / "broken"
    code, report, log = site.drill("s3", break_it=f"touch {marker}")
    assert code == 2 and failed(report) == {"ready-before", "accepted-before"}, (report, log)
    assert not marker.exists(), "it broke what was broken"
    place.unlink()
    pathlib.Path(f"{place}.away").rename(place)
    await_ready(site)


def ended_early(site):
    """A signal that comes while the store is away: it is healed before the end."""
    marker, healed = site.folder / "marker", site.folder / "healed-too"
    process = subprocess.Popen(
        site.words("s3", "--json", break_it=f"touch {marker}", heal_it=f"touch {healed}"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not marker.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=500)
    assert process.returncode == 2 and healed.exists(), (process.returncode, log)
    assert "finished" in failed(json.loads(out)), out


def by_hand(site):
    """Without commands somebody is asked, and presses Enter when it is done; who leaves
    instead has not done it."""
    place = site.folder / "payloads"
    words = [word for word in site.words("s3", "--json", break_it="x", heal_it="x")
             if word not in ("--break-command", "--heal-command", "x")]

    def asked(process, request):
        said = b""
        while not said.endswith(b"press Enter: "):
            got = process.stderr.read(1)
            assert got, said
            said += got
        assert request in said, said

    for does_it in (True, False):
        await_ready(site)
        terminal, stdin = pty.openpty()
        process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        os.close(stdin)
        asked(process, b"Now break the store of payloads")
        if does_it:
            place.rename(f"{place}.away")
            place.touch()
            os.write(terminal, b"\n")
            asked(process, b"Now heal the store of payloads")
            place.unlink()
            pathlib.Path(f"{place}.away").rename(place)
            os.write(terminal, b"\n")
        else:
            os.close(terminal)
        report = json.loads(process.communicate(timeout=500)[0])
        if does_it:
            assert process.returncode == 0 and report["step_count"] == 16, report
            os.close(terminal)
        else:
            assert process.returncode == 2 and failed(report) == {"broken", "healed"}, report


def refused(site):
    """What is wrong before it begins: said in words, and nothing is done."""
    for change, code, says in (
            ({"--device-id": "lift-01"}, 64, "a real device could not follow"),
            ({"--device-id": "other-drill"}, 1, "unknown device: other-drill"),
            ({"--heal-command": None}, 64, "need each other"),
            ({"--break-command": None, "--heal-command": None}, 64, "input is no terminal"),
            ({"--records": "0"}, 64, "1 to 1000"),
            ({"--timeout": "0"}, 64, "1 to 3600"),
            ({"--admin-addr": "127.0.0.1:1"}, 1, "no answer from http://127.0.0.1:1/metrics"),
            ({"--url": "http://127.0.0.1:1"}, 2, "cannot reach")):
        words = site.words("s3", break_it="exit 9", heal_it="exit 9")
        words.append("--device-id=eds-drill")
        given = dict(zip(words[3:-1:2], words[4:-1:2]), **{"--device-id": "eds-drill"})
        given.update(change)
        done = eds("drill", "s3", *(f"{name}={value}" for name, value in given.items()
                                    if value is not None))
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == code and says in said, (change, done)
        assert "broken" not in said, said
    done = eds("device", "quarantine", "eds-drill", "--reason", "test", *site.store)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(site.words("s3"), capture_output=True, check=False, timeout=120)
    assert done.returncode == 1 and b"device eds-drill is quarantined" in done.stderr, done
    assert eds("device", "release", "eds-drill", "--reason", "test", *site.store).returncode == 0


def with_prometheus():
    """The alert that is to wake somebody up fires; one that does not is found, and one
    that fires already, or is not there, keeps anything from being broken."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        site = Installation(folder)
        rules = quick_rules("5m")  # so that it fires still when it is looked at again
        rows = ((rules, set()), (None, {"silent-before"}),  # it fires still
                (rules.replace("IngestStorageError", "Other"), {"silent-before"}),
                (rules.replace("edgesentry_ingest_error_total", "nothing"), {"alert-fires"}))
        prometheus = None
        for number, (text, steps) in enumerate(rows):
            if text is not None:
                if prometheus:
                    prometheus.end()
                prometheus = Prometheus(folder / str(number), site.admin, text)
            await_ready(site)
            code, report, log = site.drill("s3", "--prometheus", prometheus.url, "--timeout",
                                           "6" if "alert-fires" in steps else "60")
            assert failed(report) >= steps and code == (2 if steps else 0), (number, report, log)
            broken = any(step["name"] == "broken" for step in report["steps"])
            assert broken == (steps != {"silent-before"}), report
        prometheus.end()
        site.end()


def with_postgres():
    """The database itself: stopped by its operator's command, and started again."""
    with database() as (place, url), tempfile.TemporaryDirectory() as name:
        if url is None:
            return
        site = Installation(pathlib.Path(name), url)
        code, report, log = site.drill("db", break_it=f"{POSTGRES} stop {place} immediate",
                                       heal_it=f"{POSTGRES} up {place}")
        assert code == 0 and not failed(report) and report["outage_ms"] > 0, (report, log)
        site.end()


def scenes(folder):
    site = good(folder)
    for part in (wrong_server, wrong_listener, wrong_commands, ended_early, by_hand, refused):
        part(site)
    site.end()


def over_tls():
    """The same drill with a server that wants certificates; without one, or by another
    authority's word, it does not begin."""
    if eds("serve-tls", "--help").returncode != 0:
        return
    with tempfile.TemporaryDirectory() as name:
        site = Installation(pathlib.Path(name), has_tls=True)
        code, report, log = site.drill("s3")
        assert code == 0 and not failed(report) and report["step_count"] == 16, (report, log)
        words = site.words("s3", "--json", break_it="exit 9", heal_it="exit 9")
        for option, count in (("--client-cert", 4), ("--ca-file", 2)):
            at = words.index(option)
            done = subprocess.run(words[:at] + words[at + count:], capture_output=True,
                                  check=False, timeout=500)
            report = json.loads(done.stdout)
            assert done.returncode == 2 and failed(report) == {"accepted-before"}, done
        site.end()


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # They wait most of their time, each at an installation of its own.
        at_once([lambda: scenes(folder), over_tls],
                [with_prometheus] if shutil.which("prometheus") else [],
                [with_postgres] if has_postgres() else [])
    if not shutil.which("prometheus"):
        print("note: no prometheus here: whether the alert fires is not tried")
    print("drills pass where all is well, fail where it is not, and heal what they broke")


if __name__ == "__main__":
    main()
