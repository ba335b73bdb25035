"""Certificates for the TLS listeners, made at run time: an authority, the brokers' and a client's."""

import shutil
import subprocess

from artifacts import Unusable

DAYS = "30"


def make(folder):
    """→ name → path: ca, server (key and chain in one file), client_certificate, client_key, and of an authority that
    nobody trusts: other_ca."""
    if not shutil.which("openssl"):
        raise Unusable("no openssl on the PATH, which makes the certificates (Debian's package openssl)")
    folder.mkdir()
    _authority(folder, "ca")
    _authority(folder, "other_ca")
    _signed(folder, "server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _signed(folder, "client", "client", "extendedKeyUsage=clientAuth\n")
    both = folder / "server.pem"
    both.write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return {
        "ca": str(folder / "ca.crt"),
        "other_ca": str(folder / "other_ca.crt"),
        "server": str(both),
        "client_certificate": str(folder / "client.crt"),
        "client_key": str(folder / "client.key"),
    }


def _openssl(*arguments):
    run = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        raise Unusable(f"openssl {arguments[0]} failed: {run.stderr.strip()}")


def _key(folder, name):
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", folder / f"{name}.key")


def _authority(folder, name):
    _key(folder, name)
    _openssl("req", "-x509", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN=kappa test {name}", "-days", DAYS,
             "-addext", "basicConstraints=critical,CA:TRUE", "-out", folder / f"{name}.crt")


def _signed(folder, name, subject, extension):
    _key(folder, name)
    (folder / f"{name}.ext").write_text(extension)
    _openssl("req", "-new", "-key", folder / f"{name}.key", "-subj", f"/CN={subject}", "-out", folder / f"{name}.csr")
    _openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
             "-CAcreateserial", "-days", DAYS, "-extfile", folder / f"{name}.ext", "-out", folder / f"{name}.crt")
