# SPDX-License-Identifier: GPL-2.0-or-later
"""Device identity: one key, one device. No theft of anything else makes a session in its name."""

import ssl

from attacker import Attacker
from cryptography import x509
from lab.frontend import ADMIT, PACKET, REFUSE, FrontEnd, chain, normal_connect
from lab.process import wait_until
from lab.updates import FileKey, alerts
from scene import AT_RELAY, AT_ROGUE, DIRECT, ON_DESK
from sessions import CLIENT_ID, GOOD, NO_SUBSCRIBER, NOT_AUTHORISED, answer_to, connack, own_files

def test_identity_nothing(site):
    """A device's own key opens its own session and no other's."""
    assert connack(site, own_files(site, ON_DESK), ON_DESK) == GOOD
    assert connack(site, own_files(site, ON_DESK), AT_RELAY) == CLIENT_ID
    key = FileKey(own_files(site, ON_DESK)[1])  # under the other's name
    assert connack(site, Attacker(site, ON_DESK).certificate(AT_RELAY, key), AT_RELAY) == NOT_AUTHORISED


STOLEN = {
    "cloud": (("cloud",), "cloud ca"),
    "organisation": (("cloud", "organisation"), "organisation"),
    "developer": (("cloud", "organisation", "developer"), "developer"),
    "gate": (("gate",), "gate"),
    "approver": (("anna",), "anna"),
    "relay": (("gateway",), "relay"),
}


def false_certificates(site, thief, role):
    """Certificates in the name of a device, as well as this key can make them."""
    factory = x509.load_pem_x509_certificate((site.folder / "factory" / "ca" / "ca.crt").read_bytes())
    key = thief.keys[role]
    yield thief.certificate(AT_RELAY, key)
    yield thief.certificate(AT_RELAY, thief.own, issuer=factory, issuer_key=key)
    if role == "cloud ca":
        cloud = x509.load_pem_x509_certificate((site.cloud.certificates / "ca.crt").read_bytes())
        yield thief.certificate(AT_RELAY, thief.own, issuer=cloud, issuer_key=key)


def refused_everywhere(site, row):
    stolen, role = STOLEN[row]
    thief = Attacker(site, *stolen)
    for files in false_certificates(site, thief, role):
        assert connack(site, files, AT_RELAY) == NOT_AUTHORISED
        if row == "cloud":
            continue  # who owns the cloud may invent sessions there, and there only
        assert connack(site, files, AT_RELAY, site.cloud.port) is None
    wait_until("the alert", lambda: alerts(site, "foreign-certificate"))
    assert connack(site, own_files(site, ON_DESK), ON_DESK) == GOOD
    assert connack(site, own_files(site, ON_DESK), ON_DESK, site.cloud.port) == GOOD


def test_identity_cloud(site):
    """The cloud's own authority says who is a client of the cloud, not who is a device of the site."""
    refused_everywhere(site, "cloud")


def test_identity_organisation(site):
    refused_everywhere(site, "organisation")


def test_identity_developer(site):
    refused_everywhere(site, "developer")


def test_identity_gate(site):
    refused_everywhere(site, "gate")


def test_identity_approver(site):
    refused_everywhere(site, "approver")


def test_identity_relay(site):
    """All keys of the gateway: none of them opens a session as a device, neither at the cloud nor at another relay."""
    refused_everywhere(site, "relay")
    gateway = site.folder / "gateway" / "etc" / "relayd"
    uplink = gateway / "uplink.crt", gateway / "keys" / "uplink.key"
    assert connack(site, uplink, AT_RELAY) == NOT_AUTHORISED


def test_identity_front_end(site):
    """What a front end says of certificates is compared with what the hub knows: it cannot invent a device, or give a known
    one another key. (That it names a certificate whose key nobody showed it is its word until devices prove themselves.)"""
    thief = Attacker(site, "front end")
    front, number = FrontEnd(site), 0
    invented = [thief.certificate(name, thief.own)[0] for name in ("device-99", AT_RELAY)]
    for path in invented:
        number += 1
        front.open(number, ssl.PEM_cert_to_DER_cert(path.read_text()))
        assert front.receive(ADMIT, REFUSE)[:2] == (REFUSE, number)
        front.send(PACKET, number, normal_connect(AT_RELAY))
    front.open(10, *chain(site, ON_DESK))
    assert front.receive(ADMIT, REFUSE)[:2] == (ADMIT, 10)
    front.send(PACKET, 10, normal_connect(AT_RELAY))
    kind, _, payload = front.receive(PACKET)
    assert payload[0] == 0x20 and payload[3] == CLIENT_ID
    front.open(11, *chain(site, ON_DESK))
    assert front.receive(ADMIT, REFUSE)[:2] == (ADMIT, 11)
    front.send(PACKET, 11, normal_connect(ON_DESK))
    assert front.receive(PACKET)[2][3] == GOOD
    front.close()


def test_identity_device_opened(site):
    """A device's key copied: it is that device, at relay and cloud, and nobody else."""
    thief = Attacker(site, ON_DESK)
    mine = thief.keys[ON_DESK]
    assert connack(site, thief.certificate(AT_RELAY, mine), AT_RELAY) == NOT_AUTHORISED
    device = x509.load_pem_x509_certificate(own_files(site, ON_DESK)[0].read_bytes())
    signed = thief.certificate(AT_RELAY, thief.own, issuer=device, issuer_key=mine)
    assert connack(site, signed, AT_RELAY) == NOT_AUTHORISED
    assert connack(site, signed, AT_RELAY, site.cloud.port) is None
    assert connack(site, own_files(site, ON_DESK), AT_RELAY) == CLIENT_ID
    for topic in (f"sites/s1/devices/{AT_RELAY}/events/soil", f"sites/s1/devices/{DIRECT}/state/direct",
                  f"sites/s1/devices/{AT_ROGUE}/updates/status", "sites/s1/relay/state", "sites/s1/policy/2"):
        for port in (site.port, site.cloud.port):
            assert answer_to(site, ON_DESK, port, topic) == NOT_AUTHORISED, topic
    for port in (site.port, site.cloud.port):
        assert answer_to(site, ON_DESK, port, f"sites/s1/devices/{ON_DESK}/events/soil") in (GOOD, NO_SUBSCRIBER)
