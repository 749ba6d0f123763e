# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards in QEMU that are killed at random moments while they work: events, updates, policy successors, commands. Each goes on with
the same flash file."""

import json
import random
import threading
import time
from collections import Counter

from .board import Boards
from .faults import Account
from .outbox import records
from .power import RUNNING, STAGED, START, Ledger, boot_records, counters, image_of
from .process import LabError, wait_until
from .site import PEOPLE, SITE, THRESHOLD
from .trust import Chain, digest
from .updates import Desk, FileKey, alerts, noise, objects

import relaygate  # noqa: E402  lab.updates put their folder on the path

# more hurried than a product would be, so that more happens in the time there is
STRAPS = {"keep_alive_s": 4, "report_ms": 30, "dwell_ms": 1000, "backoff_ms": 1000, "retry_ms": 300, "settle_ms": 200, "gate_ms": 600,
          "confirm_ms": 120000, "watchdog_ms": 120000}
PATIENCE = 180  # QEMU shares the machine with everything else
TRIES = 3       # of one image; port/boot.h
STALE = 20      # kills that one update may take, then the device is offered the next one
BLOCKS = (5, 40)  # that an image has of its own
SESSION = "session with the"


class Watch:
    """What the cloud got of devices: arrivals as lab.faults wants them, and what they said they run."""

    def __init__(self, desk):
        self.client = desk.client("ops.acme", "power")
        self.client.subscribe([(f"sites/{SITE}/devices/+/{rest}", 1) for rest in ("events/#", "state/#", "commands/result")])
        self.arrivals, self.told, self.results = [], set(), Counter()

    def read(self):
        while not self.client.messages.empty():
            message = self.client.messages.get()
            _, _, _, device, kind, *_ = message.topic.split("/")
            if kind == "state" and message.payload:
                state = json.loads(message.payload)
                self.told.add((device, state["boot"], state["image"]))
            elif kind == "commands":
                result = json.loads(message.payload)
                self.results[device, result["counter"], result["result"]] += 1
            elif kind == "events":
                # no way is told: by relay and cloud in turns nothing is promised about the order
                found = dict(message.properties.UserProperty)
                self.arrivals.append((len(self.arrivals), device, int(found["boot"]), int(found["seq"]), message.payload.decode()))
        return self


class PowerSite(Boards):
    """Boards, an approved update after the other, successors of the policy, commands."""

    def __init__(self, build, devices, **options):
        super().__init__(build, devices=devices, commands=True, **options)

    def flash(self, name):
        return self.folder / "devices" / name / "flash"

    def begin(self, seed):
        self.make().start_all().relayctl("gate", "open")
        self.lock, self.random = threading.RLock(), random.Random(f"{seed} site")
        self.desk = Desk(self)
        self.watch = Watch(self.desk)
        self.chain = Chain(self, self.desk)
        self.key = FileKey(self.command_key)
        self.updates, self.policy_at = [], 0.0
        factory, image = image_of((self.folder / "vendor" / "1.0.0.manifest").read_bytes())
        self.approved, self.policies = {factory: image}, [bytes.fromhex(digest(self.chain.sets[0]))]
        return self

    def close(self):
        if getattr(self, "watch", None):
            self.watch.client.close()
            self.desk.close()
        super().close()

    def next_update(self, number):
        """The newest update once somebody is done with that of this number; then made, served and approved. Who is behind leaves out
        some: the relay hands on the newest one only."""
        with self.lock:
            if number == len(self.updates) - 1:
                self.updates.append(self.make_update())
            return len(self.updates) - 1

    def bait(self):
        """Nobody may run it: an older one, or one that nobody approved."""
        with self.lock:
            if len(self.updates) > 1 and self.random.random() < 0.5:
                return self.updates[-2]
            return self.desk.make(sequence=self.desk.sequence, image=noise("bait"))

    def make_update(self):
        seed = self.desk.sequence + 1
        update = self.desk.make(image=self.image("1.1.0").read_bytes() + noise(seed, self.random.randint(*BLOCKS) * objects.BLOCK))
        self.desk.serve(update)
        manifest, image = image_of(update.envelope)
        self.approved[manifest] = image
        for person in PEOPLE[:THRESHOLD]:
            self.desk.approve(person, update)
        return update

    def change_policy(self):
        """A successor that changes nothing but the epoch; at most every three seconds."""
        with self.lock:
            if time.monotonic() - self.policy_at < 3:
                return
            self.policy_at = time.monotonic()
            successor = self.chain.add({})
            self.policies.append(bytes.fromhex(digest(successor)))
            self.desk.publish(f"sites/{SITE}/policy/{self.chain.policy[2]}", successor)

    def command(self, name, counter):
        command = relaygate.command(self.key, SITE, name, counter, int(time.time()) + 600, "plan.show")
        self.desk.vendor.client.publish(f"sites/{SITE}/devices/{name}/commands", command, qos=1, retain=True)


class Victim:
    """One board, one life after another."""

    def __init__(self, kills, name):
        self.kills, self.site, self.name = kills, kills.site, name
        self.random = random.Random(f"{kills.seed} {name}")
        self.path = self.site.flash(name)
        self.ledger = Ledger(name, self.path, self.site.approved, self.site.policies, kills.problems)
        self.number, self.offered, self.stale = -1, False, 0  # the update it was last offered
        self.counter, self.commanding = 0, False
        self.proven, self.to_session = 0, 1.0
        self.plans = {"start": (20, self.plan_start), "events": (15, self.plan_events), "update": (25, self.plan_update),
                      "trial": (20, self.plan_trial), "policy": (12, self.plan_policy), "command": (8, self.plan_command)}

    # ---- what it may be in the middle of

    def pause(self, most_s):
        time.sleep(self.random.uniform(0, most_s))

    def wait_session(self, process):
        began = time.monotonic()
        process.wait_for(SESSION, PATIENCE)
        self.to_session = 0.7 * self.to_session + 0.3 * (time.monotonic() - began)
        self.proven += 1

    def plan_start(self, _process):
        self.pause(1.3 * self.to_session)

    def plan_events(self, process):
        self.wait_session(process)
        self.pause(1.5)

    def is_done(self, record):
        """Is there nothing left to do about the update it was offered?"""
        if self.number < 0:
            return True
        manifest, image = image_of(self.site.updates[self.number].envelope)
        return record.floor >= image.sequence or self.stale >= STALE or (record.tried_manifest == manifest and record.tries >= TRIES)

    def offer(self):
        """Something to do: a new update if the last one is over. Now and then something before it that nobody may run."""
        if self.is_done(self.ledger.last):
            if self.random.random() < 0.15:
                self.site.desk.offer(self.site.bait().envelope, self.name)
                time.sleep(0.2)
            self.offer_newest(self.site.next_update(self.number))
        elif self.number != len(self.site.updates) - 1:
            self.offer_newest(len(self.site.updates) - 1)

    def offer_newest(self, number):
        self.number, self.stale = number, 0
        self.site.desk.offer(self.site.updates[number].envelope, self.name)

    def is_whole(self):
        """It has taken up all that there is."""
        record = boot_records(self.path)[-1][1]
        return record.trial not in (STAGED, RUNNING) and record.policy == self.site.policies[-1] and self.is_done(record)

    def is_empty(self):
        """Nothing waits in its outbox."""
        return not any(record.waiting for record in records(self.path)[0])

    def plan_update(self, process):
        self.offer()
        self.wait_session(process)
        self.stale += 1
        self.pause(2.5)

    def plan_trial(self, process):
        """Waits until the new image is handed over, and goes on from there."""
        self.offer()
        self.wait_session(process)
        self.stale += 1
        until = time.monotonic() + 4
        while time.monotonic() < until and boot_records(self.path)[-1][1].trial not in (STAGED, RUNNING):
            time.sleep(0.01)
        self.pause(1.2 * self.to_session)

    def plan_policy(self, process):
        self.wait_session(process)
        self.site.change_policy()
        self.pause(0.7)

    def plan_command(self, process):
        """Time is trusted once the gate answered, at most every ten seconds; then one command after another."""
        self.wait_session(process)
        first = self.counter + 1
        until, end = time.monotonic() + 12, None
        self.commanding = True
        while time.monotonic() < (end or until):
            self.counter += 1
            self.site.command(self.name, self.counter)
            time.sleep(0.05)
            if not end and max(counters(self.path).values(), default=0) >= first:
                end = time.monotonic() + self.random.uniform(0, 0.7)

    # ---- its lives

    def live(self):
        names = list(self.plans)
        plan = self.random.choices(names, [self.plans[name][0] for name in names])[0]
        self.commanding = False
        process = self.site.start_board(self.name, **STRAPS)
        try:
            self.plans[plan][1](process)
        finally:
            process.kill()
        self.kills.killed(self, plan, process.output())

    def phase(self, console):
        """What it was doing."""
        last, said = boot_records(self.path)[-1][1], console.rpartition(START)
        if not said[1]:
            return "boot stage"
        if last.trial == STAGED:
            return "staged, before its trial"
        if last.trial == RUNNING:
            return "trial" if SESSION in said[2] else "trial, before its session"
        if SESSION not in said[2]:
            return "connecting"
        if self.commanding:
            return "commands"
        if "update: fetching" in said[2] and "update: confirmed" not in said[2]:
            return "fetching"
        return "policy change" if last.policy != self.site.policies[-1] else "events"


class Kills:
    def __init__(self, site, seed, progress=print):
        self.site, self.seed, self.progress = site, seed, progress
        self.account, self.lock = Account(site), threading.Lock()
        self.problems = self.account.problems
        self.phases, self.plans, self.told, self.failure = Counter(), Counter(), 0, None
        self.victims = [Victim(self, name) for name in site.devices]

    def killed(self, victim, plan, console):
        phase = victim.phase(console)
        victim.ledger.read(console)
        self.account.read_flash(victim.name)
        with self.lock:
            self.plans[plan] += 1
            self.phases[phase] += 1

    def work(self, victim, count):
        try:
            for _ in range(count):
                if self.failure:
                    return
                victim.live()
        except Exception as error:  # noqa: BLE001  told by play()
            self.failure = f"{victim.name}: {error}"

    def play(self, count, every=100):
        """So many kills, the devices side by side."""
        share, rest = divmod(count, len(self.victims))
        threads = [threading.Thread(target=self.work, args=(victim, share + (number < rest)))
                   for number, victim in enumerate(self.victims)]
        began, told = time.monotonic(), 0
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            self.read_cloud()
            if sum(self.phases.values()) >= told + every:
                told = sum(self.phases.values()) // every * every
                self.progress(f"  {told:,} of {count:,} kills, {time.monotonic() - began:.0f} s: {len(self.account.arrived):,} events, "
                              f"{len(self.site.updates)} updates, {len(self.site.policies) - 1} policies, {len(self.problems)} problems")
        if self.failure:
            raise LabError(self.failure)

    def read_cloud(self):
        """What arrived; and problems are told as they come."""
        self.account.read_cloud()
        for problem in self.problems[self.told:]:
            self.progress(f"  PROBLEM: {problem}")
        self.told = len(self.problems)

    # ---- the end

    def stop(self):
        """All stand still."""
        for victim in self.victims:
            process = self.site.processes.get(victim.name)
            if process and process.alive():
                process.kill()
                victim.ledger.read(process.output())
                self.account.read_flash(victim.name)

    def settle(self):
        """Nothing is cut any more: updates and policies are taken up, and everything arrives."""
        self.stop()
        for victim in self.victims:
            process = self.site.start_board(victim.name, **STRAPS)
            process.wait_for(SESSION, PATIENCE)
        for victim in self.victims:
            if 0 <= victim.number < len(self.site.updates) - 1 and not victim.is_done(victim.ledger.last):
                victim.offer_newest(len(self.site.updates) - 1)
        for victim in self.victims:
            wait_until(f"{victim.name} to take up what there is", victim.is_whole, PATIENCE, 0.1)
            self.site.wait_device(victim.name, "attested", lambda shown: shown["Online"] and shown["Trust"] == "attested", patience=PATIENCE)
        self.stop()
        # the last events wait in flash: one more life brings them up
        for victim in self.victims:
            self.site.start_board(victim.name, **{**STRAPS, "report_ms": 3600000}).wait_for(SESSION, PATIENCE)
        for victim in self.victims:
            wait_until(f"{victim.name}'s events to be acknowledged", victim.is_empty, PATIENCE)
        self.wait_arrived()

    def wait_arrived(self):
        """Of each boot counter all numbers up to the highest one in flash."""
        wait_until("everything to arrive", lambda: self.read_cloud() or not self.account.missing(), PATIENCE, 0.2)

    def finish(self):
        """The last account."""
        self.stop()
        self.wait_arrived()
        for victim in self.victims:
            for record in self.account.read_flash(victim.name):
                if not record.waiting and (victim.name, record.boot, record.seq) not in self.account.arrived:
                    self.problems.append(f"{victim.name} forgot {record.boot}/{record.seq}, which is not at the cloud")
        self.account.compare()
        ledgers = {victim.name: victim.ledger for victim in self.victims}
        for device, boot, image in self.site.watch.told:
            ledgers[device].told(boot, image)
        for device, boot, seq in self.account.arrived:
            if seq > self.account.last.get((device, boot), 0):
                self.problems.append(f"{device} {boot}/{seq} arrived, and was never in flash")
        for reason in ("cloned-device", "unknown-image", "not-attested"):
            for alert in alerts(self.site, reason):
                self.problems.append(f"alert {alert}")
        return self.problems
