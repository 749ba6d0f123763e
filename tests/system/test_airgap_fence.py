# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing crosses the fence: packets are captured on the devices' wire and on the cloud's, in network namespaces of the test's own.

A device of a relay-only site never sends a packet to the cloud, however long its relay is dead; one of a normal site, on the
same wires, does. A relay with uplink = none sends nothing out at all.
"""

import os
import signal

import pytest
from lab.fence import CLOUD, DEVICES, GATEWAY_LAN, GATEWAY_WAN, Fence
from lab.netns import possible
from lab.process import wait_until

from conftest import BUILD

pytestmark = pytest.mark.skipif(not possible(), reason="network namespaces need root, or a user namespace around the test")

ROUNDS = 20  # attempts at the dead relay
OPTIONS = ("--dwell-ms", "500", "--backoff-ms", "500", "--keep-alive", "5")


def started(**options):
    world = Fence(BUILD, devices=1, **options)
    try:
        world.make()
        world.start_bus()
        world.cloud.start()
        world.start_relay()
        world.import_all()
        world.start_device("device-1", *OPTIONS)
        world.wait_device("device-1", "connects", lambda device: device["Online"])
    except BaseException:
        world.close()
        raise
    return world


def let_the_relay_die_for_long(world):
    before = world.at_devices.syns(DEVICES, GATEWAY_LAN)
    world.processes["front"].kill()
    wait_until(f"{ROUNDS} attempts at the dead relay", lambda: world.at_devices.syns(DEVICES, GATEWAY_LAN) >= before + ROUNDS, 120)


def assert_complete(world):
    assert world.at_devices.complete() and world.at_cloud.complete(), "the capture lost frames"
    assert world.at_devices.others.keys() <= {0x0806}, "what is neither IPv4 nor ARP?"


def test_a_device_of_a_normal_site_goes_to_the_cloud_on_these_wires():
    """The control: way, names, keys and captures are such that a packet to the cloud would be seen."""
    world = started(relay_only=False)
    try:
        assert not world.at_devices.between(DEVICES, CLOUD)
        world.processes["front"].kill()
        wait_until("a packet to the cloud on the devices' wire", lambda: world.at_devices.syns(DEVICES, CLOUD) > 0, 60)
        wait_until("and on the cloud's", lambda: world.at_cloud.syns(DEVICES, CLOUD) > 0)
        wait_until("a session there", lambda: len(world.at_cloud.between(DEVICES, CLOUD)) > 10, 60)
    finally:
        world.close()


def test_a_relay_only_device_never_sends_a_packet_to_the_cloud():
    """Its relay has an uplink, the cloud is there, and the way to it is open."""
    world = started(relay_only=True)
    try:
        wait_until("the relay's own session with the cloud", lambda: world.relayctl_json("status")["UplinkState"] == "up")
        let_the_relay_die_for_long(world)
        world.processes["device-1"].kill()  # a restart changes nothing
        world.start_device("device-1", *OPTIONS)
        let_the_relay_die_for_long(world)
        world.start_front_end()
        world.wait_device("device-1", "comes back", lambda device: device["Online"])
        # a relay that takes connections and says nothing
        before = world.at_devices.syns(DEVICES, GATEWAY_LAN)
        os.kill(world.processes["front"].popen.pid, signal.SIGSTOP)
        wait_until("two more attempts", lambda: world.at_devices.syns(DEVICES, GATEWAY_LAN) >= before + 2, 120)
        os.kill(world.processes["front"].popen.pid, signal.SIGCONT)
        assert world.at_cloud.between(GATEWAY_WAN, CLOUD), "the capture sees the relay's uplink"
        assert not world.at_devices.between(DEVICES, CLOUD)
        assert not [packet for packet in world.at_cloud.packets if packet.source == DEVICES]
        assert {packet.destination for packet in world.at_devices.packets if packet.source == DEVICES} == {GATEWAY_LAN}
        assert_complete(world)
    finally:
        world.close()


def test_a_relay_without_uplink_sends_nothing_out(tmp_path):
    """Set-up, sessions, events, an import, alerts, exports, restarts: not one frame of the gateway on the cloud's wire."""
    world = started(relay_only=True, uplink=False)
    try:
        image = tmp_path / "image"
        image.write_bytes(bytes(range(256)) * 64)
        manifest, _ = world.make_image("1.1.0", 2, image)
        world.fwtool("bundle", tmp_path / "u.relayd-update", "--manifest", manifest, "--image", image)
        world.relayctl("updates", "import", tmp_path / "u.relayd-update")
        for person in ("anna", "bertil"):
            world.approve("1.1.0", person)
        wait_until("events", lambda: world.relayctl_json("status")["OutboxEvents"] > 0)
        world.relayctl("events", "export", tmp_path / "events", "--drop")
        world.relayctl("audit", "export", tmp_path / "audit")
        world.processes["hub"].stop()
        world.start_hub()
        world.wait_device("device-1", "is back", lambda device: device["Online"])
        let_the_relay_die_for_long(world)
        assert world.relayctl_json("status")["UplinkState"] == "none"
        assert world.at_cloud.packets == [] and not world.at_cloud.others, (world.at_cloud.packets, world.at_cloud.others)
        assert not world.at_devices.between(DEVICES, CLOUD)
        assert_complete(world)
    finally:
        world.close()
