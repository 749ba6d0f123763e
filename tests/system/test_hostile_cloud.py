# SPDX-License-Identifier: GPL-2.0-or-later
"""The cloud refuses, stalls, lies or closes at every point: the site goes on, and nothing acknowledged is lost."""

import pytest
from lab.cloud import event_keys
from lab.fakecloud import FakeCloud
from lab.mqtt import Paho
from lab.process import wait_until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def send_events(client, first, count):
    for seq in range(first, first + count):
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("seq", str(seq)), ("boot", "1")]
        client.publish("sites/s1/devices/device-1/events/soil", b"{}", properties=properties)


@pytest.mark.parametrize("behaviour", FakeCloud.BEHAVIOURS)
def test_cloud(world, behaviour):
    world.cloud.stop()
    fake = FakeCloud(world.cloud.certificates, behaviour, world.cloud.port)
    client = Paho(world.port, world.credentials("device-1"), "device-1")
    assert client.reason == 0
    send_events(client, 1, 20)
    if behaviour != "refuse-tcp":
        wait_until("the relay to try", lambda: fake.connections >= 1, 30)
    if behaviour in ("stall-puback", "wrong-puback", "close-at-publish"):
        wait_until("the relay to publish", lambda: fake.published >= 1, 40)
    send_events(client, 21, 20)
    status = world.relayctl_json("status")
    assert status["OutboxEvents"] >= (0 if behaviour == "stall-suback" else 40)
    fake.close()
    client.close()

    world.cloud.start()
    watcher = world.cloud.watch("sites/#")
    watcher.wait_for("all forty events", lambda messages: {seq for _, _, seq in event_keys(messages)} >= set(range(1, 41)),
                     patience=90)
    watcher.stop()
