#!/bin/bash
# The library in one file: compiles alone and without a warning, with and without the
# wide forms, and does what the golden vectors say.
# label: slow
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The project's own warnings, and two that a careful user adds.
warnings="-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
-Wpointer-arith -Wundef -Wpedantic -Wredundant-decls -Werror"
compilers=(gcc)
if command -v clang >/dev/null; then
    compilers+=(clang)
else
    echo "without clang, which is not there"
fi

"$EDS_SOURCE/scripts/amalgamate.py" "$work"
"$EDS_SOURCE/tests/firmware/golden_vectors.py" "$EDS_SOURCE/tests/vectors" "$work/golden_vectors.h"
cp "$EDS_SOURCE/tests/firmware/golden.c" "$work"
cd "$work"
[ "$(find . -type f | wc -l)" -eq 4 ] # and nothing else is needed

# The header, for C from C99 on and for C++.
for compiler in "${compilers[@]}"; do
    for standard in c99 c11 c17; do
        # shellcheck disable=SC2086
        echo '#include "edgesentry.h"' |
            $compiler -std=$standard $warnings -I. -fsyntax-only -x c -
    done
    echo '#include "edgesentry.h"' | "${compiler/gcc/g++}" -std=c++17 -Wall -Wextra -Wpedantic \
        -Werror -I. -fsyntax-only -x c++ -
    # shellcheck disable=SC2086
    $compiler -std=c11 -D_GNU_SOURCE $warnings -fsyntax-only edgesentry.c
done

# shellcheck disable=SC2086
gcc -std=c11 -O2 $warnings -c edgesentry.c -o whole.o
# shellcheck disable=SC2086
gcc -std=c11 -O2 $warnings -DEDS_PORTABLE_ONLY -DEDS_WITHOUT_DEVICE -c edgesentry.c -o small.o
for object in whole.o small.o; do
    foreign=$(nm -g --defined-only "$object" | awk 'NF == 3 && $3 !~ /^eds_/ { print $3 }')
    [ -z "$foreign" ] || { echo "$object defines: $foreign"; exit 1; }
    # shellcheck disable=SC2086
    gcc -std=c99 -O1 $warnings golden.c "$object" -lsodium -o golden
    ./golden | tee said
    grep -q '^GOLDEN_GOOD' said
done
# As docs/DEVICE.md says.
mkdir documented
cp edgesentry.[ch] golden_vectors.h documented
cp golden.c documented/device.c
(
    cd documented
    sed -n '/^```sh in-one-file$/,/^```$/p' "$EDS_SOURCE/docs/DEVICE.md" | grep -v '^```' >commands
    [ "$(wc -l <commands)" -eq 2 ]
    bash -eu commands
    ./device | grep -q '^GOLDEN_GOOD'
)
# The wide forms are there, or not, as was asked for.
if [ "$(uname -m)" = x86_64 ]; then
    [ "$(objdump -d whole.o | grep -c zmm)" -gt 0 ]
    [ "$(objdump -d small.o | grep -cE 'zmm|ymm')" -eq 0 ]
fi

# A device in C++, by the agent and the buffer of the same file.
cat >device.cpp <<'END'
#include "edgesentry.h"
#include <cstdint>
#include <cstdio>

int main()
{
    const std::uint8_t seed[32] = {1};
    eds_error err;
    eds_buffer *buffer;
    eds_signer *signer;
    eds_agent *agent;
    eds_agent_config config = {};

    if (eds_buffer_open(&buffer, "log:buffer.log?size=262144", nullptr, &err) != EDS_OK ||
        eds_signer_from_seed(&signer, seed, &err) != EDS_OK)
        return 1;
    config.device_id = "lift-01";
    config.buffer = buffer;
    config.signer = signer;
    if (eds_agent_open(&agent, &config, &err) != EDS_OK)
        return 2;
    for (int i = 0; i < 3; i++)
        if (eds_agent_record(agent, "door", 4, nullptr, EDS_PRIORITY_NORMAL, nullptr, &err) !=
            EDS_OK)
            return 3;
    std::printf("%llu\n", (unsigned long long)eds_buffer_len(buffer));
    eds_agent_close(agent);
    eds_signer_close(signer);
    eds_buffer_close(buffer);
    return 0;
}
END
g++ -std=c++17 -Wall -Wextra -Werror device.cpp whole.o -lsodium -o device
[ "$(./device)" = 3 ]
[ "$(./device)" = 6 ] # the log outlives the process
echo "the library in one file works, with C and with C++"
