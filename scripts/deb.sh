#!/bin/bash
# Builds the Debian packages and holds them to Debian's rules:
#
#   scripts/deb.sh FOLDER [REVISION]
#
# leaves edgesentry_VERSION-REVISION_ARCH.deb and the others in FOLDER; REVISION is
# 1 for the first packaging of a version.
set -euo pipefail

out=${1:?usage: scripts/deb.sh FOLDER [REVISION]}
mkdir -p "$out"
out=$(realpath "$out")
source=$(realpath "$(dirname "$0")/..")
version=$(sed -nE 's/^project\(edgesentry VERSION ([0-9.]+).*/\1/p' "$source/CMakeLists.txt")-${2:-1}
tree=$out/edgesentry-$version

rm -rf "$tree"
mkdir "$tree"
# What is committed or would be; without git, all but what was built.
if git -C "$source" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$source" ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
        [ ! -e "$source/$f" ] || printf '%s\0' "$f"
    done | tar -C "$source" --null -T - -cf - | tar -C "$tree" -xf -
    made=$(git -C "$source" log -1 --format=%ct)
else
    tar -C "$source" --exclude='./build*' -cf - . | tar -C "$tree" -xf -
    made=$(stat -c %Y "$source/CMakeLists.txt")
fi
cp -r "$tree/deploy/debian" "$tree/debian"
sed -i "s/@VERSION@/$version/; s/@DATE@/$(LC_ALL=C date -u -R -d "@$made")/" "$tree/debian/changelog"

jobs=$(nproc)
export DEB_BUILD_OPTIONS="nocheck noautodbgsym terse parallel=$jobs" SOURCE_DATE_EPOCH=$made
(cd "$tree" && dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1 || {
    tail -n 40 "$out/build.log" >&2
    echo "deb.sh: dpkg-buildpackage failed; all it said is in $out/build.log" >&2
    exit 1
}
rm -rf "$tree"
# Not for the archive, so no request to package it is closed.
lintian --tag-display-limit 0 --allow-root --suppress-tags initial-upload-closes-no-bugs \
    --fail-on error,warning "$out"/edgesentry_"$version"_*.changes
ls "$out"/*_"$version"_*.deb
