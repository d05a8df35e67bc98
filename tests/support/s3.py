#!/usr/bin/env python3
"""s3.py - a small S3 client of the tests' own, which signs by itself.

    s3.py PORT alive                      exits with 0 if the service answers
    s3.py PORT make BUCKET [lock]         makes a bucket, with Object Lock
    s3.py PORT put BUCKET KEY TEXT        replaces what is there
    s3.py PORT get BUCKET KEY             prints the object
    s3.py PORT head BUCKET KEY            prints its headers, lower-case names
    s3.py PORT list BUCKET [PREFIX]       prints the keys
    s3.py PORT delete BUCKET KEY          prints the status

Keys: EDS_TEST_S3_ACCESS, EDS_TEST_S3_SECRET (the usual: those of rgw.sh)."""

import datetime
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse
import xml.etree.ElementTree

ACCESS = os.environ.get("EDS_TEST_S3_ACCESS", "AKEDSTEST")
SECRET = os.environ.get("EDS_TEST_S3_SECRET", "SKEDSTEST/with+odd=signs")
REGION = "us-east-1"


def sign(method, host, path, query, headers, body):
    """Adds what AWS Signature Version 4 wants to the headers."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    headers.update({"host": host, "x-amz-date": stamp, "x-amz-content-sha256": digest})
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, query, lines, names, digest])
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")


def request(port, method, path, query=None, headers=None, body=b""):
    """One signed request; returns the status, the headers and the body."""
    path = urllib.parse.quote(path, safe="/-._~")
    query = "&".join(f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(value, safe='')}"
                     for name, value in sorted((query or {}).items()))
    headers = dict(headers or {})
    sign(method, f"127.0.0.1:{port}", path, query, headers, body)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path + ("?" + query if query else ""), body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def expect(good, status, content):
    if status not in good:
        sys.exit(f"s3.py: HTTP {status}: {content[:500]}")


def make(port, bucket, lock=""):
    headers = {"x-amz-bucket-object-lock-enabled": "true"} if lock else {}
    status, _, content = request(port, "PUT", f"/{bucket}", headers=headers)
    expect({200}, status, content)


def list_keys(port, bucket, prefix=""):
    keys, marker = [], ""
    while True:
        status, _, content = request(port, "GET", f"/{bucket}",
                                     {"prefix": prefix, "marker": marker})
        expect({200}, status, content)
        page = xml.etree.ElementTree.fromstring(content)
        space = page.tag[:page.tag.index("}") + 1] if page.tag.startswith("{") else ""
        found = [key.text for key in page.iter(space + "Key")]
        keys += found
        if page.findtext(space + "IsTruncated") != "true":
            return keys
        marker = found[-1]


def main(port, command, *args):
    if command == "alive":
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        expect({200}, connection.getresponse().status, b"")
    elif command == "make":
        make(port, *args)
    elif command == "put":
        status, _, content = request(port, "PUT", f"/{args[0]}/{args[1]}", body=args[2].encode())
        expect({200}, status, content)
    elif command in ("get", "head"):
        status, headers, content = request(port, command.upper(), f"/{args[0]}/{args[1]}")
        expect({200}, status, content)
        if command == "head":
            content = "".join(f"{name}: {value}\n" for name, value in headers.items()).encode()
        sys.stdout.buffer.write(content)
    elif command == "list":
        print("\n".join(list_keys(port, *args)))
    elif command == "delete":
        print(request(port, "DELETE", f"/{args[0]}/{args[1]}")[0])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
