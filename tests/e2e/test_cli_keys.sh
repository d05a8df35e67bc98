#!/bin/bash
# Private keys: who can read the file, what replaces it, where a key may come
# from, what a passphrase protects, and that no secret is ever printed.
. "$EDS_SOURCE/tests/support/cli.sh"
secret=0101010101010101010101010101010101010101010101010101010101010101
public=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
sign=("$EDS" audit sign-record --device-id lift-01 --sequence 1 --timestamp-ms 1700000000000
    --payload door-open --object-ref s3://bucket/lift-01/1.bin)
verify=("$EDS" audit verify-record --record-file r.json --public-key-hex)

# Files are 0600 whatever the umask, and never replaced unasked.
umask 000
expect 0 "$EDS" keygen --out k.json
mode_is 600 k.json
says "$(field k.json public_key_hex)"
silent_on "$(field k.json private_key_hex)"
prints_exactly ""
before=$(cat k.json)
expect 1 "$EDS" keygen --out k.json
says "File exists (os error 17): k.json"
says "--force"
[ "$(cat k.json)" = "$before" ] || fail "the old key was replaced"
only_files k.json
expect 0 "$EDS" keygen --out k.json --force
[ "$(cat k.json)" != "$before" ] || fail "--force did not replace the key"
mode_is 600 k.json
chmod 644 k.json
expect 0 "$EDS" keygen --out k.json --force
mode_is 600 k.json
ln -s k.json link.json
expect 1 "$EDS" keygen --out link.json
ln -s nowhere.json dangling.json
expect 1 "$EDS" keygen --out dangling.json
expect 0 "$EDS" keygen --out link.json --force
[ -L link.json ] || fail "the link was replaced instead of its target"
expect 1 "$EDS" inspect-key --private-key-hex $secret --out k.json
says "File exists"
expect 0 "$EDS" inspect-key --private-key-hex $secret --out k.json --force
mode_is 600 k.json
[ "$(field k.json public_key_hex)" = $public ] || fail "another public key"
rm link.json dangling.json
umask 022

# Where a key may come from; all of them sign the same record.
expect 0 "${sign[@]}" --private-key-hex $secret
says "warning: a private key on the command line"
silent_on $secret
record=$out
expect 0 "${sign[@]}" --key-file k.json
[ "$err" = "" ] || fail "a key file is no reason to warn"
prints_exactly "$record"
expect 0 "${sign[@]}" --key-file - <k.json
prints_exactly "$record"
expect 0 "${sign[@]}" --key-file - <<<"$secret"
prints_exactly "$record"
export DEVICE_PRIVATE_KEY_HEX=$secret
expect 0 "${sign[@]}"
prints_exactly "$record"
[ "$err" = "" ] || fail "the environment is no reason to warn"
export DEVICE_PRIVATE_KEY_HEX=${secret//1/2}
expect 0 "${sign[@]}" --key-file k.json # a flag goes before the environment
prints_exactly "$record"
expect 0 "${sign[@]}"
[ "$out" != "$record" ] || fail "the environment's key was not used"
export DEVICE_PRIVATE_KEY_HEX=nothex
expect 1 "${sign[@]}"
says "error: invalid hex input: Invalid character 'n' at position 0"
export DEVICE_PRIVATE_KEY_HEX=
expect 64 "${sign[@]}" # an empty variable is none
says "a private key is needed"
unset DEVICE_PRIVATE_KEY_HEX
expect 64 "${sign[@]}"
expect 64 "${sign[@]}" --key-file k.json --private-key-hex $secret

# The key on the command line is gone from there once it was read.
mkfifo gate
"${sign[@]/door-open/x}" --private-key-hex $secret --out gate 2>/dev/null &
pid=$!
for _ in $(seq 1200); do
    grep -q "$secret" "/proc/$pid/cmdline" || break
    sleep 0.05
done
grep -q "sign-record" "/proc/$pid/cmdline" || fail "the signing process is gone"
! grep -q "$secret" "/proc/$pid/cmdline" || fail "ps still shows the key"
cat gate >/dev/null
wait $pid
rm gate

# A file that others can read is used, with a warning; wrong files are not.
chmod 640 k.json
expect 0 "${sign[@]}" --key-file k.json
says "warning: k.json is open to others (mode 0640): chmod 600 k.json"
prints_exactly "$record"
chmod 600 k.json
refuse() { # TEXT-OF-FILE WHAT-IS-SAID
    printf '%s' "$1" >bad.json
    chmod 600 bad.json
    expect 1 "${sign[@]}" --key-file bad.json
    says "$2"
    silent_on "${secret:0:20}"
    prints_exactly ""
}
refuse "${secret}01" "invalid byte length: expected 32, actual 33"
refuse "${secret:1}" "Odd number of digits"
refuse "" "invalid byte length: expected 32, actual 0"
refuse "{\"private_key_hex\": \"$secret\"" "expected ',' or '}' at byte 86"
refuse "{\"private_key_hex\": \"$secret\"} x" "expected nothing after '}'"
refuse "{\"private_key_hex\": \"${secret:2}\"}" "field \`private_key_hex\`: invalid byte length"
refuse "{\"private_key_hex\": \"$secret\", \"private_key_hex\": \"$secret\"}" "duplicate field"
refuse "{\"private_key_hex\": \"$secret\", \"more\": \"1\"}" "unknown field"
refuse "{\"public_key_hex\": \"$public\"}" "missing field \`private_key_hex\`"
refuse "{\"private_key_hex\": \"$secret\", \"public_key_hex\": \"${public/8a/8b}\"}" \
    "does not belong to the private key"
refuse "{\"private_key_hex\": \"\\u0030${secret:1}\"}" "expected a plain string"
refuse "$(head -c 5000 /dev/zero | tr '\0' ' ')$secret" "has more than 4096 bytes"
rm bad.json
expect 1 "${sign[@]}" --key-file nothing.json
says "No such file or directory (os error 2): nothing.json"

# A private key is shown only to who asks for it.
expect 0 "$EDS" inspect-key --key-file k.json
prints $public
[[ $out != *$secret* ]] || fail "the private key was printed unasked"
expect 0 "$EDS" inspect-key --key-file k.json --show-private
prints $secret
expect 0 "$EDS" keygen --out k2.json --json
[[ $out != *$(field k2.json private_key_hex)* ]] || fail "the private key was printed"
prints "\"public_key_hex\":\"$(field k2.json public_key_hex)\""
rm k2.json

# Under a passphrase: there and back, and nothing with another one.
(umask 077 && echo "correct horse" >pass.txt && echo "wrong horse" >wrong.txt)
expect 0 "$EDS" keygen --encrypt --passphrase-file pass.txt --out e.json
mode_is 600 e.json
grep -q '"format": "edgesentry-encrypted-key-v1"' e.json || fail "no format"
[ "$(field e.json private_key_hex)" = "" ] || fail "the private key is in the file"
own=$(field e.json public_key_hex)
expect 0 "$EDS" inspect-key --key-file e.json --passphrase-file pass.txt
prints "$own"
expect 0 "${sign[@]}" --key-file e.json --passphrase-file pass.txt --out r.json
mode_is 644 r.json
expect 0 "${verify[@]}" "$own"
EDS_PASSPHRASE="correct horse" expect 0 "$EDS" inspect-key --key-file e.json
expect 0 "$EDS" inspect-key --key-file - --passphrase-file pass.txt <e.json
expect 0 "$EDS" inspect-key --key-file e.json --passphrase-file - <pass.txt
expect 64 "$EDS" inspect-key --key-file - --passphrase-file -
expect 1 "$EDS" inspect-key --key-file e.json --passphrase-file wrong.txt
says "wrong passphrase, or the file was changed"
prints_exactly ""
EDS_PASSPHRASE="correct horse " expect 1 "$EDS" inspect-key --key-file e.json
silent_on "correct horse"
EDS_PASSPHRASE=x expect 1 "${sign[@]}" --key-file e.json --out never.json
[ ! -e never.json ] || fail "a record without a key"
expect 64 setsid "$EDS" inspect-key --key-file e.json # no terminal to ask at
says "--passphrase-file or EDS_PASSPHRASE"
: >empty.txt
chmod 600 empty.txt
expect 1 "$EDS" keygen --encrypt --passphrase-file empty.txt --out never.json
says "an empty passphrase protects nothing"
expect 64 "$EDS" keygen --passphrase-file pass.txt --out never.json
chmod 644 pass.txt
expect 0 "$EDS" inspect-key --key-file e.json --passphrase-file pass.txt
says "warning: pass.txt is open to others"

# Every single field of an encrypted file counts, and limits are bounded before
# any memory is taken.
edit() { # SED-SCRIPT WHAT-IS-SAID
    sed "$1" e.json >x.json
    chmod 600 x.json
    ! cmp -s e.json x.json || fail "the edit '$1' changed nothing"
    EDS_PASSPHRASE="correct horse" expect 1 "$EDS" inspect-key --key-file x.json
    says "$2"
}
edit 's/key-v1/key-v2/' "only reads format"
edit 's/argon2id13/argon2i13/' "only reads kdf"
edit 's/xchacha20/chacha20/' "only reads cipher"
edit 's/"kdf_operations": 3/"kdf_operations": 4/' "wrong passphrase"
edit 's/"kdf_operations": 3/"kdf_operations": 0/' "too low"
edit 's/"kdf_operations": 3/"kdf_operations": 17/' "asks for more than 16"
edit 's/"kdf_memory_bytes": [0-9]*/"kdf_memory_bytes": 1073741825/' "asks for more than 1073741824"
edit 's/"kdf_memory_bytes": [0-9]*/"kdf_memory_bytes": 18446744073709551617/' "asks for more than"
edit 's/"kdf_memory_bytes": [0-9]*/"kdf_memory_bytes": -1/' "expected a number"
edit 's/"salt_hex": "..../"salt_hex": "0000/' "wrong passphrase"
edit 's/"nonce_hex": "..../"nonce_hex": "0000/' "wrong passphrase"
edit 's/"ciphertext_hex": "..../"ciphertext_hex": "0000/' "wrong passphrase"
edit "s/$own/$public/" "wrong passphrase"
edit '/"salt_hex"/d' "missing field \`salt_hex\`"
only_files k.json e.json x.json r.json pass.txt wrong.txt empty.txt
echo "$count commands, all as expected"
