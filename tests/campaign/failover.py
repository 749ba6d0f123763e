# SPDX-License-Identifier: GPL-2.0-or-later
"""Real devices, relay and broker in network namespaces: how long a fail-over takes, and what a thousand kills and cuts cost."""

import json
import os
import time

import bridge
import measure
from lab.faults import Faults, make_world
from lab.process import wait_until

ROUND = 100         # faults between two accounts
PAUSE_S = 0.5       # between two faults, on average
PERIOD_MS = 2000    # of a device's events
TIMED_DEVICES, TIMED_ROUNDS, TIMED_CUTS, KEEP_ALIVE_S = 20, 10, 3, 4


def keep():
    return "RELAYD_KEEP" in os.environ


# ---- how long

def online(world, way):
    """devices whose newest word on this way is that they are online -> when they said so, Unix seconds"""
    world.watch.read()
    return {device: when for (other, device), (payload, when) in world.watch.states.items()
            if other == way and json.loads(payload)["online"]}


def time_once(world, breaks, heals):
    """The relay is lost; seconds until each device has told its state to the cloud itself. Devices start anew: one that loses its
    relay again and again stays with the cloud for longer and longer."""
    for name in world.devices:
        world.start_device(name, "--keep-alive", KEEP_ALIVE_S)
    for name in world.devices:
        world.processes[name].wait_for("session with the relay")
        world.wait_device(name, "is at the relay", lambda device: device["Online"])
    began = time.time()
    breaks()

    def all_there():
        there = {device: when for device, when in online(world, "direct").items() if when > began}
        return there if len(there) == len(world.devices) else None
    there = wait_until("all devices at the cloud", all_there, 120)
    for name in world.devices:
        world.cut_power(name)
    heals()
    return [when - began for when in there.values()]


def kill_relay(world):
    for name in ("front", "hub"):
        world.processes[name].kill()


def time_failover(campaign):
    with make_world(campaign.build, TIMED_DEVICES, keep()) as world:
        killed, cut = [], []
        for number in range(TIMED_ROUNDS):
            killed += time_once(world, lambda: kill_relay(world), world.start_relay)
            campaign.progress(f"  relay killed {number + 1} of {TIMED_ROUNDS}, median {measure.percentile(killed, 0.5):.3f} s")
        for number in range(TIMED_CUTS):
            cut += time_once(world, lambda: world.wire_rules("lan", "drop"), lambda: world.wire_rules("lan", None))
            campaign.progress(f"  cable cut {number + 1} of {TIMED_CUTS}, median {measure.percentile(cut, 0.5):.3f} s")
        peer = bridge.measure_peer(world, TIMED_ROUNDS)
        campaign.progress(f"  bridge's first address killed, median {measure.percentile(peer, 0.5):.3f} s, longest {max(peer):.3f} s")
    campaign.report.add("failover", f"relay killed -> device in session at the cloud, median of {len(killed)}", "s",
                        measure.percentile(killed, 0.5), measure.percentile(peer, 0.5), bridge.NAME, better="less", goal=1,
                        absolute=True, note=f"longest {max(killed):.2f} s, peer's {max(peer):.2f} s")
    campaign.report.add("failover-cut", f"cable cut -> the same, keep-alive {KEEP_ALIVE_S} s, median of {len(cut)}", "s",
                        measure.percentile(cut, 0.5), goal=1.5 * KEEP_ALIVE_S, absolute=True, note=f"longest {max(cut):.2f} s")


# ---- what it costs

def run_faults(campaign):
    options = campaign.options
    with make_world(campaign.build, options.devices, keep()) as world:
        faults = Faults(world, options.seed)
        faults.start(PERIOD_MS)
        campaign.progress(f"  {options.devices} devices have told something")
        account, began = faults.account, time.monotonic()
        while sum(faults.done.values()) < options.faults:
            faults.play(min(ROUND, options.faults - sum(faults.done.values())), PAUSE_S)
            took = faults.settle()
            campaign.progress(f"  {sum(faults.done.values()):,} of {options.faults:,} faults, {time.monotonic() - began:.0f} s: "
                              f"{len(account.arrived):,} events, {account.repeats:,} repeats, 0 lost, all there {took:.1f} s after the "
                              f"last fault, {len(account.problems)} problems")
        problems = faults.finish()
        relay, cloud = faults.sessions()
    campaign.say(f"{options.devices} devices, {sum(faults.done.values()):,} faults in {time.monotonic() - began:.0f} s, seed {options.seed}: "
                 + ", ".join(f"{what} {count}" for what, count in sorted(faults.done.items())))
    campaign.say(f"{relay + cloud:,} sessions ({relay:,} with the relay, {cloud:,} with the cloud), {len(account.last):,} starts of devices")
    campaign.say(f"{len(account.arrived):,} events at the cloud, {account.ways['relay']:,} deliveries by the relay and "
                 f"{account.ways['direct']:,} direct, {account.repeats:,} of them repeats with the same key and content")
    for problem in problems:
        campaign.fail(problem)
    campaign.report.add("failover-faults", f"{sum(faults.done.values()):,} kills and cuts, {options.devices} devices: events lost, repeated "
                        "under another key, or out of order", "events", len(problems), goal=0, absolute=True, better="less",
                        note=f"of {len(account.arrived):,}")


def run(campaign):
    time_failover(campaign)
    run_faults(campaign)
