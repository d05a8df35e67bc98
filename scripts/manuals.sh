#!/bin/bash
# Writes the manual pages and completions that an installation has:
#
#   scripts/manuals.sh EDS FOLDER
#
# FOLDER/man1 has a page for eds and one a command, FOLDER/man5 that of eds.conf,
# FOLDER/man3 one a public header and, leading to it, one a function of it: the
# headers are the manual, so their text is the page.
set -euo pipefail

eds=$(realpath "${1:?usage: scripts/manuals.sh EDS FOLDER}")
folder=${2:?usage: scripts/manuals.sh EDS FOLDER}
include=$(realpath "$(dirname "$0")/../include")
export EDS_CONFIG=off

rm -rf "$folder"
mkdir -p "$folder"/man1 "$folder"/man3 "$folder"/man5 "$folder"/completions
"$eds" help --man >"$folder/man1/eds.1"
"$eds" help --man eds.conf >"$folder/man5/eds.conf.5"
while read -r words; do
    # shellcheck disable=SC2086 # words are wanted
    "$eds" help --man $words >"$folder/man1/eds-${words// /-}.1"
done < <("$eds" help --list)
for shell in bash zsh fish; do
    "$eds" completions "$shell" >"$folder/completions/$shell"
done

# A header's first line is "/* NAME.h - what it is ..."; the sentence may go on
# into the next lines.
header_page() {
    awk -v page="$1" -v name="$2" -v version="$3" '
        { lines[NR] = $0 }
        END {
            summary = lines[1]
            sub(/^\/\* [a-z0-9_]+\.h - /, "", summary)
            for (i = 2; summary !~ /[.:]$/ && lines[i] ~ /^ \* ./; i++)
                summary = summary " " substr(lines[i], 4)
            sub(/\. .*/, "", summary)
            sub(/[.:]$/, "", summary)
            gsub(/\\/, "\\e", summary)
            gsub(/-/, "\\-", summary)
            printf ".TH %s 3 \"\" \"edgesentry %s\" \"EdgeSentry\"\n.SH NAME\n%s \\- %s\n", \
                toupper(page), version, page, summary
            printf ".SH SYNOPSIS\n.B #include <%s>\n.SH DESCRIPTION\n.nf\n", name
            for (i = 1; i <= NR; i++) {
                gsub(/\\/, "\\e", lines[i])
                gsub(/-/, "\\-", lines[i])
                if (lines[i] ~ /^[.\047]/)
                    lines[i] = "\\&" lines[i]
                print lines[i]
            }
            print ".fi"
        }' "$include/$2"
}

version=$("$eds" --version | cut -d' ' -f2)
for header in "$include"/*.h "$include"/*/*.h; do
    name=${header#"$include"/}
    page=${name%.h}
    page=${page//\//_}
    header_page "$page" "$name" "$version" >"$folder/man3/$page.3"
    sed -nE 's/^[A-Za-z][A-Za-z0-9_ ]*[ *](eds_[a-z0-9_]+)\(.*/\1/p' "$header" | sort -u |
        while read -r function; do
            echo ".so man3/$page.3" >"$folder/man3/$function.3"
        done
done
