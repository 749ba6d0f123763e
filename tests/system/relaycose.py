# SPDX-License-Identifier: GPL-2.0-or-later
"""Deterministic CBOR, keys, COSE_Sign1 and signed sets of docs/trust.md in Python, independent of librelay.

Decoding goes through cbor2 and then demands that encoding again gives the same bytes, because cbor2 by itself accepts
longer-than-needed integers, repeated keys and trailing bytes, and sorts map keys length-first.
"""
import hashlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils


class Refused(Exception):
    """The object breaks a rule; the text says which."""


def demand(condition, text):
    if not condition:
        raise Refused(text)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- deterministic CBOR (RFC 8949 section 4.2.1)

def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * size):
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def encode(item):
    if item is None or isinstance(item, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[item]
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, (bytes, bytearray)):
        return head(2, len(item)) + bytes(item)
    if isinstance(item, str):
        text = item.encode()
        return head(3, len(text)) + text
    if isinstance(item, (list, tuple)):
        return head(4, len(item)) + b"".join(encode(part) for part in item)
    if isinstance(item, cbor2.CBORTag):
        return head(6, item.tag) + encode(item.value)
    if hasattr(item, "items"):
        pairs = sorted((encode(key), encode(value)) for key, value in item.items())
        return head(5, len(pairs)) + b"".join(key + value for key, value in pairs)
    raise TypeError(type(item))


def decode(data):
    try:
        item = cbor2.loads(data)
        again = encode(item)
    except Exception as error:
        raise Refused(f"no CBOR of ours: {error}") from error
    demand(again == data, "not deterministically encoded")
    return item


# ---- keys

class Key:
    """A key pair made from a fixed seed: Ed25519, or P-256 if so asked."""

    def __init__(self, seed, p256=False):
        self.seed = hashlib.sha256(seed.encode()).digest()
        self.p256 = p256
        if p256:
            self.private = ec.derive_private_key(int.from_bytes(self.seed, "big") >> 1, ec.SECP256R1())
        else:
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key()

    def sign(self, message):
        if not self.p256:
            return self.private.sign(message)
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    @property
    def cose(self):
        return to_cose(self.public)


def to_cose(public):
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {1: 1, -1: 6, -2: raw}
    point = public.public_numbers()
    return {1: 2, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}


def from_cose(key):
    if key.get(1) == 1 and key.get(-1) == 6 and set(key) == {1, -1, -2}:
        return ed25519.Ed25519PublicKey.from_public_bytes(key[-2])
    demand(key.get(1) == 2 and key.get(-1) == 1 and set(key) == {1, -1, -2, -3}, "no key of ours")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big"),
                                            ec.SECP256R1())
    return numbers.public_key()


def spki(cose_key):
    return from_cose(cose_key).public_bytes(serialization.Encoding.DER,
                                            serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(cose_key):
    return hashlib.sha256(spki(cose_key)).digest()[:8]


def distinct(keys):
    encoded = [encode(key) for key in keys]
    return len(set(encoded)) == len(encoded)


# ---- COSE_Sign1 (RFC 9052) and signed sets

def sig_structure(protected, aad, payload):
    return encode(["Signature1", protected, aad, payload])


def sign1(key, aad, payload, detached=False, protected=None):
    if protected is None:
        protected = encode({1: -7 if key.p256 else -8, 4: key_id(key.cose)})
    signature = key.sign(sig_structure(protected, aad, payload))
    return encode(cbor2.CBORTag(18, [protected, {}, None if detached else payload, signature]))


def verify1(data, cose_key, aad, payload=None):
    """The payload, or Refused."""
    item = decode(data)
    if isinstance(item, cbor2.CBORTag):
        demand(item.tag == 18, "no COSE_Sign1")
        item = item.value
    protected, _, inside, signature = item
    header = decode(protected)
    demand(2 not in header, "crit")
    message = sig_structure(protected, aad, payload if inside is None else inside)
    public = from_cose(cose_key)
    demand(len(signature) == 64, "signature size")
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            demand(header.get(1) == -8, "algorithm")
            public.verify(signature, message)
        else:
            demand(header.get(1) == -7, "algorithm")
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Refused("signature") from error
    return payload if inside is None else inside


def signer_of(data):
    item = decode(data)
    item = item.value if isinstance(item, cbor2.CBORTag) else item
    return decode(item[0]).get(4, b"")


def sign_set(aad, payload, keys):
    signatures = b"".join(sign1(key, aad, payload, detached=True) for key in keys)
    return head(4, 2) + encode(payload) + head(4, len(keys)) + signatures


def open_set(data):
    payload, signatures = decode(data)
    return payload, [encode(signature) for signature in signatures]


def signers(signatures, aad, payload, keys):
    """Which keys of the list signed; each whole key counts once."""
    found = []
    for key in keys:
        for signature in signatures:
            try:
                verify1(signature, key, aad, payload)
            except Refused:
                continue
            found.append(key)
            break
    return found
