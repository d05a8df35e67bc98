#!/bin/bash
# A PostgreSQL server of its own for a test: new, on a free port of 127.0.0.1 and
# a socket in its directory, with fsync on, and gone with the test.
#
#   postgres.sh start DIR OWNER [SETTING...]
#                                 make it in DIR and start it; prints its port.
#                                 When process OWNER is gone it is removed.
#                                 SETTING is a line of postgresql.conf
#   postgres.sh stop DIR MODE     as pg_ctl stop -m MODE: fast, immediate
#   postgres.sh up DIR            start it again
#   postgres.sh sql DIR SQL       run a statement, print what it answers
#   postgres.sh remove DIR        stop it and remove DIR
#
# start exits with 77 and a reason where the server is not installed.
# EDS_TEST_POSTGRES_BIN names the folder of initdb and postgres.
set -euo pipefail

command=${1:?usage: postgres.sh COMMAND DIR ...}
dir=${2:?usage: postgres.sh COMMAND DIR ...}

bin=${EDS_TEST_POSTGRES_BIN:-}
for candidate in /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin /usr/local/bin /usr/bin; do
    [ -z "$bin" ] && [ -x "$candidate/postgres" ] && [ -x "$candidate/initdb" ] && bin=$candidate
done

# The server refuses to run as root.
as_server=()
if [ "$(id -u)" = 0 ]; then
    user=postgres
    getent passwd $user >/dev/null || user=nobody
    as_server=(setpriv "--reuid=$user" "--regid=$(id -g $user)" --clear-groups
        env "HOME=$dir")
fi

pg_ctl() {
    (cd "$dir" && "${as_server[@]}" "$bin/pg_ctl" -s -D "$dir/data" "$@" >>"$dir/log" 2>&1) || {
        tail -n 20 "$dir/log" "$dir/server.log" >&2
        return 1
    }
}

start() { # OWNER SETTING...
    if [ -z "$bin" ]; then
        echo "no PostgreSQL server here (Debian: postgresql); EDS_TEST_POSTGRES_BIN can name one"
        exit 77
    fi
    mkdir -p "$dir"
    chmod 755 "$dir"
    [ ${#as_server[@]} = 0 ] || chown "$user" "$dir"
    touch "$dir/log" && chmod 666 "$dir/log"
    (cd "$dir" && "${as_server[@]}" "$bin/initdb" -D "$dir/data" -U eds -A trust -E UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions >>"$dir/log" 2>&1) ||
        { cat "$dir/log" >&2 && exit 1; }
    port=$("$(dirname "$(realpath "$0")")/ports.py" 1 "$1")
    cat >>"$dir/data/postgresql.conf" <<-CONF
	listen_addresses = '127.0.0.1'
	port = $port
	unix_socket_directories = '$dir'
	max_connections = 40
	fsync = on
	log_min_messages = warning
	CONF
    printf '%s\n' "${@:2}" >>"$dir/data/postgresql.conf"
    pg_ctl start -w -t 120 -l "$dir/server.log"
    echo "$port"
}

# Nothing is left behind, however the owner ends.
watch_owner() {
    while kill -0 "$1" 2>/dev/null; do
        [ -d "$dir/data" ] || return 0
        sleep 1
    done
    [ ! -d "$dir/data" ] || { pg_ctl stop -m immediate || true; }
    rm -rf "$dir"
}

case "$command" in
start)
    start "${3:?}" "${@:4}"
    setsid "$0" watch "$dir" "${3:?}" </dev/null >/dev/null 2>&1 9>&- &
    ;;
watch) watch_owner "${3:?}" ;; # start's own, in a session that signals to the owner's do not reach
stop) pg_ctl stop -w -m "${3:?}" ;;
up) pg_ctl start -w -t 120 -l "$dir/server.log" ;;
sql)
    port=$(sed -n 's/^port = //p' "$dir/data/postgresql.conf" | tail -n 1)
    "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$dir" -p "$port" -U eds -d postgres -c "${3:?}"
    ;;
remove)
    pg_ctl stop -m immediate || true
    rm -rf "$dir"
    ;;
*) echo "postgres.sh: no such command: $command" >&2 && exit 64 ;;
esac
