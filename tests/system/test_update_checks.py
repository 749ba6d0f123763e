# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that cannot check an update themselves: the relay's check is the only one, so it shows them nothing that is not
approved, let in and whole, and says in words what they are."""

import pytest
from lab.airgap import AirGapped
from lab.packets import Client
from lab.process import wait_until
from lab.site import CLASS, DOMAIN

from conftest import BUILD

CHECKING, LISTED, BY_HAND = "device-1", "device-2", "device-3"
WORDS = "this device cannot check, the relay's word is the only one"


class Mixed(AirGapped):
    """One device that checks, one that the factory list says does not, one that nobody listed."""

    def make_factory(self):
        folder = self.folder / "factory"
        self.fwtool("ca", "create", "--name", "acme factory", "-o", folder / "ca")
        for name, options in ((CHECKING, ()), (LISTED, ("--relay-checks",)), (BY_HAND, None)):
            self.fwtool("ca", "issue", "--ca", folder / "ca", "--identity", name, "-o", folder / name)
            if options is not None:
                self.fwtool("factory", "add", "--list", folder / "devices.cbor", "--domain", DOMAIN, "--class", CLASS,
                            "--identity", name, "--certificate", folder / f"{name}.crt", *options)


@pytest.fixture(scope="module")
def site():
    world = Mixed(BUILD, devices=3).make()
    with world:
        world.start_all()
        refused = Client(world, BY_HAND, connected=False)
        refused.connect(BY_HAND)
        refused.packet()  # whatever it is told: it is noted, and waits to be admitted
        wait_until("the device that waits", lambda: any(d["Identity"] == BY_HAND for d in world.relayctl_json("devices")))
        world.relayctl("devices", "admit", BY_HAND)
        yield world


def shown(world, name):
    return next(device for device in world.relayctl_json("devices", "list") if device["Identity"] == name)


def test_devices_show_says_who_checks(site):
    assert [shown(site, name)["UpdateChecks"] for name in (CHECKING, LISTED, BY_HAND)] == ["device", "relay", "relay"]
    assert WORDS in site.relayctl("devices", "show", LISTED).stdout
    assert WORDS in site.relayctl("devices", "show", BY_HAND).stdout
    assert WORDS not in site.relayctl("devices", "show", CHECKING).stdout
    site.restart_hub()
    assert [shown(site, name)["UpdateChecks"] for name in (CHECKING, LISTED, BY_HAND)] == ["device", "relay", "relay"]


def offers(world, name):
    """What a device finds retained at its topic when it comes."""
    client = Client(world, name)
    client.subscribe(f"sites/s1/devices/{name}/updates/offer")
    client.raw.send(b"\xc0\x00")
    found = []
    while (packet := client.packet()).type != 13:
        found.append(packet.payload)
    client.drop()
    return [payload for payload in found if payload]


def test_they_see_only_what_is_approved_let_in_and_whole(site, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(b"firmware" * 1000)
    manifest, _ = site.make_image("1.1.0", 2, image)
    file = tmp_path / "u.relayd-update"
    site.fwtool("bundle", file, "--manifest", manifest, "--image", image)
    unchecked = (LISTED, BY_HAND)
    site.relayctl("gate", "open")
    site.relayctl("updates", "import", file, *[part for name in (CHECKING, *unchecked) for part in ("--device", name)])
    words = site.relayctl("updates", "show", "1.1.0").stdout
    assert f"Cannot check updates, the relay's word is the only one: {LISTED}, {BY_HAND}" in words
    for name in unchecked:
        assert offers(site, name) == []  # nobody approved it
    site.approve("1.1.0", "anna")
    for name in unchecked:
        assert offers(site, name) == []  # one of two
    site.relayctl("gate", "close")
    site.approve("1.1.0", "bertil")
    for name in unchecked:
        assert offers(site, name) == []  # the gate is closed
    site.relayctl("gate", "open")
    for name in unchecked:
        wait_until("the offer", lambda: offers(site, name) == [manifest.read_bytes()])  # noqa: B023
    site.relayctl("gate", "close")
    for name in unchecked:
        wait_until("taken back", lambda: offers(site, name) == [])  # noqa: B023
