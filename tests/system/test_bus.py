# SPDX-License-Identifier: GPL-2.0-or-later
"""The hub on a private bus: who may change anything, and a bus that goes away and comes back."""

import os
import pathlib
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from lab.process import wait_until
from lab.site import World

from conftest import BUILD

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME, PATH, MANAGER = "org.relayd.Relay1", "/org/relayd/Relay1", "org.relayd.Relay1.Manager"
# lets every user in, so that the hub itself has to say no
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>{address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""


@pytest.fixture
def hub():
    world = World(BUILD, devices=1)
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        world.folder.chmod(0o711)
        (world.folder / "bus.conf").write_text(CONFIG.format(address=world.bus))
        start_bus(world)
        world.start_hub()
        yield world
    finally:
        world.close()


def start_bus(world):
    world.start("dbus", ["dbus-daemon", f"--config-file={world.folder}/bus.conf", "--nofork", "--nopidfile",
                         "--print-address"], ready="unix:path=")


def call(world, *arguments, before=()):
    return subprocess.run([*before, "busctl", f"--address={world.bus}", *arguments], capture_output=True, text=True,
                          timeout=30)


def gate(world, before=()):
    return call(world, "get-property", NAME, PATH, MANAGER, "GateState", before=before).stdout.strip()


CHANGES = [
    ("OpenGate", "t", "0"), ("CloseGate",), ("DenyUpdate", "ss", "00" * 32, "no"), ("Approve", "ay", "1", "0"),
    ("ApproveSignedHere", "ay", "1", "0"),
    ("AdmitDevice", "s", "device-1"), ("RevokeDevice", "ss", "device-1", "no"), ("ImportDevices", "ay", "1", "0"),
    ("ReleaseDevice", "s", "device-1"), ("RotateDevice", "ay", "1", "0"), ("AddImage", "ay", "1", "0"),
    ("ForgetImage", "s", "00" * 32),
    ("ImportSitePolicy", "ay", "1", "0"), ("ImportVendorKeys", "ay", "1", "0"), ("Revoke", "ay", "1", "0"),
    ("SetGate", "sstas", "site", "open", "0", "0"), ("ResetGate", "s", "site"), ("SendCommand", "ay", "1", "0"),
    ("MakeCheckpoint",), ("DropEvents", "t", "1"), ("ImportUpdate", "ayaysas", "1", "0", "1", "0", "", "0"),
    ("ImportImage", "suay", "00" * 32, "0", "1", "0"), ("SetCountryPolicy", "a(ss)usqb", "0", "0", "", "0", "false"),
    ("ConfirmCountryPolicy",), ("ReloadCountryDatabase",),
]
LOOKS = {"GetSitePolicy", "GetVendorKeys", "GetSitePolicyAt", "GetVendorKeysAt", "GetRevocation", "GetGate", "ListAlerts",
         "ReadAudit", "GetCountryPolicy", "TestAddress", "GetFirewallCounters", "ReadCheckpoints", "ReadEvents",
         "CommandCounter", "GetCheckpoint", "ListImages"}


def test_every_method_looks_or_changes():
    """So that none is added without being tried as another user below."""
    document = ElementTree.parse(ROOT / "docs" / "dbus" / "org.relayd.Relay1.xml")
    manager = next(node for node in document.iter("interface") if node.get("name") == MANAGER)
    assert sorted(node.get("name") for node in manager.iter("method")) == sorted({name for name, *_ in CHANGES} | LOOKS)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="becoming another user takes root")
def test_another_user_may_look_but_not_touch(hub):
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    wait_until("the hub on the bus", lambda: gate(hub) == 's "closed"', 15)
    assert gate(hub, nobody) == 's "closed"'
    for method, *arguments in CHANGES:
        done = call(hub, "call", NAME, PATH, MANAGER, method, *arguments, before=nobody)
        assert done.returncode != 0
        assert "may look but not change" in done.stderr, (method, done.stderr)
    assert gate(hub) == 's "closed"'
    assert "65534" not in hub.relayctl("audit", "log").stdout


def test_the_bus_may_come_back(hub):
    wait_until("the hub on the bus", lambda: gate(hub) == 's "closed"', 15)
    hub.processes["dbus"].stop()
    start_bus(hub)
    wait_until("the hub on the new bus", lambda: gate(hub) == 's "closed"', 30)
