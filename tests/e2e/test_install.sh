#!/bin/bash
# Installs to a folder of its own and, as somebody else's project, compiles and
# runs a program against what is there: by plain -l, by pkg-config and by CMake,
# shared and static, as C99 and as C++17, all warnings being errors.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cc=${CC:-cc}
cxx=${CXX:-c++}
warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
count=0

if grep -qE '^EDS_(SANITIZE:STRING=.+|COVERAGE:BOOL=ON)' "$EDS_BUILD/CMakeCache.txt"; then
    echo "skipped: the libraries of this build need a sanitizer's or gcov's runtime"
    exit 77
fi

cmake --install "$EDS_BUILD" --prefix "$prefix" >"$work/install.log"
lib=$(dirname "$(find "$prefix" -name libedgesentry_bridge.a)")
export PKG_CONFIG_PATH=$lib/pkgconfig

# run NAME COMMAND...: the program must say that its chain is good.
run() {
    local name=$1 said
    shift
    said=$("$@") || { echo "$name: exit $?" >&2; exit 1; }
    [[ $said == *"chain of 3 records: good"* ]] || { echo "$name said: $said" >&2; exit 1; }
    count=$((count + 1))
}

cat >"$work/abi.c" <<'END'
#include <edgesentry_bridge.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    uint8_t private_key[32], public_key[32], hash[32];
    EdsAuditRecord records[3];
    const char *payload = "door 3: closed";
    unsigned i;

    if (sizeof(EdsAuditRecord) != 912 || eds_keygen(private_key, public_key) != EDS_OK)
        return 1;
    for (i = 0; i < 3; i++) {
        if (eds_sign_record("door-3", i + 1u, 1700000000000u + i, (const uint8_t *)payload,
                            strlen(payload), i ? hash : NULL, "file:door-3", private_key,
                            &records[i]) != EDS_OK ||
            eds_record_hash(&records[i], hash) != EDS_OK ||
            eds_verify_record(&records[i], public_key) != 1)
            return 2;
    }
    if (eds_verify_chain(records, 3) != EDS_OK)
        return 3;
    records[1].timestamp_ms++;
    if (eds_verify_chain(records, 3) != EDS_ERR_CHAIN_INVALID || *eds_last_error_message() == 0)
        return 4;
    printf("chain of 3 records: good\n");
    return 0;
}
END
cat >"$work/rich.c" <<'END'
#include <edgesentry/attest.h>
#include <edgesentry/chain.h>
#include <edgesentry/json.h>
#include <edgesentry/update.h>
#include <edgesentry/verifier.h>
#include <stdio.h>

int main(void)
{
    static const uint8_t seed[EDS_SEED_SIZE] = {1};
    static char text[EDS_JSON_ENTRY_SIZE_MAX];
    uint8_t hash[EDS_HASH_SIZE], public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_chain_finding finding;
    struct eds_chain chain;
    struct eds_error err;
    unsigned i;

    eds_verifier_init(); /* beside libsodium's own field arithmetic */
    eds_ed25519_public_key(public_key, seed);
    eds_chain_begin(&chain, EDS_STRENGTH_SIGNATURES);
    for (i = 0; i < 3; i++) {
        struct eds_entry made, read;
        size_t size;
        if (eds_record_sign(&made.record, "door-3", i + 1u, 1u, "x", 1, i ? hash : NULL, "ref", seed,
                            &err) != EDS_OK ||
            eds_record_digest(hash, &made.record) != EDS_OK)
            return 1;
        eds_attest_sign(&made.attestation, hash, seed);
        size = eds_json_entry_encode(text, sizeof text, &made, EDS_JSON_PRETTY, 0);
        if (eds_json_entry_decode(&read, text, size, &err) != EDS_OK)
            return 2;
        if (!eds_attest_verify(&read.attestation, hash, public_key) ||
            eds_chain_link(&chain, &read.record, hash, &finding) != EDS_OK)
            return 3;
    }
    printf("chain of 3 records: good\n");
    return 0;
}
END
cat >"$work/device.c" <<'END'
#include <edgesentry/agent.h>
#include <edgesentry/forwarder.h>
#include <edgesentry/json.h>
#include <stdio.h>
#include <string.h>

static uint64_t taken;

static void take(struct eds_sender *sender, const struct eds_buffer_item *item,
                 struct eds_reply *out)
{
    (void)sender;
    memset(out, 0, sizeof *out);
    out->outcome = item->entry.record.sequence == ++taken ? EDS_OUTCOME_ACCEPTED
                                                          : EDS_OUTCOME_REJECTED;
}

int main(int argc, char **argv)
{
    static const uint8_t seed[EDS_SEED_SIZE] = {1};
    struct eds_agent_config config;
    struct eds_forwarder_config delivery;
    struct eds_forwarder *forwarder;
    struct eds_sender sender, *senders[1];
    struct eds_agent *agent;
    struct eds_buffer *buffer;
    struct eds_signer *signer;
    struct eds_error err;
    unsigned i;

    memset(&config, 0, sizeof config);
    memset(&delivery, 0, sizeof delivery);
    if (argc != 2 || eds_buffer_open(&buffer, argv[1], NULL, &err) != EDS_OK ||
        eds_signer_from_seed(&signer, seed, &err) != EDS_OK)
        return 1;
    config.device_id = "door-3";
    config.buffer = buffer;
    config.signer = signer;
    config.without_notes = true;
    if (eds_agent_open(&agent, &config, &err) != EDS_OK)
        return 2;
    for (i = 0; i < 3; i++)
        if (eds_agent_record(agent, "x", 1, NULL, EDS_PRIORITY_NORMAL, NULL, &err) != EDS_OK)
            return 3;
    sender.send = take;
    senders[0] = &sender;
    delivery.buffer = buffer;
    delivery.senders = senders;
    delivery.sender_count = 1;
    if (eds_forwarder_start(&forwarder, &delivery, &err) != EDS_OK ||
        !eds_forwarder_wait(forwarder, 10000))
        return 4;
    eds_forwarder_stop(forwarder);
    eds_agent_close(agent);
    eds_buffer_close(buffer);
    eds_signer_close(signer);
    if (taken != 3)
        return 5;
    printf("chain of 3 records: good\n");
    return 0;
}
END
cp "$work/device.c" "$work/device.cpp"
cat >"$work/wrapper.cpp" <<'END'
#include <edgesentry/edgesentry.hpp>
#include <cstdio>
#include <cstring>
#include <utility>

int main(int argc, char **argv)
{
    const uint8_t seed[EDS_SEED_SIZE] = {1};
    eds::Signer made = eds::Signer::from_seed(seed);
    eds::Signer signer = std::move(made);
    eds_sender sender = {};

    if (argc != 2)
        return 1;
    {
        eds::Buffer buffer(argv[1]);
        eds::Agent agent("door-3", signer, buffer);
        eds_entry last = {};

        for (int i = 0; i < 3; i++)
            last = agent.record("x");
        try {
            agent.record("x", "\xff");
            return 2;
        } catch (const eds::Error &error) {
            if (error.code() != EDS_ERR_INVALID_UTF8 || std::strlen(error.what()) == 0)
                return 3;
        }
        agent.note("test", "a note");
        if (last.record.sequence != agent.state().head.sequence - 1 || buffer.size() < 4)
            return 4;
    }
    eds::Buffer buffer(argv[1]); // closed above, so it can be opened again
    sender.send = [](eds_sender *, const eds_buffer_item *, eds_reply *out) {
        *out = eds_reply{};
        out->outcome = EDS_OUTCOME_ACCEPTED;
    };
    if (buffer.flush(sender).accepted < 4 || !buffer.empty())
        return 5;
    std::printf("chain of 3 records: good\n");
    return 0;
}
END
cp "$work/abi.c" "$work/abi.cpp"
cp "$work/rich.c" "$work/rich.cpp"

# languages PROGRAM COMMAND-SUFFIX...: compiles it as C99 and as C++17, and runs both.
languages() {
    local program=$1
    shift
    "$cc" -std=c99 "${warnings[@]}" -o "$work/$program" "$work/$program.c" "$@"
    run "$program as C99: $*" "$work/$program"
    # In C++ a function of the same name as a struct shadows its constructor.
    [ "$program" = abi ] || set -- -Wno-shadow "$@"
    "$cxx" -std=c++17 "${warnings[@]}" -o "$work/$program" "$work/$program.cpp" "$@"
    run "$program as C++17: $*" "$work/$program"
}

# device_languages COMMAND-SUFFIX...: the same for the device's library.
device_languages() {
    "$cc" -std=c99 "${warnings[@]}" -o "$work/device" "$work/device.c" "$@"
    rm -rf "$work/buffers"
    run "device as C99: $*" "$work/device" "log:$work/buffers/one"
    "$cxx" -std=c++17 "${warnings[@]}" -Wno-shadow -o "$work/device" "$work/device.cpp" "$@"
    run "device as C++17: $*" "$work/device" "log:$work/buffers/two"
}

export LD_LIBRARY_PATH=$lib
flags=(-I"$prefix/include" -L"$lib")
languages abi "${flags[@]}" -ledgesentry_bridge
languages abi "${flags[@]}" -l:libedgesentry_bridge.a -lsodium
languages rich "${flags[@]}" -ledgesentry
languages rich "${flags[@]}" -l:libedgesentry.a -lsodium

# shellcheck disable=SC2046 # words are wanted
device_languages $(pkg-config --cflags --libs edgesentry-device)
# shellcheck disable=SC2046
"$cxx" -std=c++17 "${warnings[@]}" -Wno-shadow -o "$work/wrapper" "$work/wrapper.cpp" \
    $(pkg-config --cflags --libs edgesentry-device)
run "the C++ wrapper" "$work/wrapper" "log:$work/buffers/three"
# shellcheck disable=SC2046
device_languages -l:libedgesentry_device.a $(pkg-config --static --cflags --libs edgesentry-device |
    sed 's/-ledgesentry_device//')
for pair in abi:edgesentry-bridge rich:edgesentry; do
    program=${pair%%:*}
    package=${pair#*:}
    # shellcheck disable=SC2046 # words are wanted
    languages "$program" $(pkg-config --cflags --libs "$package")
    # shellcheck disable=SC2046
    languages "$program" -static $(pkg-config --static --cflags --libs "$package")
done

# The README's lines, where what was installed is where the compiler looks, and a program
# takes the place of app.c.
block() { # LANGUAGE DOCUMENT
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$EDS_SOURCE/$2" | grep -v '^```'
}
mkdir "$work/readme"
cp "$work/abi.c" "$work/readme/app.c"
cp "$lib/libedgesentry_bridge.a" "$work/readme"
block 'sh use-the-libraries' README.md >"$work/readme/lines"
[ "$(wc -l <"$work/readme/lines")" -eq 3 ]
while read -r line; do
    (cd "$work/readme" && rm -f a.out &&
        CPATH=$prefix/include LIBRARY_PATH=$lib bash -euc "$line")
    run "the README's $line" "$work/readme/a.out"
done <"$work/readme/lines"
# And the device's lines in C are whole: only what is behind them is not shown.
{
    block c docs/DEVICE.md | grep '^#include'
    echo 'void fail(const char *text);'
    echo 'void retry_later(const char *text);'
    echo 'void record(const void *payload, size_t size);'
    echo 'void record(const void *payload, size_t size)'
    echo '{'
    block c docs/DEVICE.md | grep -v '^#include'
    echo '}'
} >"$work/shown.c"
"$cc" -std=c99 "${warnings[@]}" -I"$prefix/include" -c -o "$work/shown.o" "$work/shown.c"

mkdir "$work/project"
cp "$work"/{abi,rich,device}.{c,cpp} "$work/project/"
cp "$work/abi.c" "$work/project/app.c"
cat >"$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(somebody LANGUAGES C CXX)
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_STANDARD 17)
find_package(edgesentry REQUIRED)
foreach(language c cpp)
  foreach(kind "" _static)
    add_executable(abi_${language}${kind} abi.${language})
    target_link_libraries(abi_${language}${kind} edgesentry::bridge${kind})
    add_executable(rich_${language}${kind} rich.${language})
    target_link_libraries(rich_${language}${kind} edgesentry::edgesentry${kind})
    add_executable(device_${language}${kind} device.${language})
    target_link_libraries(device_${language}${kind} edgesentry::device${kind})
  endforeach()
endforeach()
add_executable(app app.c)
END
block 'cmake use-the-libraries' README.md >"$work/cmake-lines"
[ "$(wc -l <"$work/cmake-lines")" -eq 2 ]
cat "$work/cmake-lines" >>"$work/project/CMakeLists.txt"
unset LD_LIBRARY_PATH # CMake gives its programs an rpath
cmake -S "$work/project" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" ||
    { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/cmake" >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log"; exit 1; }
for program in "$work"/cmake/{abi,rich}_{c,cpp}{,_static} "$work/cmake/app"; do
    run "$(basename "$program") by CMake" "$program"
done

# What is installed does not name the folder it was installed to.
if grep -rIl -e "$prefix" -e "$EDS_SOURCE" "$prefix"; then
    echo "these installed files name a folder of this machine" >&2
    exit 1
fi
# The installed command runs, and has its pages: one a command, a header, a function.
"$prefix/bin/eds" --version >/dev/null
man=$prefix/share/man
[ -s "$man/man1/eds.1" ] && [ -s "$man/man5/eds.conf.5" ]
while read -r words; do
    [ -s "$man/man1/eds-${words// /-}.1" ] || { echo "no page for eds $words" >&2; exit 1; }
done < <("$prefix/bin/eds" help --list)
for symbol in $(nm -D --defined-only "$lib/libedgesentry_bridge.so" | awk '$2 == "T" {print $3}'); do
    read -r _ header <"$man/man3/$symbol.3" # ".so man3/HEADER.3"
    grep -q "$symbol" "$man/$header" || { echo "no page for $symbol" >&2; exit 1; }
done
[ -s "$prefix/share/doc/edgesentry/LICENSE-MIT" ] && [ -s "$prefix/share/doc/edgesentry/LICENSE-APACHE" ]
echo "$count programs built against the installed libraries say their chain is good"
