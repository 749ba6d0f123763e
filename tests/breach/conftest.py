# SPDX-License-Identifier: GPL-2.0-or-later
"""The scene of each file of attacks: one site, made once, on which every attack fails and every control succeeds."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "system")]

from scene import Scene  # noqa: E402


@pytest.fixture(scope="module")
def site():
    with Scene() as scene:
        yield scene
