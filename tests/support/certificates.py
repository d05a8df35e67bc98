"""certificates.py - authorities and certificates of a test, made by openssl."""
import datetime
import subprocess

NOW = datetime.datetime.now(datetime.timezone.utc)


def openssl(*words, **how):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False, **how)
    assert done.returncode == 0, (words, done.stderr.decode())
    return done.stdout


def stamp(days):
    return (NOW + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Authority:
    """A certificate authority in a folder, as `openssl ca` wants it."""

    def __init__(self, folder, name="Lifts CA"):
        self.folder = folder
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "serial").write_text("1000\n")
        (folder / "crlnumber").write_text("01\n")
        (folder / "conf").write_text(f"""
[ca]
default_ca = this
[this]
dir = {folder}
database = {folder}/index
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = optional
organizationName = optional
[req]
distinguished_name = dn
[dn]
""")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", 30, "-subj", f"/CN={name}", "-keyout", folder / "ca.key", "-out",
                folder / "ca.pem", "-config", folder / "conf", "-addext",
                "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
        self.ca = folder / "ca.pem"
        self.count = 0

    def issue(self, subject="/CN=lift-01", san=None, start=-1, end=1, usage="clientAuth",
              extra=""):
        """Returns the paths of a certificate and its key."""
        self.count += 1
        base = self.folder / f"leaf{self.count}"
        extensions = base.with_suffix(".ext")
        extensions.write_text("basicConstraints=CA:FALSE\n"
                              + (f"extendedKeyUsage={usage}\n" if usage else "")
                              + (f"subjectAltName={san}\n" if san else "") + extra)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", subject, "-keyout", base.with_suffix(".key"), "-out",
                base.with_suffix(".csr"), "-config", self.folder / "conf")
        openssl("ca", "-batch", "-notext", "-config", self.folder / "conf", "-in",
                base.with_suffix(".csr"), "-out", base.with_suffix(".pem"), "-extfile", extensions,
                "-startdate", stamp(start), "-enddate", stamp(end))
        return base.with_suffix(".pem"), base.with_suffix(".key")

    def revoke(self, certificate):
        openssl("ca", "-config", self.folder / "conf", "-revoke", certificate)

    def crl(self, days=10):
        path = self.folder / "new.crl"
        openssl("ca", "-config", self.folder / "conf", "-gencrl", "-crldays", days, "-out", path)
        return path


def server_certificate(folder):
    openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", 2, "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "server.key", "-out",
            folder / "server.pem")
    (folder / "server.key").chmod(0o600)
