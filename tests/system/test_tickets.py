# SPDX-License-Identifier: GPL-2.0-or-later
"""The gate's tickets: a real hub is asked, and every field of its answer is judged in Python."""

import os
import time

import pytest
import relaygate
from lab.gate import GateWorld, ask, digest_of, gate_file, nonce, ticket_of
from lab.mqtt import Paho
from lab.process import wait_until
from lab.site import SITE
from lab.updates import Desk, objects

from conftest import BUILD

ANOTHER = objects.Key("the gate of device-3")


def bend(policy):
    """device-3 has a gate elsewhere; the relay's is for the other devices."""
    own = policy[6][0]
    policy[6] = [{**own, 5: [2, ["device-1", "device-2", "device-4", "device-5", "device-6"]]},
                 {0: ANOTHER.cose, 5: [2, ["device-3"]]}]


@pytest.fixture(scope="module")
def site():
    with GateWorld(BUILD, devices=6, bend=bend, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.start_all()
        yield world


def opened(site, device, request, payload):
    return relaygate.verify_ticket(payload, site.policy_payload, device, site.class_id, request, site.policy_item[11],
                                   site.policy_item[12])


def test_ticket_has_every_field(site):
    digest = digest_of(b"no update")
    with site.device("device-1", "gate/ticket") as device:
        request, message = ticket_of(device, digest)
        assert message.topic == f"{device.prefix}/gate/ticket" and message.qos == 1 and not message.retain
        assert 0 < message.properties["message_expiry"] <= 120
        ticket = opened(site, "device-1", request, message.payload)
        assert set(ticket) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9} and ticket[1] == SITE and ticket[2] == "device-1"
        assert ticket[4] == digest and ticket[5] == digest_of(site.policy_payload) and ticket[6] == site.policy_item[11]
        assert (ticket[7], ticket[8]) == (0, "unknown-update")
        assert abs(ticket[9] - time.time()) < 60


def test_ticket_is_for_who_asked_only(site):
    """Neither another device nor another question can use it."""
    with site.device("device-1", "gate/ticket") as device, site.device("device-2", "#") as neighbour:
        request, message = ticket_of(device)
        for who, question in (("device-2", request), ("device-1", relaygate.gate_request(nonce())),
                              ("device-1", relaygate.gate_request(objects.decode(request)[1], bytes(32)))):
            with pytest.raises(objects.Refused):
                opened(site, who, question, message.payload)
        neighbour.nothing()


def test_time_request_opens_nothing(site):
    with site.device("device-2", "gate/ticket") as device:
        request, message = ticket_of(device)
        ticket = opened(site, "device-2", request, message.payload)
        assert 4 not in ticket and ticket[7] == 0 and ticket[8] == "none" and abs(ticket[9] - time.time()) < 60


def test_one_answer_in_ten_seconds(site):
    with site.device("device-4", "gate/ticket") as device:
        asked = time.monotonic()
        request, message = ticket_of(device, bytes(32))
        opened(site, "device-4", request, message.payload)
        answers = [answer for _ in range(3) for answer in ask(device, bytes(32))[1]]
        device.nothing()
        assert not answers or time.monotonic() - asked >= 10
        request, message = ticket_of(device)  # the time is another question
        assert 4 not in opened(site, "device-4", request, message.payload)
        device.nothing()


def test_bad_requests_are_refused_and_told(site):
    with site.device("device-5", "gate/ticket") as device:
        for payload in (b"", b"\xff" * 40, objects.encode({0: 2, 1: nonce()}), objects.encode({0: 1, 1: b"short"}),
                        objects.encode({0: 1, 1: nonce(), 2: b"short"}), relaygate.gate_request(nonce()) + b"\0"):
            assert device.published(f"{device.prefix}/gate/request", payload, qos=1) == 0
        device.nothing()
        assert device.published("sites/s1/devices/device-1/gate/request", relaygate.gate_request(nonce()), qos=1) == 0x87
        assert device.published(f"{device.prefix}/gate/ticket", b"mine", qos=1) == 0x87
    site.hub().wait_alert("malformed", "device-5")


def cloud_client(site, identity, name):
    files = site.cloud.certificates if "." in identity else site.folder / "factory"
    return Paho(site.cloud.port, (files / f"{identity}.crt", files / f"{identity}.key", site.cloud.certificates / "ca.crt"),
                identity if "." not in identity else f"{identity}.{name}")


def test_device_on_the_direct_way_is_answered_through_the_cloud(site):
    prefix = f"sites/{SITE}/devices/device-6"
    device = cloud_client(site, "device-6", "")
    device.subscribe(f"{prefix}/gate/ticket", qos=1)
    request = relaygate.gate_request(nonce(), bytes(32))
    device.publish(f"{prefix}/gate/request", request)
    message = device.next()
    assert message.topic == f"{prefix}/gate/ticket" and not message.retain
    ticket = opened(site, "device-6", request, message.payload)
    assert (ticket[7], ticket[8]) == (0, "unknown-update")
    device.close()


def test_request_for_another_gate_goes_up_and_its_ticket_comes_down(site):
    operator = cloud_client(site, "vendor.acme", "gate")
    watch = cloud_client(site, "ops.acme", "watch")
    watch.subscribe("sites/+/devices/+/gate/request", qos=1)
    with site.device("device-3", "gate/ticket") as device:
        unasked = relaygate.ticket(ANOTHER, SITE, "device-3", relaygate.gate_request(nonce()), digest_of(site.policy_payload))
        operator.publish(f"{device.prefix}/gate/ticket", unasked)
        request, answers = ask(device, bytes(32))
        assert not answers
        message = watch.next()
        assert message.topic == f"{device.prefix}/gate/request" and message.payload == request
        answer = relaygate.ticket(ANOTHER, SITE, "device-3", request, digest_of(site.policy_payload), reason="gate-closed",
                                  epoch=site.policy_item[11], time=int(time.time()))
        operator.publish(f"{device.prefix}/gate/ticket", answer)
        assert device.message().payload == answer  # the first: what nobody asked for did not pass
        assert opened(site, "device-3", request, answer)[8] == "gate-closed"
    operator.close()
    watch.close()


def test_own_requests_do_not_go_up(site):
    watch = cloud_client(site, "ops.acme", "own")
    watch.subscribe("sites/#", qos=1)
    with site.device("device-6", "gate/ticket") as device:
        ticket_of(device)
        assert device.published(f"{device.prefix}/events/after", b"1", qos=1) == 0
        while True:
            message = watch.next()
            assert "/gate/" not in message.topic
            if message.topic.endswith("events/after"):
                break
    watch.close()


def test_hub_whose_key_is_readable_by_others_does_not_start(site):
    key = gate_file(site)
    key.chmod(0o640)
    try:
        site.processes["hub"].stop()
        done = site.run("relayd", "--config", site.config(), check=False)
        assert done.returncode != 0 and "[gate] key" in done.stderr and "chmod 600" in done.stderr
    finally:
        key.chmod(0o600)
        site.start_hub()
        site.restart_front_end()


def test_an_open_ticket_is_audited_with_its_device(site):
    desk = Desk(site)
    try:
        update = desk.serve(desk.make())
        desk.offer(update.envelope, "device-1", "device-2")
        for person in ("anna", "bertil"):
            desk.approve(person, update)
        wait_until("the update to be approved", lambda: [u for u in site.relayctl_json("updates", "list")
                                                         if u["Digest"] == update.manifest.hex() and u["State"] == "approved"])
        site.relayctl("gate", "close")
        with site.device("device-1", "gate/ticket") as closed, site.device("device-2", "gate/ticket") as device:
            wait_answer(site, closed, "device-1", update.manifest, (0, "gate-closed"))
            site.relayctl("gate", "open")
            wait_answer(site, device, "device-2", update.manifest, (1, "none"))
        hub = site.hub()
        assert ("device:device-2", update.manifest.hex(), "none") in hub.actions("ticket-open")
        assert ("device:device-1", update.manifest.hex(), "gate-closed") in hub.actions("ticket-closed")
    finally:
        site.relayctl("gate", "close")
        desk.close()


def wait_answer(site, device, name, digest, verdict):
    """Asks until there is an answer: one was perhaps given within the last ten seconds."""
    def answered():
        request, answers = ask(device, digest)
        device.nothing()
        return answers and opened(site, name, request, answers[0].payload)
    ticket = wait_until("an answer of the gate", answered, interval=1)
    assert (ticket[7], ticket[8]) == verdict
