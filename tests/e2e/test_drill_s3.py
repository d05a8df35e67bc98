#!/usr/bin/env python3
# label: slow
"""eds drill s3 with a real S3 service, which is killed and started again; then an object
that is deleted is missed, and brought back from a copy, as the runbook has it."""
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
import s3  # noqa: E402
from eds_lab import EDS, eds, skip  # noqa: E402
from drill_lab import RECORDS, Installation, failed, report_of  # noqa: E402
from s3_lab import RGW, gateway  # noqa: E402


def restored(site):
    return report_of([EDS, "drill", "restore", *site.store, *site.objects, "--json"])


def main():
    if eds("serve", "--help").returncode != 0:
        skip("this build has no server (EDS_TRANSPORT_HTTP)")
    with gateway("drills") as here, tempfile.TemporaryDirectory() as name:
        site = Installation(pathlib.Path(name), objects=f"s3://drills/p?endpoint={here.endpoint}"
                            "&region=us-east-1&timeout=3&attempts=2")
        code, report, log = site.drill("s3", "--timeout", "300",
                                       break_it=f"{RGW} kill {here.place}",
                                       heal_it=f"{RGW} up {here.place} >/dev/null 2>&1")
        assert code == 0 and not failed(report) and report["skipped_count"] == 0, (report, log)
        site.end()

        keys = here.keys("drills")
        assert len(keys) == 3 * RECORDS, keys
        assert restored(site)[0] == 0
        copy = here.get("drills", keys[0])
        assert s3.request(here.port, "DELETE", f"/drills/{keys[0]}")[0] == 204
        code, report, _ = restored(site)
        assert code == 2 and failed(report) == {"payloads-kept"}, report
        here.put("drills", keys[0], copy + b" ")
        code, report, _ = restored(site)
        assert code == 2 and failed(report) == {"payloads-kept"}, report
        here.put("drills", keys[0], copy)
        assert restored(site)[0] == 0
    print("a killed gateway loses nothing, a deleted object is missed and comes back")


if __name__ == "__main__":
    main()
