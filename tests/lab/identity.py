# SPDX-License-Identifier: GPL-2.0-or-later
"""A key and a leaf for a test that acts as a device with a boot stage."""

import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import relaydice as dice  # noqa: E402

PEM, PKCS8, OPEN = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()


def make_leaf(prefix, out):
    """prefix: what fwtool device create wrote. OUT.key and OUT.crt (with the device certificate behind it): what a boot stage would issue, but for what was measured."""
    secret = prefix.with_name(prefix.name + ".secret").read_bytes()
    device = x509.load_pem_x509_certificate(prefix.with_name(prefix.name + ".crt").read_bytes())
    key = Ed25519PrivateKey.generate()
    authority = device.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    leaf = (x509.CertificateBuilder().subject_name(device.subject).issuer_name(device.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(device.not_valid_before)
            .not_valid_after(device.not_valid_after)
            .add_extension(x509.AuthorityKeyIdentifier(authority, None, None), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(dice.key_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(dice.key_of(secret), None))
    out.with_name(out.name + ".key").write_bytes(key.private_bytes(PEM, PKCS8, OPEN))
    out.with_name(out.name + ".crt").write_bytes(dice.to_pem(leaf, device))
