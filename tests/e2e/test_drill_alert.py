#!/usr/bin/env python3
# label: slow
"""eds drill alert: against a real server and, where there is one, a real Prometheus with
the rules of deploy/prometheus, whose minutes are made seconds."""
import os
import pathlib
import re
import shutil
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/support"))
from eds_lab import EDS, eds, skip  # noqa: E402
from drill_lab import Installation, at_once, between, failed, report_of  # noqa: E402
from prometheus_lab import Prometheus, quick_rules  # noqa: E402

ALL = {"bad-signature", "unknown-device", "chain-break", "fork"}
FIRES = {"fires-signature-failure-surge", "fires-high-rejection-rate", "fires-chain-break",
         "fires-chain-fork"}


def drill(site, *more, **how):
    return report_of([EDS, "drill", "alert", *site.at(**how), *site.store, "--json", *more])


def without_prometheus(site):
    code, report, log = drill(site)
    steps = {step["name"]: step["result"] for step in report["steps"]}
    assert code == 0 and report["skipped_count"] == 3, (report, log)
    assert steps["chain-break"] == "pass" and steps["fires-chain-break"] == "skip", steps
    assert "fork" not in steps, steps
    code, report, log = drill(site, "--fork")
    assert code == 0 and report["skipped_count"] == 4, (report, log)
    listed = eds("ledger", "verify", *site.store)
    assert listed.returncode == 0 and b"2 records of 1 devices" in listed.stderr, listed
    assert b"1 forks kept" in listed.stderr, listed


def wrong_server(site):
    """What is taken that must not be, and what is not counted."""
    def takes(reason):
        def edit(_, answer):
            if reason in answer[2]:
                answer[:] = [202, {"Content-Type": "application/json"}, b'{"status":"accepted"}']
        return edit

    def frozen(series):
        def edit(path, answer):
            if path == "/metrics":
                answer[2] = re.sub(series + rb" \d+", series.replace(b"\\", b"") + b" 5", answer[2])
        return edit

    for step, how in (
            ("bad-signature", {"port": between(site.port, takes(b"invalid signature"))}),
            ("unknown-device", {"port": between(site.port, takes(b"unknown device"))}),
            ("chain-break", {"port": between(site.port, takes(b"invalid previous"))}),
            ("fork", {"port": between(site.port, takes(b"conflicting"))}),
            ("chain-break",
             {"admin": between(site.admin, frozen(b"edgesentry_chain_break_total"))})):
        code, report, log = drill(site, "--fork", **how)
        assert code == 2 and failed(report) == {step}, (step, report, log)


def rings(folder):
    """With the rules as they are delivered each alert fires, and then is not silent."""
    site = Installation(folder, objects=False)
    prometheus = Prometheus(folder / "right", site.admin, quick_rules())
    code, report, log = drill(site, "--fork", "--timeout", "300", "--prometheus",
                              prometheus.url + "/")
    assert code == 0 and not failed(report) and report["skipped_count"] == 0, (report, log)
    assert FIRES | ALL < {step["name"] for step in report["steps"]}, report
    code, report, log = drill(site, "--prometheus", prometheus.url)
    assert code == 2 and failed(report) == {"silent-before"}, (report, log)
    code, _, log = drill(site, "--prometheus", f"http://127.0.0.1:{site.port}")
    assert code == 1 and "is it Prometheus?" in log, log
    prometheus.end()
    site.end()


def does_not_ring(folder):
    """An alert that looks at something else, and one that is not there."""
    site = Installation(folder, objects=False)
    rules = quick_rules()
    lacking = Prometheus(folder / "lacking", site.admin, rules.replace("ChainBreak", "ChainBroken"))
    code, report, log = drill(site, "--prometheus", lacking.url)
    assert code == 2 and failed(report) == {"rule-loaded"}, (report, log)
    lacking.end()
    deaf = Prometheus(folder / "deaf", site.admin,
                      rules.replace("edgesentry_chain_break_total", "edgesentry_chain_broken"))
    code, report, log = drill(site, "--timeout", "15", "--prometheus", deaf.url)
    assert code == 2 and {"fires-chain-break"} <= failed(report) <= FIRES, (report, log)
    deaf.end()
    site.end()


def refuses(folder):
    site = Installation(folder, objects=False)
    without_prometheus(site)
    wrong_server(site)
    site.end()


def names_senders(folder):
    """Where certificates name the senders, the stranger is refused because of that."""
    if eds("serve-tls", "--help").returncode != 0:
        return
    site = Installation(folder, objects=False, has_tls=True)
    code, report, log = drill(site, "--fork")
    texts = {step["name"]: step["text"] for step in report["steps"]}
    assert code == 0 and not failed(report), (report, log)
    assert 'reason="route_identity"} was 0, is 1' in texts["unknown-device"], texts
    site.end()


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with tempfile.TemporaryDirectory() as name:
        scenes = [refuses, names_senders]
        if shutil.which("prometheus"):
            scenes += [rings, does_not_ring]
        else:
            print("note: no prometheus here: whether alerts fire is not tried")
        folders = [pathlib.Path(name) / scene.__name__ for scene in scenes]
        for folder in folders:
            folder.mkdir()
        at_once([lambda scene=scene, folder=folder: scene(folder)
                 for scene, folder in zip(scenes, folders)])
    print("what has to be refused is, is counted, and rings")


if __name__ == "__main__":
    main()
