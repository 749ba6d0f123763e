# SPDX-License-Identifier: GPL-2.0-or-later
"""An update of 50 devices from the relay's cache: bytes over the uplink, time, rate beside the raw TLS rate of the path."""

import re
import subprocess
import threading
import time

import measure
from lab.fanout import FanoutWorld
from lab.process import LabError, wait_until
from lab.updates import Desk, noise, objects

DEVICES = 50
FLEETS = 2  # processes that share the devices
BLOCKS = 128  # the largest image of a device
ROUNDS = 3  # each with devices of its own: a gate answers a device once in ten seconds
RAW_TIMES = 4  # as many bytes on the raw path, which is faster
SINGLES = 5  # more devices, whose latency is taken, one after the other


class Desk50(Desk):
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


def raw(world, devices, *options):
    """The same bytes to the same devices by the relay's TLS layer alone: (MB/s, MB per CPU-second of the server)."""
    etc, size = world.folder / "gateway" / "etc" / "relayd", RAW_TIMES * BLOCKS * objects.BLOCK
    server = subprocess.Popen([world.build / "tests" / "bench" / "stream", etc / "relay.crt", etc / "keys" / "relay.key",
                               str(DEVICES), str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().strip()
    fleet = world.start_fleet(devices, FLEETS, name="raw", options=("--raw", port, "--bytes", size, *options))
    fleet.wait("online")
    cpu = measure.cpu_seconds([server])
    if server.stdout.readline().strip() != "sent":
        raise LabError("the raw server failed")
    fleet.wait("complete")
    cpu = measure.cpu_seconds([server]) - cpu
    begin, end = span(fleet)
    server.stdin.close()
    server.wait()
    return {"rate": DEVICES * size / (end - begin) / 1e6, "per_cpu": DEVICES * size / cpu / 1e6}


def median(rows, key):
    return measure.percentile([row[key] for row in rows], 0.5)


def tell(report, updates, plain, checked, single):
    image, lists = BLOCKS * objects.BLOCK, BLOCKS * 32
    report.add("update-fanout", f"image bytes over the uplink for {DEVICES} devices", "KiB",
               (median(updates, "fetched") - lists) / 1024, DEVICES * image / 1024, "each device for itself", better="less",
               goal=image / 1024, absolute=True,
               note=f"and {lists / 1024:g} KiB of block list; {median(updates, 'wire') / 1024:,.0f} KiB with MQTT and TLS")
    report.add("fanout-time", "second approval to the last device's whole image", "s", median(updates, "wall"))
    report.add("fanout-installed", "second approval to the last device's confirmation", "s", max(row["installed"] for row in updates),
               note="a gate answers a device once in 10 s, and is asked twice")
    report.add("fanout-lan", "rate from the first device's fetching to the last one's image", "MB/s", median(updates, "rate"),
               median(plain, "rate"), "raw TLS, clients that only read", goal=0.5)
    report.add("fanout-lan-checked", "the same", "MB/s", median(updates, "rate"), median(checked, "rate"),
               "raw TLS, clients that hash as devices do", goal=0.5)
    report.add("fanout-cpu", "image bytes served per CPU-second of the relay's processes", "MB/s", median(updates, "per_cpu"),
               median(plain, "per_cpu"), "raw TLS server", goal=0.5)
    report.add("fanout-offered", "approval at the cloud -> offer at a device, alone", "ms",
               measure.percentile([row[0] for row in single], 0.5))
    report.add("fanout-fetching", "offer -> fetching, with the gate's ticket between", "ms",
               measure.percentile([row[1] for row in single], 0.5))
    report.add("fanout-memory", "growth of the hub's own memory meanwhile", "KiB", max(row["memory"] for row in updates))


def bench(build, report):
    updates, plain, checked = [], [], []
    with FanoutWorld(build, devices=SINGLES + ROUNDS * DEVICES, ticket=True) as world:
        world.make()
        world.start_all()
        world.relayctl("gate", "open")
        desk = Desk50(world)
        single = latencies(world, desk)
        for number in range(ROUNDS):
            devices = world.devices[SINGLES + number * DEVICES:][:DEVICES]
            updates.append(one_update(world, desk, devices, number == ROUNDS - 1))
            plain.append(raw(world, devices))
            checked.append(raw(world, devices, "--check"))
        desk.close()
    tell(report, updates, plain, checked, single)
