# SPDX-License-Identifier: GPL-2.0-or-later
"""Kill -9 of each process, full and damaged stores: nothing acknowledged is lost, nothing is silently empty."""

import random
import threading
import time

import dbus
import dbus.bus
import pytest
from lab.cloud import event_keys
from lab.mqtt import Paho
from lab.packets import PUBACK, Client
from lab.process import LabError, wait_until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TOPIC = "sites/s1/devices/device-1/events/soil"


class Sender:
    """A device of somebody else's make: sends numbered events, remembers which were acknowledged, reconnects."""

    def __init__(self, world):
        self.world, self.seq, self.acknowledged = world, 0, []
        self.client = None

    def connect(self):
        self.client = Paho(self.world.port, self.world.credentials("device-1"), "device-1")

    def send(self, payload=b"{}"):
        """One event; its number counts as used only when it is acknowledged, so a failed try is sent again."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("seq", str(self.seq + 1)), ("boot", "1")]
        self.client.client.publish(TOPIC, payload, qos=1, properties=properties)
        self.client.published.get(timeout=20)
        self.seq += 1
        self.acknowledged.append(self.seq)

    def run_for(self, count, patience=150):
        """Sends till count more are acknowledged, through whatever breaks; raises what broke last if patience ends."""
        goal, end = len(self.acknowledged) + count, time.monotonic() + patience
        while len(self.acknowledged) < goal:
            try:
                if self.client is None:
                    self.connect()
                self.client.published.queue.clear()
                self.send()
            except Exception:  # the connection broke; a real device tries again
                if time.monotonic() > end:
                    raise
                if self.client:
                    self.client.client.loop_stop()
                self.client = None
                time.sleep(0.05)


@pytest.mark.parametrize("victim", ["hub", "front", "both"])
def test_kill_9_under_load(world, victim):
    watcher = world.cloud.watch("sites/#")
    sender = Sender(world)
    thread = threading.Thread(target=sender.run_for, args=(300,), daemon=True)
    thread.start()
    for _ in range(5):
        before = len(sender.acknowledged)
        wait_until("more events", lambda: len(sender.acknowledged) > before + random.randint(1, 30) or not thread.is_alive(), 60)
        if victim in ("hub", "both"):
            world.processes["hub"].kill()
        if victim in ("front", "both"):
            world.processes["front"].kill()
        if victim in ("hub", "both"):
            world.start_hub()
        if victim in ("front", "both"):
            world.start_front_end()
    thread.join(120)
    assert not thread.is_alive() and len(sender.acknowledged) >= 300
    watcher.wait_for("every acknowledged event", lambda messages: set(sender.acknowledged) <= {
        seq for _, _, seq in event_keys(messages)}, patience=60)


def test_what_relayctl_was_told_survives(world):
    """A person's change is on disk before relayctl says that it is done."""
    factory = world.folder / "factory"
    for number in range(3):
        name = f"late-{number}"
        world.fwtool("ca", "issue", "--ca", factory / "ca", "--identity", name, "-o", factory / name)
        world.fwtool("factory", "add", "--list", factory / f"{name}.cbor", "--domain", "acme.example", "--class", "plant-care",
                     "--identity", name, "--certificate", factory / f"{name}.crt")
        world.relayctl("devices", "import", factory / f"{name}.cbor")
        world.processes["hub"].kill()
        world.start_hub()
        assert name in [device["Identity"] for device in world.relayctl_json("devices", "list")]


def test_events_survive_while_the_cloud_is_away(world):
    world.cloud.stop()
    sender = Sender(world)
    sender.run_for(50)
    world.processes["hub"].kill()
    world.start_hub()
    assert wait_until("the outbox", lambda: world.relayctl_json("status")["OutboxEvents"]) >= 50
    world.cloud.start()
    watcher = world.cloud.watch("sites/#")
    watcher.wait_for("all", lambda messages: set(sender.acknowledged) <= {s for _, _, s in event_keys(messages)}, patience=60)
    keys = event_keys(watcher.messages())
    order = [seq for _, _, seq in keys]
    assert order == sorted(order), "events of one device out of order"


def test_full_store_refuses_and_loses_nothing(world):
    drop_in = world.config().with_name("relayd.conf.d")
    drop_in.mkdir(exist_ok=True)
    (drop_in / "small.conf").write_text("[store]\nsize_max = 16M\n[outbox]\nbytes_max = 13M\n")
    world.processes["front"].kill()
    world.processes["hub"].stop()
    world.cloud.stop()
    world.start_relay()
    sender = Sender(world)
    sender.connect()
    reasons = []
    # paho 1.6 does not show a PUBACK's reason code: read it off the packet
    original = sender.client.client._handle_pubackcomp

    def keep_reason(command):
        packet = bytes(sender.client.client._in_packet["packet"])
        reasons.append(packet[2] if len(packet) > 2 else 0)
        return original(command)
    sender.client.client._handle_pubackcomp = keep_reason
    accepted = []
    for _ in range(8000):
        sender.send(bytes(4000))
        if reasons[-1] >= 0x80:
            break
        accepted.append(sender.seq)
    assert reasons[-1] == 0x97, "a full store must refuse with 0x97 Quota exceeded"
    assert accepted
    world.cloud.start()
    watcher = world.cloud.watch("sites/#")
    watcher.wait_for("what was accepted", lambda messages: set(accepted) <= {s for _, _, s in event_keys(messages)}, patience=90)
    wait_until("room again", lambda: world.relayctl_json("status")["OutboxEvents"] == 0, 60)
    sender.send(b"{}")
    assert reasons[-1] < 0x80, "with room again, events are taken again"


def test_an_answered_action_survives_kill_9(world):
    """What a caller was told is on disk: the second of two calls waits for a commit of its own."""
    for number in range(4):
        bus = dbus.bus.BusConnection(world.bus)
        manager = dbus.Interface(bus.get_object("org.relayd.Relay1", "/org/relayd/Relay1"), "org.relayd.Relay1.Manager")
        manager.OpenGate(dbus.UInt64(0))
        if number % 2:
            manager.CloseGate()
        else:
            manager.OpenGate(dbus.UInt64(time.time() + 600))
        world.processes["hub"].kill()
        world.start_hub()
        gate = world.relayctl_json("status")
        assert gate["GateState"] == ("closed" if number % 2 else "open")
        assert number % 2 or gate["GateUntil"] > 0
        bus.close()


def test_an_action_that_changes_nothing_is_answered(world):
    world.relayctl("devices", "admit", "device-1")
    world.processes["hub"].kill()
    world.start_hub()
    world.relayctl("devices", "admit", "device-1")


def damage(world, how):
    store = world.folder / "gateway" / "var" / "lib" / "relayd"
    files = [path for path in store.rglob("data.mdb")] or [p for p in store.rglob("*") if p.is_file() and p.stat().st_size > 8192]
    assert files, f"no database below {store}"
    path = files[0]
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(data[:4096 * 3])
    elif how == "zeroed":
        path.write_bytes(data[:8192] + bytes(len(data) - 8192))
    elif how == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["missing", "truncated", "zeroed", "empty"])
def test_damaged_store(world, how):
    """A clear message and a way out; never silently empty."""
    Sender(world).run_for(20)
    world.processes["front"].kill()
    world.processes["hub"].stop()
    damage(world, how)
    with pytest.raises(LabError):
        world.start_hub()
    output = world.processes["hub"].output()
    assert "--new-store" in output, output
    assert world.processes["hub"].popen.wait() == 1
    world.run("relayd", "--config", world.config(), "--new-store")
    state = world.folder / "gateway" / "var" / "lib" / "relayd"
    assert list(state.glob("*damaged*")) or how == "missing" or list(state.parent.glob("*damaged*"))
    world.start_relay()
    assert world.relayctl_json("devices", "list") == []


BROKEN_CONFIGURATION = {
    "unknown key": ("[store]\nsize_maximum = 1G\n", ["size_maximum"]),
    "unknown section": ("[storage]\nsize_max = 1G\n", ["storage"]),
    "not a number": ("[uplink]\nport = many\n", ["port", "many", "65535"]),
    "out of range": ("[store]\ncommit_delay = 21\n", ["commit_delay", "21", "20"]),
    "no such word": ("[outbox]\nwhen_full = explode\n", ["when_full", "explode", "refuse", "drop-oldest"]),
    "too long a line": ("[relay]\nsite = " + "x" * 5000 + "\n", ["long"]),
    "no section": ("size_max = 1G\n", []),
}


@pytest.mark.parametrize("name", BROKEN_CONFIGURATION)
def test_broken_configuration(relay, name):
    content, words = BROKEN_CONFIGURATION[name]
    copy = relay.folder / "broken" / "relayd.conf"
    copy.parent.mkdir(exist_ok=True)
    copy.write_text(relay.config().read_text())
    drop_in = copy.with_name("relayd.conf.d")
    drop_in.mkdir(exist_ok=True)
    (drop_in / "90-broken.conf").write_text("# a comment\n" + content)
    done = relay.run("relayd", "--config", copy, "--check-config", check=False)
    assert done.returncode == 1
    line = 2 if name == "no section" else 3 if name != "unknown section" else None
    assert "90-broken.conf" in done.stderr
    if line:
        assert f":{line}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_good_configuration(relay):
    assert relay.run("relayd", "--config", relay.config(), "--check-config").returncode == 0


def test_absent_subscribers_do_not_fill_the_store(world):
    """Sessions of an application that never comes back hold copies of everything: they lose, not the devices."""
    drop_in = world.config().with_name("relayd.conf.d")
    drop_in.mkdir(exist_ok=True)
    (drop_in / "small.conf").write_text("[store]\nsize_max = 16M\n[outbox]\nbytes_max = 4M\n")
    world.processes["front"].kill()
    world.processes["hub"].stop()
    world.start_relay()
    for number in range(10):
        one = Client(world, "app.all", client_id=f"app.all.gone{number}", session_expiry=86400)
        assert one.subscribe("sites/s1/devices/+/events/#", qos=1) == [1]
        one.drop()
    device = Client(world, "device-1")
    for first in range(1, 3001, 50):
        for seq in range(first, first + 50):
            device.publish(TOPIC, bytes(4000), qos=1, user=[("seq", str(seq)), ("boot", "1")])
        reasons = {device.expect(PUBACK).reason for _ in range(50)}
        assert max(reasons) < 0x80, f"events from {first} on refused: {reasons}"
    device.drop()
    watcher = world.cloud.watch("sites/#")
    wait_until("an empty outbox", lambda: world.relayctl_json("status")["OutboxEvents"] == 0)
    watcher.stop()
