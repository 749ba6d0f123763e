# SPDX-License-Identifier: GPL-2.0-or-later
"""One world for all tests of boards: relay, cloud, and devices in QEMU, a device of its own for each test."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from lab.board import Boards  # noqa: E402
from lab.updates import Desk  # noqa: E402

BUILD = os.environ.get("RELAYD_BUILD", str(ROOT / "build"))


@pytest.fixture(scope="session")
def site():
    world = Boards(BUILD, devices=5)
    try:
        world.make().start_all().relayctl("gate", "open")
        yield world
    finally:
        world.close()


@pytest.fixture(scope="session")
def desk(site):
    """The vendor's desk: it publishes updates, and hears everything at the cloud."""
    desk = Desk(site)
    desk.program = site.image("1.1.0").read_bytes()
    yield desk
    desk.close()
