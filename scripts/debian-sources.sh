#!/bin/bash
# Debian's packages and sources without touching the system: functions for other scripts.

# sources_list: the system's own Debian mirrors as one-line entries, "deb" and
# "deb-src"; other people's repositories are left out.
sources_list() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    find /etc/apt -name '*.list' -o -name '*.sources' | sort | xargs cat | awk -v codename="$codename" '
        function entry(uri, suite, signed) {
            if (suite !~ "^" codename "(-updates|-security|/updates)?$") return
            if (seen[uri, suite]++) return
            print "deb" signed, uri, suite, "main"
            print "deb-src" signed, uri, suite, "main"
        }
        function flush(    i, j, signed, uri_list, suite_list) {
            signed = by ? " [signed-by=" by "]" : ""
            split(uris, uri_list)
            split(suites, suite_list)
            for (i = 1; i in uri_list; i++)
                for (j = 1; j in suite_list; j++) entry(uri_list[i], suite_list[j], signed)
            uris = suites = by = ""
        }
        /^deb / {
            options = ""
            if ($2 ~ /^\[/) { options = " " $2; $2 = ""; $0 = $0 }
            entry($2, $3, options)
        }
        /^Types:/ { flush() }
        /^URIs:/ { $1 = ""; uris = $0 }
        /^Suites:/ { $1 = ""; suites = $0 }
        /^Signed-By:/ { by = $2 }
        END { flush() }'
}

# private_apt FOLDER ARCHITECTURE: an apt that keeps everything in FOLDER.
private_apt() {
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/sources.list.d"
    : >"$1/status"
    sources_list >"$1/sources.list"
    [ -s "$1/sources.list" ] || { echo "no Debian mirror found in /etc/apt" >&2; return 1; }
    cat >"$1/apt.conf" <<END
Dir::State "$1";
Dir::State::status "$1/status";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "$1/sources.list.d";
APT::Sandbox::User "root";
APT::Architecture "$2";
APT::Architectures { "$2"; };
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke;
END
}

# source_of PACKAGE FOLDER: unpacks a fetched Debian source, patches applied.
source_of() {
    local archive patches=$2.debian name
    mkdir -p "$2" "$patches"
    archive=$(find "$2/.." -maxdepth 1 -name "$1_*.orig.tar.?z")
    tar -xf "$archive" -C "$2" --strip-components=1
    tar -xf "$(find "$2/.." -maxdepth 1 -name "$1_*.debian.tar.xz")" -C "$patches"
    [ -e "$patches/debian/patches/series" ] || return 0
    grep -vE '^(#|$)' "$patches/debian/patches/series" | while read -r name; do
        patch -s -p1 -d "$2" <"$patches/debian/patches/$name"
    done
}

