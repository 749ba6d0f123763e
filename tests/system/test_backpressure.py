# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that send more than is taken, or read nothing: they wait, nobody else does, and nothing is lost."""

import struct

from lab.mqtt import Raw, connect_packet, frame, text

PINGS = 4096  # in one write


def connected(relay, client_id):
    raw = Raw(relay.port, relay.credentials("app.all"))
    raw.send(connect_packet(client_id))
    assert raw.packet()[0] == 2
    return raw


def alive(raw):
    raw.send(b"\xc0\x00")
    return raw.packet() == (13, 0, b"")


def test_more_behind_connect_than_is_kept(relay):
    """200 KiB of publishes before the CONNACK; the relay keeps one packet's size and reads on when the hub answered."""
    raw = Raw(relay.port, relay.credentials("app.all"))
    messages = b"".join(frame(0x32, text("test/behind") + struct.pack(">H", number) + b"\x00" + bytes(4096))
                        for number in range(1, 51))
    raw.send(connect_packet("app.all.behind") + messages)
    assert raw.packet()[0] == 2
    assert [struct.unpack(">H", raw.packet()[2][:2])[0] for _ in range(50)] == list(range(1, 51))
    assert alive(raw)
    raw.close()


def test_pings_without_reading(relay):
    """The answers fill every buffer on the way; then the relay stops reading from this client, and only from it."""
    bystander = connected(relay, "app.all.bystander")
    raw = connected(relay, "app.all.flood")
    raw.tls.settimeout(2)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += raw.tls.send(b"\xc0\x00" * PINGS)
    except TimeoutError:
        pass
    else:
        raise AssertionError("64 MiB of pings were taken from a client that reads nothing")
    assert alive(bystander)
    raw.tls.settimeout(20)
    got = 0
    while got < sent - (1 << 20):  # make room, then repeat the write that did not go through
        got += len(raw.tls.recv(65536))
    raw.send(b"\xc0\x00" * PINGS)
    sent += 2 * PINGS
    while got < sent:
        data = raw.tls.recv(65536)
        assert data, "the relay closed the connection"
        got += len(data)
    assert got == sent
    assert alive(raw) and alive(bystander)
    raw.close()
    bystander.close()
