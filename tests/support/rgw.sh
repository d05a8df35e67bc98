#!/bin/bash
# An S3 service of its own for a test: Ceph's object gateway with all that it
# needs, new, in memory, on free ports of 127.0.0.1, and gone with the test.
#
#   rgw.sh start DIR OWNER   make it in DIR and start it; prints its port.
#                            When process OWNER is gone it is removed
#   rgw.sh kill DIR          kill -9 the gateway; what it stores stays
#   rgw.sh pause DIR         stop it in the middle of whatever it does
#   rgw.sh resume DIR        let it go on
#   rgw.sh up DIR            start the gateway again
#   rgw.sh remove DIR        stop everything and remove DIR
#
# The keys are in EDS_TEST_S3_ACCESS and EDS_TEST_S3_SECRET below; the buckets are
# made with s3.py.  start exits with 77 and a reason where the gateway is not
# installed (scripts/install-deps.sh s3).
set -euo pipefail

command=${1:?usage: rgw.sh COMMAND DIR ...}
dir=${2:?usage: rgw.sh COMMAND DIR ...}
here=$(dirname "$(realpath "$0")")
export CEPH_CONF=$dir/ceph.conf
access=${EDS_TEST_S3_ACCESS:-AKEDSTEST}
secret=${EDS_TEST_S3_SECRET:-SKEDSTEST/with+odd=signs}

# port: of the gateway, from its configuration.
port() { sed -n 's/.*endpoint=127.0.0.1:\([0-9]*\).*/\1/p' "$CEPH_CONF"; }

write_configuration() { # GATEWAY-PORT MONITOR-PORT
    cat >"$CEPH_CONF" <<-CONF
	[global]
	fsid = $(cat /proc/sys/kernel/random/uuid)
	mon_host = v1:127.0.0.1:$2
	public_addr = 127.0.0.1
	cluster_addr = 127.0.0.1
	auth_cluster_required = none
	auth_service_required = none
	auth_client_required = none
	osd_pool_default_size = 1
	osd_pool_default_min_size = 1
	osd_pool_default_pg_num = 4
	osd_crush_chooseleaf_type = 0
	osd_objectstore = memstore
	memstore_device_bytes = 2147483648
	mon_allow_pool_size_one = true
	mon_max_pg_per_osd = 2000
	mon_data = $dir/mon
	osd_data = $dir/osd
	rgw_data = $dir/rgw
	run_dir = $dir/run
	admin_socket = $dir/run/\$name.asok
	pid_file = $dir/run/\$name.pid
	log_file = $dir/run/\$name.log
	mon_cluster_log_file = $dir/run/cluster.log
	[client.rgw]
	rgw_frontends = beast endpoint=127.0.0.1:$1 tcp_nodelay=1
	rgw_dns_name = localhost
	rgw_enable_usage_log = false
	rgw_crypt_require_ssl = false
	rgw_crypt_s3_kms_backend = testing
	rgw_crypt_s3_kms_encryption_keys = eds-key=$(head -c 32 /dev/urandom | base64 -w0)
	CONF
}

await() { # COMMAND...: until it succeeds, 120 s long
    for _ in $(seq 600); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    echo "rgw.sh: $* does not succeed" >&2
    tail -n 20 "$dir"/run/*.log >&2
    return 1
}

# On a busy machine the daemon now and then speaks to the monitor before it has
# learnt its cluster's id, and ends.
start_disk() { # UUID
    for _ in 1 2 3 4 5; do
        rm -rf "$dir/osd" && mkdir "$dir/osd"
        ceph-osd -i 0 --mkfs --osd-uuid "$1"
        ceph-osd -i 0
        for _ in $(seq 40); do
            ! ceph osd stat 2>/dev/null | grep -q ' 1 up' || return 0
            ! gone osd.0 || break
            sleep 0.2
        done
    done
    return 1
}

gateway_up() {
    timeout 120 radosgw -n client.rgw
    await python3 "$here/s3.py" "$(port)" alive
}

start() { # OWNER
    local gateway monitor uuid
    for program in radosgw radosgw-admin ceph-mon ceph-osd ceph monmaptool; do
        command -v $program >/dev/null || {
            echo "no S3 service here (Debian: radosgw ceph-mon ceph-osd ceph-common); make test-s3" \
                "installs it"
            exit 77
        }
    done
    mkdir -p "$dir/mon" "$dir/osd" "$dir/run"
    read -r gateway monitor <<<"$("$here/ports.py" 2 "$1")"
    write_configuration "$gateway" "$monitor"
    {
        monmaptool --create --fsid "$(sed -n 's/^fsid = //p' "$CEPH_CONF")" \
            --addv a "[v1:127.0.0.1:$monitor]" "$dir/monmap"
        ceph-mon -i a --mkfs --monmap "$dir/monmap"
        ceph-mon -i a
        await ceph -s
        uuid=$(cat /proc/sys/kernel/random/uuid)
        ceph osd new "$uuid"
        start_disk "$uuid"
        timeout 120 radosgw -n client.rgw
        timeout 120 radosgw-admin user create --uid=eds --display-name=eds --access-key="$access" \
            --secret-key="$secret"
        await python3 "$here/s3.py" "$gateway" alive
    } >"$dir/log" 2>&1 9>&- || { cat "$dir/log" >&2 && exit 1; }
    echo "$gateway"
}

# signal SIGNAL NAME: to the daemon of that name, if it is ours and there.
signal() {
    local pid
    pid=$(cat "$dir/run/$2.pid" 2>/dev/null) || return 0
    [ ! -e "/proc/$pid/environ" ] || grep -qz "^CEPH_CONF=$CEPH_CONF\$" "/proc/$pid/environ" || return 0
    kill "-$1" "$pid" 2>/dev/null || true
}

gone() { # NAME: the daemon of that name is
    local pid
    pid=$(cat "$dir/run/$1.pid" 2>/dev/null) || return 0
    ! kill -0 "$pid" 2>/dev/null
}

remove() {
    for name in client.rgw osd.0 mon.a; do
        signal CONT $name
        signal KILL $name
        await gone $name
    done
    rm -rf "$dir"
}

# Nothing is left behind, however the owner ends.
watch_owner() {
    while kill -0 "$1" 2>/dev/null; do
        [ -d "$dir/run" ] || return 0
        sleep 1
    done
    [ ! -d "$dir/run" ] || remove
}

case "$command" in
start)
    start "${3:?}"
    setsid "$0" watch "$dir" "${3:?}" </dev/null >/dev/null 2>&1 9>&- &
    ;;
watch) watch_owner "${3:?}" ;; # start's own, in a session that signals to the owner's do not reach
kill)
    signal KILL client.rgw
    await gone client.rgw
    ;;
pause) signal STOP client.rgw ;;
resume) signal CONT client.rgw ;;
up) gateway_up >>"$dir/log" 2>&1 9>&- ;;
remove) remove ;;
*) echo "rgw.sh: no such command: $command" >&2 && exit 64 ;;
esac
