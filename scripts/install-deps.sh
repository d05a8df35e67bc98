#!/bin/bash
# Installs the Debian packages that a piece of work needs, and nothing twice.
#
#   scripts/install-deps.sh GROUP...
#
# Groups: build test s3 front browser check fuzz bench profile coverage portability mcu deb
#
# Installing takes root, or sudo.  EDS_INSTALL_DEPS=no only reports what is
# missing.  Where everything is there this is one dpkg-query and no output.
set -euo pipefail

# A|B: either will do; the first is the one installed.
packages_of() {
    case "$1" in
    build)
        echo "gcc libc6-dev cmake ninja-build pkg-config libsodium-dev" \
            "libsqlite3-dev libp11-kit-dev libpq-dev libmicrohttpd-dev libgnutls28-dev libmosquitto-dev" \
            "libcurl4-gnutls-dev|libcurl4-openssl-dev"
        ;;
    test)
        echo "$(packages_of build) g++ libcmocka-dev libjansson-dev zlib1g-dev python3 sqlite3 openssl curl" \
            "postgresql mosquitto mosquitto-clients softhsm2 wrk nbdkit libnbd-bin fuse3"
        ;;
    check) echo "$(packages_of test) clang clang-format clang-tidy cppcheck shellcheck git prometheus" ;;
    s3) echo "$(packages_of test) radosgw ceph-mon ceph-osd ceph-common" ;;
    front) echo "$(packages_of test) haproxy nginx sslscan testssl.sh bsdextrautils bind9-host" ;;
    browser) echo "$(packages_of test) chromium-headless-shell|chromium" ;;
    fuzz) echo "$(packages_of test) clang libclang-rt-14-dev|libclang-rt-dev llvm" ;;
    bench) echo "$(packages_of build) libjansson-dev python3 postgresql mosquitto b3sum openssl" ;;
    profile) echo "$(packages_of bench) linux-perf" ;;
    mcu) echo "python3 gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm ca-certificates" ;;
    coverage) echo "$(packages_of test) lcov" ;;
    portability)
        echo "$(packages_of test) gcc-aarch64-linux-gnu libc6-dev-arm64-cross" \
            "gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user musl-tools" \
            "autoconf automake libtool xz-utils patch ca-certificates"
        ;;
    deb)
        echo "$(packages_of test) debhelper dpkg-dev lintian mmdebstrap systemd-container"
        ;;
    *)
        echo "install-deps.sh: no such group: $1 (build test s3 front browser check fuzz bench" \
            "profile coverage portability mcu deb)" >&2
        return 1
        ;;
    esac
}

[ $# -gt 0 ] || set -- build
wanted=""
for group in "$@"; do
    wanted="$wanted $(packages_of "$group")"
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Not our place to guess another system's names; CMake says what it misses.
    echo "install-deps.sh: this is not a Debian-like system, so nothing is installed here." >&2
    echo "  If the build stops, install what corresponds to:$wanted" >&2
    exit 0
fi

installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package}\n' | sed -n 's/^installed://p' |
    tr '\n' ' ') "
missing=()
for alternatives in $(tr ' ' '\n' <<<"$wanted" | sort -u); do
    found=no
    for name in ${alternatives//|/ }; do
        case "$installed" in *" $name "*) found=yes ;; esac
    done
    [ "$found" = yes ] || missing+=("${alternatives%%|*}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "${EDS_INSTALL_DEPS:-yes}" = no ]; then
    echo "install-deps.sh: missing, and not installed (EDS_INSTALL_DEPS=no): ${missing[*]}" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=(sudo)
else
    echo "install-deps.sh: these packages are missing, and there is neither root nor a usable" >&2
    echo "sudo to install them.  Ask someone who may to run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

echo "Installing by apt-get (for: $*): ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A third-party source that cannot be reached must not keep us from Debian's.
"${apt[@]}" update >"$log" 2>&1 ||
    { echo "apt-get update had trouble; going on with what it got:"; tail -n 5 "$log"; } >&2
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "install-deps.sh: apt-get install failed, see above" >&2
    exit 1
fi
echo "Installed ${#missing[@]} packages and what they depend on."
