# SPDX-License-Identifier: GPL-2.0-or-later
"""relayctl alerts --follow: every alert once, in order, also when the hub is killed, restarted, or begins anew meanwhile."""

import itertools
import json
import shutil

import pytest
from lab.airgap import AirGapped
from lab.packets import Client
from lab.process import Process, wait_until

from conftest import BUILD

DEVICES = 4
topics = itertools.count()


@pytest.fixture
def site():
    world = AirGapped(BUILD, devices=DEVICES).make()
    with world:
        yield world.start_all()


class Follower:
    def __init__(self, world, name, *options):
        self.process = Process(name, [world.program("relayctl"), "--bus", world.bus, "--json", "alerts", "--follow", *options],
                               world.folder / f"{name}.log")

    def seen(self):
        return [json.loads(line) for line in self.process.output().splitlines() if line.startswith("{")]


def session(world, device):
    def connect():
        try:
            client = Client(world, device)
        except (OSError, AssertionError):
            return None
        return client if client.connack else None
    return wait_until(f"a session of {device}", connect)


def raise_alert(world, number):
    """One alert for each device and session: a publish where it may not."""
    client = session(world, f"device-{number}")
    client.published(f"sites/s1/alerts/{next(topics)}", b"mine", qos=1)  # the same alert again would be told once a minute
    client.drop()


def alerts(world):
    return world.relayctl_json("alerts")


def wait_same(world, follower):
    return wait_until("all alerts at the follower", lambda: follower.seen() == alerts(world) and alerts(world))


def test_no_alert_is_lost_or_doubled_over_restarts(site):
    raise_alert(site, 1)
    wait_until("the first alert", lambda: len(alerts(site)) == 1)
    follower, late = Follower(site, "follow"), None
    wait_same(site, follower)
    raise_alert(site, 2)
    wait_same(site, follower)
    for round, kill in enumerate((False, True), 1):
        site.restart_hub(kill)
        for number in range(1, DEVICES + 1):
            raise_alert(site, number)
        wait_until("alerts on the disk", lambda: len(alerts(site)) >= 2 + round * DEVICES)  # noqa: B023
        wait_same(site, follower)
        late = late or Follower(site, "late", "--from", "3")
        wait_until("the late one", lambda: late.seen() == alerts(site)[2:])  # noqa: B023
    found = wait_same(site, follower)
    assert [alert["number"] for alert in found] == list(range(1, len(found) + 1))
    assert follower.process.alive() and late.process.alive()


def test_a_store_made_anew_counts_from_one_and_is_followed(site):
    for number in (1, 2, 3):
        raise_alert(site, number)
    wait_until("three alerts", lambda: len(alerts(site)) == 3)
    follower = Follower(site, "follow")
    before = wait_same(site, follower)
    site.processes["hub"].stop()
    shutil.rmtree(site.folder / "gateway" / "var" / "lib" / "relayd")
    site.run("relayd", "--config", site.config(), "--new-store")
    site.start_hub()
    site.import_all()
    raise_alert(site, 1)
    again = wait_until("an alert of the new store", lambda: alerts(site))
    wait_until("it is followed", lambda: follower.seen() == before + again)


def test_alerts_tell_of_a_relay_that_is_not_there(site):
    site.processes["hub"].stop()
    assert site.relayctl("alerts", "--follow", check=False).returncode == 4
