# SPDX-License-Identifier: GPL-2.0-or-later
"""Who sits beside the hub and means harm: a front end that was taken over, a program at the signing socket, another
user on the bus. Each is refused or dropped; sessions of the honest front end go on."""

import os
import socket
import struct
import subprocess

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate
from lab.frontend import (ADMIT, CLOSE, CREDIT, HELLO, OPEN, PACKET, REFUSE, STOP, FrontEnd, SignSocket, chain,
                          normal_connect)
from lab.mqtt import frame, text
from lab.packets import Client
from lab.process import wait_until
from lab.site import World

from conftest import BUILD


@pytest.fixture
def bystander(relay):
    """Somebody at the honest front end, whom nothing of this may disturb."""
    one = Client(relay, "app.second", client_id="app.second.bystander")
    yield one
    one.nothing()
    one.drop()


GARBAGE = {
    "another version": lambda f: f.send(OPEN, 1, version=2),
    "flags": lambda f: f.send(OPEN, 1, flags=1),
    "type 0": lambda f: f.send(0, 1),
    "type 99": lambda f: f.send(99, 1),
    "a size that lies": lambda f: f.send(OPEN, 1, b"abc", size=4000),
    "a huge size": lambda f: f.send(PACKET, 1, b"abc", size=0xFFFFFFFF),
    "a cut header": lambda f: f.raw(b"\x01\x02\x00"),
    "one byte": lambda f: f.raw(b"\x00"),
    "session 0": lambda f: f.open(0, b"x"),
    "no certificate size": lambda f: f.send(OPEN, 1, b"\x01x\x00\x00\x01"),
    "five certificates": lambda f: f.open(1, *[b"x"] * 5),
    "a second HELLO": lambda f: f.send(HELLO, 0, struct.pack(">III", 1, 1, 128 * 1024)),
    "the hub's own ADMIT": lambda f: f.send(ADMIT, 1, b"\x08device-1\x01"),
    "the hub's own CREDIT": lambda f: f.send(CREDIT, 0, b"\x00\x00\x00\x01"),
    "STOP": lambda f: f.send(STOP, 0),
    "noise": lambda f: f.raw(os.urandom(5000)),
    "the largest datagram and more": lambda f: f.raw(bytes(150 * 1024)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_the_channel(relay, bystander, name):
    front = FrontEnd(relay)
    GARBAGE[name](front)
    assert front.dropped(), "the hub goes on with a front end that breaks the channel"
    front.close()


@pytest.mark.parametrize("hello", [b"", struct.pack(">III", 2, 1, 128 * 1024), struct.pack(">III", 1, 1, 10), bytes(200)])
def test_wrong_hello(relay, bystander, hello):
    front = FrontEnd(relay, hello=False)
    front.send(HELLO, 0, hello)
    assert front.dropped()
    front.close()


def test_open_before_hello(relay, bystander):
    front = FrontEnd(relay, hello=False)
    front.open(1, *chain(relay, "device-1"))
    assert front.dropped()
    front.close()


def test_invented_identities(relay, bystander):
    """Certificates that are none, or of nobody: refused; CONNECT under another name than was admitted: refused."""
    front = FrontEnd(relay)
    for number, certificate in enumerate([b"x", os.urandom(900), b"\x30\x82\xff\xff" + bytes(100)], 1):
        front.open(number, certificate)
        kind, session, _ = front.receive(ADMIT, REFUSE)
        assert (kind, session) == (REFUSE, number)
        front.send(PACKET, number, normal_connect("device-1"))  # goes on nevertheless
    front.open(10, *chain(relay, "device-1"))
    kind, session, payload = front.receive(ADMIT, REFUSE)
    assert (kind, session) == (ADMIT, 10) and b"device-1" in payload
    front.send(PACKET, 10, normal_connect("device-2"))
    kind, session, payload = front.receive(PACKET, CLOSE)
    assert kind == CLOSE or (kind == PACKET and payload[0] == 0x20 and payload[3] == 0x85), payload
    front.close()


@pytest.mark.parametrize("packet", [
    frame(0x32, text("sites/s1/devices/device-1/events/a") + b"\x00\x01\x00x"), frame(0x82, b"\x00\x01\x00\x00\x01#\x01"),
    b"\xc0\x00", b"\xe0\x00", b"", b"\xff" * 100], ids=["PUBLISH", "SUBSCRIBE", "PINGREQ", "DISCONNECT", "nothing", "noise"])
def test_packets_before_connect(relay, bystander, packet):
    """Nothing happens before CONNECT: the session, or the whole front end, is ended."""
    front = FrontEnd(relay)
    front.open(1, *chain(relay, "device-1"))
    assert front.receive(ADMIT, REFUSE)[0] == ADMIT
    front.send(PACKET, 1, packet)
    answer = front.receive(CLOSE, PACKET)
    assert answer is None or answer[0] == CLOSE, answer
    front.close()


def test_sessions_of_another_front_end(relay, bystander):
    """A number that another front end uses means nothing here."""
    front = FrontEnd(relay)
    for session in range(1, 2000):
        front.send(PACKET, session, frame(0xE0, b""))
        front.send(CLOSE, session, b"\x00\x01")
    front.open(1, *chain(relay, "device-1"))
    assert front.receive(ADMIT, REFUSE)[0] == ADMIT
    front.close()


def test_endless_opens(relay, bystander):
    """Bounded, and all gone with the front end."""
    front = FrontEnd(relay)
    certificates, answers = chain(relay, "device-1"), {ADMIT: 0, REFUSE: 0}
    for number in range(1, 3001):
        front.open(number, *certificates)
        answers[front.receive(ADMIT, REFUSE)[0]] += 1
    front.open(1, *certificates)
    front.close()
    wait_until("no session of it to be left", lambda: relay.relayctl_json("status")["Sessions"] <= 1)
    assert sum(answers.values()) == 3000


def test_many_front_ends(relay, bystander):
    """More channels than are served: refused, and room again afterwards."""
    fronts = []
    for _ in range(40):
        try:
            fronts.append(FrontEnd(relay))
        except OSError:
            break
    for front in fronts:
        front.close()
    front = FrontEnd(relay)
    front.open(1, *chain(relay, "device-1"))
    assert wait_until("an answer", lambda: front.receive(ADMIT, REFUSE))[0] == ADMIT
    front.close()


# ---- the signing socket

def relay_key(relay):
    certificate = load_pem_x509_certificate(relay.credentials("app.all")[2].read_bytes())
    return certificate.public_key()


def test_only_certificate_verify_is_signed(relay, bystander):
    """RFC 8446 section 4.4.3: the hub puts the context string around the hash, so nothing else is ever signed."""
    sign = SignSocket(relay)
    for size in (32, 48):
        wanted = os.urandom(size)
        answer = sign.ask(wanted)
        assert answer[:6] == struct.pack(">BBI", 1, 0, 7)
        key = relay_key(relay)
        key.verify(answer[6:], b" " * 64 + b"TLS 1.3, server CertificateVerify\x00" + wanted)
        with pytest.raises(InvalidSignature):
            key.verify(answer[6:], wanted)
    sign.socket.close()


@pytest.mark.parametrize("request_bytes", [
    b"", b"\x01", bytes(6), struct.pack(">BBI", 1, 0, 1), struct.pack(">BBI", 1, 31, 1) + bytes(31),
    struct.pack(">BBI", 1, 33, 1) + bytes(33), struct.pack(">BBI", 1, 64, 1) + bytes(64),
    struct.pack(">BBI", 2, 32, 1) + bytes(32), struct.pack(">BBI", 1, 32, 1) + bytes(31), struct.pack(">BBI", 1, 32, 1) +
    bytes(33), struct.pack(">BBI", 1, 255, 1) + bytes(255), bytes(5000)])
def test_hostile_signing_requests(relay, bystander, request_bytes):
    sign = SignSocket(relay)
    sign.socket.send(request_bytes)
    try:
        answer = sign.socket.recv(1000)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or answer[1] != 0, "signed"
    sign.socket.close()
    again = SignSocket(relay)
    assert len(again.ask(bytes(32))) == 6 + 64
    again.socket.close()


def test_many_at_the_signing_socket(relay, bystander):
    """Connections that ask nothing: handshakes of the front end go on."""
    held = []
    for _ in range(40):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        one.connect(str(relay.runtime() / "mqtt.sign"))
        held.append(one)
    late = Client(relay, "app.all", client_id="app.all.late")
    assert late.connack.reason == 0
    late.drop()
    for one in held:
        one.close()


# ---- the bus

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>{address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow receive_sender="*"/></policy></busconfig>
"""


@pytest.fixture(scope="module")
def shared():
    """A relay on a bus that lets every user of the machine in, as the system bus does."""
    with World(BUILD, devices=1) as world:
        world.make()
        world.folder.chmod(0o755)
        config = world.folder / "bus.conf"
        config.write_text(BUS.format(address=world.bus))
        world.start("dbus", ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"],
                    ready="unix:path=")
        (world.folder / "bus").chmod(0o777)
        world.cloud.start()
        world.start_relay()
        world.import_all()
        yield world


def call(world, method, *arguments, user="nobody", interface="org.relayd.Relay1.Manager", path="/org/relayd/Relay1"):
    command = ["busctl", f"--address={world.bus}", "call", "org.relayd.Relay1", path, interface, method, *arguments]
    if user:
        command = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


CHANGES = [("OpenGate", "t", "0"), ("CloseGate",), ("AdmitDevice", "s", "device-1"), ("RevokeDevice", "ss", "device-1", "x"),
           ("ImportDevices", "ay", "1", "0"), ("ImportSitePolicy", "ay", "1", "0"), ("ImportVendorKeys", "ay", "1", "0"),
           ("ReleaseDevice", "s", "device-1"), ("RotateDevice", "ay", "1", "0"), ("AddImage", "ay", "1", "0"),
           ("ForgetImage", "s", "ab" * 32), ("Approve", "ay", "1", "0"), ("DenyUpdate", "ss", "ab" * 32, "x")]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[0])
def test_another_user_changes_nothing(shared, change):
    before = shared.relayctl_json("status")
    done = call(shared, *change)
    assert done.returncode != 0 and "may look but not change" in done.stderr, done
    after = shared.relayctl_json("status")
    assert after["GateState"] == before["GateState"] and after["PolicyDigest"] == before["PolicyDigest"]
    assert [d["Registration"] for d in shared.relayctl_json("devices", "list")] == ["registered"]


def test_another_user_may_look(shared):
    assert call(shared, "ListAlerts", "t", "0").returncode == 0


MALFORMED = {
    "a digest that is none": ("DenyUpdate", "ss", "xyz", "x"),
    "a digest in capitals and more": ("DenyUpdate", "ss", "AB" * 100, "x"),
    "an empty identity": ("AdmitDevice", "s", ""),
    "an identity with a path": ("AdmitDevice", "s", "../../etc/passwd"),
    "an endless identity": ("AdmitDevice", "s", "a" * 100000),
    "an endless why": ("RevokeDevice", "ss", "device-77", "x" * 100000),
    "an endless identity to release": ("ReleaseDevice", "s", "a" * 100000),
    "a rotation that is none": ("RotateDevice", "ay", "3", "1", "2", "3"),
    "a manifest that is none": ("AddImage", "ay", "3", "1", "2", "3"),
    "an image digest that is none": ("ForgetImage", "s", "xyz" * 1000),
    "the past": ("OpenGate", "t", "1"),
    "an empty approval": ("Approve", "ay", "0"),
    "an empty list": ("ImportDevices", "ay", "0"),
    "another type": ("OpenGate", "s", "soon"),
    "too many arguments": ("CloseGate", "s", "now"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_calls(shared, name):
    before = shared.relayctl_json("status")["GateState"]
    done = call(shared, *MALFORMED[name], user=None)
    assert done.returncode != 0 and done.stderr.strip(), f"{name} was taken"
    assert shared.relayctl_json("status")["GateState"] == before


def huge(shared, method, size):
    """An array as large as the bus lets through, by Python: no command line holds it."""
    script = ("import sys, dbus\nbus = dbus.bus.BusConnection(sys.argv[1])\n"
              "m = dbus.Interface(bus.get_object('org.relayd.Relay1', '/org/relayd/Relay1'), 'org.relayd.Relay1.Manager')\n"
              "try:\n    print(getattr(m, sys.argv[2])(dbus.ByteArray(bytes(int(sys.argv[3])))))\n"
              "except dbus.DBusException as error:\n    print('refused', error)\n")
    return subprocess.run(["/usr/bin/python3", "-c", script, shared.bus, method, str(size)], capture_output=True, text=True,
                          timeout=60)


@pytest.mark.parametrize("method", ["Approve", "ImportDevices", "ImportSitePolicy", "ImportVendorKeys"])
def test_huge_arrays(shared, method):
    done = huge(shared, method, 8 << 20)
    if "No module named" in done.stderr:
        pytest.skip("python3-dbus is not installed")
    assert "refused" in done.stdout, done
    assert shared.relayctl_json("status")["Sessions"] == 0
