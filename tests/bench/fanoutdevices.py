# SPDX-License-Identifier: GPL-2.0-or-later
"""Fifty whole devices take an update at a site that demands tickets: time, latencies, processor time and memory of the relay."""

import re
import subprocess
import threading
import time

import fanout
import measure
from lab.fanout import FanoutWorld
from lab.process import LabError, wait_until
from lab.updates import Desk, noise, objects

DEVICES = 50
FLEETS = 2  # processes that share the devices
BLOCKS = 128  # the largest image of a device
ROUNDS = 3  # each with devices of its own: a gate answers a device once in ten seconds
RAW_TIMES = 8  # as many bytes on the raw path, so that handshakes do not count
SINGLES = 5  # more devices, whose latency is taken, one after the other


class QuietDesk(Desk):
    """Does not listen: a listener at the cloud would be load."""

    def __init__(self, world):
        super().__init__(world)
        self.operator.close()

    def close(self):
        self.vendor.close()


class Uplink:
    """What came in on the hub's connection to the cloud, TLS and all, by the kernel's count."""

    def __init__(self, world):
        self.world = world
        self.base = self.total()

    def total(self):
        shown = subprocess.run(["ss", "-tinpH", "dst", f"127.0.0.1:{self.world.cloud.port}"], capture_output=True, text=True,
                               check=True).stdout
        lines = shown.splitlines()
        for line, facts in zip(lines[::2], lines[1::2]):
            if f"pid={self.world.processes['hub'].pid}," in line:
                return int(re.search(r"bytes_received:(\d+)", facts).group(1))
        raise LabError(f"ss shows no connection of the hub: {shown}")

    def bytes(self):
        return self.total() - self.base


class Peak:
    """The most memory of its own that a process has while this is at work, beyond what it had before [KiB]."""

    def __init__(self, process):
        self.process, self.before = process, measure.pss_kib(process, private=True)
        self.most, self.ended = self.before, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.ended.wait(0.02):
            self.most = max(self.most, measure.pss_kib(self.process, private=True))

    def end(self):
        self.ended.set()
        self.thread.join()
        return self.most - self.before


def span(fleet, image=""):
    """(first device begins to fetch, last device has the whole image)"""
    return (min(when for when, _ in fleet.steps("fetching", image).values()),
            max(when for when, _ in fleet.steps("complete", image).values()))


def relay_cpu(world):
    return measure.cpu_seconds([world.processes["hub"], world.processes["front"]])


def latencies(world, desk):
    """(approved -> offered, offered -> fetching) of single devices, each with a small update of its own, in ms"""
    devices = world.devices[:SINGLES]
    fleet, found = world.start_fleet(devices, name="singles"), []
    fleet.wait("online")
    for name in devices:
        update = desk.serve(desk.make(image=noise(name, objects.BLOCK)))
        desk.offer(update.envelope, name)
        desk.approve("anna", update)
        wait_until("the offer to be known", lambda: any(u["Digest"] == update.manifest.hex() for u in
                                                        world.relayctl_json("updates", "list")))
        approved = time.monotonic()
        desk.approve("bertil", update)
        wait_until(f"{name} to fetch", lambda: name in fleet.steps("fetching", update.digest))
        offered, fetching = (fleet.steps(step, update.digest)[name][0] for step in ("offered", "fetching"))
        found.append((1000 * (offered - approved), 1000 * (fetching - offered)))
    fleet.kill()
    return found


def one_update(world, desk, devices, last):
    """50 devices, from the second approval on; the image is in nobody's cache."""
    image = BLOCKS * objects.BLOCK
    fleet = world.start_fleet(devices, FLEETS)
    fleet.wait("online")
    update = desk.serve(desk.make(image=noise(desk.sequence, image)))
    desk.offer(update.envelope, *devices)
    desk.approve("anna", update)
    wait_until("the offers to be known", lambda: any(
        u["Digest"] == update.manifest.hex() and len(u["Devices"]) == DEVICES for u in world.relayctl_json("updates", "list")))
    fetched, uplink = world.relayctl_json("status")["ImageBytesFetched"], Uplink(world)
    cpu, memory = relay_cpu(world), Peak(world.processes["hub"])
    approved = time.monotonic()
    desk.approve("bertil", update)
    fleet.wait("complete", update.digest)
    cpu = relay_cpu(world) - cpu
    begin, end = span(fleet, update.digest)
    found = {"rate": DEVICES * image / (end - begin) / 1e6, "per_cpu": DEVICES * image / cpu / 1e6, "wall": end - approved,
             "memory": memory.end(), "wire": uplink.bytes(),
             "fetched": world.relayctl_json("status")["ImageBytesFetched"] - fetched, "installed": 0}
    if last:
        found["installed"] = max(when for when, _ in fleet.wait("confirmed", update.digest).values()) - approved
    fleet.kill()
    return found


def raw_per_cpu(world):
    """The same TLS code with nothing behind it: MB per CPU-second of the server."""
    size = RAW_TIMES * BLOCKS * objects.BLOCK
    server = fanout.RawServer(world, size)
    try:
        fanout.fetch(world, server.port, "raw", size)
        return DEVICES * size / measure.cpu_seconds([server.popen]) / 1e6
    finally:
        server.stop()


def median(rows, key):
    return measure.percentile([row[key] for row in rows], 0.5)


def tell(report, updates, raw, single):
    lists = BLOCKS * 32
    report.add("fanout-time", f"second approval -> {DEVICES} devices have the whole image, checked", "s", median(updates, "wall"))
    report.add("fanout-installed", "second approval -> all of them confirmed it", "s", updates[-1]["installed"],
               note="each asks the gate twice, and a gate answers a device once in 10 s")
    report.add("fanout-rate", "from the first device's fetching to the last one's whole digest", "MB/s", median(updates, "rate"),
               note="the devices' own checks on the same two cores")
    report.add("fanout-cpu", "image bytes served per CPU-second of the relay's processes", "MB/s", median(updates, "per_cpu"), raw,
               "raw TLS to the same number of clients")
    report.add("fanout-uplink", "image blocks over the uplink", "KiB", (median(updates, "fetched") - lists) / 1024,
               goal=BLOCKS * objects.BLOCK / 1024, absolute=True,
               note=f"and {lists / 1024:g} KiB of block list; {median(updates, 'wire') / 1024:,.0f} KiB with MQTT, TLS and all else")
    report.add("fanout-offered", "approval at the cloud -> offer at a device, alone, image of one block", "ms",
               measure.percentile([row[0] for row in single], 0.5))
    report.add("fanout-fetching", "offer -> fetching, with the gate's ticket between", "ms",
               measure.percentile([row[1] for row in single], 0.5))
    report.add("fanout-memory", "growth of the hub's own memory meanwhile", "KiB", max(row["memory"] for row in updates))


def bench(build, report):
    updates = []
    with FanoutWorld(build, ticket=True) as world:
        world.devices = [f"load-{number}" for number in range(1, SINGLES + ROUNDS * DEVICES + 1)]
        world.make()
        world.start_all()
        world.relayctl("gate", "open")
        desk = QuietDesk(world)
        single = latencies(world, desk)
        for number in range(ROUNDS):
            devices = world.devices[SINGLES + number * DEVICES:][:DEVICES]
            updates.append(one_update(world, desk, devices, number == ROUNDS - 1))
        raw = raw_per_cpu(world)
        desk.close()
    tell(report, updates, raw, single)
