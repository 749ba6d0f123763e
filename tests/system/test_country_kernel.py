# SPDX-License-Identifier: GPL-2.0-or-later
"""The real guard, hub and front end in a gateway's namespace, with public addresses at the other end of its wire."""

import os
import pathlib
import struct

import pytest

from lab import netns
from lab.edge import Edge
from lab.mqtt import frame, text, variable
from lab.process import wait_until

BUILD = os.environ.get("RELAYD_BUILD", str(pathlib.Path(__file__).resolve().parent.parent.parent / "build"))

pytestmark = pytest.mark.skipif(not netns.possible(), reason="needs root, or unshare -Urn around it")
SUCCESS, NOT_AUTHORIZED = 0, 0x87
EVERYWHERE = [(place, version) for place in ("FI", "RU", "SE", None, "LAN") for version in (4, 6)]


@pytest.fixture(scope="module")
def site():
    edge = Edge(BUILD, devices=2)
    try:
        edge.make().start_all()
        edge.start_guard("--lockdown", "allowed")
        yield edge
    finally:
        edge.close()


@pytest.fixture
def edge(site):
    """Everything runs, and there is no rule."""
    if not site.processes["hub"].alive():
        site.start_relay()
    if not site.processes["guard"].alive():
        site.start_guard("--lockdown", "allowed")
    if site.shown()["CountryPendingUntil"]:
        site.relayctl("country", "confirm")
    for direction in ("inbound", "uplink", "admin"):
        site.relayctl("country", "off", "--direction", direction, "--force")
    site.relayctl("lockdown", "off")
    site.wait_for_guard()
    wait_until("the uplink", lambda: site.status()["UplinkState"] == "up", 60)
    return site


def reaches(edge, place, version):
    return edge.net.reaches(place, version, edge.port)


# ---- devices

def test_an_allowed_device_connects_and_a_refused_one_is_dropped_in_the_kernel(edge):
    said = edge.relayctl("country", "allow", "FI", "SE").stdout
    assert "in force in the kernel" in said and "IPv4" in said
    assert edge.status()["CountryEnforced"] == "kernel"
    for version in (4, 6):
        client, reason = edge.session("device-1", "FI", version)
        assert reason == SUCCESS
        client.close()
        assert edge.session("device-1", "RU", version) is None
        refused = edge.net.address("RU", version, 10)
        answer = edge.judged(refused)
        assert (answer["Allowed"], answer["Country"], answer["Reason"]) == (False, "RU", "country")
        assert "RU" in answer["Sentence"] and refused in answer["Sentence"]
    alert = wait_until("the alert", lambda: [a for a in edge.alerts("country") if "kernel" in a["detail"]])[0]
    assert "RU, Russia" in alert["detail"] and str(edge.port) in alert["detail"]
    wait_until("the audit entry", lambda: "country-refused" in str(edge.relayctl_json("audit", "log")))
    assert edge.shown()["CountryRefused"] > 0
    wait_until("the counters", lambda: [row for row in edge.shown()["RefusedByCountry"] if row["Country"] == "RU"])
    assert "REFUSED FROM" in edge.relayctl("country").stdout


@pytest.mark.parametrize("rule", [("allow", "FI"), ("deny", "RU"), ("deny", "RU", "--unknown", "refuse"), ("allow", "EU"),
                                  ("allow", "RU", "--unknown", "accept")])
def test_kernel_and_relay_answer_alike(edge, rule):
    edge.relayctl("country", *rule)
    edge.wait_for_guard()
    for place, version in EVERYWHERE:
        assert reaches(edge, place, version) == edge.judged(edge.net.address(place, version, 10))["Allowed"], (place, version)


def test_a_session_of_a_country_that_is_refused_now_ends(edge):
    client, reason = edge.session("device-1", "RU", 4)
    other, _ = edge.session("device-2", "FI", 6)
    assert reason == SUCCESS
    edge.relayctl("country", "deny", "RU")
    wait_until("the session's end", lambda: edge.status()["Sessions"] == 1)
    other.send(b"\xc0\x00")  # PINGREQ
    assert other.packet()[0] == 13
    client.close()
    other.close()


def test_without_the_guard_the_relay_refuses_sessions(edge):
    edge.relayctl("country", "allow", "FI")
    edge.processes["guard"].kill()
    edge.net.nft("delete", "table", "inet", "relayd")
    wait_until("the guard's end", lambda: edge.shown()["GuardState"] == "absent")
    assert edge.status()["CountryEnforced"] == "hub"
    for version in (4, 6):
        client, reason = edge.session("device-1", "FI", version)
        assert reason == SUCCESS
        client.close()
        client, reason = edge.session("device-1", "RU", version)
        assert reason == NOT_AUTHORIZED
        client.close()
    wait_until("the refusals", lambda: edge.shown()["CountryRefused"] >= 2)
    wait_until("the alert", lambda: [a for a in edge.alerts("firewall-failed") if "has been gone" in a["detail"]])
    edge.start_guard("--lockdown", "allowed")
    edge.wait_for_guard()
    assert not reaches(edge, "RU", 4)


def test_a_guard_without_its_right_says_so(edge):
    edge.relayctl("country", "allow", "FI")
    edge.processes["guard"].kill()
    edge.net.nft("delete", "table", "inet", "relayd")
    wait_until("the guard's end", lambda: edge.shown()["GuardState"] == "absent")
    edge.start_guard(wrapper=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
    edge.wait_for_guard("failed")
    assert "CAP_NET_ADMIN" in edge.shown()["GuardError"]
    assert edge.status()["CountryEnforced"] == "hub" and "CAP_NET_ADMIN" in edge.relayctl("status").stdout
    said = edge.relayctl("country", "deny", "RU").stdout
    assert "at the relay only" in said and "CAP_NET_ADMIN" in said
    client, reason = edge.session("device-1", "RU", 4)
    assert reason == NOT_AUTHORIZED
    client.close()
    edge.processes["guard"].kill()


def test_a_table_that_was_removed_comes_back_and_is_alerted(edge):
    edge.relayctl("country", "allow", "FI")
    edge.wait_for_guard()
    edge.net.nft("flush", "ruleset")
    wait_until("the alert", lambda: edge.alerts("firewall-changed"))
    assert edge.shown()["FirewallRestored"] > 0
    wait_until("the table", lambda: edge.net.table("chain"))
    assert not reaches(edge, "RU", 4) and reaches(edge, "FI", 4)


# ---- trials

def test_a_trial_whose_hub_died_ends_in_the_kernel_too(edge):
    edge.relayctl("country", "deny", "US")
    edge.relayctl("country", "allow", "FI", "--confirm", "4s")
    edge.wait_for_guard()
    assert not reaches(edge, "RU", 4)
    wait_until("the trial on disk", lambda: "on trial for 4 s" in str(edge.relayctl_json("audit", "log")))
    edge.processes["hub"].kill()
    wait_until("the kernel to forget the trial", lambda: reaches(edge, "RU", 4))
    edge.start_hub()
    wait_until("the trial's end", lambda: edge.shown()["CountryPendingUntil"] == 0)
    edge.wait_for_guard()
    assert {"Name": "inbound", "State": "committed", "Value": "deny US"} in edge.shown()["Policy"]
    wait_until("the front end", lambda: reaches(edge, "RU", 4))  # it resets connections till it has its hub again


def test_a_trial_that_is_confirmed_stays_in_the_kernel(edge):
    edge.relayctl("country", "allow", "FI", "--confirm", "3s")
    edge.relayctl("country", "confirm")
    edge.processes["hub"].kill()
    edge.start_hub()
    edge.wait_for_guard()
    wait_until("the front end", lambda: reaches(edge, "FI", 4))
    assert edge.shown()["CountryPendingUntil"] == 0 and not reaches(edge, "RU", 4)


# ---- lockdown

def test_lockdown_closes_other_ports_and_opens_them_again(edge):
    servers = [edge.net.listen(4, port) for port in (22, 9999)]
    assert edge.net.reaches("FI", 4, 9999) and edge.net.reaches("FI", 4, 22)
    edge.relayctl("lockdown", "on", "--port", "22", "--confirm", "1h")
    edge.wait_for_guard()
    status = edge.status()
    assert status["Lockdown"] and status["OpenPorts"] == "22"
    assert not edge.net.reaches("FI", 4, 9999) and edge.net.reaches("FI", 4, 22) and reaches(edge, "FI", 4)
    edge.relayctl("country", "confirm")
    edge.relayctl("lockdown", "off")
    edge.wait_for_guard()
    assert edge.net.reaches("FI", 4, 9999)
    for server in servers:
        server.close()


# ---- the uplink

def state_reader(edge):
    """A site application that gets relay/state, retained and as it changes."""
    client = edge.inside("app.all")
    client.send(frame(0x82, struct.pack(">H", 1) + variable(0) + text("sites/s1/relay/state") + b"\x01"))
    return client


def next_state(client, wanted):
    while True:
        kind, flags, body = client.packet()
        if kind == 3:
            size = struct.unpack(">H", body[:2])[0]
            if flags & 6:
                client.send(frame(0x40, body[2 + size:4 + size]))
            if b'"uplink":"' + wanted + b'"' in body:
                return


def test_the_uplink_goes_to_allowed_countries_only(edge):
    edge.relayctl("country", "deny", "SE", "--direction", "uplink")
    wait_until("the uplink's end", lambda: edge.status()["UplinkState"] == "down")
    wait_until("the sentence", lambda: "country policy" in edge.status()["UplinkError"])
    assert edge.net.address("SE", 4, 10) in edge.status()["UplinkError"] and "SE" in edge.status()["UplinkError"]
    edge.relayctl("country", "off", "--direction", "uplink")
    wait_until("the uplink", lambda: edge.status()["UplinkState"] == "up")


def test_a_lost_link_is_known_at_once_and_told_to_devices(edge):
    reader = state_reader(edge)
    next_state(reader, b"up")
    edge.net.gateway.run("ip", "link", "set", "wan0", "down")
    try:
        next_state(reader, b"down")  # the keep-alive is an hour
        assert "the way to" in edge.status()["UplinkError"] or "unreachable" in edge.status()["UplinkError"]
    finally:
        edge.restore_wire()
    next_state(reader, b"up")
    reader.close()


def test_a_lost_carrier_is_known_at_once(edge):
    reader = state_reader(edge)
    next_state(reader, b"up")
    edge.net.outside.run("ip", "link", "set", "wan0", "down")  # the gateway's routes stay
    try:
        next_state(reader, b"down")
    finally:
        edge.restore_wire()
    next_state(reader, b"up")
    reader.close()
