# SPDX-License-Identifier: GPL-2.0-or-later
"""One update for fifty devices: what goes over the uplink, how fast the relay's cache gives it out, how long devices take."""

import hashlib
import json
import subprocess
import time

import measure
from lab.process import wait_until
from lab.site import World

DEVICES = 50
BLOCKS = 128  # the largest image a device of ours takes: 512 KiB
ROUNDS = 3


class RawServer:
    """The same TLS code with the relay's certificate, and nothing behind it but sending."""

    def __init__(self, world, size):
        gateway = world.folder / "gateway" / "etc" / "relayd"
        self.popen = subprocess.Popen([world.build / "tests/bench/fanout", "serve", gateway / "relay.crt", gateway / "keys/relay.key",
                                       str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.popen.stdout.readline())

    def stop(self):
        self.popen.stdin.close()
        self.popen.wait()


def fetch(world, port, *what):
    """Bytes per second over all devices together."""
    command = [world.build / "tests/bench/fanout", port, world.folder / "gateway/etc/relayd/relay.crt", world.folder / "factory", DEVICES,
               *what]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"fanout: {done.stderr}")
    seen = json.loads(done.stdout)
    return seen["bytes"] / seen["seconds"]


def shown(world):
    updates = world.relayctl_json("updates", "list")
    return updates[0] if updates else {}


def cached_update(world):
    """An update that people approved, in the relay's cache; the gate is closed. Gives (digest, size) of the image."""
    image = world.folder / "vendor" / "image"
    program = world.program("plant-care-1.1.0").read_bytes()
    image.write_bytes(program + hashlib.shake_128(b"fan-out").digest(BLOCKS * 4096 - len(program)))
    manifest, _ = world.make_image("1.1.0", 2, image)
    world.publish(manifest, image)
    update = wait_until("the update to be pending", lambda: shown(world).get("Digest"))
    for person in ("anna", "bertil"):
        world.approve(update, person)
    wait_until("the image at the relay", lambda: shown(world)["BlocksCached"] == BLOCKS)
    return hashlib.sha256(image.read_bytes()).hexdigest(), image.stat().st_size


def update_devices(world):
    """Seconds from the opening of the gate to the last device's word that it runs and keeps the new image."""
    for name in world.devices:
        world.start_device(name, "--settle-ms", "500")
    wait_until("all devices at the relay", lambda: all(device["Online"] for device in world.relayctl_json("devices", "list")), 60)
    watcher = world.cloud.watch("sites/+/devices/+/updates/status", name="fanout")
    began, said = time.time(), {}
    world.relayctl("gate", "open")

    def all_said():
        for message in watcher.messages():
            if json.loads(message["payload"])["state"] == "confirmed":
                said.setdefault(message["topic"], measure.seconds(message["tst"]) - began)
        return len(said) == DEVICES
    wait_until("all devices to keep the update", all_said, 120, interval=0.2)
    watcher.stop()
    return max(said.values())


def bench(build, report):
    with World(build, devices=0) as world:
        world.devices = [f"load-{number}" for number in range(1, DEVICES + 1)]
        world.make()
        world.start_all()
        digest, size = cached_update(world)
        raw = RawServer(world, size)
        try:
            rates = {"ours": [], "raw": []}
            for _ in range(ROUNDS):
                rates["ours"].append(fetch(world, world.port, digest, BLOCKS))
                rates["raw"].append(fetch(world, raw.port, "raw", size))
        finally:
            raw.stop()
        took = update_devices(world)
        fetched = world.relayctl_json("status")["ImageBytesFetched"]
    ours, peer = (measure.percentile(rates[who], 0.5) / 1e6 for who in ("ours", "raw"))
    report.add("update-fanout", f"an image of {size // 1024} KiB to {DEVICES} devices at once, from the relay's cache", "MB/s", ours, peer,
               "raw TLS to the same clients", goal=0.5)
    report.add("update-uplink", f"image bytes over the uplink for {DEVICES} devices", "images", fetched / size, DEVICES,
               "each device fetches its own", better="less", goal=1.05, absolute=True)
    report.add("update-devices", f"gate opened -> {DEVICES} devices run and keep it", "s", took)
