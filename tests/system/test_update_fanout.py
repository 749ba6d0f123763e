# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty devices take an update; the image comes over the uplink once."""

import os
import re

from lab.fanout import FanoutWorld
from lab.site import SITE
from lab.updates import Desk

from conftest import BUILD

DEVICES = 50


def pieces_sent(world):
    """(client, topic, bytes) of each piece of an image that the cloud's broker sent to the site, by its own log."""
    line = re.compile(r"Sending PUBLISH to (\S+) \(.*'(images/[^']+)', \.\.\. \((\d+) bytes\)\)")
    return [(client, topic, int(size)) for client, topic, size in line.findall(world.cloud.process.output())
            if client != "ops.acme.desk"]


def test_fifty_devices_take_the_image_over_the_uplink_once():
    with FanoutWorld(BUILD, devices=DEVICES, ticket=True, proves=True, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        with (world.cloud.folder / "mosquitto.conf").open("a") as config:
            config.write("log_type debug\n")
        world.start_all()
        world.relayctl("gate", "open")
        fleet = world.start_fleet()
        fleet.wait("online")
        desk = Desk(world)
        update = desk.serve(desk.make())
        desk.offer(update.envelope)
        for person in ("anna", "bertil"):
            desk.approve(person, update)
        desk.wait_running(update, patience=180)
        confirmed = fleet.wait("confirmed")
        assert {image for _, image in confirmed.values()} == {update.digest} and set(confirmed) == set(world.devices)
        wanted = [(f"relay.{SITE}", topic, len(payload)) for topic, payload in update.pieces().items()]
        assert sorted(pieces_sent(world)) == sorted(wanted)
        update_bytes = sum(size for _, _, size in wanted)
        status = world.relayctl_json("status")
        assert status["ImageBytesFetched"] == update_bytes
        assert status["ImageBytesServed"] >= DEVICES * update_bytes
        desk.close()
