# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are not ours talk to the relay: mosquitto's programs and paho, MQTT 3.1.1 and 5."""

import json
import queue

import pytest
from lab.mqtt import Paho, mosquitto_pub, mosquitto_sub
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


@pytest.fixture
def client(relay):
    clients = []

    def make(identity="app.all", client_id=None, **options):
        clients.append(Paho(relay.port, relay.credentials(identity), identity if client_id is None else client_id, **options))
        return clients[-1]
    yield make
    for one in clients:
        one.close()


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_programs(relay, version, qos):
    topic = f"test/mosquitto/{version}/{qos}"
    sub = mosquitto_sub(relay, "app.second", "-t", topic, "-q", qos, "-C", 1, "-W", 20, "-d", version=version)
    sub.wait_for("SUBACK")
    mosquitto_pub(relay, "app.all", "-t", topic, "-q", qos, "-m", "hello", version=version)
    sub.wait_for("\nhello")
    sub.popen.wait(20)  # -C 1 ends it; a SIGTERM meanwhile can lock it up in its own signal handler


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_publish_and_receive(client, version, qos):
    one = client(version=version)
    assert one.reason == 0
    assert one.subscribe(f"test/paho/{version}/{qos}", qos=qos) == [qos]
    one.publish(f"test/paho/{version}/{qos}", b"\x00\xffbinary", qos=qos)
    message = one.next()
    assert message.payload == b"\x00\xffbinary" and message.qos == qos and not message.retain


def test_device_event_reaches_an_application_and_the_cloud(relay, client):
    watcher = relay.cloud.watch("sites/s1/devices/device-1/events/#", name="interop")
    reader = client("app.reader")
    assert reader.subscribe("sites/s1/devices/+/events/#", qos=1) == [1]
    device = client("device-1")
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("seq", "1"), ("boot", "1")]
    device.publish("sites/s1/devices/device-1/events/soil", b'{"moisture":40}', properties=properties)
    message = reader.next()
    assert json.loads(message.payload) == {"moisture": 40}
    assert ("seq", "1") in message.properties.UserProperty
    watcher.wait_for("the event at the cloud", lambda messages: [m for m in messages if "soil" in m["topic"]])
    watcher.stop()


def test_retained(client):
    one = client()
    one.publish("test/retained", b"kept", retain=True)
    one.subscribe("test/retained", qos=1)
    message = one.next()
    assert message.payload == b"kept" and message.retain
    one.publish("test/retained", b"", retain=True)
    one.next()
    other = client("app.second")
    other.subscribe("test/retained", qos=1)
    with pytest.raises(queue.Empty):
        other.next(timeout=0.5)


def test_will(client):
    one = client("app.second")
    one.subscribe("test/will", qos=1)
    dying = client(will=("test/will", b"gone", 1, False))
    dying.drop()
    assert one.next().payload == b"gone"


@pytest.mark.parametrize("version", [4, 5])
def test_session_keeps_messages_for_an_absent_client(client, version):
    client_id = f"app.second.absent{version}"
    options = {"version": version, "clean": False, "expiry": 3600}
    one = client("app.second", client_id, **options)
    one.subscribe("test/absent", qos=1)
    one.close()
    sender = client()
    for number in range(20):
        sender.publish("test/absent", str(number))
    again = client("app.second", client_id, **options)
    assert [int(again.next().payload) for _ in range(20)] == list(range(20))
    present = again.flags["session present"] if isinstance(again.flags, dict) else again.flags.session_present
    assert present
    again.close()
    client("app.second", client_id, version=version, clean=True)


def test_take_over(client):
    first = client("app.second", "app.second.twin")
    client("app.second", "app.second.twin")
    assert first.closed.get(timeout=20) != 0


def test_no_local(client):
    one = client()
    one.subscribe("test/nolocal", options=SubscribeOptions(qos=1, noLocal=True))
    one.publish("test/nolocal", b"mine")
    client("app.second").publish("test/nolocal", b"yours")
    assert one.next().payload == b"yours"


def test_empty_client_id_is_assigned(client):
    assert client("device-2", "").reason == 0
