# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices with a boot stage, all of it in Python: secret, certificates, and DICE-1 over connections of their own."""

import datetime
import hashlib
import os
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .mqtt import Raw, frame
from .packets import AUTH, CONNACK, Client, encode_properties
from .site import CLASS, DOMAIN

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import relaycose as cose  # noqa: E402
import relaydice as dice  # noqa: E402
import relayobjects as objects  # noqa: E402

METHOD = "DICE-1"
SUCCESS, CONTINUE, AGAIN, NOT_AUTHORISED, BAD_METHOD = 0, 0x18, 0x19, 0x87, 0x8C
NO_END = datetime.datetime(9999, 12, 31, 23, 59, 59)
BEGINNING = datetime.datetime(2018, 3, 22, 23, 59, 59)  # the profile's, where nothing better is known


def digest(text):
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()


class Signer(cose.Key):
    """relaycose signs with it."""

    def __init__(self, private):
        self.p256, self.private, self.public = False, private, private.public_key()


class Device:
    """What runs on it is said by start(); certificates and keys are then those of this image."""

    def __init__(self, world, identity, level=1, image="image 1", manifest="manifest 1", mode=dice.NORMAL):
        self.world, self.identity, self.level, self.boot = world, identity, level, 0
        self.folder = world.folder / "dice" / identity
        self.folder.mkdir(parents=True, exist_ok=True)
        self.secret = os.urandom(32)
        ca = world.folder / "factory" / "ca"
        self.issuer = x509.load_pem_x509_certificate((ca / "ca.crt").read_bytes())
        self.issuer_key = serialization.load_pem_private_key((ca / "ca.key").read_bytes(), None)
        self.name = dice.subject("acme", identity)
        self.rotation, self.rotations = None, 0
        self.register(self.secret)
        self.start(image, manifest, mode)

    def register(self, secret):
        """The identity key is this secret's, and the factory makes its device certificate."""
        self.identity_secret = secret
        self.identity_key = self.leaf_key = dice.key_of(secret)
        self.device_certificate = dice.device_certificate(self.name, self.identity_key.public_key(), self.issuer, self.issuer_key)

    def rotate(self, certify=False):
        """What the next start() uses is the next identity key, signed by the one of now. certify: the factory makes a device
        certificate for it at once; else the leaf stays with the key before."""
        before, self.rotations = self.identity_key, self.rotations + 1
        secret = dice.rotated(self.secret, self.rotations)
        key = dice.key_of(secret)
        self.rotation = dice.rotation(before, key.public_key(), self.identity, self.rotations)
        self.identity_secret, self.identity_key = secret, key
        if certify:
            self.register(secret)
        return self

    def start(self, image="image 1", manifest="manifest 1", mode=dice.NORMAL, sequence=1):
        self.boot += 1
        _, class_id = objects.ids(DOMAIN, CLASS)
        self.image = digest(image)
        self.measurement = dice.Measurement(self.image, digest(manifest), class_id, sequence, digest("vendor keys"), mode)
        self.key = dice.key_of(self.measurement.cdi(self.identity_secret))
        self.certificate = self.make_certificate()
        self.leaf = self.make_leaf()
        return self

    # ---- what the boot stage makes

    def common(self, subject, issuer, key):
        serial = int.from_bytes(dice.identifier(dice.raw_public(key)), "big")
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
                .serial_number(serial).not_valid_before(BEGINNING).not_valid_after(NO_END))

    def put_extensions(self, builder, authority, ca):
        own = dice.identifier(dice.raw_public(self.key))
        builder = (builder.add_extension(x509.AuthorityKeyIdentifier(authority, None, None), critical=False)
                   .add_extension(x509.SubjectKeyIdentifier(own), critical=False)
                   .add_extension(dice.key_usage(sign_certificates=ca), critical=True)
                   .add_extension(x509.BasicConstraints(ca, 0 if ca else None), critical=True))
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        return builder.add_extension(x509.UnrecognizedExtension(dice.ATTESTATION, self.measurement.extension()), critical=ca)

    @staticmethod
    def id_name(public):
        return x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, dice.identifier(public).hex())])

    def make_certificate(self):
        """The profile's own, by the identity key in force."""
        issuer = dice.raw_public(self.identity_key)
        builder = self.common(self.id_name(dice.raw_public(self.key)), self.id_name(issuer), self.key)
        return dice.to_der(self.put_extensions(builder, dice.identifier(issuer), ca=True).sign(self.identity_key, None))

    def make_leaf(self):
        authority = self.device_certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        builder = self.common(self.name, self.device_certificate.subject, self.key)
        return self.put_extensions(builder, authority, ca=False).sign(self.leaf_key, None)

    # ---- what it says

    def statement(self, challenge, key=None, **changes):
        """Its answer to a challenge, with what a test wants other: device, boot, nonce, relay, certificate."""
        asked = cose.decode(challenge)
        fields = {"nonce": asked[1], "relay": asked[2], "device": self.identity, "boot": self.boot, "certificate": self.certificate}
        fields.update(changes)
        payload = {0: 1, 1: fields["nonce"], 2: fields["relay"], 3: fields["device"], 4: fields["boot"], 5: fields["certificate"]}
        if self.rotation:
            payload[7] = self.rotation
        return cose.sign1(Signer(key or self.key), dice.STATEMENT_AAD, cose.encode(payload))

    def credentials(self):
        """(certificate chain, key, CA to check the relay with)"""
        chain, key = self.folder / "chain", self.folder / "key"
        chain.write_bytes(dice.to_pem(self.leaf, self.device_certificate))
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return chain, key, self.world.credentials(self.identity)[2]

    def save(self, prefix):
        """prefix.crt, .key, and its CDI certificate in .cdi, for programs that play it."""
        chain, key, _ = self.credentials()
        for suffix, content in (("crt", chain.read_bytes()), ("key", key.read_bytes()), ("cdi", self.certificate)):
            pathlib.Path(f"{prefix}.{suffix}").write_bytes(content)

    def chain(self):
        """DER, leaf first: as a front end names it to the hub."""
        return [dice.to_der(self.leaf), dice.to_der(self.device_certificate)]

    def connection(self):
        """A client with its certificate, nothing sent yet."""
        return DiceClient(self)

    def proven(self, **connect):
        """A session of its own, proven by DICE-1; or what the relay said instead, in .connack."""
        client = self.connection()
        client.prove(**connect)
        return client

    def plain(self, **connect):
        client = self.connection()
        client.connect(self.identity, **connect)
        client.connack = client.expect(CONNACK)
        return client


class DiceClient(Client):
    def __init__(self, device):
        self.device = device
        self.raw = Raw(device.world.port, device.credentials())
        self.version, self.next_id, self.connack = 5, 0, None

    def begin(self, **connect):
        """CONNECT with the method; gives the challenge."""
        self.connect(self.device.identity, auth_method=METHOD, **connect)
        asked = self.expect(AUTH)
        assert asked.reason == CONTINUE and asked.properties["auth_method"] == METHOD.encode()
        return asked.properties["auth_data"]

    def auth(self, reason=CONTINUE, data=None, method=METHOD):
        properties = {} if method is None else {"auth_method": method}
        if data is not None:
            properties["auth_data"] = data
        self.raw.send(frame(0xF0, bytes([reason]) + encode_properties(properties)))

    def prove(self, statement=None, **connect):
        challenge = self.begin(**connect)
        self.auth(CONTINUE, (statement or self.device.statement)(challenge))
        self.connack = self.expect(CONNACK)
        return self.connack.reason

    def prove_again(self, statement=None):
        """Gives what the relay answered at last."""
        self.auth(AGAIN)
        asked = self.expect(AUTH)
        assert asked.reason == CONTINUE
        self.auth(CONTINUE, (statement or self.device.statement)(asked.properties["auth_data"]))
        return self.packet()


def factory_list(devices, images=()):
    """As fwtool factory writes it: these devices by their identity keys, images that were shipped on them."""
    vendor, class_id = objects.ids(DOMAIN, CLASS)
    entries = []
    for device in devices:
        entry = {0: device.identity, 1: cose.to_cose(device.identity_key.public_key()), 2: class_id}
        if device.level:
            entry[4] = device.level
        entries.append(entry)
    return cose.encode({0: 1, 1: vendor, 2: entries, **({3: list(images)} if images else {})})


def register(world, *devices, images=None):
    """The site imports these devices."""
    path = world.folder / "dice" / f"{devices[0].identity}.list"
    path.write_bytes(factory_list(devices, [device.image for device in devices] if images is None else images))
    world.relayctl("devices", "import", path)
    return devices
