# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills and cuts by chance while devices work; then the account: every event that was in a device's flash is at the cloud, each
with one content, in order on each way."""

import random
import time
from collections import Counter

from .outbox import records
from .process import LabError, wait_until
from .triangle import WIRES, Triangle

# more hurried than a product would be, so that more happens in the time there is
OPTIONS = ("--keep-alive", 2, "--dwell-ms", 1000, "--backoff-ms", 3000)
EXPECTED = 180.0  # seconds in which everything arrives once all is whole again; generous
# by turns of so many faults the relay's side and the cloud's are spared, so that there is something to go to
TURN, SIDES = 10, (("broker", "wan"), ("front end", "hub", "relay", "lan"))
DOWN_S, BROKEN_S = 1.0, 5.0  # how long a process stays away, and a wire is broken, on average


class Account:
    """What was in the devices' flash, and what came to the cloud."""

    def __init__(self, world):
        self.world = world
        self.last = {}       # (device, boot) -> highest seq seen in flash
        self.contents = {}   # (device, boot, seq) -> payload in flash
        self.arrived = {}    # (device, boot, seq) -> payload as it came first
        self.newest = {}     # (way, device) -> (boot, seq) of the newest first arrival on this way
        self.on_way = set()  # (way, device, boot, seq)
        self.ways, self.repeats, self.taken, self.problems = Counter(), 0, 0, []

    def read_flash(self, device):
        """Everything in it was put there by a device that then said: it is safe."""
        found, dropped = records(self.world.flash(device))
        if dropped:
            self.problems.append(f"{device}: its outbox dropped {dropped} events")
        for record in found:
            key = (device, record.boot)
            self.last[key] = max(self.last.get(key, 0), record.seq)
            self.note(self.contents, (device, record.boot, record.seq), record.payload.decode(), "in flash")
        return found

    def note(self, where, key, payload, place):
        if where.setdefault(key, payload) != payload:
            self.problems.append(f"{key} has two contents {place}: {where[key]} and {payload}")

    def read_cloud(self):
        arrivals = self.world.watch.read().arrivals
        for way, device, boot, seq, payload in arrivals[self.taken:]:
            key = (device, boot, seq)
            self.ways[way] += 1
            self.repeats += key in self.arrived
            self.note(self.arrived, key, payload, "at the cloud")
            if (way, *key) in self.on_way:
                continue
            self.on_way.add((way, *key))
            if (boot, seq) < self.newest.get((way, device), (0, 0)):
                self.problems.append(f"{key} came {way} behind {self.newest[way, device]}")
            self.newest[way, device] = max((boot, seq), self.newest.get((way, device), (0, 0)))
        self.taken = len(arrivals)

    def missing(self):
        return [(device, boot, seq) for (device, boot), last in self.last.items() for seq in range(1, last + 1)
                if (device, boot, seq) not in self.arrived]

    def compare(self):
        """What came has the content that it had in flash."""
        for key, payload in self.contents.items():
            if key in self.arrived and self.arrived[key] != payload:
                self.problems.append(f"{key} was {payload} in flash and {self.arrived[key]} at the cloud")


class Faults:
    def __init__(self, world, seed, progress=print):
        self.world, self.random, self.progress = world, random.Random(seed), progress
        self.account, self.done, self.healing = Account(world), Counter(), []
        self.actions = {"kill front end": (8, self.kill_relay, "front"), "kill hub": (8, self.kill_relay, "hub"),
                        "kill relay": (8, self.kill_relay, "hub", "front"), "kill broker": (14, self.kill_broker),
                        "kill devices": (5, self.kill_devices)}
        for wire in WIRES:
            self.actions |= {f"cut {wire}": (8, self.cut, wire),
                             f"lose packets on {wire}": (7, self.rule, wire, "numgen random mod 100 < 30 drop"),
                             f"silence on {wire}": (7, self.rule, wire, "drop"),
                             f"resets on {wire}": (7, self.rule, wire, "meta l4proto tcp reject with tcp reset")}

    # ---- faults; each says what heals it

    def later(self, what, heal, mean_s=DOWN_S):
        """Heals after a while; the same thing is not broken twice meanwhile."""
        self.healing.append((time.monotonic() + self.random.expovariate(1 / mean_s), what, heal))

    def is_broken(self, what):
        return any(other == what for _, other, _ in self.healing)

    def kill_relay(self, *names):
        names = [name for name in names if not self.is_broken(name)]
        for name in names:
            self.world.processes[name].kill()
        for name in names:
            self.later(name, self.world.start_hub if name == "hub" else self.start_front_end)
        return bool(names)

    def start_front_end(self):
        """It ends at once without a hub, as systemd would start it again."""
        if self.is_broken("hub"):
            self.later("front", self.start_front_end)
        else:
            self.world.start_front_end()

    def kill_broker(self):
        """Nobody reaches the new broker before the watcher does, or it would miss something."""
        if self.is_broken("broker"):
            return False
        subscribed = self.world.watch.read().subscribed
        self.world.cloud.kill()

        def start():
            self.world.cloud_door(False)
            self.world.cloud.start()
            self.world.watch.wait_for_subscription(subscribed + 1)
            self.world.cloud_door(True)
        self.later("broker", start)
        return True

    def kill_devices(self):
        for name in self.random.sample(self.world.devices, self.random.randint(1, min(4, len(self.world.devices)))):
            if not self.is_broken(name):
                self.world.cut_power(name)
                self.account.read_flash(name)
                self.later(name, lambda name=name: self.start_device(name))
        return True

    def start_device(self, name):
        self.world.start_device(name, *OPTIONS, "--period-ms", self.period_ms)

    def cut(self, wire):
        if self.is_broken(wire):
            return False
        self.world.wire_link(wire, "down")
        self.later(wire, lambda: self.world.wire_link(wire, "up"), BROKEN_S)
        return True

    def rule(self, wire, rule):
        if self.is_broken(wire):
            return False
        self.world.wire_rules(wire, rule)
        self.later(wire, lambda: self.world.wire_rules(wire, None), BROKEN_S)
        return True

    # ---- the run

    def heal(self, everything=False):
        while True:
            now = time.monotonic()
            ready = [entry for entry in self.healing if everything or entry[0] <= now]
            if not ready:
                return
            entry = min(ready, key=lambda entry: entry[0])
            self.healing.remove(entry)
            entry[2]()

    def fault(self, name=None):
        """This one, or one by chance; one that is there already is no fault."""
        names = [name] if name else list(self.actions)
        spared = SIDES[sum(self.done.values()) // TURN % 2]
        weights = [self.actions[name][0] * (0.1 if name.endswith(spared) else 1) for name in names]
        while True:
            name = self.random.choices(names, weights)[0]
            _, action, *arguments = self.actions[name]
            if action(*arguments):
                self.done[name] += 1
                return

    def start(self, period_ms):
        """All devices; each has told something to the cloud before the first fault."""
        self.period_ms = period_ms
        for name in self.world.devices:
            self.start_device(name)

        def all_there():
            self.account.read_cloud()
            return len({device for device, _, _ in self.account.arrived}) == len(self.world.devices)
        wait_until("an event of each device", all_there, EXPECTED, 0.1)

    def play(self, count, pause_s):
        """So many faults, one after another while older ones are still there."""
        for _ in range(count):
            until = time.monotonic() + self.random.expovariate(1 / pause_s)
            while time.monotonic() < until:
                self.heal()
                time.sleep(0.01)
            self.fault()
            self.account.read_cloud()

    def sessions(self):
        """(with the relay, with the cloud) that the devices had so far, by their own words"""
        texts = [self.world.processes[name].log.read_text(errors="replace") for name in self.world.devices]
        return tuple(sum(text.count(f"session with the {kind}") for text in texts) for kind in ("relay", "cloud"))

    def settle(self):
        """All is whole again: what is in flash by now arrives."""
        self.heal(everything=True)
        for name in self.world.devices:
            self.account.read_flash(name)
        began = time.monotonic()
        while self.account.read_cloud() or self.account.missing():
            if time.monotonic() - began > EXPECTED:
                missing = self.account.missing()
                raise LabError(f"{len(missing)} events are lost: {missing[:20]}")
            time.sleep(0.2)
        return time.monotonic() - began

    def finish(self):
        """The last account: what a device believes to be delivered is at the cloud."""
        for name in self.world.devices:
            self.world.cut_power(name)
        self.account.read_cloud()
        for name in self.world.devices:
            for record in self.account.read_flash(name):
                if not record.waiting and (name, record.boot, record.seq) not in self.account.arrived:
                    self.account.problems.append(f"{name} forgot {record.boot}/{record.seq}, which is not at the cloud")
        self.account.compare()
        return self.account.problems


def make_world(build, devices, keep=False, **options):
    world = Triangle(build, devices=devices, keep=keep, **options)
    try:
        world.make()
        world.start_all()
    except BaseException:
        world.close()
        raise
    return world
