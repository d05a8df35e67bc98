#!/usr/bin/env python3
"""Writes commands.json beside it: orders and their two signatures, made without
this project's code, from docs/SPEC.md 20: Ed25519 by python3-cryptography (OpenSSL),
BLAKE3 by b3sum."""
import json
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR = bytes([2]) * 32
SERVER = bytes([3]) * 32


def blake3(data):
    return bytes.fromhex(subprocess.run(["b3sum", "--no-names"], input=data, check=True,
                                        capture_output=True).stdout.decode().strip())


def varint(number):
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def string(text):
    data = text.encode()
    return varint(len(data)) + data


def public_key(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def key_id(seed):
    return blake3(b"edgesentry/key-id/v1" + public_key(seed))[:8]


def sign(seed, tag, *parts):
    message = tag + key_id(seed) + b"".join(parts)
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def vector(name, device_id, counter, kind, issued_ms, not_after_ms, operator, body, nonce):
    order = (b"\x01" + string(device_id) + varint(counter) + bytes([kind]) + varint(issued_ms) +
             varint(not_after_ms) + string(operator) + string(body))
    digest = blake3(order)
    command = sign(SERVER, b"edgesentry/command/v1", nonce, digest)
    return {"name": name, "device_id": device_id, "counter": counter, "kind": kind,
            "issued_ms": issued_ms, "not_after_ms": not_after_ms, "operator": operator,
            "body": body, "nonce": nonce.hex(), "order": order.hex(), "order_hash": digest.hex(),
            "operator_signature":
                sign(OPERATOR, b"edgesentry/command-order/v1", digest).hex(),
            "signature": command.hex(),
            "command": (order + nonce + key_id(SERVER) + command).hex()}


def main():
    long_body = "".join(f"{key}={key * 253}\n" for key in "abc")
    long_body += "e=" + (1024 - len(long_body) - 3) * "e" + "\n"
    vectors = [
        vector("config", "lift-01", 3, 2, 1795305600123, 1795392000123, "carol",
               "buffer-age-max=3600\ncommand-poll=30\n", bytes(range(16))),
        vector("status", "lift-01", 1, 1, 0, 1, "carol", "", bytes(16)),
        vector("rotate", "Aufzug-Süd", 128, 3, 1795305600123, 2 ** 64 - 1, "карл", "use=next\n",
               bytes([255]) * 16),
        vector("longest", "d" * 255, 2 ** 64 - 1, 2, 2 ** 64 - 2, 2 ** 64 - 1, "o" * 255, long_body,
               bytes([0x80]) * 16),
        vector("of the future", "lift-01", 9, 255, 1, 2, "carol", "new=thing\n", bytes([7]) * 16),
    ]
    Path(__file__).with_name("commands.json").write_text(json.dumps(
        {"operator_key": public_key(OPERATOR).hex(), "server_key": public_key(SERVER).hex(),
         "vectors": vectors}, indent=1, ensure_ascii=False) + "\n")


main()
