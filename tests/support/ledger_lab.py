"""What a ledger must hold of what was sent, looked at with the database's own
tools: the same questions to SQLite and to PostgreSQL."""
import sqlite3

from eds_lab import Record
from postgres_lab import sql


class Lost(Exception):
    """The ledger does not hold what it must."""


class SqliteTables:
    """The tables in a SQLite file."""

    def __init__(self, path):
        self.path = path

    def rows(self, text):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            return [[str(value) for value in row] for row in connection.execute(text)]
        finally:
            connection.close()

    @staticmethod
    def hex(column):
        return f"lower(hex({column}))"


class PostgresTables:
    """The tables in a PostgreSQL server of tests/support/postgres.sh."""

    def __init__(self, place):
        self.place = place

    def rows(self, text):
        return [line.split("|") for line in sql(self.place, text).splitlines()]

    @staticmethod
    def hex(column):
        return f"encode({column}, 'hex')"


class Ledger:
    """Reads what has come to the ledger since the last look; what was looked at
    once is not read again."""

    def __init__(self, tables):
        self.tables = tables
        self.checked = {}  # device: (sequence, hash) up to which its chain was checked
        self.last_id = 0
        self.pending = {}  # device: rows read and not yet checked

    def read_new_rows(self):
        """By id and not by device: rows that come late have a higher one, or one
        that was reserved before; so those are asked for again."""
        text = self.tables.hex
        since = max(self.last_id - 5000, 0)
        for row in self.tables.rows(
                f"SELECT id, device_id, sequence, timestamp_ms, {text('payload_hash')}, "
                f"{text('signature')}, {text('prev_record_hash')}, object_ref, "
                f"{text('record_hash')} FROM audit_records WHERE id > {since} ORDER BY id"):
            self.last_id = max(self.last_id, int(row[0]))
            if int(row[2]) > self.checked.get(row[1], (0, None))[0]:
                self.pending.setdefault(row[1], {})[int(row[2])] = row

    def check(self, devices):
        """devices: (device, acknowledged, in_flight) for each.  Returns the last
        sequence of each by name."""
        found = {row[0]: [int(value) for value in row[1:]] for row in self.tables.rows(
            "SELECT device_id, count(*), max(sequence), count(DISTINCT sequence) "
            "FROM audit_records GROUP BY device_id")}
        heads = {row[0]: (int(row[1]), row[2]) for row in self.tables.rows(
            f"SELECT device_id, sequence, {self.tables.hex('record_hash')} FROM chain_heads")}
        self.read_new_rows()
        for device, acknowledged, in_flight in devices:
            count, most, different = found.get(device.name, [0, 0, 0])
            if most < acknowledged:
                raise Lost(f"{device.name}: {acknowledged} acknowledged, {most} stored")
            if most > acknowledged + in_flight:
                raise Lost(f"{device.name}: {acknowledged} sent, {most} stored")
            if count != most or different != most:
                raise Lost(f"{device.name}: {count} rows for {most} records")
            self.check_links(device, most)
            if heads.get(device.name) != ((most, device.hashes[most].hex()) if most else None):
                raise Lost(f"{device.name}: the head is not the last record")
        return {name: most for name, (_, most, _) in found.items()}

    def check_links(self, device, most):
        last, last_hash = self.checked.get(device.name, (0, bytes(32)))
        rows = self.pending.pop(device.name, {})
        while last < most:
            if last + 1 not in rows:
                raise Lost(f"{device.name}: {last + 1} is not there")
            row = rows[last + 1]
            record = Record(sequence=int(row[2]), timestamp_ms=int(row[3]),
                            device_id=device.name.encode(), object_ref=row[7].encode())
            record.payload_hash[:] = bytes.fromhex(row[4])
            record.signature[:] = bytes.fromhex(row[5])
            record.prev_record_hash[:] = bytes.fromhex(row[6])
            if bytes.fromhex(row[6]) != last_hash:
                raise Lost(f"{device.name}: the chain breaks at {row[2]}")
            last, last_hash = last + 1, record.hash()
            if last_hash.hex() != row[8] or last_hash != device.hashes[last]:
                raise Lost(f"{device.name}: {last} is not what was sent")
        self.checked[device.name] = (last, last_hash)

    def check_log(self):
        """Each record has its line in the operation log, from the same commit.
        Returns how many there are."""
        records, lines, objects = (int(number) for number in self.tables.rows(
            "SELECT (SELECT count(*) FROM audit_records), "
            "(SELECT count(*) FROM operation_logs WHERE decision = 'Accepted'), "
            "(SELECT count(*) FROM raw_objects WHERE payload IS NOT NULL)")[0])
        if not records == lines == objects:
            raise Lost(f"{records} records, {lines} lines, {objects} payloads")
        return records
