"""Makes the files in this folder: the test keys in the forms in which users may have private keys,
and keys that cannot sign.

Run it with .tools/venv/bin/python; it needs openssl, too. The keys that are not among the test keys
differ each time.
"""

import json
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

HERE = Path(__file__).parent
CURVES = {"p-256-a": "P-256", "p-384-a": "P-384", "p-521-a": "P-521"}
NOTE = b"A test key. It is public: it protects nothing and must never protect anything.\n"
PASSPHRASE = ("-passout", "pass:passphrase")


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def pem(name):
    return (HERE.parent / f"{name}.pem").read_bytes()


def base64url(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return base64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def rsa_jwk(key):
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return {
        **{"kty": "RSA", "n": number(public.n), "e": number(public.e), "d": number(numbers.d)},
        **{"p": number(numbers.p), "q": number(numbers.q)},
        **{"dp": number(numbers.dmp1), "dq": number(numbers.dmq1), "qi": number(numbers.iqmp)},
    }


def ec_jwk(key, crv):
    numbers = key.private_numbers()
    public = numbers.public_numbers
    length = (key.key_size + 7) // 8
    return {
        **{"kty": "EC", "crv": crv, "d": number(numbers.private_value, length)},
        **{"x": number(public.x, length), "y": number(public.y, length)},
    }


def ed25519_jwk(key):
    return {
        **{"kty": "OKP", "crv": "Ed25519", "d": base64url(key.private_bytes_raw())},
        "x": base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }


def key_file(text, *arguments):
    """What openssl makes of a key that it wants in a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        return openssl(*arguments, "-in", file.name)


files = {"rsa-a.pkcs1.pem": key_file(pem("rsa-a"), "rsa", "-traditional")}
jwks = {"rsa-a": rsa_jwk(load_pem_private_key(pem("rsa-a"), None))}
for name, crv in CURVES.items():
    files[f"{name}.sec1.pem"] = key_file(pem(name), "ec")
    jwks[name] = ec_jwk(load_pem_private_key(pem(name), None), crv)
jwks["ed25519-a"] = ed25519_jwk(load_pem_private_key(pem("ed25519-a"), None))

# As `openssl ecparam -genkey` writes a new key.
parameters = openssl("ecparam", "-name", "prime256v1")
files["p-256-a.parameters.pem"] = parameters + files["p-256-a.sec1.pem"]
files["p-256-a.no-public.pem"] = key_file(pem("p-256-a"), "ec", "-no_public")
files["p-256-a.explicit.pem"] = key_file(pem("p-256-a"), "ec", "-param_enc", "explicit")
files["p-256-a.explicit-pkcs8.pem"] = key_file(files["p-256-a.explicit.pem"], "pkey")
files["p-256-a.compressed.pem"] = key_file(pem("p-256-a"), "ec", "-conv_form", "compressed")

encrypt = ("-aes-256-cbc", *PASSPHRASE)
files["p-256-a.encrypted.pem"] = key_file(pem("p-256-a"), "pkey", *encrypt)
files["p-256-a.encrypted-sec1.pem"] = key_file(pem("p-256-a"), "ec", *encrypt)
files["rsa-a.encrypted-pkcs1.pem"] = key_file(pem("rsa-a"), "rsa", "-traditional", *encrypt)
files["p-256-a.openssh.pem"] = load_pem_private_key(pem("p-256-a"), None).private_bytes(
    Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
)

files["rsa-1024.pem"] = openssl("genrsa", "1024")
files["rsa-exponent-3.pem"] = openssl("genrsa", "-3", "2048")
files["rsa-three-primes.pem"] = openssl("genrsa", "-primes", "3", "2048")
secp256k1 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
files["secp256k1.pem"] = openssl("genpkey", *secp256k1)
files["secp256k1.sec1.pem"] = key_file(files["secp256k1.pem"], "ec")
for name in ("RSA-PSS", "X25519", "ED448"):
    files[f"{name.lower()}.pem"] = openssl("genpkey", "-algorithm", name)

for name, text in files.items():
    (HERE / name).write_bytes(NOTE + text)
for name, jwk in jwks.items():
    (HERE / f"{name}.jwk.json").write_text(json.dumps(jwk, indent=2) + "\n")
