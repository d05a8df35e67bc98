#!/bin/bash
# A device whose key's time is over: by choice it signs on, and says so in its chain
# first, or it records nothing and says why.
. "$EDS_SOURCE/tests/support/cli.sh"
if ! "$EDS" audit agent --help >/dev/null 2>&1; then
    echo "skipped: this build has no agent"
    exit 77
fi
expect 0 "$EDS" keygen --out key.json
agent=("$EDS" audit agent --device-id lift-01 --key-file key.json --buffer buffer.db)
speak() { printf 'one\ntwo\n' | "${agent[@]}" "$@"; }

expect 0 speak --key-not-after-ms 4102444800000 # 2100: not over yet
prints_exactly "RECORDED: sequence=1
RECORDED: sequence=2
AGENT_COMPLETE: recorded=2 delivered=0 waiting=2 dead=0"
expect 0 speak --key-not-after-ms 1 # sequence 3 is the note
prints_exactly "RECORDED: sequence=4
RECORDED: sequence=5
AGENT_COMPLETE: recorded=2 delivered=0 waiting=5 dead=0"
note=$(python3 - <<'PY'
import sqlite3
print(sqlite3.connect("buffer.db").execute("SELECT payload FROM items WHERE id = 3").fetchone()[0].decode())
PY
)
[ "$note" = '{"note":"key-expired","text":"the key'"'"'s time ended at 1 ms"}' ] || fail "note: $note"
expect 0 speak --key-not-after-ms 1 --stop-when-expired
prints "REFUSED: reason=the key of lift-01 is past its time"
prints "AGENT_COMPLETE: recorded=0 delivered=0 waiting=5 dead=0"
expect 0 speak # with a key whose time goes on, the chain does too
prints "RECORDED: sequence=6"
echo "$count runs"
