# SPDX-License-Identifier: GPL-2.0-or-later
"""Attackers who stole nothing: on the wire between device and relay, at the relay's ports, at the mains switch."""

import contextlib
import os
import socket
import threading

import pytest
from attacker import Attacker
from lab.process import wait_until
from lab.wire import Wire
from scene import AT_RELAY, AT_ROGUE, DIRECT, ON_DESK, OPTIONS, Scene
from sessions import GOOD, NOT_AUTHORISED, connack, own_files

CUT = 86  # exit status of a device whose power was cut


@pytest.fixture(scope="module")
def middle():
    """device-2 reaches the relay only through the attacker's wire."""
    with Scene() as site:
        thief = Attacker(site)
        site.place.close()
        site.wire = Wire(site.rogue_port, site.port, thief.certificate("relay.s1", thief.own))
        site.start_device(AT_ROGUE, *OPTIONS)
        site.wait_device(AT_ROGUE, "connects", lambda device: device["Online"])
        wait_until("its state at the cloud", lambda: AT_ROGUE in site.desk.images())
        yield site
        site.wire.close()


def by_relay(site):
    """device-2 has its session at the relay, not at the cloud."""
    site.goes(AT_ROGUE, "relay")


def start_behind(site, mode):
    """The device starts while the attacker does this on its wire."""
    site.processes[AT_ROGUE].kill()
    site.wire.become(mode)
    return site.start_device(AT_ROGUE, *OPTIONS)


def test_commands_lan(middle):
    """A command passes the wire. Its bytes again, in a connection of the attacker's, are nothing to the device."""
    by_relay(middle)
    middle.does(middle.site_command, AT_ROGUE, "pump.off")
    since = middle.desk.mark()
    device = start_behind(middle, "replay")
    device.wait_for("relay: .*")
    device.wait_for("session with the cloud")
    assert not middle.said(AT_ROGUE, "commands/result", since)


def test_firmware_lan(middle):
    """He changes every byte the relay answers, then answers himself: not one message gets to the device. Left alone, the
    same wire carries the update."""
    image = middle.running(AT_ROGUE)[1]
    device = start_behind(middle, "flip")
    device.wait_for("session with the cloud")
    assert middle.wire.flipped
    device = start_behind(middle, "answer")
    device.wait_for("relay: refused, or not the pinned key")
    device.wait_for("session with the cloud")
    assert not any(middle.wire.fooled), "the device said something to the attacker"
    assert middle.running(AT_ROGUE)[1] == image
    start_behind(middle, "pass")
    by_relay(middle)
    middle.install(middle.make_update(), AT_ROGUE)
    by_relay(middle)


def test_identity_lan(middle):
    """What he recorded of a session opens none, and neither does a certificate of his own."""
    by_relay(middle)
    thief = Attacker(middle)
    recorded = bytes(max(middle.wire.heard, key=len))
    assert len(recorded) > 1000
    with socket.create_connection(("127.0.0.1", middle.port), timeout=20) as again:
        before = middle.relayctl_json("status")["Sessions"]
        with contextlib.suppress(OSError):
            again.sendall(recorded)
            answered = b""
            while piece := again.recv(65536):
                answered += piece
        assert middle.relayctl_json("status")["Sessions"] <= before
    assert connack(middle, thief.certificate(AT_ROGUE, thief.own), AT_ROGUE) == NOT_AUTHORISED
    assert connack(middle, own_files(middle, ON_DESK), ON_DESK) == GOOD


# ---- a flood

class Flood:
    """Connections that say nothing, half a handshake or noise, for as long as it lasts."""

    def __init__(self, port, threads=4):
        self.port, self.count, self.ended = port, 0, threading.Event()
        self.threads = [threading.Thread(target=self.pour, daemon=True) for _ in range(threads)]

    def pour(self):
        held = []
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                one = socket.create_connection(("127.0.0.1", self.port), timeout=2)
                one.sendall([b"", b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(300)][self.count % 3] or b"\x16")
                held.append(one)
                self.count += 1
            if len(held) > 60:
                held.pop(0).close()
            self.ended.wait(0.002)
        for one in held:
            one.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until("the flood", lambda: self.count > 100)
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_commands_flood(site):
    """A forged command is refused, a good one executed, by relay and cloud."""
    thief = Attacker(site, "cloud")
    with Flood(site.port):
        with site.alerted("bad-signature"):
            thief.cloud.command(AT_RELAY, thief.command("site_command", AT_RELAY))
        for device in (AT_RELAY, DIRECT):
            site.does(site.site_command, device, "pump.off")


def test_firmware_flood(site):
    """While strangers pour connections over the relay, an unapproved update is refused and an approved one gets through."""
    with Flood(site.port) as flood:
        thief = Attacker(site, "cloud")
        update = thief.update()
        with site.nobody_moves(), site.alerted("organisation-signature"), site.refused(DIRECT, "organisation-signature", update):
            thief.cloud.offer(update)
        site.install(update, AT_RELAY, DIRECT)
        before = flood.count
        wait_until("the flood to go on", lambda: flood.count > before + 50)


def test_identity_flood(site):
    """Nobody slips in meanwhile, and who has a key gets in."""
    thief = Attacker(site)
    with Flood(site.port):
        assert connack(site, thief.certificate(AT_RELAY, thief.own), AT_RELAY) == NOT_AUTHORISED
        assert connack(site, own_files(site, ON_DESK), ON_DESK) == GOOD


# ---- relay, cloud and power

@pytest.fixture(scope="module")
def alone():
    with Scene() as site:
        yield site


def test_commands_alone(alone):
    """Without the relay: a device that knows the time does what the site's people sign, and nobody else. After a power cut it
    has no time and no gate to ask: it obeys nobody, and least of all what it obeyed before. With the relay back, it does."""
    alone.does(alone.site_command, AT_RELAY, "pump.off")
    relay_gone(alone)
    alone.does(alone.site_command, AT_RELAY, "pump.off")
    old = alone.command(alone.site_command, AT_RELAY, "pump.off")
    alone.answers(AT_RELAY, old, "done")
    thief, since = Attacker(alone, "cloud"), alone.desk.mark()
    thief.cloud.command(AT_RELAY, thief.command("site_command", AT_RELAY))
    alone.refusal(AT_RELAY, "command", "bad-signature", since)

    alone.processes[AT_RELAY].kill()
    alone.start_device(AT_RELAY, *OPTIONS).wait_for("session with the cloud")
    alone.answers(AT_RELAY, old, "refused", "replayed-command")
    alone.answers(AT_RELAY, alone.command(alone.site_command, AT_RELAY, "pump.on"), "refused", "no-trusted-time")
    alone.start_relay()
    alone.goes(AT_RELAY, "relay")
    alone.does(alone.site_command, AT_RELAY, "pump.off")


def test_firmware_alone(alone):
    """The relay dies, and the cloud has an unapproved update: the device that moved there refuses it, and takes the approved
    one. The cloud dies, too: devices go on. The power goes at any instant of an update: the device starts again, always."""
    relay_gone(alone)
    update = alone.make_update()
    with alone.nobody_moves(), alone.refused(AT_RELAY, "not-approved", update), alone.refused(DIRECT, "not-approved", update):
        alone.desk.serve(update)
        alone.desk.offer(update.envelope, AT_RELAY, DIRECT)
    alone.install(update, AT_RELAY, DIRECT)
    power_goes(alone)


def relay_gone(site):
    site.processes["front"].kill()
    site.processes["hub"].kill()
    site.goes(AT_RELAY, "cloud")


def power_goes(site):
    """The power is cut after ever more flash operations of an update; at the end the update runs."""
    update, desk = site.make_update(), site.desk
    desk.serve(update)
    for person in ("anna", "bertil"):
        desk.approve(person, update)
    desk.offer(update.envelope, ON_DESK)
    for operations in (3, 9, 25, 45):
        device = site.start_device(ON_DESK, *OPTIONS, "--cut-after", str(operations))
        wait_until("the power to go", lambda: not device.alive())
        assert device.popen.returncode == CUT, device.output()
        assert "stuck" not in device.output()
    with site.switched_on() as device:
        desk.wait_running(update, ON_DESK)
        wait_until("it to be kept", lambda: site.flash().confirmed_slot() == "B")
        assert "stuck" not in device.output()


def test_identity_alone(alone):
    """Without a relay the cloud asks for the same keys; what restarted without power is who it was."""
    if alone.processes["hub"].alive():
        relay_gone(alone)
    thief, port = Attacker(alone), alone.cloud.port
    assert connack(alone, thief.certificate(AT_RELAY, thief.own), AT_RELAY, port) is None
    assert connack(alone, own_files(alone, ON_DESK), ON_DESK, port) == GOOD
    alone.cloud.kill()
    process = alone.processes[AT_RELAY]
    process.kill()
    alone.start_device(AT_RELAY, *OPTIONS)
    alone.cloud.start()
    alone.start_relay()
    alone.wait_device(AT_RELAY, "comes home under its name", lambda device: device["Online"])
    assert connack(alone, thief.certificate(AT_RELAY, thief.own), AT_RELAY) == NOT_AUTHORISED
