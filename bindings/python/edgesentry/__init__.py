"""EdgeSentry from Python, over libedgesentry_bridge: no build step, no dependency.

    import edgesentry

    key = edgesentry.keygen()
    first = edgesentry.sign("lift-01", 1, b"door closed", "file:1", key.private)
    second = edgesentry.sign("lift-01", 2, b"brake held", "file:2", key.private, previous=first)
    edgesentry.verify_chain([first, second])
    assert edgesentry.verify(second, key.public)

The library is looked for where the system's linker looks, or at the path in the
variable EDGESENTRY_LIBRARY.  What fails raises edgesentry.Error, with the
code and the library's own words.
"""
import ctypes
import ctypes.util
import os
import time
from typing import NamedTuple, Optional, Sequence

__all__ = ["Error", "KeyPair", "Record", "keygen", "sign", "verify", "verify_chain",
           "verify_update"]


class Record(ctypes.Structure):
    """EdsAuditRecord of edgesentry_bridge.h, byte for byte."""

    _fields_ = [("sequence", ctypes.c_uint64), ("timestamp_ms", ctypes.c_uint64),
                ("payload_hash", ctypes.c_uint8 * 32), ("signature", ctypes.c_uint8 * 64),
                ("prev_record_hash", ctypes.c_uint8 * 32), ("_device_id", ctypes.c_char * 256),
                ("_object_ref", ctypes.c_char * 512)]

    @property
    def device_id(self) -> str:
        return self._device_id.decode()

    @property
    def object_ref(self) -> str:
        return self._object_ref.decode()

    def hash(self) -> bytes:
        """What the next record carries as its prev_record_hash."""
        out = (ctypes.c_uint8 * 32)()
        _check(_library().eds_record_hash(ctypes.byref(self), out))
        return bytes(out)


class KeyPair(NamedTuple):
    private: bytes
    public: bytes


class Error(Exception):
    """code is one of the EDS_ERR_ numbers of edgesentry_bridge.h."""

    def __init__(self, code: int, text: str):
        super().__init__(text or f"error {code}")
        self.code = code


def _load() -> ctypes.CDLL:
    path = os.environ.get("EDGESENTRY_LIBRARY") or ctypes.util.find_library("edgesentry_bridge")
    library = ctypes.CDLL(path or "libedgesentry_bridge.so.0")
    record = ctypes.POINTER(Record)
    size = ctypes.c_size_t
    text = ctypes.c_char_p
    for name, result, arguments in (
            ("eds_keygen", ctypes.c_int32, [ctypes.c_void_p, ctypes.c_void_p]),
            ("eds_sign_record", ctypes.c_int32,
             [text, ctypes.c_uint64, ctypes.c_uint64, text, size, text, text, text, record]),
            ("eds_record_hash", ctypes.c_int32, [record, ctypes.c_void_p]),
            ("eds_verify_record", ctypes.c_int32, [record, text]),
            ("eds_verify_update", ctypes.c_int32, [text, size, text, text, text]),
            ("eds_verify_chain", ctypes.c_int32, [record, size]),
            ("eds_last_error_message", text, [])):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def _library() -> ctypes.CDLL:
    if not hasattr(_library, "loaded"):
        _library.loaded = _load()
    return _library.loaded


def _check(code: int) -> int:
    if code < 0:
        raise Error(code, _library().eds_last_error_message().decode(errors="replace"))
    return code


def _bytes(value: bytes, size: int, what: str) -> bytes:
    if len(value) != size:
        raise ValueError(f"{what} has {len(value)} bytes, not {size}")
    return bytes(value)


def keygen() -> KeyPair:
    """Draws a key pair."""
    private, public = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    _check(_library().eds_keygen(private, public))
    return KeyPair(private.raw, public.raw)


def sign(device_id: str, sequence: int, payload: bytes, object_ref: str, private_key: bytes,
         previous: Optional[Record] = None, timestamp_ms: Optional[int] = None) -> Record:
    """Makes and signs a record.  previous: the one before it, None for the first."""
    for what, number in (("sequence", sequence), ("timestamp_ms", timestamp_ms or 0)):
        if not 0 <= number < 2**64:
            raise ValueError(f"{what} {number} is no 64-bit number")
    for what, string in (("device_id", device_id), ("object_ref", object_ref)):
        if "\0" in string:
            raise ValueError(f"{what} has a NUL in it")
    if timestamp_ms is None:
        timestamp_ms = time.time_ns() // 1000000
    record = Record()
    _check(_library().eds_sign_record(
        device_id.encode(), sequence, timestamp_ms, bytes(payload), len(payload),
        previous.hash() if previous is not None else None, object_ref.encode(),
        _bytes(private_key, 32, "the private key"), ctypes.byref(record)))
    return record


def verify(record: Record, public_key: bytes) -> bool:
    """Is the signature over the payload's hash by this key?  Nothing else is checked."""
    return _check(_library().eds_verify_record(
        ctypes.byref(record), _bytes(public_key, 32, "the public key"))) == 1


def verify_chain(records: Sequence[Record]) -> None:
    """Raises Error where a record does not follow the one before it."""
    array = (Record * len(records))(*records)
    _check(_library().eds_verify_chain(array, len(records)))


def verify_update(payload: bytes, payload_hash: bytes, signature: bytes,
                  publisher_key: bytes) -> None:
    """Raises Error unless a publisher signed this payload."""
    code = _library().eds_verify_update(
        bytes(payload), len(payload), _bytes(payload_hash, 32, "the hash"),
        _bytes(signature, 64, "the signature"), _bytes(publisher_key, 32, "the publisher's key"))
    if code < 0:
        raise Error(code, {-7: "the payload has another hash", -8: "the signature is not valid",
                           -3: "the publisher's key is not valid"}.get(code, ""))
