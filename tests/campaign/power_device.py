# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards in QEMU, the real image against the real relay and broker: SIGKILL at random moments, and power cuts inside flash operations."""

import os
import time

from lab.cuts import WORKS, Cuts
from lab.kills import Kills, PowerSite

GUESTS = 8


def run_kills(campaign, kills):
    count, began = campaign.options.kills, time.monotonic()
    kills.play(count)
    kills.settle()
    took, site = time.monotonic() - began, kills.site
    counters = sum(victim.counter for victim in kills.victims)
    campaign.say(f"{count:,} times SIGKILL, {GUESTS} boards at once, {took:.0f} s, seed {campaign.options.seed}: "
                 + ", ".join(f"{what} {number}" for what, number in kills.phases.most_common()))
    campaign.say(f"{sum(victim.ledger.last.boot for victim in kills.victims):,} starts, {len(site.updates)} updates offered, "
                 f"{sum(victim.ledger.confirmed for victim in kills.victims)} confirmations, {len(site.policies) - 1} successors of the policy, "
                 f"{counters:,} commands sent, {site.watch.results.total():,} results")


def run_cuts(campaign, kills):
    cuts = Cuts(kills, campaign.progress)
    for work in WORKS:
        cuts.play(work, step=campaign.options.step)
    kills.settle()
    campaign.say("flash operations torn: " + ", ".join(f"{name} {count}" for name, count in cuts.done.items())
                 + (f" (one of {campaign.options.step})" if campaign.options.step > 1 else ""))
    return sum(cuts.done.values())


def run(campaign):
    torn = 0
    with PowerSite(campaign.build, GUESTS, keep="RELAYD_KEEP" in os.environ) as site:
        site.begin(campaign.options.seed)
        kills = Kills(site, campaign.options.seed, campaign.progress)
        run_kills(campaign, kills)
        if campaign.options.step:
            torn = run_cuts(campaign, kills)
        problems = kills.finish()
    campaign.say(f"{len(kills.account.arrived):,} events at the cloud, {kills.account.repeats:,} repeats with the same key and content")
    for problem in problems:
        campaign.fail(problem)
    campaign.report.add("power-device", f"{campaign.options.kills:,} kills of a board, {torn:,} torn flash operations: devices that do "
                        "not start, wrong or older images, events lost", "devices or events", len(problems), goal=0, absolute=True,
                        better="less", note=f"of {len(kills.account.arrived):,} events")
