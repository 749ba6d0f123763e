# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards whose power goes at random moments, and inside flash operations: the small version of what make campaign does."""

import os

from lab.cuts import Cuts, PolicyChange, WholeUpdate
from lab.kills import Kills, PowerSite

from conftest import BUILD

BOARDS, KILLS, SEED = 4, 25, 5
POLICY_STEP, UPDATE_STEP = 2, 9  # which flash operations are torn


def test_power_cuts():
    with PowerSite(BUILD, BOARDS, keep="RELAYD_KEEP" in os.environ) as site:
        site.begin(SEED)
        kills = Kills(site, SEED)
        kills.play(KILLS)
        assert sum(kills.phases.values()) == KILLS
        kills.settle()
        cuts = Cuts(kills)
        cuts.play(PolicyChange, step=POLICY_STEP)
        cuts.play(WholeUpdate, step=UPDATE_STEP)
        kills.settle()
        assert kills.finish() == []
        assert cuts.done["policy change"] >= 5
        assert cuts.done["update"] >= 5
        assert len(kills.account.arrived) >= KILLS
