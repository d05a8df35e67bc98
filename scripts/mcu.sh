#!/bin/bash
# The library on a Cortex-M4: built with Debian's gcc-arm-none-eabi, run by
# qemu-system-arm (ARM's MPS2 board), and measured.
#
#   scripts/mcu.sh [FOLDER]     default: build-mcu
#
# Three programs of tests/firmware, with the library in one file:
#   core     the C ABI alone: sign, hash, chain; in 48 KiB of flash and 8 KiB of RAM,
#            stack and records included: with less it would not link, or stop
#   device   agent and offline buffer in raw flash memory, with losses of power
#   golden   the golden vectors
#
# Ed25519 is ports/ed25519-tinyssh, with TinySSH's source from Debian: fetched by an
# apt of our own into FOLDER, the system is left as it is.
# EDS_MCU_PROGRAMS="core device" leaves the long one out, EDS_MCU_TINYSSH names a folder
# with the source if there is one already.
set -euo pipefail

top=$PWD
work=$(realpath -m "${1:-build-mcu}")
tinyssh=${EDS_MCU_TINYSSH:-$work/tinyssh}
programs=${EDS_MCU_PROGRAMS:-core device golden}
mkdir -p "$work"
. scripts/debian-sources.sh

quietly() {
    local log=$work/last.log
    "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
}

fetch_tinyssh() {
    [ ! -e "$tinyssh/crypto/ge25519.c" ] || return 0
    echo "Fetching TinySSH's source from Debian"
    private_apt "$work/apt" "$(dpkg --print-architecture)"
    sed -i '/^deb /d' "$work/apt/sources.list"
    export APT_CONFIG=$work/apt/apt.conf
    quietly apt-get -q update
    (cd "$work" && quietly apt-get -q source --download-only tinyssh)
    source_of tinyssh "$work/tinyssh"
}

fetch_tinyssh
scripts/amalgamate.py "$work"
few=()
[ -n "${EDS_MCU_ALL:-}" ] || few=(--few)
tests/firmware/golden_vectors.py tests/vectors "$work/golden_vectors.h" "${few[@]}"

flags=(-mcpu=cortex-m4 -mthumb -Os -std=c11 -ffunction-sections -fdata-sections -fstack-usage -g)
warnings=(-Wall -Wextra -Wconversion -Wshadow -Wundef -Wvla -Werror)
include=(-I"$top/ports/ed25519-tinyssh" -I"$top/tests/firmware" -I"$work")
cd "$work"

# compile OUTPUT SOURCE MORE-FLAGS...
compile() {
    arm-none-eabi-gcc "${flags[@]}" -DEDS_WITHOUT_OS "${include[@]}" "${@:3}" -c "$2" -o "$1"
}

compile edgesentry.o edgesentry.c "${warnings[@]}"
compile ed25519.o "$top/ports/ed25519-tinyssh/ed25519.c" "${warnings[@]}" -isystem "$tinyssh/crypto"
for name in fe fe25519 ge25519 sc25519 uint32_pack uint32_unpack crypto_verify_32 verify; do
    compile "tinyssh_$name.o" "$tinyssh/crypto/$name.c" -w
done
compile board.o "$top/tests/firmware/board.c" "${warnings[@]}" -D_GNU_SOURCE
library=(edgesentry.o ed25519.o tinyssh_*.o board.o)

# link NAME FLASH RAM
link() {
    compile "$1.o" "$top/tests/firmware/$1.c" "${warnings[@]}"
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -nostartfiles --specs=nano.specs --specs=nosys.specs -Wl,--gc-sections \
        -Wl,--defsym=board_flash_size="$2" -Wl,--defsym=board_ram_size="$3" \
        -Wl,-T,"$top/tests/firmware/board.ld" -Wl,-Map,"$1.map" -Wl,--no-warnings \
        "$1.o" "${library[@]}" -o "$1.elf"
}

run() {
    timeout "${2:-120}" qemu-system-arm -M mps2-an386 -display none -monitor none -serial none \
        -icount shift=0 -semihosting-config enable=on,target=native -kernel "$1.elf" 2>&1
}

# section NAME SECTION: its bytes.
section() {
    arm-none-eabi-size -A "$1.elf" | awk -v name="$2" '$1 == name { print $2 }'
}

# part NAME PATTERN: bytes of flash from the objects of that name, by the map.
part() {
    python3 - "$1.map" "$2" <<'END'
import re
import sys

text = open(sys.argv[1]).read().split("Linker script and memory map")[1].split("\n.data ")[0]
print(sum(int(size, 16) for size, name in re.findall(r" (0x[0-9a-f]+) (\S+\.o)$", text, re.M)
          if re.search(sys.argv[2], name)))
END
}

for name in $programs; do
    case $name in
    core) link core 48K 8K ;;
    device) link device 128K 48K ;;
    golden) link golden 2M 1M ;;
    esac
done
said=""
for name in $programs; do
    line=$(run "$name" 1200)
    echo "$line"
    case $line in *_GOOD:*) ;; *) echo "mcu.sh: $name failed" >&2; exit 1 ;; esac
    said="$said$line"$'\n'
done

# measure NAME KEY: what the program said.
measure() {
    sed -n "s/^${1^^}_GOOD:.* $2=\([0-9]*\).*/\1/p" <<<"$said"
}

echo
echo "Cortex-M4, $(arm-none-eabi-gcc -dumpversion), -Os; bytes"
for name in $programs; do
    [ "$name" != golden ] || continue
    flash=$(($(section "$name" .text) + $(section "$name" .data)))
    static=$(($(section "$name" .data) + $(section "$name" .bss)))
    stack=$(measure "$name" stack)
    heap=$(measure "$name" heap)
    echo "$name: flash $flash ($(part "$name" '^edgesentry.o$') library," \
        "$(part "$name" '^(ed25519|tinyssh_.*).o$') Ed25519), RAM $((static + stack + ${heap:-0}))" \
        "($static static, $stack stack, ${heap:-0} heap)"
    if [ "$name" = core ]; then
        limit_flash=$((48 * 1024))
        limit_ram=$((8 * 1024))
        echo "core: of 48 KiB flash $((flash * 100 / limit_flash)) %, of 8 KiB RAM" \
            "$(((static + stack) * 100 / limit_ram)) %; signing takes" \
            "$(measure core sign_thousand_instructions) thousand instructions"
    fi
done
echo
echo "Deepest frames (bytes, function):"
cat ./*.su | awk -F'\t' '{ n = split($1, at, ":"); print $2, at[n] }' | sort -rn |
    awk 'NR == FNR { used[$1]; next } $2 in used && ++count <= 12 { print "  " $0 }' \
        <(for name in $programs; do
            [ "$name" = golden ] || arm-none-eabi-nm "$name.elf" | awk '{ print $NF }'
        done | sed 's/\..*//' | sort -u) -
