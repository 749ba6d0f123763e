# SPDX-License-Identifier: GPL-2.0-or-later
"""A broker that knows nothing of us: mosquitto, to which a factory CA, one line of configuration and patterns in the
ACL say who is which device. A device was opened, its identity key copied: what certificates does it buy?"""

import datetime
import ipaddress
import pathlib
import subprocess
import tempfile

import pytest
import relaydice as dice
import relayobjects as ro
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lab.cloud import Cloud

OPENED, OTHER = "device-1", "device-2"
NOTHING = dice.Measurement(bytes(32), bytes(32), bytes(16), 1, bytes(32))
FACTORY = dice.subject("Acme", "factory.acme")


class Broker(Cloud):
    """Identities come as pairs of files; what it took is in its log, with the user name it gave."""

    def __init__(self, folder):
        self.ca = ro.Key("factory").private
        certificates = folder / "certificates"
        certificates.mkdir()
        self.files(certificates, "ca", self.ca, dice.authority(FACTORY, self.ca))
        server = ro.Key("broker").private
        self.files(certificates, "cloud", server, self.issue("broker.acme", server, x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])))
        super().__init__(folder / "broker", certificates)
        with (self.folder / "mosquitto.conf").open("a") as conf:
            conf.write("use_username_as_clientid true\n")

    def files(self, folder, name, key, *chain):
        (folder / f"{name}.crt").write_bytes(dice.to_pem(*chain))
        (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                                               serialization.PrivateFormat.PKCS8,
                                                               serialization.NoEncryption()))
        return name

    def issue(self, name, key, *extensions):
        """an ordinary certificate of the factory, for the broker and for whoever has no boot stage"""
        start = datetime.datetime(2026, 1, 1)
        builder = (x509.CertificateBuilder().subject_name(dice.subject("Acme", name)).issuer_name(FACTORY)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(start)
                   .not_valid_after(start + datetime.timedelta(days=36500)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.ca, None)

    def device(self, name, secret, **changes):
        """the factory's certificate of an identity key"""
        return dice.device_certificate(dice.subject("Acme", name), dice.key_of(secret).public_key(), FACTORY, self.ca,
                                       **changes)

    def knock(self, files, client_id, topic):
        """Publishes one message; whether the broker spoke MQTT with this certificate at all."""
        done = subprocess.run(self.client("mosquitto_pub", files, "-i", client_id, "-q", "1", "-t", topic, "-m", "x"),
                              capture_output=True, text=True, timeout=60)
        return done.returncode == 0

    def users(self):
        lines = (self.folder / "mosquitto.log").read_text().splitlines()
        return [line.split("u'")[1].split("'")[0] for line in lines if "New client connected" in line and "u'" in line]


@pytest.fixture(scope="module")
def broker():
    with tempfile.TemporaryDirectory(prefix="relayd-generic-") as folder:
        broker = Broker(pathlib.Path(folder)).start()
        try:
            yield broker
        finally:
            broker.stop()


class Thief:
    """Holds the secret of one device, and so all that its boot stage can sign."""

    def __init__(self, broker, **changes):
        self.broker, self.secret = broker, ro.sha256(b"opened")
        self.identity = dice.key_of(self.secret)
        self.certificate = broker.device(OPENED, self.secret, **changes)
        self.key = ro.Key("thief").private

    def leaf(self, name, issuer=None, issuer_key=None, ca=False):
        issuer, issuer_key = issuer or self.certificate, issuer_key or self.identity
        authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        return dice.issued(self.key.public_key(), name, issuer.subject, authority, dice.key_usage(sign_certificates=ca),
                           x509.BasicConstraints(ca=ca, path_length=0 if ca else None), NOTHING, False,
                           [ExtendedKeyUsageOID.CLIENT_AUTH]).sign(issuer_key, None)

    def files(self, *chain, key=None):
        return self.broker.files(self.broker.certificates, "thief", key or self.key, *chain, self.certificate)


def names_of_others():
    """Whatever a thief may write into a subject so that somebody takes it for another's."""
    common = NameOID.COMMON_NAME
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme")

    def name(*parts):
        return x509.Name([x509.RelativeDistinguishedName([x509.NameAttribute(common, part) for part in group])
                          if isinstance(group, tuple) else x509.NameAttribute(common, group) for group in parts])

    yield dice.subject("Acme", OTHER)
    yield dice.subject("Acme", "vendor.acme")  # it may write everywhere
    yield dice.subject("Acme", "relay.s1")
    yield dice.subject("Acme", OTHER, OPENED)
    yield dice.subject("Other", OPENED)
    yield x509.Name([x509.RelativeDistinguishedName([organisation]), *name((OPENED, OTHER)).rdns])
    yield name(OTHER)
    yield name(OPENED)
    yield name(OTHER, OPENED)


def try_everything(broker, thief):
    for name in names_of_others():
        assert not broker.knock(thief.files(thief.leaf(name)), OTHER, f"sites/s1/devices/{OTHER}/events/x"), name
    # a further CA in between does not widen it
    inner = thief.leaf(dice.subject("Acme", OPENED), ca=True)
    deep = thief.leaf(dice.subject("Acme", OTHER), inner, thief.key)
    assert not broker.knock(thief.files(deep, inner), OTHER, f"sites/s1/devices/{OTHER}/events/x")
    inner = thief.leaf(dice.subject("Acme", OTHER), ca=True)
    deep = thief.leaf(dice.subject("Acme", OTHER), inner, thief.key)
    assert not broker.knock(thief.files(deep, inner), OTHER, f"sites/s1/devices/{OTHER}/events/x")
    # names that the broker lets through because they stand below the device's own, or differ in case only: they are
    # the device's own name there, or nobody's
    for name in (dice.subject("Acme", OPENED, OTHER), dice.subject("Acme", OPENED.upper())):
        broker.knock(thief.files(thief.leaf(name)), OTHER, f"sites/s1/devices/{OTHER}/events/x")
    # another device's certificate in front of the own one, and the own one's key
    broker.knock(thief.files(thief.leaf(dice.subject("Acme", OTHER), broker.device(OTHER, ro.sha256(b"other")))), OTHER,
                 f"sites/s1/devices/{OTHER}/events/x")


def test_identity_generic_broker(broker):
    """A key that was copied from one device speaks for that device at any broker with OpenSSL, and for no other."""
    thief = Thief(broker)
    secret = ro.sha256(b"other")
    device = broker.device(OTHER, secret)
    broker.files(broker.certificates, "honest", dice.key_of(NOTHING.cdi(secret)), dice.leaf(secret, NOTHING, device),
                 device)
    broker.files(broker.certificates, "ops.acme", ro.Key("ops").private, broker.issue("ops.acme", ro.Key("ops").private))
    watch = broker.watch("sites/s1/devices/+/events/+")
    before = broker.users()

    try_everything(broker, thief)
    assert OTHER not in broker.users() and "vendor.acme" not in broker.users() and "relay.s1" not in broker.users()

    # controls: each device's own leaf, under its own name, whatever client id it says
    own = broker.files(broker.certificates, "own", dice.key_of(NOTHING.cdi(thief.secret)),
                       dice.leaf(thief.secret, NOTHING, thief.certificate), thief.certificate)
    assert broker.knock(own, OTHER, f"sites/s1/devices/{OPENED}/events/own")
    assert broker.knock("honest", OTHER, f"sites/s1/devices/{OTHER}/events/own")
    seen = watch.wait_for("both events", lambda messages: len(messages) >= 2 and messages)
    assert [message["topic"] for message in seen] == [f"sites/s1/devices/{OPENED}/events/own",
                                                      f"sites/s1/devices/{OTHER}/events/own"]
    users = broker.users()[len(before):]
    assert users[-2:] == [OPENED, OTHER] and set(users) <= {OPENED, OTHER, OPENED.upper()}
    watch.stop()


def test_identity_generic_broker_needs_the_constraint(broker):
    """The same theft where a factory left the constraint out: the test above can fail."""
    thief = Thief(broker, constraint=False)
    assert broker.knock(thief.files(thief.leaf(dice.subject("Acme", OTHER))), OTHER,
                        f"sites/s1/devices/{OTHER}/events/stolen")
    assert broker.users()[-1] == OTHER
