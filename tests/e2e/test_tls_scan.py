#!/usr/bin/env python3
# label: slow
"""What two scanners say of serve-tls: sslscan and testssl find no protocol before TLS 1.2,
no weak cipher, and nothing above LOW.  What is said of the test's own certificate (no
OCSP, no CAA record, a CA that nobody knows) is left out."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from certificates import Authority  # noqa: E402
from eds_lab import Device, Server, skip  # noqa: E402

# Of the certificate and who vouches for it, not of the server.
CERTIFICATE = ("cert", "OCSP", "DNS_CAA", "overall_grade", "grade_cap", "final_score",
               "protocol_support", "key_exchange", "cipher_strength", "rating", "scanTime",
               "intermediate")


def sslscan(port, report):
    subprocess.run(["sslscan", "--no-colour", f"--xml={report}", f"127.0.0.1:{port}"], check=True,
                   stdout=subprocess.DEVNULL, timeout=300)
    test = xml.etree.ElementTree.parse(report).getroot().find("ssltest")
    enabled = [f"{one.get('type')} {one.get('version')}" for one in test.findall("protocol")
               if one.get("enabled") == "1"]
    assert sorted(enabled) == ["tls 1.2", "tls 1.3"], enabled
    ciphers = test.findall("cipher")
    assert ciphers and all(one.get("strength") in ("strong", "acceptable") and
                           int(one.get("bits")) >= 128 for one in ciphers), \
        [one.attrib for one in ciphers]
    assert all(one.get("supported") == "0" for one in test.findall("compression"))
    assert all(one.get("vulnerable") == "0" for one in test.findall("heartbleed"))
    return len(ciphers)


def testssl(program, port, report, ca):
    """The findings, by their severity."""
    subprocess.run([program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none",
                    "--add-ca", str(ca), "--jsonfile", str(report), f"127.0.0.1:{port}"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1500, check=False)
    found = {}
    for one in json.loads(report.read_text()):
        if not one["id"].startswith(CERTIFICATE):
            found.setdefault(one["severity"], []).append(f"{one['id']}: {one['finding']}")
    return found


def main():
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    if program is None or any(shutil.which(one) is None for one in ("sslscan", "hexdump", "host")):
        skip("needs the packages sslscan, testssl.sh, bsdextrautils and bind9-host")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        authority = Authority(folder / "ca")
        certificate, key = authority.issue("/CN=127.0.0.1", "IP:127.0.0.1", usage="serverAuth")
        server = Server(folder, [Device("lift-01", 1).argument()], "--tls-cert", str(certificate),
                        "--tls-key", str(key), "--rate-per-source", "0", command="serve-tls")
        count = sslscan(server.port, folder / "sslscan.xml")
        found = testssl(program, server.port, folder / "testssl.json", authority.ca)
        assert server.end(15)[0] == 0
    bad = [one for severity in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
           for one in found.get(severity, [])]
    assert not bad, bad
    assert len(found.get("OK", [])) > 20, found  # it has looked
    print(f"sslscan: TLS 1.2 and 1.3, {count} ciphers, none weak; testssl: "
          + ", ".join(f"{severity} {len(ones)}" for severity, ones in sorted(found.items()))
          + "".join(f"\n  LOW {one}" for one in found.get("LOW", [])))


main()
