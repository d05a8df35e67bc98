#!/usr/bin/env python3
"""The C ABI from Python: the package under bindings/python against the built
library, its README's lines, and the golden record of edgesentry-rs."""
import json
import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ["EDS_SOURCE"])
BUILD = pathlib.Path(os.environ["EDS_BUILD"])
if "EDS_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
    print("skipped: the library of a sanitizer build cannot be loaded into Python")
    sys.exit(77)
os.environ["EDGESENTRY_LIBRARY"] = str(BUILD / "lib/libedgesentry_bridge.so")
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bindings/python"))
import edgesentry  # noqa: E402


def refuses(kind, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError(f"{function.__name__}{arguments} was taken")


def check_golden():
    example = json.loads((SOURCE / "tests/vectors/peer/sign_record_example.json").read_text())
    example = example[0] if isinstance(example, list) else example
    record = json.loads(example["json_compact"])
    made = edgesentry.sign(record["device_id"], record["sequence"],
                           bytes.fromhex(example["payload_hex"]), record["object_ref"],
                           bytes.fromhex(example["private_key_hex"]), timestamp_ms=record["timestamp_ms"])
    assert list(made.signature) == record["signature"]
    assert made.hash().hex() == example["record_hash_hex"]
    assert made.device_id == record["device_id"] and made.object_ref == record["object_ref"]


def check_chain():
    key = edgesentry.keygen()
    records = []
    for i in range(5):
        records.append(edgesentry.sign("lift-01", i + 1, b"payload %d" % i, f"file:{i}",
                                       key.private, previous=records[-1] if records else None))
    edgesentry.verify_chain(records)
    edgesentry.verify_chain([])
    assert all(edgesentry.verify(record, key.public) for record in records)
    assert not edgesentry.verify(records[0], edgesentry.keygen().public)
    records[2].timestamp_ms += 1
    error = refuses(edgesentry.Error, edgesentry.verify_chain, records)
    assert error.code == -5 and "index 3" in str(error), str(error)


def check_refusals():
    key = edgesentry.keygen()
    refuses(ValueError, edgesentry.sign, "a", 1, b"", "r", b"short")
    refuses(ValueError, edgesentry.sign, "a", -1, b"", "r", key.private)
    refuses(ValueError, edgesentry.sign, "a\0b", 1, b"", "r", key.private)
    assert refuses(edgesentry.Error, edgesentry.sign, "a" * 256, 1, b"", "r", key.private).code == -4
    record = edgesentry.sign("a", 1, b"", "r", key.private)
    assert refuses(edgesentry.Error, edgesentry.verify, record, b"\x02" + bytes(31)).code == -3
    assert refuses(edgesentry.Error, edgesentry.verify_update, b"x", bytes(32), bytes(64),
                   key.public).code == -7


def main():
    check_golden()
    check_chain()
    check_refusals()
    for block in re.findall(r"```python\n(.*?)```",
                            (SOURCE / "bindings/python/README.md").read_text(), re.S):
        exec(compile(block, "README.md", "exec"), {})
    print("the Python package does what it says")


main()
