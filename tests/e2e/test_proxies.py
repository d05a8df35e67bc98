#!/usr/bin/env python3
"""Behind real proxies: HAProxy with the PROXY protocol, versions 1 and 2, before HTTP and
before a TLS handshake, and nginx with X-Forwarded-For and, as a stream, PROXY version 1.
The address that the allowlist judges is the one that the proxy saw."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["EDS_SOURCE"], "tests/support"))
from certificates import Authority  # noqa: E402
from eds_lab import Device, Server, await_that, eds, skip  # noqa: E402
from ports import free_port  # noqa: E402

PATH = os.environ["PATH"] + ":/usr/sbin"
HAPROXY, NGINX = shutil.which("haproxy", path=PATH), shutil.which("nginx", path=PATH)

NGINX_CONF = """
daemon off; pid {at}/nginx.pid; error_log {at}/nginx.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {at}/b; proxy_temp_path {at}/p;
  fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_http_version 1.1; proxy_pass http://127.0.0.1:{server};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

HAPROXY_CONF = """
defaults
  mode tcp
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:{port}
  server eds 127.0.0.1:{server} {how}
"""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def proxy(directory, name, text, command):
    """Runs a proxy in front; yields its port."""
    port = free_port()
    path = f"{directory}/{name}.conf"
    with open(path, "w", encoding="ascii") as file:
        file.write(text(port))
    with open(f"{directory}/{name}.out", "wb") as log:
        process = subprocess.Popen([*command, path], stdout=log, stderr=log)
    try:
        await_that(lambda: process.poll() is not None or listens(port), f"{name} to listen")
        if process.poll() is not None:
            raise RuntimeError(open(f"{directory}/{name}.out", encoding="utf-8").read())
        yield port
    finally:
        process.terminate()
        process.wait(120)


def haproxy(directory, server, how):
    return proxy(directory, "haproxy",
                 lambda port: HAPROXY_CONF.format(port=port, server=server.port, how=how),
                 [HAPROXY, "-db", "-f"])


def nginx(directory, server):
    user = "user root;" if os.geteuid() == 0 else ""
    return proxy(directory, "nginx",
                 lambda port: NGINX_CONF.format(at=directory, port=port, server=server.port,
                                                user=user),
                 [NGINX, "-p", directory, "-c"])


def send(url, device, source="127.0.0.1", *more):
    """One record by curl, from one of this machine's loopback addresses."""
    return subprocess.run(
        ["curl", "-sS", "--interface", source, "-H", "Content-Type: application/json", *more,
         "--data-binary", "@-", url + "/api/v1/ingest"], input=device.next(),
        capture_output=True, check=False).stdout.decode()


def behind_haproxy():
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(pathlib.Path(directory) / "ca")
        certificate, key = authority.issue("/CN=server", "IP:127.0.0.1", usage="serverAuth")
        for command in "serve", "serve-tls":
            device = Device("lift-01", 1)
            tls = command == "serve-tls"
            more = ["--tls-cert", str(certificate), "--tls-key", str(key)] if tls else []
            home = f"{directory}/{command}"
            os.mkdir(home)
            server = Server(home, [device.argument()], *more, "--trusted-proxies", "127.0.0.1",
                            "--allowed-sources", "127.0.0.2", command=command)
            for how in "send-proxy", "send-proxy-v2":
                with haproxy(directory, server, how) as port:
                    url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
                    good = send(url, device, "127.0.0.2", "--cacert", str(authority.ca))
                    assert good == '{"status":"accepted"}', (command, how, good)
                    bad = send(url, Device("lift-01", 1), "127.0.0.3", "--cacert", str(authority.ca))
                    if tls:  # turned away before the handshake
                        assert bad == "", bad
                    else:
                        assert "source 127.0.0.3 is not in the allowlist" in bad, bad
            # Without a header the proxy speaks for itself, and may not.
            with haproxy(directory, server, "") as port:
                bad = send(f"{'https' if tls else 'http'}://127.0.0.1:{port}",
                           Device("lift-01", 1), "127.0.0.2", "--cacert", str(authority.ca))
                assert "source 127.0.0.1 is not in the allowlist" in bad, bad
            server.end(15)
            with open(f"{home}/server.log", encoding="utf-8") as log:
                assert "source=127.0.0.3" in log.read()


def behind_nginx():
    with tempfile.TemporaryDirectory() as directory:
        device = Device("lift-01", 1)
        server = Server(directory, [device.argument()], "--trusted-proxies", "127.0.0.1",
                        "--allowed-sources", "127.0.0.2", "--rate-per-source", "1:3")
        with nginx(directory, server) as port:
            url = f"http://127.0.0.1:{port}"
            good = send(url, device, "127.0.0.2")
            assert good == '{"status":"accepted"}', good
            # What a client writes there itself comes before what nginx adds.
            bad = send(url, Device("lift-01", 1), "127.0.0.3", "-H", "X-Forwarded-For: 127.0.0.2")
            assert "source 127.0.0.3 is not in the allowlist" in bad, bad
            # Keep-alive between the two, and a rate for each address behind it: too many
            # at once from one curl, so that no machine is too slow for them to be too many.
            answers = send(url, device, "127.0.0.2", *[url + "/api/v1/ingest"] * 100)
            assert "rate limit exceeded for source=127.0.0.2" in answers, answers
        done = eds("audit", "send", "--url", server.url, stdin=device.next())
        assert done.returncode != 0  # straight from 127.0.0.1: it is nobody who may
        server.end(15)


if HAPROXY is None or NGINX is None:
    skip("needs the packages haproxy and nginx")
behind_haproxy()
behind_nginx()
print("HAProxy (PROXY 1 and 2, HTTP and TLS) and nginx (X-Forwarded-For): the real source")
