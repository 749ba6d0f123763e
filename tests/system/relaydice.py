# SPDX-License-Identifier: GPL-2.0-or-later
"""Open Profile for DICE and DICE-1 in Python: derivations, device certificates, reading what a boot stage issued.

Written from the profile and docs/trust.md, with python3-cryptography and python3-cbor2; shares nothing with librelay.
"""
import datetime
import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

import relaycose as cose

ASYM_SALT = bytes.fromhex("63B6A04D2C077FC10F639F21DA793844356CC2B0B441B3A77124035C03F8E1BE"
                          "6035D31F282821A7450A02222AB1B3CFF1679B05AB1CA5D1AFFB789CCD2B0B3B")
ID_SALT = bytes.fromhex("DBDBAEBC8020DA9FF0DD5A24C83AA5A54286DFC263031E329B4DA148430659FE"
                        "62CDB5B7E1E00FC680306711EB444AF77209359496FCFF1DB9520BA51C7B29EA")
BEGIN, END = datetime.datetime(2018, 3, 22, 23, 59, 59), datetime.datetime(9999, 12, 31, 23, 59, 59)
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


def raw(public_key):
    return public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def raw_public(key):
    return raw(key.public_key())


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
                              critical=False)
               .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False))
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


# ---- what a boot stage issues

def id_name(public):
    return x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, identifier(public).hex())])


def issued(public_key, subject_name, issuer_name, authority, usage, constraints, measurement, critical, purposes=()):
    number = identifier(raw(public_key))
    builder = (x509.CertificateBuilder().subject_name(subject_name).issuer_name(issuer_name).public_key(public_key)
               .serial_number(int.from_bytes(number, "big")).not_valid_before(BEGIN).not_valid_after(END)
               .add_extension(x509.AuthorityKeyIdentifier(authority, None, None), critical=False)
               .add_extension(x509.SubjectKeyIdentifier(number), critical=False)
               .add_extension(usage, critical=True).add_extension(constraints, critical=True))
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.add_extension(x509.UnrecognizedExtension(ATTESTATION, measurement.extension()), critical=critical)


def cdi_certificate(uds, measurement):
    """The Open Profile's certificate, built by python3-cryptography from the profile's text."""
    identity, application = key_of(uds), key_of(measurement.cdi(uds))
    builder = issued(application.public_key(), id_name(raw_public(application)), id_name(raw_public(identity)),
                     identifier(raw_public(identity)), key_usage(sign_certificates=True),
                     x509.BasicConstraints(ca=True, path_length=0), measurement, True)
    return builder.sign(identity, None)


def leaf(uds, measurement, device):
    identity, application = key_of(uds), key_of(measurement.cdi(uds))
    authority = device.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    builder = issued(application.public_key(), device.subject, device.subject, authority,
                     key_usage(sign_certificates=False), x509.BasicConstraints(ca=False, path_length=None), measurement,
                     False, [ExtendedKeyUsageOID.CLIENT_AUTH])
    return builder.sign(identity, None)


def read_der(data, at=0):
    """tag, content and end of the element at this place"""
    tag, size, start = data[at], data[at + 1], at + 2
    if size >= 0x80:
        start += size & 0x7f
        size = int.from_bytes(data[at + 2:start], "big")
    cose.demand(start + size <= len(data), "truncated")
    return tag, data[start:start + size], start + size


def read_extension(value):
    """{number: field} of OpenDiceInput"""
    tag, body, end = read_der(value)
    cose.demand(tag == 0x30 and end == len(value), "no OpenDiceInput")
    fields, at = {}, 0
    while at < len(body):
        tag, inner, at = read_der(body, at)
        kind, field, end = read_der(inner)
        cose.demand(end == len(inner) and kind == (0x0a if tag == 0xa6 else 0x04), "no field of ours")
        fields[tag & 0x1f] = field
    return fields


def measured(certificate):
    """What the DICE extension says, after a check of its hashes: (image, manifest, configuration, vendor, mode)."""
    extension = certificate.extensions.get_extension_for_oid(ATTESTATION)
    fields = read_extension(extension.value.value)
    cose.demand(set(fields) == set(range(7)), "fields")
    for number in (0, 2, 4):
        cose.demand(hashlib.sha512(fields[number + 1]).digest() == fields[number], "a hash is not its descriptor's")
    return (fields[1][:32], fields[1][32:], cose.decode(fields[3]), fields[5], fields[6][0])


def appraise_certificate(data, identity):
    """A CDI certificate by the identity key (raw): its application key and what it says, or Refused."""
    certificate = x509.load_der_x509_certificate(data)
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature as error:
        raise cose.Refused("signature") from error
    key = raw(certificate.public_key())
    cose.demand(certificate.issuer == id_name(identity) and certificate.subject == id_name(key), "names")
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    cose.demand(constraints.value.ca and constraints.value.path_length == 0 and usage.key_cert_sign, "no CDI certificate")
    cose.demand(certificate.extensions.get_extension_for_oid(ATTESTATION).critical, "the extension is critical")
    return key, measured(certificate)


# ---- DICE-1 and rotation

class Signer:
    """an Ed25519 key as relaycose wants it"""

    def __init__(self, private):
        self.private, self.public, self.p256 = private, private.public_key(), False
        self.cose = cose.to_cose(self.public)

    def sign(self, message):
        return self.private.sign(message)


def challenge(nonce, relay):
    return cose.encode({0: 1, 1: nonce, 2: relay})


def statement(application, asked, device, boot, certificate, device_certificate=b"", rotation=b"", aad=STATEMENT_AAD):
    asked = cose.decode(asked)
    body = {0: 1, 1: asked[1], 2: asked[2], 3: device, 4: boot, 5: certificate}
    if device_certificate:
        body[6] = device_certificate
    if rotation:
        body[7] = rotation
    return cose.sign1(Signer(application), aad, cose.encode(body))


def appraise(data, asked, device, identity):
    """A statement of DICE-1 by the identity key (raw): (its fields, what was measured), or Refused."""
    item = cose.decode(data)
    body = cose.decode(item.value[2])
    asked = cose.decode(asked)
    cose.demand(set(range(6)) <= set(body) <= set(range(8)) and body[0] == 1, "form")
    cose.demand((body[1], body[2]) == (asked[1], asked[2]), "nonce")
    cose.demand(body[3] == device, "device")
    key, said = appraise_certificate(body[5], identity)
    cose.verify1(data, {1: 1, -1: 6, -2: key}, STATEMENT_AAD)
    return body, said


def rotation(old, new_public, device, number):
    body = {0: 1, 1: device, 2: number, 3: Signer(old).cose, 4: cose.to_cose(new_public)}
    return cose.sign1(Signer(old), ROTATION_AAD, cose.encode(body))


def accept_rotation(data, old_cose, device):
    body = cose.decode(cose.verify1(data, old_cose, ROTATION_AAD))
    cose.demand(set(body) == set(range(5)) and body[0] == 1 and body[1] == device and body[2] >= 1, "form")
    cose.demand(body[3] == old_cose and body[4] != old_cose, "keys")
    return body[2], body[4]


class DiceSample:
    """The device of the document's examples, running the sample's update: secret SHA-256("device secret")."""

    def __init__(self, sample):
        self.uds = cose.sha256(b"device secret")
        self.identity, self.factory = key_of(self.uds), cose.Key("factory")
        self.device = device_certificate(subject("Acme", "device-1"), self.identity.public_key(),
                                         subject("Acme", "factory.acme"), self.factory.private)
        self.factory_certificate = authority(subject("Acme", "factory.acme"), self.factory.private)
        self.measurement = Measurement(cose.sha256(sample.image), sample.digest, sample.class_id, 7,
                                       cose.sha256(sample.vendor_payload))
        self.application = key_of(self.measurement.cdi(self.uds))
        self.certificate = to_der(cdi_certificate(self.uds, self.measurement))
        self.leaf = to_der(leaf(self.uds, self.measurement, self.device))
        self.challenge = challenge(cose.sha256(b"nonce"), cose.sha256(b"relay pin"))
        self.statement = statement(self.application, self.challenge, "device-1", 12, self.certificate)
        self.next_identity = key_of(rotated(self.uds, 1))
        self.listed = cose.encode({0: 1, 1: sample.vendor, 2: [{0: "device-1", 1: Signer(self.identity).cose,
                                                                2: sample.class_id, 4: 2}],
                                   3: [cose.sha256(sample.image)]})
        self.rotation = rotation(self.identity, self.next_identity.public_key(), "device-1", 1)


def authority(name, key):
    start = datetime.datetime(2026, 1, 1)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, None))


def to_der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def to_pem(*certificates):
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
