# SPDX-License-Identifier: GPL-2.0-or-later
"""Open Profile for DICE and DICE-1 in Python: derivations, device certificates, reading what a boot stage issued.

Written from the profile and docs/trust.md, with python3-cryptography and python3-cbor2; shares nothing with librelay.
"""
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID, ObjectIdentifier

import relaycose as cose

ASYM_SALT = bytes.fromhex("63B6A04D2C077FC10F639F21DA793844356CC2B0B441B3A77124035C03F8E1BE"
                          "6035D31F282821A7450A02222AB1B3CFF1679B05AB1CA5D1AFFB789CCD2B0B3B")
ID_SALT = bytes.fromhex("DBDBAEBC8020DA9FF0DD5A24C83AA5A54286DFC263031E329B4DA148430659FE"
                        "62CDB5B7E1E00FC680306711EB444AF77209359496FCFF1DB9520BA51C7B29EA")
ATTESTATION = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.24")
STATEMENT_AAD = b"relayd/dice/1"
ROTATION_AAD = b"relayd/rotation/1"
NOT_CONFIGURED, NORMAL, DEBUG, RECOVERY = range(4)


def kdf(size, key, salt, info):
    return HKDF(hashes.SHA512(), size, salt, info).derive(key)


def key_seed(secret):
    return kdf(32, secret, ASYM_SALT, b"Key Pair")


def key_of(secret):
    return Ed25519PrivateKey.from_private_bytes(key_seed(secret))


def raw_public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def identifier(public):
    first, *rest = kdf(20, public, ID_SALT, b"ID")
    return bytes([first & 0x7f, *rest])


def rotated(uds, number):
    return kdf(32, uds, None, f"rotation {number}".encode()) if number else uds


class Measurement:
    def __init__(self, image, manifest, class_id, sequence, vendor, mode=NORMAL):
        self.code = image + manifest
        self.configuration = cose.encode({0: 1, 1: class_id, 2: sequence})
        self.authority = vendor
        self.mode = mode

    def hashes(self):
        return [hashlib.sha512(part).digest() for part in (self.code, self.configuration, self.authority)]

    def extension(self):
        """OpenDiceInput, put together by hand"""
        code, configuration, authority = self.hashes()
        fields = [code, self.code, configuration, self.configuration, authority, self.authority]
        body = b"".join(der(0xa0 | i, der(0x04, field)) for i, field in enumerate(fields))
        return der(0x30, body + der(0xa6, der(0x0a, bytes([self.mode]))))

    def cdi(self, uds):
        code, configuration, authority = self.hashes()
        measured = hashlib.sha512(code + configuration + authority + bytes([self.mode]) + bytes(64)).digest()
        return kdf(32, uds, measured, b"CDI_Attest")


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def subject(organisation, *names):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] +
                     [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


def device_certificate(name, public_key, issuer, issuer_key, constraint=True, path_length=0, serial=1):
    """What the factory CA says of an identity key: CA of exactly its own name."""
    start = datetime.datetime(2026, 1, 1)
    issuer_name = issuer.subject if isinstance(issuer, x509.Certificate) else issuer
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer_name).public_key(public_key)
               .serial_number(serial).not_valid_before(start)
               .not_valid_after(start + datetime.timedelta(days=36500))
               .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
               .add_extension(key_usage(sign_certificates=True), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                              critical=False))
    if constraint:
        subtree = name if constraint is True else constraint
        builder = builder.add_extension(
            x509.NameConstraints(permitted_subtrees=[x509.DirectoryName(subtree)], excluded_subtrees=None),
            critical=True)
    return builder.sign(issuer_key, None)


def key_usage(sign_certificates):
    return x509.KeyUsage(digital_signature=not sign_certificates, key_cert_sign=sign_certificates, crl_sign=False,
                         content_commitment=False, key_encipherment=False, data_encipherment=False,
                         key_agreement=False, encipher_only=False, decipher_only=False)


def to_der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def to_pem(*certificates):
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
