# SPDX-License-Identifier: GPL-2.0-or-later
"""The running hub answers on D-Bus exactly what docs/dbus/ says, tells changes, and refuses by name."""

import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from lab.process import wait_until
from lab.site import World

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = os.environ.get("RELAYD_BUILD", str(ROOT / "build"))
DOCUMENT = ROOT / "docs" / "dbus" / "org.relayd.Relay1.xml"
NAME, PATH = "org.relayd.Relay1", "/org/relayd/Relay1"
MANAGER, DEVICE, UPDATE = (f"{NAME}.{kind}" for kind in ("Manager", "Device", "Update"))
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub on a private bus, its cloud, one registered device and one offered update; no front end, no device."""
    world = World(BUILD, devices=1)
    try:
        world.make_vendor()
        world.make_factory()
        world.make_cloud()
        world.make_people()
        world.make_relay()
        world.start_bus()
        world.cloud.start()
        world.start_hub()
        world.import_all()
        image = tmp_path_factory.mktemp("image") / "image"
        image.write_bytes(bytes(range(256)) * 40)
        world.publish(*world.make_image("1.1.0", 2, image))
        wait_until("the offer at the hub", lambda: objects(world, "update"), 30)
        yield world
    finally:
        world.close()


def busctl(world, *arguments, check=True):
    done = subprocess.run(["busctl", f"--address={world.bus}", *arguments], capture_output=True, text=True, timeout=30)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def objects(world, kind):
    paths = busctl(world, "--list", "tree", NAME).stdout.split()
    return [path for path in paths if path.startswith(f"{PATH}/{kind}/")]


def members(interface):
    """{(kind, name): everything a caller could notice about it}"""
    found = {}
    for method in interface.iter("method"):
        found["method", method.get("name")] = [(arg.get("name"), arg.get("type"), arg.get("direction"))
                                               for arg in method.iter("arg")]
    for signal in interface.iter("signal"):
        found["signal", signal.get("name")] = [(arg.get("name"), arg.get("type")) for arg in signal.iter("arg")]
    for prop in interface.iter("property"):
        annotations = {note.get("name"): note.get("value") for note in prop.iter("annotation")}
        found["property", prop.get("name")] = (prop.get("type"), prop.get("access"), annotations.get(EMITS, "true"))
    return found


def interfaces(xml):
    return {node.get("name"): members(node) for node in ElementTree.fromstring(xml).iter("interface")
            if node.get("name").startswith(NAME)}


def introspect(world, path):
    return interfaces(busctl(world, "--xml-interface", "introspect", NAME, path).stdout)


@pytest.mark.parametrize("interface", [MANAGER, DEVICE, UPDATE])
def test_document_and_daemon_agree(hub, interface):
    path = {MANAGER: [PATH], DEVICE: objects(hub, "device"), UPDATE: objects(hub, "update")}[interface][0]
    running, documented = introspect(hub, path), interfaces(DOCUMENT.read_text())
    assert list(running) == [interface]
    assert running[interface] == documented[interface]


def test_the_document_describes_nothing_else():
    assert set(interfaces(DOCUMENT.read_text())) == {MANAGER, DEVICE, UPDATE}


@pytest.mark.parametrize("interface", [MANAGER, DEVICE, UPDATE])
def test_every_property_can_be_read(hub, interface):
    path = {MANAGER: [PATH], DEVICE: objects(hub, "device"), UPDATE: objects(hub, "update")}[interface][0]
    answer = busctl(hub, "call", NAME, path, "org.freedesktop.DBus.Properties", "GetAll", "s", interface).stdout
    for kind, name in interfaces(DOCUMENT.read_text())[interface]:
        if kind == "property":
            assert f'"{name}"' in answer


def test_object_manager_lists_everything(hub):
    answer = busctl(hub, "call", NAME, PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects").stdout
    for path in objects(hub, "device") + objects(hub, "update"):
        assert f'"{path}"' in answer


def monitored(world, action):
    """What dbus-monitor hears of the relay while action runs, up to the signal action's answer names."""
    log = world.folder / "monitor.log"
    with log.open("w") as out:
        monitor = subprocess.Popen(["dbus-monitor", "--address", world.bus, f"type='signal',path_namespace='{PATH}'"],
                                   stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until("dbus-monitor", lambda: "NameAcquired" in log.read_text() or "NameLost" in log.read_text(), 10)
            awaited = action()
            wait_until(f"the signal {awaited}", lambda: awaited in log.read_text(), 10)
        finally:
            monitor.terminate()
            monitor.wait()
    return log.read_text()


def test_changes_are_told(hub):
    def open_gate():
        busctl(hub, "call", NAME, PATH, MANAGER, "OpenGate", "t", "0")
        return "GateState"
    heard = monitored(hub, open_gate)
    assert re.search(r'"GateState"\s+variant\s+string "open"', heard)
    assert '"Sessions"' not in heard  # a counter: it says so, and tells nothing

    def close_gate():
        busctl(hub, "call", NAME, PATH, MANAGER, "CloseGate")
        return "GateState"
    assert re.search(r'"GateState"\s+variant\s+string "closed"', monitored(hub, close_gate))


def test_every_change_is_audited_with_the_callers_uid(hub):
    busctl(hub, "call", NAME, PATH, MANAGER, "OpenGate", "t", "0")
    busctl(hub, "call", NAME, PATH, MANAGER, "CloseGate")

    def gate_actions():  # read back from the disk, so a moment late
        return [entry["action"] for entry in hub.relayctl_json("audit", "log")
                if entry["actor"] == f"uid:{os.geteuid()}" and entry["object"] == "gate"]
    wait_until("the audit record", lambda: gate_actions()[-2:] == ["gate-opened", "gate-closed"])


REFUSALS = [
    ("OpenGate", ("t", "1"), "OutsideWindow"),
    ("DenyUpdate", ("ss", "12", "no"), "UnknownUpdate"),
    ("DenyUpdate", ("ss", "00" * 32, "no"), "UnknownUpdate"),
    ("DenyUpdate", ("ss", "00" * 32, "x" * 500), "TooLarge"),
    ("Approve", ("ay", "3", "1", "2", "3"), "Malformed"),
    ("Approve", ("ay", "0"), "Malformed"),
    ("ImportSitePolicy", ("ay", "1", "0"), "Malformed"),
    ("ImportVendorKeys", ("ay", "1", "0"), "Malformed"),
    ("ImportDevices", ("ay", "2", "9", "9"), "Malformed"),
    ("AdmitDevice", ("s", "device-77"), "UnknownDevice"),
    ("AdmitDevice", ("s", "../etc"), ""),
    ("RevokeDevice", ("ss", "device-77", "lost"), "UnknownDevice"),
    ("ReleaseDevice", ("s", "device-77"), "UnknownDevice"),
    ("RotateDevice", ("ay", "1", "0"), "Malformed"),
    ("AddImage", ("ay", "1", "0"), "Malformed"),
    ("ForgetImage", ("s", "00" * 32), "UnknownImage"),
    ("ForgetImage", ("s", "12"), "UnknownImage"),
]


@pytest.mark.parametrize("method, arguments, error", REFUSALS)
def test_refusals_have_names_and_sentences(hub, method, arguments, error):
    done = subprocess.run(["dbus-send", f"--bus={hub.bus}", "--print-reply", f"--dest={NAME}", PATH,
                           f"{MANAGER}.{method}", *to_dbus_send(arguments)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    match = re.match(r"Error (\S+): (.+)", done.stderr)
    assert match, done.stderr
    assert match.group(1).startswith(f"{NAME}.Error.{error}")
    assert len(match.group(2)) > 20


def to_dbus_send(arguments):
    signature, *values = arguments
    if signature == "ay":
        return ["array:byte:" + ",".join(values[1:])]
    names = {"s": "string", "t": "uint64", "u": "uint32"}
    return [f"{names[kind]}:{value}" for kind, value in zip(signature, values)]


def test_an_update_that_is_gone_is_no_object(hub):
    path = f"{PATH}/update/{'00' * 32}"
    assert busctl(hub, "call", NAME, path, UPDATE, "GetManifest", check=False).returncode != 0
    assert busctl(hub, "get-property", NAME, f"{PATH}/device/nobody", DEVICE, "Online", check=False).returncode != 0
