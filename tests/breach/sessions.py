# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions made by hand, at the relay or at the cloud, with whatever certificate the attacker has."""

import contextlib
import ssl

from lab.mqtt import Raw, connect_packet, frame, text
from scene import AT_RELAY

GOOD, NO_SUBSCRIBER, NOT_AUTHORISED, CLIENT_ID = 0, 0x10, 0x87, 0x85


def connack(site, files, client_id, port=None):
    """The relay's (or another port's) answer to a CONNECT: its reason code, None if TLS itself was refused."""
    ca = site.credentials(AT_RELAY)[2]
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        raw = Raw(port or site.port, (*files, site.cloud.certificates / "ca.crt" if port else ca))
        raw.send(connect_packet(client_id))
        packet = raw.packet()
        raw.close()
        return packet[2][1] if packet else None
    return None


def own_files(site, device):
    return site.credentials(device)[:2]


def answer_to(site, device, port, topic, payload=b"x"):
    """Reason code of the answer to a publish, QoS 1, in a session of its own."""
    ca = site.cloud.certificates / "ca.crt" if port == site.cloud.port else site.credentials(device)[2]
    raw = Raw(port, (*own_files(site, device), ca))
    raw.send(connect_packet(device) + frame(0x32, text(topic) + b"\x00\x07\x00" + payload))
    assert raw.packet()[2][1] == GOOD
    while (packet := raw.packet())[0] != 4:
        pass
    raw.close()
    return packet[2][2] if len(packet[2]) > 2 else GOOD
