# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards in QEMU: what the firmware takes of a Cortex-M33, and how long an update and a fail-over take there.

Sizes are the linker's. Instructions are counted by QEMU (-icount), so they do not depend on this machine; times do.
"""

import re
import sys
import time

from lab.board import Boards
from lab.process import wait_until
from lab.updates import Desk

SHIFT = 6  # QEMU: 64 ns of the board's time for each instruction
PER_MS = 1_000_000 / (1 << SHIFT)
QUICK = {"keep_alive_s": 4, "report_ms": 500, "dwell_ms": 2000, "backoff_ms": 2000, "retry_ms": 1000}
PATIENCE = 300
FIGURES = re.compile(r" (\d+): (not )?online, awake (\d+) ms; at most: heap (\d+) of (\d+), stack (\d+) of (\d+)")
GOALS = {"flash": 220, "RAM": 64, "boot stage": 32}  # KiB


def sizes_of(build):
    """side -> module -> [flash, RAM], in bytes"""
    sys.path.insert(0, str(build.parent / "firmware/ports/mps2-an505"))
    import sizes
    folder = build / "mcu"
    return sizes, {"application": sizes.sizes(folder / "plant-care-1.0.0.elf.map"),
                   "secure side": sizes.sizes(folder / "secure.elf.map")}


def tell_sizes(campaign):
    sizes, sides = sizes_of(campaign.build)
    for side, found in sides.items():
        campaign.say(f"{side}\n\n{sizes.table(found)}")
    flash, ram = (sum(sizes.total(found)[column] for found in sides.values()) / 1024 for column in (0, 1))
    secure = sizes.total(sides["secure side"])[0] / 1024
    for what, value in (("flash", flash), ("RAM", ram), ("boot stage", secure)):
        campaign.report.add("mcu-size", f"firmware on a Cortex-M33, -Os: {what}", "KiB", round(value, 1), goal=GOALS[what],
                            absolute=True)


def figures(console):
    """(online, instructions awake, heap, stack, milliseconds) as the board told them"""
    return [(not away, int(awake) * PER_MS, int(heap), int(stack), int(uptime))
            for uptime, away, awake, heap, _, stack, _ in FIGURES.findall(console.output())]


def settled(console, endpoint):
    """It works with this one and has said so."""
    sessions = re.findall(r"session with the (\w+)", console.output())
    found = figures(console)
    return sessions and sessions[-1] == endpoint and found and found[-1][0]


def fail_over(world, console):
    """The relay's processes die. Seconds of the board until the cloud knows it, instructions meanwhile."""
    wait_until("the board to be at the relay", lambda: settled(console, "relay"), PATIENCE)
    before = len(figures(console))
    for name in ("front", "hub"):
        world.processes[name].kill()
    wait_until("the board to be at the cloud", lambda: settled(console, "cloud"), PATIENCE)
    found = figures(console)[before:]
    away = next(number for number, figure in enumerate(found) if not figure[0])
    back = next(number for number, figure in enumerate(found) if figure[0] and number > away)
    world.start_relay()
    return (found[back][4] - found[away][4]) / 1000, found[back][1] - found[away][1]


def update(world, desk, console):
    """Seconds from the offer to the confirmation of an image of about 200 KB."""
    made = desk.make(version="1.1.0")
    desk.serve(made)
    world.relayctl("gate", "open")
    began = time.monotonic()
    desk.offer(made.envelope, "device-1")
    for person in ("anna", "bertil"):
        desk.approve(person, made)
    desk.wait_status("device-1", 0, "confirmed", update=made, patience=PATIENCE)
    assert console.alive()
    return len(made.image), time.monotonic() - began


def run(campaign):
    tell_sizes(campaign)
    with Boards(campaign.build, devices=1) as world:
        world.make().start_all()
        desk = Desk(world)
        desk.program = world.image("1.1.0").read_bytes()
        console = world.start_board("device-1", icount=True, **QUICK)
        seconds, instructions = fail_over(world, console)
        world.wait_device("device-1", "online", lambda shown: shown["Online"], patience=PATIENCE)
        size, took = update(world, desk, console)
        heap, stack = (max(figure[column] for figure in figures(console)) for column in (2, 3))
        desk.close()
    add = campaign.report.add
    add("mcu-handshake", "TLS 1.3 handshake and CONNECT on a Cortex-M33", "million instructions", round(instructions / 1e6, 1))
    add("mcu-heap", "heap at most: two TLS links", "KiB", round(heap / 1024, 1))
    add("mcu-stack", "the application's stack at most", "KiB", round(stack / 1024, 1))
    add("mcu-failover", f"relay killed -> online at the cloud, at {PER_MS / 1000:.1f} million instructions a second", "s", round(seconds, 2))
    add("mcu-update", f"offer -> confirmed, image of {size // 1024} KiB, board in QEMU", "s", round(took, 1))
    campaign.say(f"handshake {instructions / 1e6:.1f} million instructions ({instructions / 25e3:,.0f} ms at 25 MHz, "
                 f"{instructions / 64e3:,.0f} ms at 64 MHz), heap {heap:,} bytes, stack {stack:,} bytes; fail-over {seconds:.2f} s of a "
                 f"board of {PER_MS / 1000:.1f} million instructions a second; "
                 f"update of {size:,} bytes {took:.1f} s")
