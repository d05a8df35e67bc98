"""prometheus_lab.py - a Prometheus of a test's own, with the rules of deploy/prometheus."""
import atexit
import os
import pathlib
import re
import subprocess
import time
import urllib.request

from ports import free_port

RULES = pathlib.Path(os.environ["EDS_SOURCE"]) / "deploy/prometheus/edgesentry.rules.yml"


def quick_rules(window="20s"):
    """Minutes are seconds: a rate is one of so long, and has to last for a second."""
    return re.sub(r"\bfor: \w+", "for: 1s", RULES.read_text().replace("[5m]", f"[{window}]"))


class Prometheus:
    def __init__(self, folder, admin, rules):
        self.port = free_port()
        folder.mkdir()
        (folder / "rules.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\nscrape_configs:\n  - job_name: edgesentry\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{admin}']}}]\n")
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        atexit.register(self.process.kill)
        self.await_sample()

    def await_sample(self):
        """Until it has seen the server, whose counters it compares with later."""
        deadline = time.monotonic() + 120
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            try:
                with urllib.request.urlopen(
                        self.url + "/federate?match%5B%5D=edgesentry_chain_break_total") as page:
                    if b"edgesentry_chain_break_total{" in page.read():
                        return
            except OSError:
                pass
            time.sleep(0.2)

    def end(self):
        self.process.terminate()
        self.process.wait(120)
