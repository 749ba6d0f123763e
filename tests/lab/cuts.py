# SPDX-License-Identifier: GPL-2.0-or-later
"""Boards in QEMU whose power goes inside the n-th flash operation, which is torn; n by n over a whole piece of work. Each n begins
with the same flash, and afterwards the device starts, and is what it was or what it was to become."""

import queue
import re
import threading
import time
from collections import Counter

from .flash import Flash
from .kills import PATIENCE, SESSION, STRAPS
from .power import Ledger, boot_records, counters
from .process import LabError, wait_until

CUT = "<2>power cut\n|<2>boot: power cut on order"  # said by the application's side, or the boot stage's
QUIET = {**STRAPS, "report_ms": 3600000}  # one event at each start, so that the work's own operations are cut
SIZE = 447 * 4096                         # of the flash; the file is longer


class Work:
    """prepare() once; again(victim) before each cut; is_done(victim): there is nothing left to cut."""

    straps, limit = QUIET, 2000

    def __init__(self, site):
        self.site = site

    def prepare(self):
        pass

    def again(self, victim):
        pass

    def is_done(self, victim):
        raise NotImplementedError


class WholeUpdate(Work):
    name = "update"

    def prepare(self):
        self.number = self.site.next_update(len(self.site.updates) - 1)
        for name in self.site.devices:
            self.site.desk.offer(self.site.updates[self.number].envelope, name)

    def is_done(self, victim):
        victim.number, victim.stale = self.number, 0
        return victim.is_done(boot_records(victim.path)[-1][1])


class PolicyChange(Work):
    name = "policy change"

    def prepare(self):
        self.site.policy_at = 0
        self.site.change_policy()

    def is_done(self, victim):
        return boot_records(victim.path)[-1][1].policy == self.site.policies[-1]


class Command(Work):
    """One after another: without trusted time, which the gate gives once in ten seconds, they are refused."""
    name = "command"

    def __init__(self, site):
        super().__init__(site)
        self.first, self.sent = {}, {}

    def again(self, victim):
        self.first[victim.name] = victim.counter + 1
        self.send(victim)

    def send(self, victim):
        victim.counter += 1
        self.sent[victim.name] = time.monotonic()
        self.site.command(victim.name, victim.counter)

    def is_done(self, victim):
        if time.monotonic() - self.sent[victim.name] > 0.5:
            self.send(victim)
        return max(counters(victim.path).values(), default=0) >= self.first[victim.name]


class Outbox(Work):
    """Records, marks, and a new sector: about 45 events fill one."""
    name, straps, limit = "outbox", STRAPS, 150

    def is_done(self, _victim):
        return False


class Cuts:
    def __init__(self, kills, progress=print):
        self.kills, self.site, self.progress = kills, kills.site, progress
        self.done, self.where, self.lock = Counter(), Counter(), threading.Lock()

    def play(self, work, step=1, first=1):
        """Cuts at every step-th operation of this work until it is done without a cut. Devices side by side."""
        work = work(self.site)
        self.kills.stop()
        before = {victim.name: victim.path.read_bytes()[:SIZE] for victim in self.kills.victims}
        work.prepare()
        numbers, self.end, self.failure = queue.Queue(), None, None
        for number in range(first, work.limit + 1, step):
            numbers.put(number)
        threads = [threading.Thread(target=self.run, args=(work, victim, before[victim.name], numbers)) for victim in self.kills.victims]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            self.kills.read_cloud()
        if self.failure:
            raise LabError(self.failure)
        self.progress(f"  {work.name}: power cut at {self.done[work.name]} operations, {time.monotonic() - began:.0f} s: "
                      f"{len(self.kills.problems)} problems")

    def run(self, work, victim, before, numbers):
        try:
            while not self.failure and (number := numbers.get_nowait()) < (self.end or number + 1):
                self.cut(work, victim, before, number)
        except queue.Empty:
            pass
        except Exception as error:  # noqa: BLE001  told by play()
            self.failure = f"{victim.name}, {work.name}: {error}"

    def restore(self, victim, before):
        """The flash as it was, but that its boot counter goes on: the relay would see a clone."""
        boot = victim.ledger.last.boot
        with victim.path.open("r+b") as file:
            file.write(before)
        flash = Flash(victim.path)
        record = flash.records()[-1][3]
        flash.put_record(boot.to_bytes(4, "big") + record[4:])
        victim.ledger = Ledger(victim.name, victim.path, self.site.approved, self.site.policies, self.kills.problems,
                               victim.ledger.images)

    def cut(self, work, victim, before, number):
        self.restore(victim, before)
        work.again(victim)
        process = self.site.start_board(victim.name, **work.straps, cut_after=number)
        wait_until(f"{victim.name} to be cut at {number}, or done", lambda: re.search(CUT, process.output()) or work.is_done(victim), PATIENCE)
        time.sleep(0.05)
        console = process.output()
        self.after(victim, process)
        with self.lock:
            if not re.search(CUT, console):
                self.end = min(number, self.end or number)
            else:
                self.done[work.name] += 1
                self.where[work.name, victim.phase(console)] += 1
        process = self.site.start_board(victim.name, **QUIET)
        try:
            process.wait_for(SESSION, PATIENCE)
            # before the flash is put back nothing may wait in it
            wait_until("its events to be acknowledged", victim.is_empty, PATIENCE)
        except LabError as error:
            self.kills.problems.append(f"{work.name}, cut at {number}: {error}")
        self.after(victim, process)

    def after(self, victim, process):
        process.kill()
        victim.ledger.read(process.output())
        self.kills.account.read_flash(victim.name)


WORKS = (PolicyChange, Command, Outbox, WholeUpdate)
