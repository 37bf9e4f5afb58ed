"""Makes the keys and certificates in this directory, anew: python tests/e2e/keys/make.py"""

import datetime
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from joserfc import jwk

HERE = pathlib.Path(__file__).parent
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test only: everybody has this key")])
# PKCS#8, RFC 5958; PKCS#1, RFC 8017, A.1.2, and SEC 1 are what OpenSSL calls traditional.
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
YEARS = {"valid": (2020, 2050), "expired": (2020, 2021), "not-yet-valid": (2049, 2050)}


def write(name, pem):
    (HERE / f"test-only-{name}.pem").write_bytes(pem)


def private(key, form=PKCS8, encryption=PLAIN):
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def write_jwk(name, members):
    (HERE / f"test-only-{name}.jwk.json").write_text(json.dumps(members) + "\n")


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


def verifying():
    """What signs tokens: the public halves stand in configurations."""
    keys = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        write(name, private(key))
    for validity, years in YEARS.items():
        write(f"rsa-{validity}.crt", certificate(keys["rsa"], *years))
    write("ec-valid.crt", certificate(keys["ec"], *YEARS["valid"]))


def signing():
    """What a gateway signs with: each key in every form that it may have in a configuration."""
    keys = {
        "signing-rsa": rsa.generate_private_key(65537, 2048),
        "signing-p256": ec.generate_private_key(ec.SECP256R1()),
        "signing-p384": ec.generate_private_key(ec.SECP384R1()),
        "signing-p521": ec.generate_private_key(ec.SECP521R1()),
        "signing-ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        write(name, private(key))
        kind = {"rsa": "RSA", "ed2": "OKP"}.get(name[8:11], "EC")
        members = jwk.import_key(private(key), kind).as_dict(private=True)
        # One with a name of its own
        write_jwk(name, {**members, "kid": "2026-12"} if kind == "OKP" else members)
        if kind != "OKP":
            write(f"{name}-{'pkcs1' if kind == 'RSA' else 'sec1'}", private(key, TRADITIONAL))
    for name in ("signing-rsa", "signing-p256"):
        write(f"{name}.crt", certificate(keys[name], *YEARS["valid"]))
    write_jwk("signing-secret", {**jwk.generate_key("oct", 512).as_dict(private=True), "kid": "shared"})
    # What nobody may sign with, or nobody can
    write("signing-weak", private(rsa.generate_private_key(65537, 1024)))
    write("signing-secp256k1", private(ec.generate_private_key(ec.SECP256K1())))
    write("signing-ed448", private(ed448.Ed448PrivateKey.generate()))
    locked = serialization.BestAvailableEncryption(b"test only")
    write("signing-encrypted", private(keys["signing-p256"], PKCS8, locked))


def main():
    verifying()
    signing()


if __name__ == "__main__":
    main()
