# SPDX-License-Identifier: GPL-2.0-or-later
"""Telemetry of a site without a cloud: kept as the configuration says, exported to a file, deleted only then."""

import base64
import json

import pytest
from lab.airgap import AirGapped
from lab.packets import Client
from lab.process import wait_until

from conftest import BUILD

TOPIC = "sites/s1/devices/device-1/events/soil"
QUOTA = 0x97


def started(*lines):
    world = AirGapped(BUILD, devices=2).make()
    if lines:
        world.configure(*lines)
    return world.start_all()


@pytest.fixture
def site():
    world = started()
    yield world
    world.close()


def publish(device, seqs, payload="wet", boot=1, topic=TOPIC):
    for seq in seqs:
        assert device.published(topic, payload, qos=1, user=[("boot", str(boot)), ("seq", str(seq))]) == 0


def export(world, file, *options, **more):
    return world.relayctl_json("events", "export", file, *options, **more)


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def waiting(world):
    return world.relayctl_json("status")["OutboxEvents"]


def test_events_leave_in_a_file_and_only_then(site, tmp_path):
    file = tmp_path / "events.jsonl"
    device = Client(site, "device-1")
    publish(device, range(1, 6))
    assert device.published(TOPIC, b"\0\1\xff", qos=1) == 0  # a foreign device: no key
    assert device.published("sites/s1/devices/device-1/state/relay", "{}", qos=1, retain=True) == 0  # no event
    assert waiting(site) == 6
    assert export(site, file) == {"written": 6, "dropped": 0, "last": 6}
    found = lines(file)
    assert [(e["device"], e["boot"], e["seq"], e["name"], e["text"]) for e in found[:5]] == [
        ("device-1", 1, seq, "soil", "wet") for seq in range(1, 6)]
    assert "seq" not in found[5] and base64.b64decode(found[5]["base64"]) == b"\0\1\xff"
    assert all(e["site"] == "s1" and e["time"] > 1_700_000_000 for e in found)
    assert waiting(site) == 6
    # again: nothing new; and what the file has may go
    assert export(site, file, "--drop") == {"written": 0, "dropped": 6, "last": 6}
    assert waiting(site) == 0
    publish(device, range(6, 8))
    publish(device, range(6, 8))  # repeats are known also when the events are gone
    assert export(site, file, "--drop") == {"written": 2, "dropped": 2, "last": 8}
    assert [e["seq"] for e in lines(file) if "seq" in e] == list(range(1, 8))
    assert "events-dropped" in [row["action"] for row in site.relayctl_json("audit", "log")]


def test_an_interrupted_export_goes_on_where_it_was_cut(site, tmp_path):
    file = tmp_path / "events.jsonl"
    device = Client(site, "device-1")
    publish(device, range(1, 41), payload="x" * 300)
    export(site, file)
    whole = file.read_bytes()
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        export(site, file)
        assert file.read_bytes() == whole
    # the relay is killed, emptied and started anew meanwhile: numbers go on
    export(site, file, "--drop")
    site.restart_hub(kill=True)
    device = wait_until("a session", lambda: connected(site))
    publish(device, range(41, 43))
    assert export(site, file, "--drop")["written"] == 2
    assert [e["seq"] for e in lines(file)] == list(range(1, 43))


def connected(world):
    try:
        client = Client(world, "device-1")
    except (OSError, AssertionError):
        return None
    return client if client.connack else None


def test_what_cannot_be_written_stays_at_the_relay(site, tmp_path):
    publish(Client(site, "device-1"), range(1, 4))
    full = site.relayctl("events", "export", "/dev/full", "--drop", check=False)
    assert full.returncode == 1 and "regular file" in full.stderr
    other = tmp_path / "other"
    other.write_text("dear diary\n")
    refused = site.relayctl("events", "export", other, "--drop", check=False)
    assert refused.returncode == 1 and "no export of events of site s1" in refused.stderr
    assert other.read_text() == "dear diary\n"
    assert waiting(site) == 3


def test_a_relay_that_is_killed_keeps_what_it_acknowledged(site, tmp_path):
    publish(Client(site, "device-1"), range(1, 31))
    site.restart_hub(kill=True)
    export(site, tmp_path / "events.jsonl")
    assert [e["seq"] for e in lines(tmp_path / "events.jsonl")] == list(range(1, 31))


def test_air_gapped_none_keeps_no_events_and_local_subscribers_have_them(tmp_path):
    world = AirGapped(BUILD, devices=2).make()
    with world:
        world.configure("[outbox]", "air_gapped = none")
        world.add_application("app.all", ["#"], ["#"])
        world.start_all()
        reader = Client(world, "app.all")
        reader.subscribe("sites/s1/devices/+/events/#")
        publish(Client(world, "device-1"), [1])
        assert reader.message().payload == b"wet"
        assert waiting(world) == 0
        assert export(world, tmp_path / "events.jsonl") == {"written": 0, "dropped": 0, "last": 0}


@pytest.mark.parametrize("rule", ["refuse", "drop-oldest"])
def test_a_full_outbox_does_what_the_rule_says_and_an_export_makes_room(rule, tmp_path):
    world = started("[outbox]", "bytes_max = 1M", f"when_full = {rule}")
    with world:
        device, answers = Client(world, "device-1"), []
        for seq in range(1, 61):
            answers.append(device.published(TOPIC, b"x" * 20000, qos=1, user=[("boot", "1"), ("seq", str(seq))]))
        if rule == "refuse":
            assert answers[0] == 0 and answers[-1] == QUOTA
        else:
            assert set(answers) == {0}
        wait_until("the alert", lambda: [alert for alert in world.relayctl_json("alerts") if "outbox" in alert["detail"]])
        export(world, tmp_path / "events.jsonl", "--drop")
        kept = [e["seq"] for e in lines(tmp_path / "events.jsonl")]
        if rule == "refuse":
            assert kept == [seq for seq, answer in enumerate(answers, 1) if answer == 0]
        else:
            assert kept == list(range(61 - len(kept), 61)) and len(kept) < 60
        assert waiting(world) == 0
        publish(device, [100])
