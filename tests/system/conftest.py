# SPDX-License-Identifier: GPL-2.0-or-later
"""Worlds for the system tests. `relay` is shared by all tests that leave it as they found it; `world` is one test's own."""

import itertools
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from lab.packets import Client  # noqa: E402
from lab.site import World  # noqa: E402

BUILD = os.environ.get("RELAYD_BUILD", str(ROOT / "build"))

# applications of the site that tests speak as: identity -> (read filters, write filters)
APPLICATIONS = {
    "app.all": (["#"], ["#"]),
    "app.second": (["#"], ["#"]),
    "app.reader": (["sites/s1/devices/+/events/#"], []),
}


def started(**options):
    world = World(BUILD, **options)
    try:
        world.make()
        for identity, (read, write) in APPLICATIONS.items():
            world.add_application(identity, read, write)
        world.start_all()
    except BaseException:
        world.close()
        raise
    return world


@pytest.fixture(scope="session")
def relay():
    """A cloud, a relay, three registered devices (not started) and the applications above."""
    world = started(devices=3)
    yield world
    world.close()


@pytest.fixture
def world():
    """The same, for one test to break."""
    world = started(devices=3)
    yield world
    world.close()


numbers = itertools.count(1)


@pytest.fixture
def make(relay):
    """make("name", ...) gives a connected client of app.all with a client id of this test's own."""
    made, serial = [], next(numbers)

    def client(name="a", identity="app.all", **options):
        options.setdefault("client_id", f"{identity}.{name}{serial}")
        one = Client(relay, identity, **options)
        made.append(one)
        return one
    client.topic = f"test/conformance/{serial}"
    yield client
    for one in made:
        one.drop()


@pytest.fixture
def topic(make):
    return make.topic
