"""Makes the keys and certificates in this directory, anew: python tests/e2e/keys/make.py"""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

HERE = pathlib.Path(__file__).parent
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test only: everybody has this key")])
YEARS = {"valid": (2020, 2050), "expired": (2020, 2021), "not-yet-valid": (2049, 2050)}


def write(name, pem):
    (HERE / f"test-only-{name}.pem").write_bytes(pem)


def certificate(key, first_year, last_year):
    """Signed by itself: nobody asks who signed it."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(first_year, 1, 1))
        .not_valid_after(datetime.datetime(last_year, 1, 1))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main():
    keys = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write(name, pem)
    for validity, years in YEARS.items():
        write(f"rsa-{validity}.crt", certificate(keys["rsa"], *years))
    write("ec-valid.crt", certificate(keys["ec"], *YEARS["valid"]))


if __name__ == "__main__":
    main()
