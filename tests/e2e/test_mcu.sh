#!/bin/bash
# The library on a Cortex-M4, where the tools of `make mcu` are there: it fits, and what
# it signs there is what it signs here.
# label: slow
set -euo pipefail

for tool in arm-none-eabi-gcc qemu-system-arm; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool (make mcu installs it)"; exit 77; }
done
tinyssh=$EDS_SOURCE/build-mcu/tinyssh
[ -e "$tinyssh/crypto/ge25519.c" ] ||
    { echo "skipped: no source of TinySSH (make mcu fetches it)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$EDS_SOURCE"
EDS_MCU_PROGRAMS="core device" EDS_MCU_TINYSSH=$tinyssh scripts/mcu.sh "$work" | tee "$work/said"
grep -q '^CORE_GOOD:' "$work/said"
grep -q '^DEVICE_GOOD:' "$work/said"
# Without an operating system nothing else is asked for than what is documented.
asked=$(arm-none-eabi-nm -u "$work/edgesentry.o" | awk '{ print $2 }' |
    grep -vE '^(mem|str|eds_log$|eds_port_random$|crypto_|__aeabi_|__ctz|__errno$)' |
    grep -vE '^(malloc|calloc|realloc|free|__assert_func)$' || true)
[ -z "$asked" ] || { echo "edgesentry.c asks for: $asked"; exit 1; }
