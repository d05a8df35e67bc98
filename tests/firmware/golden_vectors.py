#!/usr/bin/env python3
"""The golden vectors as C, for programs that have no JSON reader.

  tests/firmware/golden_vectors.py VECTORS-FOLDER OUTPUT.h [--few]

Writes what tests/core holds the libraries to: records of edgesentry-rs (sign, hash,
chain), BLAKE3's own hashes, and the verdicts on signatures of edgesentry-rs,
Wycheproof, speccheck, CCTV and RFC 8032.  --few: every eighth signature to be
made; for a processor that takes its time.
"""
import json
import re
import sys
from pathlib import Path

P = 2**255 - 19
# The points of small order, by their y.
SMALL = {0, 1, P - 1, *(int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))}


def vectors(folder, name):
    return json.loads((folder / name).read_text())


def array(data):
    return "{" + ",".join(str(byte) for byte in data) + "}" if data else "{0}"


def text(value):
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}"
                         for b in value.encode()) + '"'


def spells_once(key):
    """y below p, no minus zero, no point of small order."""
    number = int.from_bytes(key, "little")
    y = number & (2**255 - 1)
    return y < P and y not in SMALL


def is_small(point):
    return (int.from_bytes(point, "little") & (2**255 - 1)) % P in SMALL


def verdicts(folder):
    """(key, signature, message, good) by the rule of edgesentry/ed25519.h."""
    for row in vectors(folder, "peer/ed25519_verify_semantics.json"):
        key, signature = bytes.fromhex(row["pub"]), bytes.fromhex(row["sig"])
        good = row["verify"] and spells_once(key) and not is_small(signature[:32])
        yield key, signature, bytes.fromhex(row["msg"]), good
    for row in vectors(folder, "peer/ed25519_wycheproof.json"):
        signature = bytes.fromhex(row["sig"])
        if len(signature) == 64:
            yield bytes.fromhex(row["pub"]), signature, bytes.fromhex(row["msg"]), row["verify"]
    for row in vectors(folder, "ed25519-speccheck/cases.json"):
        yield (bytes.fromhex(row["pub_key"]), bytes.fromhex(row["signature"]),
               bytes.fromhex(row["message"]), row["case"] == 3)
    refused = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R",
               "low_order_residue"}
    for row in vectors(folder, "cctv-ed25519/ed25519vectors.json"):
        yield (bytes.fromhex(row["key"]), bytes.fromhex(row["sig"]), row["msg"].encode(),
               not refused.intersection(row["flags"] or []))


def signatures(folder, step):
    rows = vectors(folder, "peer/ed25519_kat256.json")["cases"]
    rows += vectors(folder, "rfc8032/ed25519_sign.json")
    for row in rows[::step]:
        yield tuple(bytes.fromhex(row[field]) for field in ("seed", "pub", "sig", "msg"))


def chain(folder):
    """The records of chain64 with what was signed in each."""
    file = vectors(folder, "peer/chain64.json")
    seed = bytes.fromhex(file["private_key_hex"])
    key = bytes.fromhex(file["public_key_hex"])
    for record, more in zip(json.loads(file["json_compact"]), file["records"]):
        size = int(re.fullmatch(r"byte j = j % 251, (\d+) bytes", more["payload_recipe"]).group(1))
        yield seed, key, record, size, bytes.fromhex(more["record_hash_hex"])


def main():
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    few = "--few" in sys.argv[3:]
    out = ["/* Made by golden_vectors.py. */\n#ifndef GOLDEN_VECTORS_H\n#define GOLDEN_VECTORS_H\n"
           "#include <stddef.h>\n#include <stdint.h>\n"]
    messages, offsets = bytearray(), {}

    def place(message):
        if message not in offsets:
            offsets[message] = len(messages)
            messages.extend(message)
        return f"{offsets[message]},{len(message)}"

    out.append("static const struct { uint8_t seed[32], key[32], signature[64]; size_t at, size; }"
               " golden_signatures[] = {")
    for seed, key, signature, message in signatures(folder, 8 if few else 1):
        out.append(f"{{{array(seed)},{array(key)},{array(signature)},{place(message)}}},")
    out.append("};\nstatic const struct { uint8_t key[32], signature[64]; size_t at, size;"
               " int good; } golden_verdicts[] = {")
    for key, signature, message, good in verdicts(folder):
        out.append(f"{{{array(key)},{array(signature)},{place(message)},{int(good)}}},")
    out.append("};\nstatic const struct { const char *device_id, *object_ref; uint64_t sequence,"
               " timestamp_ms; size_t payload_size; uint8_t seed[32], key[32], previous[32],"
               " payload_hash[32], signature[64], hash[32]; } golden_records[] = {")
    for seed, key, record, size, record_hash in chain(folder):
        out.append(f"{{{text(record['device_id'])},{text(record['object_ref'])},"
                   f"{record['sequence']}u,{record['timestamp_ms']}u,{size},{array(seed)},"
                   f"{array(key)},{array(record['prev_record_hash'])},"
                   f"{array(record['payload_hash'])},{array(record['signature'])},"
                   f"{array(record_hash)}}},")
    out.append("};\nstatic const struct { size_t size; uint8_t hash[32]; } golden_hashes[] = {")
    for row in vectors(folder, "blake3/hashes.json"):
        out.append(f"{{{row['input_len']},{array(bytes.fromhex(row['hash']))}}},")
    out.append(f"}};\nstatic const uint8_t golden_messages[] = {array(messages)};\n#endif\n")
    output.write_text("\n".join(out))


if __name__ == "__main__":
    main()
