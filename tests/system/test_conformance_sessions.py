# SPDX-License-Identifier: GPL-2.0-or-later
"""MQTT 5 by the OASIS text, sessions and wills, and what 3.1.1 does otherwise: packets by hand."""

import time

from lab.mqtt import frame
from lab.packets import CONNACK, PINGRESP, PUBLISH, Client


# ---- sessions

def test_clean_start(make, topic):
    """MQTT-3.1.2-4, -5, -6, MQTT-3.2.2-2, -3: a session is gone on with, or begun anew."""
    one = make(session_expiry=60)
    assert one.connack.reason == 0 and one.connack.present == 0
    one.subscribe(topic)
    one.disconnect()
    two = make(clean=False, session_expiry=60)
    assert two.connack.present == 1
    two.publish(topic, b"still")
    assert two.message().payload == b"still"
    two.disconnect()
    three = make(clean=True, session_expiry=60)
    assert three.connack.present == 0
    three.publish(topic, b"gone")
    three.nothing()
    three.disconnect(session_expiry=0)


def test_session_without_expiry_ends_with_the_connection(make, topic):
    """MQTT-3.1.2-23 and section 3.1.2.11.2: no interval is 0."""
    one = make()
    one.subscribe(topic)
    one.drop()
    two = make(clean=False)
    assert two.connack.present == 0
    two.publish(topic, b"x")
    two.nothing()


def test_session_expires(make, topic):
    """MQTT-4.1.0-2: kept till the interval is over, discarded then."""
    one = make(session_expiry=20)
    one.subscribe(topic)
    one.drop()
    time.sleep(0.2)
    two = make(clean=False, session_expiry=1)
    assert two.connack.present == 1
    two.drop()
    time.sleep(3.2)
    assert make(clean=False).connack.present == 0


def test_disconnect_changes_the_expiry(make, topic):
    """Section 3.14.2.2.2: down to nothing, but not up from nothing (MQTT-3.14.2-2 forbids a server to send it)."""
    make(session_expiry=60).disconnect(session_expiry=0)
    assert make(clean=False).connack.present == 0
    one = make("b")
    one.disconnect(session_expiry=10)
    one.closed(0x82)


def test_take_over(make):
    """MQTT-3.1.4-3: the older connection gets 0x8E and is closed."""
    one = make(session_expiry=10)
    two = make(clean=False)
    one.closed(0x8E)
    assert two.connack.present == 1
    two.nothing()


def test_assigned_client_id(relay, make):
    """MQTT-3.1.3-6, -7, MQTT-3.2.2-16."""
    one = Client(relay, "device-1", client_id="")
    assert one.connack.reason == 0 and one.connack.properties["assigned_id"] == b"device-1"
    one.drop()


def test_connack_properties(make):
    """Section 3.2.2.3: what the relay can is said, once, and nothing that was not asked for (MQTT-3.1.2-28)."""
    said = make(request_response=0).connack.properties
    assert said["shared"] == 0 and said["receive_maximum"] > 0 and said["packet_maximum"] > 4096
    assert "response_information" not in said and "auth_method" not in said and "assigned_id" not in said
    assert said.get("retain_available", 1) == 1 and "maximum_qos" not in said and said.get("wildcards", 1) == 1


def test_keep_alive(make, topic):
    """MQTT-3.1.2-22: nothing for one and a half intervals, then 0x8D and the will; a ping is enough before."""
    watcher = make("watcher")
    watcher.subscribe(topic)
    one = make("quiet", keep_alive=2, will=(topic, b"gone", 1, False, {}))
    time.sleep(1)
    one.nothing()
    began = time.monotonic()
    one.closed(0x8D)
    assert 2.0 <= time.monotonic() - began
    assert watcher.message().payload == b"gone"


# ---- wills

def test_will_is_not_sent_after_disconnect(make, topic):
    """MQTT-3.1.2-10, MQTT-3.14.4-3."""
    watcher = make("watcher")
    watcher.subscribe(topic)
    make("one", will=(topic, b"one", 1, False, {})).disconnect()
    make("two", will=(topic, b"two", 1, False, {})).disconnect(reason=0x04)
    make("three", will=(topic, b"three", 1, False, {})).drop()
    assert [watcher.message().payload for _ in range(2)] == [b"two", b"three"]
    watcher.nothing()


def test_will_properties(make, topic):
    """Sections 3.1.3.2: they travel with the will; the delay does not."""
    watcher = make("watcher")
    watcher.subscribe(topic, qos=2, as_published=True)
    properties = {"payload_format": 1, "message_expiry": 100, "content_type": "text/plain", "response_topic": "test/answer",
                  "correlation": "\x01c", "user": [("a", "1"), ("a", "2")]}
    make("dying", will=(topic, b"text", 2, True, properties)).drop()
    will = watcher.message()
    assert (will.qos, will.retain, will.payload) == (2, True, b"text")
    assert will.properties["user"] == [("a", "1"), ("a", "2")] and will.properties["payload_format"] == 1
    assert will.properties["content_type"] == b"text/plain" and will.properties["response_topic"] == b"test/answer"
    assert 80 <= will.properties["message_expiry"] <= 100 and "will_delay" not in will.properties
    watcher.publish(topic, b"", retain=True)


def test_will_delay(make, topic):
    """MQTT-3.1.3-9: not if the session goes on within the delay; else at its end, or at the session's, if that is sooner."""
    watcher = make("watcher")
    watcher.subscribe(topic)
    make("back", session_expiry=60, will=(topic, b"back", 1, False, {"will_delay": 5})).drop()
    again = make("back", clean=False, session_expiry=60)
    assert again.connack.present == 1
    make("late", session_expiry=60, will=(topic, b"late", 1, False, {"will_delay": 5})).drop()
    make("short", session_expiry=4, will=(topic, b"short", 1, False, {"will_delay": 60})).drop()
    make("none", will=(topic, b"none", 1, False, {"will_delay": 60})).drop()
    assert watcher.message().payload == b"none", "a session that ends at once takes no delay"
    watcher.nothing()
    assert {watcher.message().payload for _ in range(2)} == {b"late", b"short"}
    time.sleep(1)
    watcher.nothing()
    again.disconnect(session_expiry=0)


def test_will_when_the_session_is_begun_anew(make, topic):
    """Section 3.1.3.2.2: a clean start ends the old session, so its will is due."""
    watcher = make("watcher")
    watcher.subscribe(topic)
    make("one", session_expiry=60, will=(topic, b"due", 1, False, {"will_delay": 60})).drop()
    make("one", clean=True)
    assert watcher.message().payload == b"due"


def test_will_of_a_session_taken_over(make, topic):
    """MQTT-3.1.4-3 and section 3.1.3.2.2: without a delay the old connection's will is sent."""
    watcher = make("watcher")
    watcher.subscribe(topic)
    make("one", session_expiry=60, will=(topic, b"now", 1, False, {}))
    make("one", clean=False, session_expiry=60).disconnect(session_expiry=0)
    assert watcher.message().payload == b"now"
    make("two", session_expiry=60, will=(topic, b"never", 1, False, {"will_delay": 60}))
    make("two", clean=False, session_expiry=60).disconnect(session_expiry=0)
    watcher.nothing()


# ---- 3.1.1

def test_311_session(make, topic):
    """MQTT 3.1.1: 3.1.2-4, -5, -6, 3.2.2-2, -3; redelivery 4.4.0-1."""
    one = make(version=4, clean=False)
    assert one.connack.reason == 0 and one.connack.present == 0
    assert one.subscribe(topic, qos=1) == [1]
    sender = make("sender", version=4)
    one.drop()
    time.sleep(0.2)
    sender.published(topic, b"kept", qos=1)
    two = make(version=4, clean=False)
    assert two.connack.present == 1
    first = two.expect(PUBLISH)
    two.drop()
    three = make(version=4, clean=False)
    again = three.message()
    assert again.dup and again.packet_id == first.packet_id and again.payload == b"kept"
    three.disconnect()
    assert make(version=4, clean=True).connack.present == 0


def test_311_suback_failure(make):
    """MQTT 3.1.1: 3.9.3-2, the only failure it knows is 0x80."""
    one = make(identity="app.reader", version=4)
    assert one.subscribe("other", "sites/s1/devices/device-1/events/#") == [0x80, 1]


def test_311_unsuback_has_no_codes(make, topic):
    """MQTT 3.1.1 section 3.11."""
    one = make(version=4)
    one.subscribe(topic)
    assert one.unsubscribe(topic, "never/had") == []


def test_311_empty_client_id(relay):
    """MQTT 3.1.1: 3.1.3-7, -8: with clean session it may be empty, without it is refused with 0x02."""
    one = Client(relay, "device-2", client_id="", version=4)
    assert one.connack.reason == 0
    one.drop()
    two = Client(relay, "device-2", client_id="", version=4, clean=False)
    assert two.connack.reason == 2 and two.packet() is None


def test_311_gets_no_disconnect(make, topic):
    """MQTT 3.1.1: a server has no DISCONNECT; what is refused ends the connection."""
    one = make(version=4)
    one.raw.send(frame(0x36, b"\x00\x01a\x00\x01"))
    one.closed()
    two = make("b", identity="app.reader", version=4)
    two.publish("other", b"x", qos=1)
    two.closed()


def test_between_versions(make, topic):
    """A 3.1.1 client gets what a 5 client sends, without properties, and the other way round."""
    old, new = make("old", version=4), make("new")
    for one in (old, new):
        one.subscribe(topic, qos=2)
    make("sender").published(topic, b"five", qos=2, user=[("a", "b")], content_type="x")
    assert old.message().payload == b"five" and new.message().properties["user"] == [("a", "b")]
    make("sender4", version=4).published(topic, b"four", qos=2)
    assert old.message().payload == b"four" and new.message().properties == {}


def test_first_packet_is_connack(relay):
    """MQTT-3.2.0-1, -2."""
    one = Client(relay, connected=False)
    one.connect("app.all.first")
    one.raw.send(b"\xc0\x00")
    assert one.packet().type == CONNACK
    assert one.packet().type == PINGRESP
    one.drop()
