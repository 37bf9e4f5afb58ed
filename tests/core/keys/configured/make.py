"""Makes the files in this folder: the public halves of the test keys, as users configure them.

Run it with .tools/venv/bin/python; it needs openssl, too. ECDSA signatures differ each time.
"""

import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

HERE = Path(__file__).parent
YEAR = (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc))
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "demo")])
USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
    "key_cert_sign crl_sign encipher_only decipher_only"
).split()

# Keycloak's own certificates are of version 1.
VERSION_1 = """
[ca]
default_ca = ca
database = {folder}/database
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = policy
[policy]
commonName = supplied
"""


def load(name):
    return load_pem_private_key((HERE.parent / f"{name}.pem").read_bytes(), None)


def public(key, form=PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(Encoding.PEM, form)


def certificate(key, usage=None, times=YEAR):
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(times[0])
        .not_valid_after(times[1])
    )
    if usage:
        usages = {name: name == usage for name in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**usages), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM)


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def version_1(key):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "database").touch()
        (Path(folder) / "serial").write_text("01")
        config, request = Path(folder) / "config", Path(folder) / "request"
        config.write_text(VERSION_1.format(folder=folder))
        request.write_bytes(openssl("req", "-new", "-key", key, "-subj", "/CN=demo"))
        dates = ["-startdate", "260101000000Z", "-enddate", "270101000000Z"]
        return openssl(
            *["ca", "-batch", "-selfsign", "-notext", "-config", config, "-in", request],
            *["-keyfile", key, *dates],
        )


def another(*options):
    """A key of a kind that is not supported."""
    with tempfile.NamedTemporaryFile() as private:
        private.write(openssl("genpkey", *options))
        private.flush()
        return openssl("pkey", "-pubout", "-in", private.name)


files = {}
for kid in ("rsa-a", "p-256-a", "p-384-a", "p-521-a", "ed25519-a"):
    files[f"{kid}.public"] = public(load(kid))
    files[f"{kid}.certificate"] = certificate(load(kid), "digital_signature")
files["rsa-a.pkcs1"] = public(load("rsa-a"), PublicFormat.PKCS1)
files["rsa-a.certificate-v1"] = version_1(HERE.parent / "rsa-a.pem")

p256, p256_file = load("p-256-a"), HERE.parent / "p-256-a.pem"
files["p-256-a.any-usage"] = certificate(p256)
files["p-256-a.commitment"] = certificate(p256, "content_commitment")
files["p-256-a.encipherment"] = certificate(p256, "key_encipherment")
files["p-256-a.authority"] = certificate(p256, "key_cert_sign")
# RFC 5280, 4.1.2.5: no well-defined end.
for_ever = (YEAR[0], datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc))
files["p-256-a.for-ever"] = certificate(p256, times=for_ever)
for form in ("compressed", "hybrid"):
    files[f"p-256-a.{form}"] = openssl("ec", "-in", p256_file, "-pubout", "-conv_form", form)
files["p-256-a.explicit"] = openssl("ec", "-in", p256_file, "-pubout", "-param_enc", "explicit")

files["secp256k1"] = another("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
files["rsa-pss"] = another("-algorithm", "RSA-PSS")
files["x25519"] = another("-algorithm", "X25519")
files["ed448"] = another("-algorithm", "ED448")

for name, text in files.items():
    (HERE / f"{name}.pem").write_bytes(text)
