# SPDX-License-Identifier: GPL-2.0-or-later
"""MQTT 5 by the OASIS text, publishing and subscribing: normative statements in the docstrings, packets by hand."""

import time

import pytest
from lab.mqtt import frame
from lab.packets import DISCONNECT, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL


# ---- publishing

def test_properties_are_forwarded(make, topic):
    """MQTT-3.3.2-4, -15, -16, -17, -18, -20: unaltered, user properties in their order."""
    one = make()
    one.subscribe(topic)
    properties = {"payload_format": 1, "content_type": "a/b", "response_topic": "test/r", "correlation": "\x00\x01",
                  "user": [("k", "1"), ("b", "2"), ("k", "3")]}
    one.publish(topic, b"p", qos=1, **properties)
    packets = {p.type: p for p in (one.packet(), one.packet())}
    got = packets[PUBLISH].properties
    assert got["payload_format"] == 1 and got["content_type"] == b"a/b" and got["response_topic"] == b"test/r"
    assert got["correlation"] == b"\x00\x01" and got["user"] == properties["user"]


def test_message_expiry(make, topic):
    """MQTT-3.3.2-5, -6: counted down while it waits, not delivered when it is over."""
    sender, one = make("sender"), make(session_expiry=60)
    one.subscribe(topic)
    one.drop()
    time.sleep(0.2)
    sender.published(topic, b"short", qos=1, message_expiry=1)
    sender.published(topic, b"long", qos=1, message_expiry=100)
    time.sleep(2.2)
    back = make(clean=False, session_expiry=60)
    message = back.message()
    assert message.payload == b"long" and 60 <= message.properties["message_expiry"] <= 98
    back.nothing()
    back.disconnect(session_expiry=0)


def test_expiry_of_retained(make, topic):
    """Section 3.3.2.3.3 for a retained message."""
    one = make()
    one.published(topic, b"kept", qos=1, retain=True, message_expiry=2)
    one.subscribe(topic)
    assert one.message().properties["message_expiry"] in (1, 2)
    time.sleep(3.1)
    two = make("b")
    two.subscribe(topic)
    two.nothing()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_retained(make, topic, qos):
    """MQTT-3.3.1-5, -6, -7, -8: the last one is kept and given as retained; an empty one removes it and is not kept."""
    one = make()
    one.published(topic, b"first", qos=qos, retain=True)
    one.published(topic, b"second", qos=qos, retain=True)
    one.published(topic, b"passing", qos=qos)
    two = make("b")
    two.subscribe(topic, qos=2)
    message = two.message()
    assert (message.payload, message.retain, message.qos) == (b"second", True, qos)
    two.nothing()
    one.published(topic, b"", qos=qos, retain=True)
    gone = two.message()
    assert gone.payload == b"" and not gone.retain
    three = make("c")
    three.subscribe(topic)
    three.nothing()


def test_retain_handling(make, topic):
    """MQTT-3.3.1-9, -10, -11: at each subscribe, at a new one only, never."""
    one = make()
    one.published(topic, b"kept", qos=1, retain=True)
    one.subscribe(topic, handling=0)
    assert one.message().retain
    one.subscribe(topic, handling=0)
    assert one.message().retain
    one.subscribe(topic, handling=1)
    one.nothing()
    two = make("b")
    two.subscribe(topic, handling=1)
    assert two.message().payload == b"kept"
    three = make("c")
    three.subscribe(topic, handling=2)
    three.nothing()
    one.publish(topic, b"", retain=True)


def test_retain_as_published(make, topic):
    """MQTT-3.3.1-12, -13: the flag is cleared, or kept if so asked."""
    plain, faithful, sender = make("plain"), make("faithful"), make("sender")
    plain.subscribe(topic)
    faithful.subscribe(topic, as_published=True)
    sender.published(topic, b"r", qos=1, retain=True)
    sender.published(topic, b"n", qos=1)
    assert [plain.message().retain for _ in range(2)] == [False, False]
    assert [faithful.message().retain for _ in range(2)] == [True, False]
    sender.publish(topic, b"", retain=True)


def test_overlapping_subscriptions(make, topic):
    """MQTT-3.3.4-2, -3, -4, -5: the highest QoS, and all identifiers that were given."""
    one, sender = make(), make("sender")
    one.subscribe(f"{topic}/a", qos=1, subscription_id=11)
    one.subscribe(f"{topic}/+", qos=2, subscription_id=268435455)
    one.subscribe(f"{topic}/#", qos=0)
    sender.published(f"{topic}/a", b"x", qos=2)
    message = one.message()
    assert message.qos == 2 and sorted(message.properties["subscription_id"]) == [11, 268435455]
    one.nothing()


def test_subscription_identifier_changes(make, topic):
    """Section 3.8.2.1.2 and MQTT-3.8.4-3: a new subscription to the same filter replaces the old one."""
    one = make()
    one.subscribe(topic, qos=1, subscription_id=1)
    one.subscribe(topic, qos=0, subscription_id=2)
    one.publish(topic, b"x")
    assert one.message().properties["subscription_id"] == [2]
    one.subscribe(topic, qos=0)
    one.publish(topic, b"x")
    assert "subscription_id" not in one.message().properties
    one.nothing()


def test_subscription_identifier_zero(make, topic):
    """Section 3.8.2.1.2: a Protocol Error."""
    one = make()
    one.raw.send(frame(0x82, b"\x00\x01\x02\x0b\x00\x00\x01a\x00"))
    one.closed(0x82, 0x81)


def test_publish_with_a_subscription_identifier(make, topic):
    """MQTT-3.3.4-6."""
    one = make()
    one.publish(topic, b"x", subscription_id=3)
    one.closed(0x82)


@pytest.mark.parametrize("name, properties, reasons", [
    ("response topic with a wildcard", {"response_topic": "a/+"}, (0x82, 0x90)),
    ("payload format 2", {"payload_format": 2}, (0x82, 0x81, 0x99)),
    ("alias 0", {"alias": 0}, (0x94,)),
    ("will delay in a PUBLISH", {"will_delay": 1}, (0x82, 0x81))])
def test_bad_properties_of_a_publish(make, topic, name, properties, reasons):
    """MQTT-3.3.2-8, -14 and section 2.2.2.2."""
    one = make()
    one.publish(topic, b"x", **properties)
    one.closed(*reasons)


def test_topic_alias(make, topic):
    """MQTT-3.3.2-7, -8, -12: learnt, used, changed; it does not outlive the connection."""
    one = make(session_expiry=60)
    one.subscribe(f"{topic}/#")
    one.publish(f"{topic}/a", b"1", alias=1)
    one.publish("", b"2", alias=1)
    one.publish(f"{topic}/b", b"3", alias=1)
    one.publish("", b"4", alias=1)
    got = [one.message() for _ in range(4)]
    assert [(m.topic[-1], m.payload) for m in got] == [("a", b"1"), ("a", b"2"), ("b", b"3"), ("b", b"4")]
    assert all("alias" not in m.properties for m in got), "this client takes no aliases: MQTT-3.1.2-26, -27"
    one.drop()
    two = make(clean=False)
    two.publish("", b"5", alias=1)
    two.closed(0x82, 0x94)


# ---- QoS 1 and 2

def exchange_until(client, kind):
    while True:
        packet = client.packet()
        assert packet, "closed"
        if packet.type == kind:
            return packet


def test_redelivery_of_qos_1(make, topic):
    """MQTT-4.4.0-1, MQTT-3.3.1-1: what was not acknowledged comes again after a new connection, same id, DUP set."""
    sender, one = make("sender"), make(session_expiry=60)
    one.subscribe(topic)
    for number in range(3):
        sender.published(topic, str(number), qos=1)
    first = [one.expect(PUBLISH) for _ in range(3)]
    assert not any(m.dup for m in first)
    one.answer(PUBACK, first[0].packet_id)
    one.nothing()  # not again within a connection
    one.drop()
    two = make(clean=False, session_expiry=60)
    again = [two.message() for _ in range(2)]
    assert [(m.payload, m.packet_id, m.dup) for m in again] == [(m.payload, m.packet_id, True) for m in first[1:]]
    two.nothing()
    two.disconnect(session_expiry=0)


def test_redelivery_of_qos_2(make, topic):
    """MQTT-4.3.3-*: PUBLISH before PUBREC, PUBREL after it, nothing after PUBCOMP, each with the same id."""
    sender, one = make("sender"), make(session_expiry=60)
    one.subscribe(topic, qos=2)
    sender.published(topic, b"once", qos=2)
    sent = one.expect(PUBLISH)
    one.drop()
    two = make(clean=False, session_expiry=60)
    again = two.expect(PUBLISH)
    assert (again.packet_id, again.dup, again.payload) == (sent.packet_id, True, b"once")
    two.answer(PUBREC, sent.packet_id)
    assert two.expect(PUBREL).packet_id == sent.packet_id
    two.drop()
    three = make(clean=False, session_expiry=60)
    assert three.expect(PUBREL).packet_id == sent.packet_id
    three.answer(PUBCOMP, sent.packet_id)
    three.nothing()
    three.drop()
    four = make(clean=False, session_expiry=60)
    four.nothing()
    four.disconnect(session_expiry=0)


def test_qos_2_of_a_client_exactly_once(make, topic):
    """MQTT-4.3.3-9, -10, -12: the same id before PUBREL is the same message, also over connections; after it a new one."""
    watcher = make("watcher")
    watcher.subscribe(topic, qos=2)
    one = make(session_expiry=60)
    one.publish(topic, b"once", qos=2, packet_id=7)
    assert one.expect(PUBREC).reason < 0x80
    one.publish(topic, b"once", qos=2, packet_id=7, dup=True)
    one.drop()
    two = make(clean=False, session_expiry=60)
    two.publish(topic, b"once", qos=2, packet_id=7, dup=True)
    assert exchange_until(two, PUBREC).packet_id == 7
    two.drop()
    three = make(clean=False, session_expiry=60)
    three.answer(PUBREL, 7)
    assert three.expect(PUBCOMP).reason == 0
    assert watcher.message().payload == b"once"
    watcher.nothing()
    three.publish(topic, b"another", qos=2, packet_id=7)
    assert three.expect(PUBREC).reason < 0x80
    three.answer(PUBREL, 7)
    three.expect(PUBCOMP)
    assert watcher.message().payload == b"another"
    three.answer(PUBREL, 999)
    assert three.expect(PUBCOMP).reason == 0x92
    three.answer(PUBREC, 998)
    answer = three.expect(PUBREL)
    assert answer.reason == 0x92 and answer.packet_id == 998
    three.answer(PUBCOMP, 998)
    three.answer(PUBACK, 997)
    three.nothing()
    three.disconnect(session_expiry=0)


def test_pubrec_with_an_error_ends_it(make, topic):
    """MQTT-4.3.3-4: no PUBREL follows, and the id is free."""
    one, sender = make(receive_maximum=1), make("sender")
    one.subscribe(topic, qos=2)
    sender.published(topic, b"1", qos=2)
    sender.published(topic, b"2", qos=2)
    first = one.expect(PUBLISH)
    one.answer(PUBREC, first.packet_id, 0x83)
    assert one.message().payload == b"2"
    one.nothing()


def test_order(make, topic):
    """MQTT-4.6.0-1 to -6: PUBACKs and PUBRECs in the order of the publishes, messages in the order they were sent."""
    one, sender = make(), make("sender")
    one.subscribe(topic, qos=2)
    for qos in (1, 2):
        ids = [sender.publish(topic, f"{qos}.{number}", qos=qos) for number in range(100)]
        assert [sender.expect(PUBACK if qos == 1 else PUBREC).packet_id for _ in ids] == ids
        if qos == 2:
            for packet_id in ids:
                sender.answer(PUBREL, packet_id)
            assert [sender.expect(PUBCOMP).packet_id for _ in ids] == ids
        got = [one.expect(PUBLISH) for _ in ids]
        assert [m.payload.decode() for m in got] == [f"{qos}.{number}" for number in range(100)]
        for message in got:
            one.answer(PUBACK if qos == 1 else PUBREC, message.packet_id)
        if qos == 2:
            assert [one.expect(PUBREL).packet_id for _ in got] == [message.packet_id for message in got]
            for message in got:
                one.answer(PUBCOMP, message.packet_id)


# ---- limits

def test_receive_maximum_of_the_client(make, topic):
    """MQTT-3.3.4-9: not more than it takes; QoS 0 is not held up by it."""
    one, sender = make(receive_maximum=2), make("sender")
    one.subscribe(topic, qos=1)
    for number in range(5):
        sender.published(topic, str(number), qos=1)
    first, second = one.expect(PUBLISH), one.expect(PUBLISH)
    one.nothing()
    sender.publish(topic, b"fast")
    assert one.expect(PUBLISH).payload == b"fast"
    one.answer(PUBACK, first.packet_id)
    third = one.expect(PUBLISH)
    one.nothing()
    for packet in (second, third):
        one.answer(PUBACK, packet.packet_id)
    assert [one.message().payload for _ in range(2)] == [b"3", b"4"]


def test_receive_maximum_of_the_relay(make, topic):
    """MQTT-3.3.4-7, section 4.9: one publish more than it takes is answered 0x93."""
    one = make()
    most = one.connack.properties["receive_maximum"]
    for number in range(1, most + 1):
        one.publish(topic, b"x", qos=2, packet_id=number)
    assert [one.expect(PUBREC).packet_id for _ in range(most)] == list(range(1, most + 1))
    one.publish(topic, b"x", qos=2, packet_id=most + 1)
    one.closed(0x93)


@pytest.mark.parametrize("extra", range(0, 40, 3))
def test_packet_maximum_of_the_client(make, topic, extra):
    """MQTT-3.1.2-24, -25: what is larger is left out, as if it had been delivered; what follows comes."""
    limit = 120
    one, sender = make(packet_maximum=limit, receive_maximum=1), make("sender")
    one.subscribe(topic)
    sender.published(topic, bytes(limit - len(topic) - 20 + extra), qos=1)
    sender.published(topic, b"end", qos=1)
    payloads = []
    while not payloads or payloads[-1] != b"end":
        message = one.message()
        payloads.append(message.payload)
        assert len(message.payload) + len(topic) + 2 + 2 + 1 + 2 <= limit
    one.nothing()


def test_request_problem_information(make, topic):
    """MQTT-3.1.2-29: no texts in answers to a client that wants none."""
    one = make(identity="app.reader", request_problem=0)
    answer = one.publish("sites/s1/devices/device-1/commands", b"x", qos=1)
    puback = one.expect(PUBACK)
    assert puback.packet_id == answer and puback.reason == 0x87
    assert not puback.properties.keys() & {"reason_string", "user"}


# ---- subscribing

def test_suback(make, topic):
    """MQTT-3.8.4-5, -6, -7: one code for each filter, in order."""
    one = make(identity="app.reader")
    codes = one.subscribe("sites/s1/devices/device-1/events/#", "other", "sites/s1/devices/+/events/a", qos=1)
    assert codes == [1, 0x87, 1]


def test_unsubscribe(make, topic):
    """MQTT-3.10.4-1 to -6, MQTT-3.11.3-1: one code for each, nothing new afterwards, what was begun is finished."""
    one, sender = make(), make("sender")
    one.subscribe(topic, f"{topic}/+", qos=2)
    sender.published(topic, b"begun", qos=2)
    begun = one.expect(PUBLISH)
    assert one.unsubscribe(topic, "never/had", topic) == [0, 0x11, 0x11]
    sender.published(topic, b"after", qos=1)
    one.answer(PUBREC, begun.packet_id)
    assert one.expect(PUBREL).packet_id == begun.packet_id
    one.answer(PUBCOMP, begun.packet_id)
    one.nothing()


def test_no_local(make, topic):
    """MQTT-3.8.3-3."""
    one, sender = make(), make("sender")
    one.subscribe(topic, no_local=True)
    one.publish(topic, b"mine")
    sender.published(topic, b"yours", qos=1)
    assert one.message().payload == b"yours"
    one.nothing()


@pytest.mark.parametrize("topic_filter, name, matches", [
    ("#", "a", True), ("#", "/", True), ("+/+", "/f", True), ("/+", "/f", True), ("+", "/f", False), ("s/#", "s", True),
    ("s/+", "s", False), ("s/+", "s/", True), ("+/t/#", "x/t", True), ("s//t", "s//t", True), ("s/+/t", "s//t", True),
    ("S/t", "s/t", False), ("s/t", "s/t/", False)])
def test_wildcards(make, topic, topic_filter, name, matches):
    """Section 4.7.1."""
    one = make()
    wanted = topic_filter if topic_filter.startswith("#") else f"{topic}/{topic_filter}"
    one.subscribe(wanted, qos=0, handling=2)
    one.publish(f"{topic}/{name}", b"w")
    got = [one.packet()] if matches else []
    if matches:
        while got[-1].topic != f"{topic}/{name}":
            got.append(one.packet())
    else:
        one.nothing()


@pytest.mark.parametrize("topic_filter", ["a/b#", "a/#/c", "a+", "+a/b", "a/b+/c", ""])
def test_bad_filters(make, topic_filter):
    """MQTT-4.7.1-1, -2, MQTT-4.7.3-1: refused in the SUBACK or as malformed."""
    one = make()
    body = b"\x00\x01\x00" + len(topic_filter).to_bytes(2, "big") + topic_filter.encode() + b"\x00"
    one.raw.send(frame(0x82, body))
    answer = one.packet()
    if answer.type == DISCONNECT:
        assert answer.reason in (0x81, 0x82, 0x8F)
    else:
        assert answer.reasons == [0x8F]


def test_dollar_topics(make):
    """MQTT-4.7.2-1: a wildcard does not match them; here no client may publish to them either."""
    one = make()
    one.subscribe("#", "+/conformance", qos=0, handling=2)
    assert make("sender").published("$SYS/conformance", b"x", qos=1) >= 0x80
    one.raw.send(b"\xc0\x00")
    while (packet := one.packet()).type == PUBLISH:  # the alert about it, for one
        assert not packet.topic.startswith("$")
    assert packet.type == PINGRESP


def test_shared_subscriptions(make):
    """MQTT-3.2.2-14 and section 3.2.2.3.13: said not to be there, so 0x9E."""
    one = make()
    one.raw.send(frame(0x82, b"\x00\x01\x00\x00\x0a$share/g/a\x00"))
    answer = one.packet()
    assert (answer.type == DISCONNECT and answer.reason == 0x9E) or answer.reasons == [0x9E]
