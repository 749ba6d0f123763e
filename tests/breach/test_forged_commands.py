# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands: whatever was stolen, a device does only what a command key says that its site gave this right to."""

import contextlib

import relayobjects as objects
from attacker import Attacker
from lab.frontend import ADMIT, PACKET, REFUSE, FrontEnd, der, normal_connect
from lab.mqtt import Raw, connect_packet, frame, text
from lab.process import wait_until
from lab.site import SITE
from lab.updates import alerts, last_alert
from scene import AT_RELAY, AT_ROGUE, DIRECT, ON_DESK
from sessions import NOT_AUTHORISED, answer_to

NEVER_RAN = "a command of the attacker was executed"


@contextlib.contextmanager
def refused_by_device(site, device, reason):
    """The device tells it meanwhile, and answers no such command."""
    since = site.desk_of(device).mark()
    yield
    site.refusal(device, "command", reason, since)
    assert not site.said(device, "commands/result", since), NEVER_RAN


@contextlib.contextmanager
def refused_by_relay(site, reason):
    """The relay alerts, and the device behind it hears nothing."""
    since = site.desk.mark()
    with site.alerted(reason):
        yield
    assert not site.said(AT_RELAY, "commands/result", since), NEVER_RAN
    assert not site.said(AT_RELAY, "updates/refused", since), "it reached the device"


def by_cloud(site, make, at_relay, at_device=None):
    """make(device) gives a hostile command; it comes by the cloud, through the relay and straight to a device."""
    with refused_by_relay(site, at_relay):
        site.send(AT_RELAY, make(AT_RELAY))
    with refused_by_device(site, DIRECT, at_device or at_relay):
        site.send(DIRECT, make(DIRECT))


def controls(site, *devices):
    """The same, properly signed: the vendor looks, the site's people switch."""
    for device in devices or (AT_RELAY, DIRECT):
        assert site.does(site.desk.keys["command"], device, "diagnostics.uptime")["value"].isdigit()
        site.does(site.site_command, device, "pump.off")


def test_commands_nothing(site):
    """Keys are for what the site policy gave them: the vendor's key looks and does not switch. For one device, one site."""
    vendor, people = site.desk.keys["command"], site.site_command
    by_cloud(site, lambda device: site.command(vendor, device, "pump.on"), "out-of-scope")
    by_cloud(site, lambda device: site.command(people, device, "diagnostics.uptime"), "out-of-scope")
    by_cloud(site, lambda device: site.command(people, ON_DESK, "pump.on"), "wrong-device")
    by_cloud(site, lambda device: objects.command(people, "s2", device, 999, 1 << 40, "pump.on"), "wrong-site")
    controls(site)


def test_commands_cloud(site):
    """Root on the broker: commands of his own making, and everything that ever passed through."""
    thief = Attacker(site, "cloud")
    controls(site)
    for role in ("command", "site_command"):
        by_cloud(site, lambda device: thief.command(role, device), "bad-signature")
    recorded = {device: site.command(site.site_command, device, "pump.off") for device in (AT_RELAY, DIRECT)}
    for device, command in recorded.items():
        site.answers(device, command, "done")
    by_cloud(site, lambda device: recorded[DIRECT if device == AT_RELAY else AT_RELAY], "wrong-device")
    late = {device: site.command(site.site_command, device, "pump.on", expires=-5) for device in (AT_RELAY, DIRECT)}
    controls(site)
    replayed(site, thief, recorded, late)
    controls(site)


def replayed(site, thief, recorded, late):
    """Yesterday's commands again, and some that he kept till they had expired."""
    with refused_by_relay(site, "replayed-command"):
        thief.cloud.command(AT_RELAY, recorded[AT_RELAY])
    site.answers(DIRECT, late[DIRECT], "refused", "replayed-command")
    fresh = {device: site.command(site.site_command, device, "pump.on", expires=-5) for device in (AT_RELAY, DIRECT)}
    with refused_by_relay(site, "expired-command"):
        thief.cloud.command(AT_RELAY, fresh[AT_RELAY])
    site.answers(DIRECT, fresh[DIRECT], "refused", "expired-command")


def of_keys(site, thief, *roles):
    """Commands signed by each of these keys, which are keys of something else."""
    for role in roles:
        assert role in thief.keys
        by_cloud(site, lambda device: thief.command(role, device), "bad-signature")
    controls(site)


def test_commands_organisation(site):
    of_keys(site, Attacker(site, "cloud", "organisation"), "organisation")


def test_commands_developer(site):
    of_keys(site, Attacker(site, "cloud", "organisation", "developer"), "organisation", "developer")


def test_commands_gate(site):
    of_keys(site, Attacker(site, "cloud", "gate"), "gate")


def test_commands_approver(site):
    of_keys(site, Attacker(site, "cloud", "anna"), "anna")


def test_commands_relay(site):
    """Root on the gateway, acting as relay and gate: the vendor's commands and the people's he cannot make; what was granted
    to a key that lies on the gateway he can, and no more."""
    thief = Attacker(site, "gateway")
    way = thief.relay
    controls(site, AT_ROGUE)
    for role in ("command", "site_command"):
        with refused_by_device(site, AT_ROGUE, "bad-signature"):
            way.command(AT_ROGUE, thief.command(role, AT_ROGUE))
    for key in ("gate", "relay", "uplink"):
        with refused_by_device(site, AT_ROGUE, "bad-signature"):
            way.command(AT_ROGUE, thief.command(key, AT_ROGUE))
    with refused_by_device(site, AT_ROGUE, "out-of-scope"):
        way.command(AT_ROGUE, site.command(thief.keys["panel_command"], AT_ROGUE, "pump.on"))
    assert site.does(thief.keys["panel_command"], AT_ROGUE, "plan.show")["value"]


def test_commands_front_end(site):
    """A front end may say what an application may write: it is a command only if a command key signed it."""
    thief, front = Attacker(site, "front end"), FrontEnd(site)
    front.open(1, der(site, "app.panel"))
    assert front.receive(ADMIT, REFUSE)[0] == ADMIT
    front.send(PACKET, 1, normal_connect("app.panel"))
    front.receive(PACKET)

    def say(command):
        topic = f"sites/{SITE}/devices/{AT_RELAY}/commands"
        front.send(PACKET, 1, frame(0x32, text(topic) + b"\x00\x07\x00" + command))
        front.receive(PACKET)
    since, good = site.desk.mark(), site.command(site.site_command, AT_RELAY, "pump.off")
    with site.alerted("bad-signature", "malformed"):
        for command in (thief.command("site_command", AT_RELAY), thief.command("gate", AT_RELAY), b"pump.on"):
            say(command)
    say(good)
    wait_until("the answer to the good one", lambda: site.said(AT_RELAY, "commands/result", since))
    assert site.said(AT_RELAY, "commands/result", since)[-1]["result"] == "done"
    assert len(site.said(AT_RELAY, "commands/result", since)) == 1, NEVER_RAN
    front.close()


def test_commands_device_opened(site):
    """A device's key signs no command, and its sessions write no other device's topics."""
    thief = Attacker(site, "cloud", ON_DESK)
    of_keys(site, thief, ON_DESK)
    good = site.command(site.site_command, DIRECT, "pump.on")
    for port in (site.port, site.cloud.port):
        for device in (AT_RELAY, DIRECT):
            assert answer_to(site, ON_DESK, port, f"sites/{SITE}/devices/{device}/commands", good) == NOT_AUTHORISED
    drown_alerts(site, thief)


def drown_alerts(site, thief):
    """He says hundreds of times that his device refused something: what another device refused is told nevertheless."""
    raw = Raw(site.port, site.credentials(ON_DESK))
    raw.send(connect_packet(ON_DESK))
    assert raw.packet()[2][1] == 0
    for number in range(300):
        raw.send(frame(0x30, text(f"sites/{SITE}/devices/{ON_DESK}/updates/refused") + b"\x00"
                       + b'{"object":"policy","reason":"policy-fork","detail":"%064x"}' % number))
    wait_until("the flood to be told as one", lambda: alerts(site, "quota"))
    raw.close()
    since = last_alert(site)
    site.send(DIRECT, thief.command("site_command", DIRECT))
    wait_until("what device-3 says of it", lambda: [a for a in alerts(site, "bad-signature", since)
                                                   if a["device"] == DIRECT and "the device refused" in a["detail"]])
