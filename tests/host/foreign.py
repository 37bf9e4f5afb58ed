"""Envoy's foreign functions `sign` and `verify_signature`, with their messages
(source/extensions/common/wasm/ext/sign.proto and verify_signature.proto).

    SignArguments{hash_function=1, private_key=2 (DER), text=3, private_key_pem=4}
    SignResult{result=1, signature=2, error=3}
    VerifySignatureArguments{hash_function=1, public_key=2 (DER), signature=3, text=4, public_key_pem=5}
    VerifySignatureResult{result=1, error=2}

RSA is PKCS#1 v1.5, ECDSA signatures are DER. What Envoy 1.40 answers to a bad key or hash is as it was
seen there.
"""

import functools

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

OK, BAD_ARGUMENT = 0, 2

HASHES = {
    b"sha1": hashes.SHA1, b"sha224": hashes.SHA224, b"sha256": hashes.SHA256, b"sha384": hashes.SHA384,
    b"sha512": hashes.SHA512,
}  # fmt: skip
HASH, DER, TEXT, PEM = 1, 2, 3, 4
RESULT, SIGNATURE, ERROR = 1, 2, 3
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class Malformed(Exception):
    """It is no such message."""


def sign(arguments):
    """The status of the call, and the result's message; None if there is none."""
    try:
        given = read(arguments)
    except Malformed:
        return BAD_ARGUMENT, None
    pem, der = given.get(PEM, b""), given.get(DER, b"")
    if bool(pem) == bool(der):
        return BAD_ARGUMENT, None
    key = _from_pem(pem) if pem else _from_der(der)
    if key is None:
        return OK, written(ERROR, b"private key required for signing operation.")
    name = given.get(HASH, b"")
    if name.lower() not in HASHES:
        return OK, written(ERROR, name + b" is not supported.")
    try:
        signature = _signed(key, HASHES[name.lower()](), given.get(TEXT, b""))
    except (ValueError, UnsupportedAlgorithm):
        signature = None
    if signature is None:
        return OK, written(ERROR, b"key data is corrupted or malformed.")
    return OK, bytes([RESULT << 3 | VARINT, 1]) + written(SIGNATURE, signature)


# What it says of a signature, good or bad.
YES = b"\x08\x01"
NO = b"\x12\x26Failed to verify digest. Error code: 0"


def verify_signature(arguments):
    """The same of a signature. A public key in PEM is not taken here."""
    try:
        given = read(arguments)
    except Malformed:
        return BAD_ARGUMENT, None
    if DER not in given:
        return BAD_ARGUMENT, None
    name = given.get(HASH, b"")
    if name.lower() not in HASHES:
        return OK, written(2, name + b" is not supported.")
    key = _public(given[DER])
    if key is None:
        return OK, written(2, b"Failed to initialize digest verify.")
    return OK, YES if _is_signature(key, HASHES[name.lower()](), given) else NO


def _is_signature(key, digest, given):
    signature, text = given.get(3, b""), given.get(4, b"")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), digest)
        else:
            key.verify(signature, text, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


@functools.lru_cache(maxsize=64)
def _public(der):
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else None


FUNCTIONS = {b"sign": sign, b"verify_signature": verify_signature}


def _signed(key, digest, text):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(text, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(text, ec.ECDSA(digest))
    return None


@functools.lru_cache(maxsize=64)
def _from_der(der):
    """PKCS #8, and nothing else: after the version stands an algorithm, which is a sequence."""
    header = 2 + (der[1] & 0x7F if len(der) > 1 and der[1] & 0x80 else 0)
    if der[header + 3 : header + 4] != b"\x30":
        return None
    return _loaded(serialization.load_der_private_key, der)


@functools.lru_cache(maxsize=64)
def _from_pem(pem):
    return _loaded(serialization.load_pem_private_key, pem)


def _loaded(load, data):
    try:
        return load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


# Protobuf, as much of it as these messages need.


def read(message):
    """Number -> octets of the fields that have any; of several with one number the last.

    Raises Malformed.
    """
    fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag >> 3 == 0:
            raise Malformed
        if tag & 7 == VARINT:
            _, at = _varint(message, at)
            continue
        if tag & 7 == LENGTH:
            size, at = _varint(message, at)
        elif tag & 7 in (FIXED64, FIXED32):
            size = 8 if tag & 7 == FIXED64 else 4
        else:
            raise Malformed
        if at + size > len(message):
            raise Malformed
        if tag & 7 == LENGTH:
            fields[tag >> 3] = message[at : at + size]
        at += size
    try:
        fields.get(HASH, b"").decode()
    except UnicodeDecodeError as error:
        raise Malformed from error
    return fields


def written(number, octets):
    """A field of octets."""
    return bytes([number << 3 | LENGTH]) + _varint_of(len(octets)) + octets


def _varint(message, at):
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise Malformed
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
    raise Malformed


def _varint_of(number):
    octets = b""
    while number > 0x7F:
        octets += bytes([number & 0x7F | 0x80])
        number >>= 7
    return octets + bytes([number])
