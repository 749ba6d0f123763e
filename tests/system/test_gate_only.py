# SPDX-License-Identifier: GPL-2.0-or-later
"""relayd --gate-only: a gate that belongs to nobody but the owner, asked by the cloud's broker, by another relay, by itself."""

import os
import re
import time

import pytest
import relaygate
from lab.gate import GateWorld, StandAloneGate, ask, digest_of, nonce, ticket_of
from lab.mqtt import Paho
from lab.packets import CONNACK, Client
from lab.process import free_port, wait_until
from lab.site import SITE
from lab.updates import Desk, objects

from conftest import BUILD, ROOT

ROLE = (ROOT / "etc" / "relayd" / "gate-role.conf.example").read_text()  # as it is installed


class Site(GateWorld):
    """The site's policy names the stand-alone gate, and no other."""

    def make_devices(self, version="1.0.0"):
        pass

    def make_cloud(self, persistence=False):
        super().make_cloud(persistence)
        certificates = self.cloud.certificates
        self.fwtool("ca", "issue", "--ca", certificates, "--identity", f"gate.{SITE}", "-o", certificates / f"gate.{SITE}")


def started(uplink, listen=False):
    """uplink(world): lines of the gate's [uplink], or None"""
    world = Site(BUILD, devices=4, keep="RELAYD_KEEP" in os.environ)
    try:
        world.bend = lambda policy: policy.update({6: [{0: FakeGate.key(world).cose}]})
        world.make()
        world.add_application(f"gate.{SITE}", *(re.findall(rf"^{word} = (.*)$", ROLE, re.MULTILINE) for word in
                                                 ("read", "write")))
        world.start_all()
        gate = world.gate
        gate.uplink = uplink(world)
        gate.listen = listen
        if listen:
            gate.make_listener(free_port())
        gate.start()
        gate.import_all()
    except BaseException:
        world.close()
        raise
    return world


class FakeGate:
    @staticmethod
    def key(world):
        """The gate's key is made before the policy that names it."""
        world.gate = StandAloneGate(world)
        return world.gate.public()


def by_cloud(world):
    files = world.cloud.certificates
    return ["mode = mqtt", "host = 127.0.0.1", f"port = {world.cloud.port}", f"ca = {files}/ca.crt",
            f"certificate = {files}/gate.{SITE}.crt", f"key = {files}/gate.{SITE}.key"]


def by_relay(world):
    certificate, key, _ = world.credentials(f"gate.{SITE}")
    return ["mode = mqtt", "host = 127.0.0.1", f"port = {world.port}",
            f"pin = {world.pin(world.folder / 'gateway/etc/relayd/relay.crt')}", f"certificate = {certificate}", f"key = {key}"]


@pytest.fixture(scope="module")
def cloudy():
    world = started(by_cloud)
    yield world
    world.close()


@pytest.fixture(scope="module")
def beside():
    world = started(by_relay)
    yield world
    world.close()


@pytest.fixture(scope="module")
def alone():
    world = started(lambda world: None, listen=True)
    yield world
    world.close()


def judged(world, device, request, payload):
    return relaygate.verify_ticket(payload, world.policy_payload, device, world.class_id, request, world.policy_item[11],
                                   world.policy_item[12])


def cloud_client(world, identity, name=""):
    files = world.cloud.certificates if "." in identity else world.folder / "factory"
    return Paho(world.cloud.port, (files / f"{identity}.crt", files / f"{identity}.key", world.cloud.certificates / "ca.crt"),
                f"{identity}{name}")


def wait_up(gate):
    wait_until("the gate's uplink", lambda: "uplink is up" in gate.processes["hub"].output())


# ---- asked through the cloud's broker

def test_device_on_the_direct_way_asks_it_through_the_broker(cloudy):
    wait_up(cloudy.gate)
    prefix = f"sites/{SITE}/devices/device-1"
    device = cloud_client(cloudy, "device-1")
    device.subscribe(f"{prefix}/gate/ticket", qos=1)
    request = relaygate.gate_request(nonce(), bytes(32))
    device.publish(f"{prefix}/gate/request", request)
    ticket = judged(cloudy, "device-1", request, device.next().payload)
    assert (ticket[7], ticket[8]) == (0, "unknown-update") and abs(ticket[9] - time.time()) < 60
    device.close()


def test_device_at_the_relay_asks_it_through_relay_and_broker(cloudy):
    wait_up(cloudy.gate)
    with cloudy.device("device-2", "gate/ticket") as device:
        request, answers = ask(device, bytes(32))
        message = answers[0] if answers else device.message()
        assert judged(cloudy, "device-2", request, message.payload)[8] == "unknown-update"


def test_it_opens_for_what_is_approved_and_takes_nothing_else(cloudy):
    """It knows the update by the cloud; fetches no image, shows no offer, says nothing in the relay's name."""
    wait_up(cloudy.gate)
    hub, desk = cloudy.gate.hub(), Desk(cloudy)
    try:
        update = desk.serve(desk.make())
        desk.offer(update.envelope, "device-3")
        for person in ("anna", "bertil"):
            desk.approve(person, update)
        cloudy.gate.relayctl("gate", "open")
        prefix = f"sites/{SITE}/devices/device-3"
        device = cloud_client(cloudy, "device-3")
        device.subscribe(f"{prefix}/gate/ticket", qos=1)

        asked = {}

        def opened():
            """Asks again: within ten seconds of an answer there is none, and one may be to a question of before."""
            request = relaygate.gate_request(nonce(), update.manifest)
            asked[objects.decode(request)[1]] = request
            device.publish(f"{prefix}/gate/request", request)
            found = []
            while not device.messages.empty():
                ticket = device.next().payload
                inside = objects.decode(objects.decode(ticket).value[2])
                found.append(judged(cloudy, "device-3", asked[inside[3]], ticket)[7] == 1)
            return any(found)
        wait_until("an open ticket", opened, patience=90, interval=1)
        device.close()
        wait_until("its audit record", lambda: ("device:device-3", update.manifest.hex(), "none, asked by the uplink") in
                   hub.actions("ticket-open"))
        view = hub.bus.get_object("org.relayd.Relay1", "/org/relayd/Relay1").Get(
            "org.relayd.Relay1.Manager", "ImageBytesFetched", dbus_interface="org.freedesktop.DBus.Properties")
        assert int(view) == 0
        assert hub.actions("image-fetched") == []
        states = [m for m in desk.listen() if m.topic == f"sites/{SITE}/relay/state" and m.payload]
        assert states and all(b'"relay.s1"' in m.payload for m in states)
        topic = f"sites/{SITE}/audit/checkpoint"
        wait_until("checkpoints of both", lambda: {topic, f"{topic}/gate.{SITE}"} <= {m.topic for m in desk.listen() if m.payload})
    finally:
        desk.close()


def test_it_sends_no_commands(cloudy):
    hub = cloudy.gate.hub()
    assert hub.refused(hub.send, cloudy.command("device-1", 1)) == "Topic"


# ---- asked through another relay

def test_device_asks_it_through_a_relay_where_it_is_an_application(beside):
    wait_up(beside.gate)
    with beside.device("device-1", "gate/ticket") as device:
        request, answers = ask(device, bytes(32))
        message = answers[0] if answers else device.message()
        assert message.topic == f"{device.prefix}/gate/ticket" and not message.retain
        assert judged(beside, "device-1", request, message.payload)[8] == "unknown-update"
        request, message = ticket_of(device)
        assert 4 not in judged(beside, "device-1", request, message.payload)
    assert "refuses the subscription" not in beside.gate.processes["hub"].output()


def test_relay_lets_its_application_say_nothing_but_tickets(beside):
    application = Client(beside, f"gate.{SITE}", client_id=f"gate.{SITE}.test")
    for rest in ("devices/device-1/updates/offer", "devices/device-1/commands", "policy/2", "relay/state", "alerts",
                 f"approvals/{'00' * 32}/{'00' * 8}", "audit/checkpoint"):
        assert application.published(f"sites/{SITE}/{rest}", b"x", qos=1) == 0x87, rest
    application.drop()


# ---- with a front end of its own

def connected(world, name, **options):
    client = Client(world.gate, name, **options)
    client.prefix = f"sites/{SITE}/devices/{name}"
    assert client.connack.reason == 0
    return client


def test_device_connects_to_it_as_to_a_relay(alone):
    """With a will and a state: the gate takes neither, and answers."""
    will = (f"sites/{SITE}/devices/device-1/state/relay", b'{"online":false}', 1, True, {})
    device = connected(alone, "device-1", will=will)
    assert device.subscribe(f"{device.prefix}/gate/ticket") == [1]
    request, message = ticket_of(device, bytes(32))
    ticket = judged(alone, "device-1", request, message.payload)
    assert ticket[8] == "unknown-update" and ticket[5] == digest_of(alone.policy_payload)
    for rest in ("state/relay", "events/soil", "updates/status", "commands/result", "updates/refused"):
        assert device.published(f"{device.prefix}/{rest}", b"{}", qos=1, retain=True) == 0x87, rest
    device.drop()
    other = connected(alone, "device-2")
    assert other.subscribe(f"{other.prefix}/#") == [1]
    other.nothing()
    other.drop()
    assert alone.gate.hub().alerts("topic") == []


def test_it_shows_the_chain_of_trust_and_no_offers(alone):
    hub = alone.gate.hub()
    device = connected(alone, "device-3")
    device.subscribe(f"sites/{SITE}/policy/+")
    message = device.message()
    assert message.retain and objects.open_set(message.payload)[0] == alone.policy_payload
    device.subscribe(f"{device.prefix}/updates/offer")
    device.nothing()
    device.drop()
    assert not [1 for number, record in hub.audit() if objects.decode(record)[5] == "image-fetched"]


def test_unknown_devices_do_not_get_in(alone):
    alone.fwtool("ca", "issue", "--ca", alone.folder / "factory" / "ca", "--identity", "device-99", "-o",
                 alone.folder / "factory" / "device-99")
    client = Client(alone.gate, "device-99", connected=False)
    client.connect("device-99")
    assert client.expect(CONNACK).reason == 0x87
    assert client.packet() is None
    client.drop()


def test_restart_keeps_policy_and_settings(alone):
    gate = alone.gate
    gate.relayctl("gate", "open")
    gate.processes["hub"].kill()
    gate.start_hub()
    gate.processes["front"].stop()
    gate.start_process("front", gate.processes["front"].command, "listening on")
    device = connected(alone, "device-4")
    device.subscribe(f"{device.prefix}/gate/ticket")
    request, message = ticket_of(device)
    judged(alone, "device-4", request, message.payload)
    device.drop()
    assert gate.hub().actions("gate-opened")


def test_gate_only_needs_a_key(tmp_path, alone):
    conf = tmp_path / "relayd.conf"
    conf.write_text(f"[relay]\nsite = {SITE}\nstate = {tmp_path}/state\nruntime = {tmp_path}/run\n")
    done = alone.run("relayd", "--gate-only", "--config", conf, check=False)
    assert done.returncode != 0 and "[gate] key" in done.stderr


