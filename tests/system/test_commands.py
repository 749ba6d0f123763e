# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a signed command at a real hub: by the bus, the cloud, an application; to devices that are there, absent, foreign."""

import hashlib
import json
import os
import time

import pytest
from lab.gate import GateWorld, key_id, result_json, signals
from lab.mqtt import Paho
from lab.packets import PUBACK, Client
from lab.process import wait_until
from lab.site import SITE
from lab.updates import objects

from conftest import BUILD

TOPIC = f"sites/{SITE}/devices/{{}}/commands"
FOREIGN = "device-40"


class Site(GateWorld):
    """One device is said to check nothing itself; all are Python programs."""

    def make_devices(self, version="1.0.0"):
        pass

    def make_factory(self):
        super().make_factory()
        lines = self.folder / "factory" / "devices.cbor"
        items = objects.decode(lines.read_bytes())
        for item in items[2]:
            if item[0] == FOREIGN:
                item[3] = False
        lines.write_bytes(objects.encode(items))


@pytest.fixture(scope="module")
def site():
    with Site(BUILD, devices=40, keep="RELAYD_KEEP" in os.environ) as world:
        world.make()
        world.add_application("app.pump", [f"sites/{SITE}/#"], [TOPIC.format("+")])
        world.add_application("app.reader", [f"sites/{SITE}/#"], [])
        world.start_all()
        world.unused = iter(world.devices)
        yield world


@pytest.fixture
def dev(site):
    """A device no test used before."""
    return next(site.unused)


def test_command_by_the_bus_and_its_result(site, dev):
    hub = site.hub()
    monitor = hub.monitor("CommandResult")
    cloud = operator(site, "result")
    cloud.subscribe(f"sites/{SITE}/devices/+/commands/result", qos=1)
    with site.device(dev, "commands") as device:
        command = site.command(dev, 10, arguments=b"5 minutes")
        assert hub.send(command) == 10
        message = device.message()
        assert message.topic == TOPIC.format(dev) and message.payload == command and message.qos == 1
        assert not message.retain and 0 < message.properties["message_expiry"] <= 601
        answer = result_json(site.site_command, 10, value="pump runs")
        assert device.published(f"{device.prefix}/commands/result", answer, qos=1) == 0
        wait_until("the signal", lambda: signals(monitor))
        assert signals(monitor) == [[dev, key_id(site.site_command), 10, "done", "none", list(b"pump runs")]]
        assert cloud.next().payload.decode() == answer
    assert int(hub.manager.CommandCounter(dev, key_id(site.site_command))) == 10
    assert int(hub.manager.CommandCounter(dev, key_id(site.vendor_command))) == 0
    assert (f"device:{dev}", dev, "pump.on, counter 10: done") in hub.actions("command-ended")
    with site.device(dev, "commands") as device:
        device.nothing()  # it has an answer
    monitor.stop()
    cloud.close()


def operator(site, name, identity="vendor.acme"):
    files = site.cloud.certificates
    return Paho(site.cloud.port, (files / f"{identity}.crt", files / f"{identity}.key", files / "ca.crt"), f"{identity}.{name}")


def test_command_of_the_vendor_by_the_cloud(site, dev):
    cloud = operator(site, "command")
    with site.device(dev, "commands") as device:
        command = site.command(dev, 10, "diagnostics", key=site.vendor_command)
        cloud.publish(TOPIC.format(dev), command)
        assert device.message().payload == command
    cloud.close()


def test_command_of_an_application(site, dev):
    with site.device(dev, "commands") as device, reading(site) as reader:
        application = Client(site, "app.pump")
        command = site.command(dev, 10)
        assert application.published(TOPIC.format(dev), command, qos=1, retain=True) == 0
        assert device.message().payload == command
        assert application.published(TOPIC.format(dev), site.command(dev, 10 + 1), qos=2) == 0
        assert not device.message().retain
        assert application.published(TOPIC.format(dev), b"pump on", qos=1) == 0x87
        assert application.published(TOPIC.format(dev), b"pump on", qos=2) == 0x87
        assert application.published(TOPIC.format(FOREIGN), command, qos=1) == 0x87
        device.nothing()
        reader.nothing()  # a command goes to its device and to nobody else
        application.drop()
    assert any(actor == "application:app.pump" for actor, _, _ in site.hub().actions("command-accepted"))
    assert any(actor == "application:app.pump" for actor, _, _ in site.hub().actions("command-refused"))


class reading:
    """An application that reads commands."""

    def __init__(self, site):
        self.client = Client(site, "app.reader")

    def __enter__(self):
        assert self.client.subscribe(TOPIC.format("+")) == [1]
        return self.client

    def __exit__(self, *_):
        self.client.drop()


# name -> (reason, command by site and counter)
REFUSED = {
    "unsigned": ("malformed", lambda s, d, n: objects.encode({0: 1, 1: SITE, 2: d, 3: n, 4: 2**40, 5: "pump.on", 6: b""})),
    "text": ("malformed", lambda s, d, n: b"pump on"),
    "empty signature": ("malformed", lambda s, d, n: b"\xd2\x84\x40\xa0\x40\x40"),
    "by a stranger": ("bad-signature", lambda s, d, n: s.command(d, n, key=objects.Key("stranger"))),
    "by the gate": ("bad-signature", lambda s, d, n: s.command(d, n, key=s.gate_key)),
    "bent": ("bad-signature", lambda s, d, n: s.command(d, n)[:-1] + bytes([s.command(d, n)[-1] ^ 1])),
    "vendor's pump": ("out-of-scope", lambda s, d, n: s.command(d, n, "pump.on", key=s.vendor_command)),
    "site's diagnostics": ("out-of-scope", lambda s, d, n: s.command(d, n, "diagnostics")),
    "of another site": ("wrong-site", lambda s, d, n: s.command(d, n, site="s2")),
    "expired": ("expired-command", lambda s, d, n: s.command(d, n, expiry=int(time.time()) - 10)),
    "an approval": ("bad-signature", lambda s, d, n: objects.sign1(s.site_command, b"relayd/approval/1", objects.encode(
        {0: 1, 1: SITE, 2: d, 3: n, 4: 2**40, 5: "pump.on", 6: b""}))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_command_that_is_refused_by_the_cloud(site, dev, name):
    """Dropped, alerted with its reason, in the audit log; and the next good one passes."""
    reason, make = REFUSED[name]
    hub, cloud = site.hub(), operator(site, "refused")
    before = len(hub.alerts(reason))
    with site.device(dev, "commands") as device:
        cloud.publish(TOPIC.format(dev), make(site, dev, 10))
        wait_until(f"the alert {reason}", lambda: len(hub.alerts(reason)) > before)
        device.nothing()
        good = site.command(dev, 10)
        hub.send(good)
        assert device.message().payload == good
    assert ("uplink", dev, reason) in hub.actions("command-refused")
    cloud.close()


@pytest.mark.parametrize("name", REFUSED)
def test_command_that_is_refused_by_the_bus(site, dev, name):
    reason, make = REFUSED[name]
    hub = site.hub()
    said = hub.refused(hub.send, make(site, dev, 10))
    assert said == "".join(part.capitalize() for part in reason.split("-"))


def test_command_for_an_unknown_device_or_another(site, dev):
    hub, cloud = site.hub(), operator(site, "other")
    assert hub.refused(hub.send, site.command("device-77", 10)) == "UnknownDevice"
    cloud.publish(TOPIC.format(dev), site.command(FOREIGN, 1))
    hub.wait_alert("wrong-device", dev)
    cloud.close()


def test_replayed_command_is_refused_by_every_way(site, dev):
    hub, cloud, application = site.hub(), operator(site, "replay"), Client(site, "app.pump")
    with site.device(dev, "commands") as device:
        old, command = site.command(dev, 10), site.command(dev, 10 + 1)
        hub.send(old)
        hub.send(command)
        assert [device.message().payload for _ in range(2)] == [old, command]
        for replayed in (command, old, site.command(dev, 10 + 1, "pump.off")):
            assert hub.refused(hub.send, replayed) == "ReplayedCommand"
            assert application.published(TOPIC.format(dev), replayed, qos=1) == 0x87
            cloud.publish(TOPIC.format(dev), replayed)
        hub.wait_alert("replayed-command", dev)
        hub.send(site.command(dev, 10 + 2))
        assert device.message()
        # the counter is this key's for this device: others begin where they want
        hub.send(site.command(dev, 1, "diagnostics", key=site.vendor_command))
        assert device.message()
    cloud.close()
    application.drop()


def test_absent_device_gets_its_commands_in_order(site, dev):
    hub = site.hub()
    commands = [site.command(dev, 10 + n) for n in range(3)]
    for command in commands:
        hub.send(command)
    with site.device(dev) as device:
        device.nothing()  # not subscribed
        assert device.subscribe(f"{device.prefix}/#") == [1]
        assert [device.message().payload for _ in commands] == commands
        assert device.subscribe(f"{device.prefix}/commands") == [1]
        device.nothing()
    # it never reported: perhaps it lost them
    with site.device(dev, "commands") as device:
        assert [device.message().payload for _ in commands] == commands
        for n in range(3):
            device.published(f"{device.prefix}/commands/result", result_json(site.site_command, 10 + n), qos=1)
    with site.device(dev, "commands") as device:
        device.nothing()


@pytest.mark.parametrize("kill", (False, True))
def test_accepted_command_survives_a_restart(site, dev, kill):
    """Also a kill at once after the answer."""
    command = site.command(dev, 10)
    site.hub().send(command)
    site.restart_hub(kill=kill)
    hub = site.hub()
    assert hub.refused(hub.send, command) == "ReplayedCommand"
    with site.device(dev, "commands") as device:
        assert device.message().payload == command
        device.published(f"{device.prefix}/commands/result", result_json(site.site_command, 10), qos=1)


def test_command_of_the_cloud_that_was_acknowledged_survives_a_kill(site, dev):
    cloud = operator(site, "kill")
    commands = [site.command(dev, 10 + n) for n in range(5)]
    for command in commands:
        cloud.publish(TOPIC.format(dev), command)
    site.restart_hub(kill=True)  # wherever that was: what the cloud has no acknowledgement for comes again
    with site.device(dev, "commands") as device:
        assert [device.message().payload for _ in commands] == commands
        for n in range(5):
            device.published(f"{device.prefix}/commands/result", result_json(site.site_command, 10 + n), qos=1)
    cloud.close()


def test_waiting_commands_of_a_device_are_bounded(site, dev):
    hub = site.hub()
    for n in range(32):
        hub.send(site.command(dev, 10 + n))
    assert hub.refused(hub.send, site.command(dev, 10 + 50)) == "Quota"
    cloud = operator(site, "quota")
    cloud.publish(TOPIC.format(dev), site.command(dev, 10 + 50))
    hub.wait_alert("quota", dev)
    hub.send(site.command(next(site.unused), 10))  # others have their own
    with site.device(dev, "commands") as device:
        for n in range(32):
            assert device.message().payload
        for n in range(32):
            device.published(f"{device.prefix}/commands/result", result_json(site.site_command, 10 + n), qos=1)
    cloud.close()


def test_command_expires_while_it_waits(site, dev):
    hub = site.hub()
    monitor = hub.monitor("CommandResult")
    hub.send(site.command(dev, 10, expiry=int(time.time()) + 5))
    wait_until("the command to expire", lambda: [dev, key_id(site.site_command), 10, "expired", "expired-command",
                                                 []] in signals(monitor))
    with site.device(dev, "commands") as device:
        device.nothing()
    monitor.stop()


def test_foreign_device_gets_a_command_once(site):
    """It cannot know a repeat, so what it acknowledged is not sent again; the relay's check is its only one."""
    hub, cloud = site.hub(), operator(site, "foreign")
    monitor = hub.monitor("CommandResult")
    options = {"clean": False, "session_expiry": 600}
    with site.device(FOREIGN, "commands", **options) as device:
        cloud.publish(TOPIC.format(FOREIGN), b"pump on")
        hub.wait_alert("malformed", FOREIGN)
        device.nothing()
        command = site.command(FOREIGN, 10)
        hub.send(command)
        assert device.message(acknowledge=False).payload == command
    # not acknowledged: the session goes on, once
    with site.device(FOREIGN, **options) as device:
        assert device.connack.present
        packet = device.message(acknowledge=False)
        assert packet.payload == command and packet.dup
        device.answer(PUBACK, packet.packet_id)
        wait_until("the signal", lambda: [FOREIGN, key_id(site.site_command), 10, "delivered", "none", []] in signals(monitor))
    for _ in range(2):
        with site.device(FOREIGN, "commands") as device:
            device.nothing()
    monitor.stop()
    cloud.close()


def test_refusal_of_a_device_is_told(site, dev):
    hub = site.hub()
    with site.device(dev, "commands") as device:
        hub.send(site.command(dev, 10, "pump.dance"))
        device.message()
        answer = result_json(site.site_command, 10, "refused", "unknown-command")
        assert device.published(f"{device.prefix}/commands/result", answer, qos=1) == 0
        hub.wait_alert("unknown-command", dev)
        for what, reason in (("policy", "policy-fork"), ("vendor-keys", "vendor-keys-gap"), ("revocation", "under-signed"),
                             ("ticket", "wrong-nonce"), ("command", "replayed-command")):
            said = json.dumps({"object": what, "reason": reason, "detail": hashlib.sha256(b"").hexdigest()})
            assert device.published(f"{device.prefix}/updates/refused", said, qos=1) == 0
            hub.wait_alert(reason, dev)


def test_refusals_of_a_device_on_its_direct_way_and_of_updates_are_told(site, dev):
    """By the cloud only alerts follow from it; an update that a device refused is told, too."""
    hub, files = site.hub(), site.folder / "factory"
    device = Paho(site.cloud.port, (files / f"{dev}.crt", files / f"{dev}.key", site.cloud.certificates / "ca.crt"), dev)
    said = json.dumps({"object": "policy", "reason": "policy-gap", "detail": "7"})
    device.publish(f"sites/{SITE}/devices/{dev}/updates/refused", said)
    hub.wait_alert("policy-gap", dev)
    assert any("direct way" in detail for name, detail in hub.alerts("policy-gap") if name == dev)
    device.close()
    with site.device(dev) as device:
        for reason in ("not-approved", "developer-signature", "old-sequence", "gate-closed"):
            said = json.dumps({"state": "refused", "manifest": "ab" * 32, "version": "1.1.0", "progress": 0, "reason": reason})
            assert device.published(f"{device.prefix}/updates/status", said, qos=1) == 0
        hub.wait_alert("developer-signature", dev)
    assert [len([a for a in hub.alerts(reason) if a[0] == dev]) for reason in ("not-approved", "old-sequence", "gate-closed")] == [
        1, 0, 0]
